"""Connections in tiles: arrays that do not hold together, and coordinates."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.connectivity import TiledConnectivity
from trulysparse.connectivity.tiled import n_tiles, tile_shift


@pytest.mark.parametrize(
    "change",
    [
        {"shift": 2},
        {"shift": 99},
        {"shift": "6"},
        {"n_in": 10**5},
        {"n_out": 0},
        {"ptr": np.zeros(3, np.int64)},
        {"ptr": None},
        {"packed": np.array([0xFFFFFFFF], np.uint32)},
        {"packed": np.zeros(1, np.int32)},
    ],
)
def test_tiles_that_do_not_hold_together_are_refused(change):
    con = TiledConnectivity.draw(50, 40, 1, seed=0, threads=1)
    parts = {name: getattr(con, name) for name in ("n_in", "n_out", "shift", "ptr", "packed")}
    assert TiledConnectivity(**parts).n_connections == 1
    with pytest.raises(ts.InputError):
        TiledConnectivity(**parts | change)


def test_hasattr_of_tiles_is_false_for_what_they_lack():
    con = TiledConnectivity.draw(50, 40, 9, seed=0, threads=1)
    assert not hasattr(con, "by_input")
    with pytest.raises(ts.InputError, match=r"net\.indexed\(\)"):
        _ = con.by_input


@pytest.mark.parametrize(("n_in", "n_out", "count"), [(50, 40, 300), (1000, 70, 5000), (64, 64, 4096), (3, 2, 0)])
def test_coordinates_are_distinct_in_range_and_ordered_by_tile(n_in, n_out, count):
    con = TiledConnectivity.draw(n_in, n_out, count, seed=1, threads=2)
    rows, columns = con.coordinates()
    assert len(rows) == con.n_connections == count
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == count
    assert ((rows >= 0) & (rows < n_out) & (columns >= 0) & (columns < n_in)).all()
    blocks_in = ((n_in - 1) >> con.shift) + 1
    tile = (rows >> con.shift) * blocks_in + (columns >> con.shift)
    assert (np.diff(tile) >= 0).all()
    np.testing.assert_array_equal(np.bincount(tile, minlength=len(con.ptr) - 1), np.diff(con.ptr))


def test_matrix_holds_values_at_the_coordinates(rng):
    con = TiledConnectivity.draw(50, 40, 300, seed=1, threads=1)
    values = rng.normal(size=300)
    dense = np.zeros((40, 50))
    dense[con.coordinates()] = values
    np.testing.assert_array_equal(con.matrix(values).toarray(), dense)


def test_shift_grows_until_tiles_hold_enough_connections():
    assert tile_shift(100, 100, 10**4) == 6
    shift = tile_shift(10**6, 10**6, 10**7)
    assert 64 * n_tiles(10**6, 10**6, shift) <= 10**7
    assert 64 * n_tiles(10**6, 10**6, shift - 1) > 10**7
