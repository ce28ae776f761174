"""Model files: round trips to the last bit, and clear errors for everything else."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import trulysparse as ts
from trulysparse.data import Scaling


@pytest.fixture
def net(rng):
    net = ts.SparseMLP(
        (30, 40, 20, 3), epsilon=4, activation=ts.AllReLU(0.75), seed=3, init="xavier_uniform", fan="sparse"
    )
    net.scaling = Scaling("minmax", rng.random(30), rng.random(30))
    net.labels = np.array(["bee", "cat", "ant"])
    trainer = ts.Trainer(net, evolution=ts.SET())
    trainer.fit(rng.random((50, 30)), rng.integers(0, 3, 50), epochs=3)
    return net


def test_round_trip(net, rng, tmp_path):
    ts.save(net, tmp_path / "m.safetensors")
    back = ts.load(tmp_path / "m.safetensors")
    X = rng.random((20, 30))
    np.testing.assert_array_equal(net.predict_proba(X), back.predict_proba(X))
    np.testing.assert_array_equal(net.predict(X), back.predict(X))
    for name in ("layer_sizes", "epsilon", "activation", "output", "init", "dtype", "seed"):
        assert getattr(back, name) == getattr(net, name)
    for a, b in zip(net.layers, back.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.connectivity.position, b.connectivity.position)
        assert a.activation == b.activation
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize(
    "labels", [None, np.array([3, 7, 11]), np.array([0.5, 1.5, 2.5]), np.array([b"a", b"bc", b"\xff"])]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_and_types_survive(tmp_path, labels, dtype):
    net = ts.SparseMLP((5, 3), activation="leaky_relu", dtype=dtype)
    net.labels = labels
    ts.save(net, tmp_path / "m")
    back = ts.load(tmp_path / "m")
    assert back.dtype == dtype
    assert (labels is None) == (back.labels is None)
    if labels is not None:
        np.testing.assert_array_equal(back.labels, labels)
        assert back.labels.dtype == labels.dtype


def test_a_loaded_network_trains_on_the_same(net, rng, tmp_path):
    ts.save(net, tmp_path / "m")
    X, y = rng.random((40, 30)), rng.integers(0, 3, 40)
    results = []
    for each in (net, ts.load(tmp_path / "m")):
        ts.Trainer(each, evolution=ts.SET(), seed=4).fit(X, y, epochs=3)
        results.append(each.predict_proba(X))
    np.testing.assert_array_equal(*results)


def test_truncated_at_any_place(net, tmp_path):
    path = tmp_path / "m"
    ts.save(net, path)
    whole = path.read_bytes()
    for size in (0, 1, 7, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ts.InputError, match="truncated or not a trulysparse model"):
            ts.load(path)


def test_foreign_files(tmp_path):
    path = tmp_path / "m"
    with pytest.raises(ts.InputError, match="does not exist"):
        ts.load(path)
    path.write_bytes(os.urandom(1000))
    with pytest.raises(ts.InputError, match="not a trulysparse model"):
        ts.load(path)
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(ts.InputError, match="not a trulysparse model"):
        ts.load(path)
    save_file({"a": np.zeros(3)}, path, {"trulysparse": '{"version": 99}'})
    with pytest.raises(ts.InputError, match="version 99"):
        ts.load(path)
    save_file({"a": np.zeros(3)}, path, {"trulysparse": '{"version": 1}'})
    with pytest.raises(ts.InputError, match="damaged settings"):
        ts.load(path)


@pytest.mark.parametrize("damage", ["unsorted", "out of range", "pointers", "missing", "length", "type"])
def test_damaged_tensors(net, tmp_path, damage):
    path = tmp_path / "m"
    ts.save(net, path)
    with safe_open(path, "np") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    indices = tensors["layers.0.indices"]
    if damage == "unsorted":
        indices[:2] = indices[1::-1]
    elif damage == "out of range":
        indices[-1] = 30
    elif damage == "pointers":
        tensors["layers.0.indptr"][1] = 10**6
    elif damage == "missing":
        del tensors["layers.1.bias"]
    elif damage == "length":
        tensors["layers.1.weight"] = tensors["layers.1.weight"][:-1].copy()
    else:
        tensors["layers.1.bias"] = tensors["layers.1.bias"].astype(np.float64)
    save_file(tensors, path, metadata)
    with pytest.raises(ts.InputError, match=r"layers\.[01]"):
        ts.load(path)
    assert json.loads(metadata["trulysparse"])["layer_sizes"] == [30, 40, 20, 3]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_leaves_the_old_file(net, tmp_path):
    """A file-size limit stands in for the full disk; in a process of its own, since the limit stays."""
    path = tmp_path / "m"
    ts.save(net, path)
    old = path.read_bytes()
    code = (
        "import resource, signal, sys, trulysparse as ts\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "net = ts.SparseMLP((1000, 1000, 10))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))\n"
        "try:\n    ts.save(net, sys.argv[1])\nexcept OSError as error:\n    print('refused', error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("refused"), done.stderr
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_save_into_a_missing_folder(net, tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        ts.save(net, tmp_path / "nowhere" / "m")


def rewritten(path, change):
    """The same file with other settings, and without its checksums, which would give them away."""
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8 : 8 + size])
    head["__metadata__"].pop("crc32", None)
    (entry,) = head["__metadata__"]
    config = json.loads(head["__metadata__"][entry])
    change(config)
    head["__metadata__"][entry] = json.dumps(config)
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + size :])


STRANGE = [None, [], {}, "x", -1, 3.5, True, [None], [[1]], [4, 8], [4, "8", 2], [30, 40, 20, 3, 1], "[" * 99]


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_load_settings_of_any_kind_load_or_are_refused_in_one_sentence(tmp_path, storage):
    net = ts.SparseMLP((4, 8, 2), epsilon=2, storage=storage)
    net.labels, net.scaling = np.array(["a", "b"]), Scaling("minmax", np.zeros(4), np.ones(4))
    path = tmp_path / "m"
    ts.save(net, path)
    whole = path.read_bytes()
    config = settings_of(path)
    refused = dict.fromkeys(config, 0)
    for name in config:
        for value in [*STRANGE, "absent"]:
            path.write_bytes(whole)
            rewritten(path, lambda c, n=name, v=value: c.pop(n) if v == "absent" else c.__setitem__(n, v))
            sentence = refusal(ts.load, path)
            if sentence is not None:
                refused[name] += 1
                assert str(path) in sentence
                assert "\n" not in sentence
    free = {"epsilon", "seed", "version", "shifts", "weights", "signals", "storage"}
    assert all(count >= len(STRANGE) - 3 for name, count in refused.items() if name not in free), refused
    assert all(refused.values()) or storage == "indexed"


def refusal(call, *arguments):
    """The sentence with which a call is refused, or None."""
    try:
        call(*arguments)
    except ts.InputError as error:
        return str(error)
    return None


def settings_of(path):
    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["trulysparse"])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("what", ["weight", "bias", "scaling.shift", "scaling.factor"])
@pytest.mark.parametrize("kind", ["float32", "float64", "compact", "bfloat16"])
def test_load_values_that_are_not_finite_are_refused_by_name(tmp_path, kind, what, value):
    settings = {"compact": dict(storage="compact"), "float64": dict(dtype="float64"), "float32": {},
                "bfloat16": dict(storage="compact", weights="bfloat16")}[kind]  # fmt: skip
    net = ts.SparseMLP((4, 8, 2), epsilon=2, **settings)
    net.scaling = Scaling("minmax", np.zeros(4), np.ones(4))
    if "scaling" in what:
        getattr(net.scaling, "offset" if what == "scaling.shift" else "factor")[2] = value
        name = what
    else:
        array = net.layers[1].values if what == "weight" else net.layers[1].bias
        bits = np.float32(value).view(np.uint32) >> np.uint32(16)
        array[1] = bits if kind == "bfloat16" else value
        name = f"layers.1.{what}"
    ts.save(net, tmp_path / "m")
    with pytest.raises(ts.InputError, match=f"{name} holds {'NaN' if np.isnan(value) else 'infinity'}"):
        ts.load(tmp_path / "m")


def test_load_a_changed_weight_is_noticed(net, tmp_path):
    path = tmp_path / "m"
    ts.save(net, path)
    with safe_open(path, "np") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    tensors["layers.1.weight"][3] *= -1
    save_file(tensors, path, metadata)
    with pytest.raises(ts.InputError, match=r"layers\.1\.weight has changed"):
        ts.load(path)
