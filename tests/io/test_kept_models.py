"""Files of models that consist of networks: what is refused, and how."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import trulysparse as ts
from own_activations import Softsign
from trulysparse.io import kept_models, models, tensors
from trulysparse.io.table_state import VERSIONS
from unsupervised.tiny_model import TinyModel


@pytest.fixture
def model(rng):
    return TinyModel(random_state=0).fit(rng.normal(size=(40, 6)))


@pytest.fixture
def path(model, tmp_path):
    ts.save(model, tmp_path / "m")
    return tmp_path / "m"


def changed(path, change, *, sums=False):
    """Writes the file anew with its settings and tensors changed."""
    with safe_open(path, "np") as file:
        arrays, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    config = json.loads(metadata["trulysparse"])
    change(config, arrays)
    save_file(arrays, path, {"trulysparse": json.dumps(config)} | ({"crc32": metadata["crc32"]} if sums else {}))


def test_a_model_is_a_safetensors_file_without_code(model, path):
    with safe_open(path, "np") as file:
        names = set(file.keys())
    assert "arrays.offset" in names
    assert "networks.network.layers.1.weight" in names
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
    assert json.loads(header["__metadata__"]["trulysparse"])["kind"] == "TinyModel"
    assert b"pickle" not in raw


def test_older_releases_refuse_it_by_its_version(path):
    """Releases without these models open files with the versions that they know."""
    with (
        pytest.raises(ts.InputError, match="has format version 5; this release reads version 1 and 2 and 3"),
        tensors.opened(path, models.ENTRY, (1, 2, 3), "trulysparse model"),
    ):
        pass
    assert kept_models.VERSION not in VERSIONS


def test_truncated_at_any_place(path):
    whole = path.read_bytes()
    for size in (0, 1, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ts.InputError, match="truncated or not a trulysparse model"):
            ts.load(path)


def set_in(*keys):
    *way, last, value = keys

    def change(config, arrays):
        for key in way:
            config = config[key]
        config[last] = value

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (set_in("kind", "SparseVAE"), "holds a 'SparseVAE', which this release does not know"),
        (set_in("version", 6), "has format version 6; this release reads version"),
        (set_in("networks", "network", "version", 99), "network network has format version 99"),
        (set_in("networks", []), "networks and config must be JSON objects"),
        (set_in("networks", "other", {}), "damaged settings"),
        (set_in("networks", "network", "layer_sizes", [6, 5, 3]), "not int64 of length 6"),
        (set_in("arrays", ["offset", "more"]), r"tensor arrays\.more is missing"),
        (set_in("config", "parameters", "colour", 3), "TinyModel has no parameter 'colour' in this release"),
        (set_in("config", "parameters", {"object": "A"}), "has no parameter 'object'"),
        (set_in("config", "parameters", "evolution", {"object": "Popen", "arguments": [], "options": {}}), "'Popen'"),
        (set_in("config", "n_features_in", 0), "n_features_in must be at least 1"),
        (set_in("config", "fitted", {}), "offset must have one value for each output"),
        (set_in("config", []), "networks and config must be JSON objects"),
        (lambda config, arrays: config.pop("config"), "damaged settings"),
        (lambda config, arrays: arrays.update({"arrays.offset": np.zeros(2)}), "offset must have one value"),
        (lambda config, arrays: arrays.pop("networks.network.layers.0.weight"), r"layers\.0\.weight is missing"),
    ],
)
def test_damaged(path, change, message):
    changed(path, change)
    with pytest.raises(ts.InputError, match=message) as error:
        ts.load(path)
    assert str(path) in str(error.value)


def test_a_changed_value_is_noticed(path):
    def change(config, arrays):
        arrays["arrays.offset"][0] += 1

    changed(path, change, sums=True)
    with pytest.raises(ts.InputError, match=r"arrays\.offset has changed since it was written"):
        ts.load(path)


def test_what_is_not_kept(model, tmp_path):
    for wrong in (5, ts.SparseMLPClassifier(), np.zeros(3), TinyModel):
        with pytest.raises(ts.InputError, match="net must be a SparseMLP, Fleet, SparseAutoencoder, SparseRBM"):
            ts.save(wrong, tmp_path / "m")
    for wrong in (np.zeros(3, np.uint16), np.array(1.0), np.zeros(2, complex), [1.0], np.zeros(2, ">f8")):
        model.offset_ = wrong
        with pytest.raises(ts.InputError, match="offset cannot be kept in a file"):
            ts.save(model, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_arrays_of_any_shape_and_values(model, tmp_path):
    for array in (np.full((2, 3), np.nan, np.float32), np.zeros((0, 4)), np.eye(3, dtype=bool), np.arange(6)[::2]):
        model._saved = lambda array=array: ({}, {"offset": array}, {"words": ["a"]})
        ts.save(model, tmp_path / "m")
        with tensors.opened(tmp_path / "m", models.ENTRY, (5,), "model") as file:
            back = file.read("arrays.offset", finite=False)
        np.testing.assert_array_equal(back, array)
        assert back.dtype == array.dtype


def test_options_that_are_for_networks(path, tmp_path):
    with pytest.raises(ts.InputError, match="folder is for a network, but this file holds a TinyModel"):
        ts.load(path, folder=tmp_path / "layers")
    with pytest.raises(ts.InputError, match="activation is for one of your own, but this TinyModel was saved with"):
        ts.load(path, activation=Softsign())
    with pytest.raises(ts.InputError, match="it holds a TinyModel, not a network: read it with"):
        models.load_network(path)


def test_an_activation_of_ones_own(rng, tmp_path):
    X = rng.normal(size=(40, 6))
    model = TinyModel(activation=Softsign(), random_state=0).fit(X)
    ts.save(model, tmp_path / "m")
    with pytest.raises(ts.InputError, match="activation of your own, load with activation="):
        ts.load(tmp_path / "m")
    np.testing.assert_array_equal(ts.load(tmp_path / "m", activation=Softsign()).transform(X), model.transform(X))


def test_large_arrays_are_written_from_views_and_read_where_they_are_wanted(model, tmp_path, rng, monkeypatch):
    class Large(type(model)):
        @classmethod
        def from_parts(cls, parts, threads, activation):
            return parts.large["values"].file, parts

    values = rng.normal(size=(50, 3)).astype(np.float32)
    parts = model.to_parts()
    parts.large["values"] = values[10:40]
    monkeypatch.setitem(kept_models._CLASSES, "Large", lambda: Large)
    kept_models.write_parts(parts, "Large", tmp_path / "m", models.ENTRY, lambda *_: None)
    _, read = ts.load(tmp_path / "m")
    large = read.large["values"]
    assert (large.shape, large.dtype, len(large), large.nbytes) == ((30, 3), np.float32, 30, 360)
    out = np.zeros((60, 3), np.float32)
    large.read_into(out[20:50])
    np.testing.assert_array_equal(out[20:50], values[10:40])
    assert not out[:20].any()
    assert not out[50:].any()
    for wrong in (out, out[:30].astype(np.float64), out[:60:2]):
        with pytest.raises(ts.InputError, match=r"tensor large.values is float32\(30, 3\), not"):
            large.read_into(wrong)
