from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from export.random_networks import draw
from trulysparse.errors import InputError
from trulysparse.export.blob import blob_of, save_blob, train_memory
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.rl.policy import Policy


def test_files(tmp_path: Path) -> None:
    net = ts.SparseMLP((9, 14, 4), epsilon=3, seed=0, threads=1)
    path = tmp_path / "net.blob"
    assert save_blob(net, path) == path.stat().st_size == len(blob_of(net))
    back = ts.load(path, threads=1)
    for layer, other in zip(net.layers, back.layers, strict=True):
        np.testing.assert_array_equal(other.values, layer.values)
        np.testing.assert_array_equal(other.connectivity.by_input.index, layer.connectivity.by_input.index)
        np.testing.assert_array_equal(other.bias, layer.bias)
    with pytest.raises(FileNotFoundError):
        save_blob(net, tmp_path / "nowhere" / "net.blob")
    assert [each.name for each in tmp_path.iterdir()] == ["net.blob"]


def test_what_a_blob_is_made_of() -> None:
    """All forms of a model give the same bytes; storage in tiles gives those of the indexed copy."""
    net = ts.SparseMLP((9, 14, 4), epsilon=3, seed=0, threads=1, output="identity")
    assert blob_of(net.freeze()) == blob_of(net)
    assert blob_of(Policy(net, head="argmax", n_actions=4)) == blob_of(net)
    compact = ts.SparseMLP((9, 14, 4), epsilon=3, seed=0, threads=1, storage="compact")
    assert blob_of(compact) == blob_of(compact.indexed())


def test_memory_of_any_network() -> None:
    """Counted array by array: what the runtime's ts_place lays out, for addresses of 4 bytes."""
    for seed in range(20):
        net = draw(seed).network
        if net.tied or max(net.layer_sizes) > 1 << 16:
            continue
        for velocity, held in ((None, 0), ("float32", 4), ("bfloat16", 2)):
            expected = 56 * len(net.layers) + 16 * 3
            for layer in net.layers:
                count, biases = layer.n_connections, layer.bias.size
                expected += 4 * (layer.n_in + 1) + 4 * count + (2 * count + 3) // 4 * 4
                expected += (held * count + 3) // 4 * 4 + 4 * biases * (2 if velocity else 1)
                expected += 0 if layer is net.skip_layer else 4 * layer.n_out * 3
            assert train_memory(net, velocity=velocity, batch=3) == expected


def test_memory_of_a_device_network() -> None:
    net = ts.SparseMLP((9, 14, 4), epsilon=3, seed=0, threads=1)
    assert train_memory(DeviceNetwork.of(net)) == train_memory(net)


def test_bad_input(tmp_path: Path) -> None:
    wide = ts.SparseMLP((70_000, 2), density=1e-4, seed=0)
    with pytest.raises(InputError, match="a layer of 70000 neurons"):
        save_blob(wide, tmp_path / "net.blob")
    tied = ts.SparseMLP((9, 4, 9), epsilon=3, tied=True, output="identity")
    with pytest.raises(InputError, match="tied ends"):
        blob_of(tied)
    far = ts.SparseMLP((9, 4), epsilon=3, dtype="float64")
    far.layers[0].values[0] = 1e300
    with pytest.raises(InputError, match="float32"):
        blob_of(far)
    with pytest.raises(InputError, match="model"):
        blob_of([1, 2])
    assert list(tmp_path.iterdir()) == []
    net = ts.SparseMLP((9, 4), epsilon=3)
    for arguments in ({"velocity": "float64"}, {"batch": 0}, {"batch": 1 << 17}, {"pointer_bytes": 2}):
        with pytest.raises(InputError, match=next(iter(arguments))):
            train_memory(net, **arguments)
