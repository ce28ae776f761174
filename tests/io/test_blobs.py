from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.export.blob import save_blob
from trulysparse.io.blob_format import unpack
from trulysparse.io.blobs import blob_of_network, is_blob, load_blob, network_of


def network(rng: np.random.Generator, **options) -> ts.SparseMLP:
    net = ts.SparseMLP((9, 14, 11, 4), epsilon=3, seed=0, threads=1, **options)
    for layer in net.layers:
        layer.bias[:] = rng.normal(size=layer.bias.shape)
    net.scaling = Scaling("minmax", rng.normal(size=9), rng.uniform(0.5, 2, 9))
    return net


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": ts.LeakyReLU(0.1)},
        {"activation": "gelu", "output": "identity", "skip": True},
        {"activation": "tanh", "bias": False},
        {"output": "sigmoid", "init": "uniform"},
    ],
)
def test_there_and_back(options: dict, tmp_path: Path, rng: np.random.Generator) -> None:
    net = network(rng, **options)
    net.feature_names = [f"x{number}" for number in range(9)]
    if net.output == "softmax":
        net.labels = np.array([3, 1, 4, 15])
    if net.output == "identity":
        net.target_scaling = Scaling("standard", rng.normal(size=4), rng.uniform(0.5, 2, 4))
    save_blob(net, tmp_path / "net.blob")
    back = ts.load(tmp_path / "net.blob", threads=1)
    assert (back.layer_sizes, back.activation, back.output, back.init, back.skip) == (
        net.layer_sizes,
        net.activation,
        net.output,
        net.init,
        net.skip,
    )
    assert back.scaling.kind == "minmax"
    assert back.feature_names == net.feature_names
    assert (back.labels is None) == (net.labels is None)
    X = rng.normal(size=(20, 9)).astype(np.float32)
    np.testing.assert_allclose(back.decision_function(X), net.decision_function(X), rtol=1e-5, atol=1e-5)
    if net.labels is not None or net.output == "identity":
        np.testing.assert_allclose(back.predict(X), net.predict(X), rtol=1e-4, atol=1e-4)


def test_a_network_that_was_drawn_on_a_device_has_no_text(rng: np.random.Generator) -> None:
    blob = replace(blob_of_network(network(rng)), text={})
    net = network_of(unpack(blob.pack()), 1)
    assert net.layer_sizes == (9, 14, 11, 4)
    assert net.labels is None
    assert net.n_connections == network(rng).n_connections


def test_is_blob(tmp_path: Path, rng: np.random.Generator) -> None:
    net = network(rng)
    save_blob(net, tmp_path / "net.blob")
    ts.save(net, tmp_path / "net.safetensors")
    assert is_blob(tmp_path / "net.blob")
    assert not is_blob(tmp_path / "net.safetensors")
    assert not is_blob(tmp_path / "nothing")
    assert not is_blob(tmp_path)


def test_damage_names_the_file(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "net.blob"
    save_blob(network(rng), path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match=r"net\.blob.*cut off"):
        ts.load(path)


@pytest.mark.parametrize(
    "name, value", [("activation", 7), ("labels", "none"), ("seed", -1), ("scaling", "none"), ("feature_names", 3)]
)
def test_settings_that_do_not_fit(name: str, value: object, tmp_path: Path, rng: np.random.Generator) -> None:
    blob = blob_of_network(network(rng))
    path = tmp_path / "net.blob"
    path.write_bytes(replace(blob, text={**blob.text, name: value}).pack())
    with pytest.raises(InputError):
        load_blob(path)
