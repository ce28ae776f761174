"""What `ts.grid` has."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import trulysparse as ts
from trulysparse import grid


def test_each_name_is_imported_at_its_first_use():
    pytest.importorskip("pettingzoo", reason="PettingZoo comes with the extra trulysparse[grid]")
    assert ts.grid is grid
    for name in grid._MODULES:
        assert inspect.getdoc(getattr(grid, name)), name
        assert name in dir(grid)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        grid.nothing  # noqa: B018


def test_types_see_the_same_names_each_once():
    source = Path(grid.__file__).read_text()
    for name in grid._MODULES:
        assert source.count(f"import {name} as {name}\n") == 1, name
        assert source.count(f'    "{name}": ') == 1, name
