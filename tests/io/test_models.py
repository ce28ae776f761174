"""Model files: round trips to the last bit, and clear errors for everything else."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import trulysparse as ts
from own_activations import OwnGELU, Softsign
from trulysparse.nn.activations import NAMES


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


@pytest.mark.parametrize("activation", NAMES)
def test_every_activation_survives(activation, rng, tmp_path):
    net = ts.SparseMLP((5, 8, 8, 3), activation=activation)
    ts.save(net, tmp_path / "m")
    back, X = ts.load(tmp_path / "m"), rng.random((9, 5))
    assert back.activation == net.activation
    np.testing.assert_array_equal(back.predict_proba(X), net.predict_proba(X))
    with pytest.raises(ts.InputError, match=f"activation is for one of your own, .* saved with '{activation}'"):
        ts.load(tmp_path / "m", activation=Softsign())


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_an_activation_of_the_users_is_given_again(storage, rng, tmp_path):
    net = ts.SparseMLP((5, 8, 8, 3), activation=Softsign(), storage=storage)
    ts.save(net, tmp_path / "m")
    X = rng.random((9, 5))
    with pytest.raises(ts.InputError, match="'softsign'; if it is an activation of your own, load with activation="):
        ts.load(tmp_path / "m")
    with pytest.raises(ts.InputError, match="saved with, 'softsign', not 'own_gelu'"):
        ts.load(tmp_path / "m", activation=OwnGELU())
    back = ts.load(tmp_path / "m", activation=Softsign())
    np.testing.assert_array_equal(back.predict_proba(X), net.predict_proba(X))


def test_a_loaded_network_trains_on_the_same(net, rng, tmp_path):
    ts.save(net, tmp_path / "m")
    X, y = rng.random((40, 30)), rng.integers(0, 3, 40)
    results = []
    for each in (net, ts.load(tmp_path / "m")):
        ts.Trainer(each, evolution=ts.SET(), seed=4).fit(X, y, epochs=3)
        results.append(each.predict_proba(X))
    np.testing.assert_array_equal(*results)


def test_an_epsilon_per_layer_survives(tmp_path):
    net = ts.SparseMLP((5, 8, 8, 2), epsilon=(1.5, 2, 64), skip=True)
    ts.save(net, tmp_path / "m")
    loaded = ts.load(tmp_path / "m")
    assert loaded.epsilon == net.epsilon == (1.5, 2.0, 64.0)
    assert loaded.settings == net.settings


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


def test_load_a_changed_weight_is_noticed(net, tmp_path):
    path = tmp_path / "m"
    ts.save(net, path)
    with safe_open(path, "np") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    tensors["layers.1.weight"][3] *= -1
    save_file(tensors, path, metadata)
    with pytest.raises(ts.InputError, match=r"layers\.1\.weight has changed"):
        ts.load(path)
