"""How a network is stored: settings that go together, and those that do not."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.connectivity import TiledConnectivity
from trulysparse.nn.layers.storage import StorageConfig, activation_types


@pytest.mark.parametrize(
    "settings, match",
    [
        (dict(storage="dense"), "storage must be one of indexed, compact"),
        (dict(storage="indexed", weights="bfloat16"), "weights='bfloat16' needs storage='compact'"),
        (dict(storage="indexed", signals="bfloat16"), "signals='bfloat16' needs storage='compact'"),
        (dict(storage="indexed", folder="layers"), "folder needs storage='compact'"),
        (dict(weights="float16"), "weights must be one of float32, bfloat16"),
        (dict(dtype="float64"), "dtype must be 'float32' where storage='compact'"),
        (dict(connectivity="small_world"), "connectivity must be 'erdos_renyi' where storage='compact'"),
    ],
)
def test_settings_that_do_not_go_together(settings, match):
    with pytest.raises(ts.InputError, match=match):
        ts.SparseMLP((20, 300, 3), **dict(storage="compact") | settings)


@pytest.mark.parametrize(("weights", "signals"), [(None, None), ("bfloat16", None), ("bfloat16", "bfloat16")])
def test_activation_types_are_wide_at_both_ends(weights, signals):
    config = StorageConfig.create("compact", weights, signals, None, "float32")
    hidden = np.dtype(np.uint16 if signals else np.float32)
    assert activation_types(config, 4) == [np.dtype("f4"), hidden, hidden, np.dtype("f4")]


def test_arrays_lie_in_the_folder_where_one_is_given(tmp_path):
    held = StorageConfig.create("compact", None, None, None, "float32")
    mapped = StorageConfig.create("compact", None, None, tmp_path / "layers", "float32")
    array = np.arange(5, dtype=np.float32)
    assert held.store_array("layer0.weight", array) is array
    stored = mapped.store_array("layer0.weight", array)
    assert isinstance(stored, np.memmap)
    np.testing.assert_array_equal(stored, array)
    con = TiledConnectivity.draw(50, 40, 300, seed=0, threads=1)
    assert held.store_connectivity(con, "layer0") is con
    np.testing.assert_array_equal(mapped.store_connectivity(con, "layer0").packed, con.packed)


def test_indexed_configuration_is_in_memory(tmp_path):
    mapped = StorageConfig.create("compact", "bfloat16", None, tmp_path / "layers", "float32")
    assert mapped.indexed() == StorageConfig("indexed", "float32", "float32")
    double = StorageConfig.create("indexed", None, None, None, "float64")
    assert double.indexed() is double
