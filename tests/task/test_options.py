"""How a table becomes a task."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.task.options import TaskOptions


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(task="ranking"), "--task must be"),
        (dict(missing="drop"), "--missing must be"),
        (dict(max_categories=-1), "--max-categories must be at least 0"),
    ],
)
def test_values_out_of_range_are_refused(options, match):
    with pytest.raises(ts.InputError, match=match):
        TaskOptions(**options).check()


def test_options_reach_the_preprocessor():
    made = TaskOptions(missing="refuse", max_categories=7).preprocessor()
    assert (made.missing, made.max_categories) == ("refuse", 7)
    assert TaskOptions(max_categories=0).preprocessor().max_categories is None


def test_a_column_whose_name_holds_a_comma_can_be_left_out():
    assert TaskOptions(ignore="a, b").ignored(["a", "b"]) == ["a", "b"]
    assert TaskOptions(ignore="a, b").ignored(["a", "b", "a, b"]) == ["a, b"]
    assert TaskOptions().ignored(["a"]) == []
