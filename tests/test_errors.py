"""Errors that a user can act on: what catches them, and what they say."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

import trulysparse as ts
from trulysparse.errors import DivergenceError, InputError, MissingExtraError, NotEnoughMemoryError, NotIndexedError

PACKAGE = Path(ts.__file__).parent
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


@pytest.mark.parametrize(
    "error, builtin",
    [
        (InputError, ValueError),
        (NotIndexedError, InputError),
        (NotIndexedError, AttributeError),
        (NotEnoughMemoryError, MemoryError),
        (DivergenceError, ArithmeticError),
        (MissingExtraError, ImportError),
    ],
)
def test_errors_are_caught_by_the_builtin_they_specialize(error, builtin):
    assert issubclass(error, builtin)


def test_what_a_compact_network_does_not_have_is_absent_and_named():
    connectivity = ts.SparseMLP((4, 8, 2), epsilon=2, storage="compact").layers[0].connectivity
    assert not hasattr(connectivity, "by_input")
    with pytest.raises(ts.InputError, match="storage='compact'"):
        _ = connectivity.by_input


def test_missing_extra_says_how_to_install_it():
    error = MissingExtraError("a report", "matplotlib", "analysis")
    assert str(error) == "a report needs matplotlib: pip install 'trulysparse[analysis]'"


def test_extras_that_errors_name_are_those_of_the_package():
    named = {
        node.args[2].value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MissingExtraError"
    }
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    assert named
    assert named <= set(extras)
