"""Connections in tiles: arrays that do not hold together, and coordinates."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.connectivity import TiledConnectivity


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
