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


def test_each_name_is_the_same_each_time():
    """A module of a name's own name would take its place as soon as it is imported."""
    pytest.importorskip("pettingzoo", reason="PettingZoo comes with the extra trulysparse[grid]")
    for name, module in grid._MODULES.items():
        assert module.split(".")[0] != name
        for _ in range(2):
            made: dict[str, object] = {}
            exec(f"from trulysparse.grid import {name}", made)
            assert made[name] is getattr(grid, name), name
            assert not inspect.ismodule(made[name]), name
