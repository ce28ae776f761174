"""Networks from and to blobs, and through load."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.io.blobs import blob_of_network, is_blob, load_blob, network_of


def network(**options) -> ts.SparseMLP:
    return ts.SparseMLP((6, 9, 8, 3), **({"epsilon": 3, "seed": 2, "threads": 1} | options))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": ts.AllReLU(0.3)},
        {"activation": ts.LeakyReLU(0.2)},
        {"activation": "gelu", "output": "identity"},
        {"activation": "silu", "output": "sigmoid"},
        {"bias": False},
        {"skip": True},
    ],
)
def test_a_network_comes_back_with_its_settings(options, rng):
    net = network(**options)
    same = network_of(blob_of_network(net), 1)
    X = rng.standard_normal((10, 6)).astype(np.float32)
    assert np.array_equal(same.decision_function(X), net.decision_function(X))
    assert (same.activation, same.output, same.skip) == (net.activation, net.output, net.skip)


def test_a_network_of_a_device_without_a_text_is_read_too(rng):
    net = network(activation="relu")
    same = network_of(replace(blob_of_network(net), text={}), 1)
    X = rng.standard_normal((10, 6)).astype(np.float32)
    assert np.array_equal(same.predict_proba(X), net.predict_proba(X))
    trainer = ts.Trainer(same, evolution=ts.SET(zeta=0.3))
    trainer.step(X, rng.integers(0, 3, 10))


def test_files_are_known_by_their_beginning_and_errors_name_them(tmp_path):
    path = tmp_path / "learned.blob"
    path.write_bytes(blob_of_network(network()).pack())
    assert is_blob(path)
    assert ts.load(path, threads=1).layer_sizes == load_blob(path, 1).layer_sizes == (6, 9, 8, 3)
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    with pytest.raises(ts.InputError, match=r"learned.blob: it has changed since it was written"):
        ts.load(path)
    (tmp_path / "other").write_bytes(struct.pack("<I", 7))
    assert not is_blob(tmp_path / "other")
    assert not is_blob(tmp_path / "none")


def test_damaged_settings_are_refused(tmp_path):
    for text in ({"labels": 5}, {"activation": "swish"}, {"feature_names": [1]}):
        made = replace(blob_of_network(network()), text=text)
        path = tmp_path / "net.blob"
        path.write_bytes(made.pack())
        with pytest.raises(ts.InputError, match=r"net.blob"):
            ts.load(path)


def test_values_beyond_float32_are_refused():
    net = network(dtype="float64")
    net.layers[0].values[0] = 1e300
    with pytest.raises(ts.InputError, match=r"layers\[0\].values holds values that float32"):
        blob_of_network(net)
