"""A DataFrame's columns go to samples, targets, groups and times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data.readers.columns import Choice
from trulysparse.data.readers.frame_table import table_of, targets_of
from trulysparse.data.readers.request import Request

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
REQUEST = Request(Path("x.csv"))


@pytest.fixture
def frame():
    return pd.DataFrame({"a": [1, 2], "b": ["x", None], "t": [3, 1], "g": ["u", "v"], "p": [0.5, 1.5], "q": ["m", "n"]})


def test_each_column_goes_its_way(frame):
    table = table_of(REQUEST, frame, Choice(["b", "a"], ["q"], "g", "t", ["noted"]))
    assert (table.features, table.target, table.notes) == (["b", "a"], "q", ["noted"])
    assert (table.y.tolist(), table.groups.tolist(), table.order.tolist()) == (["m", "n"], ["u", "v"], [3, 1])
    pd.testing.assert_frame_equal(table.X, frame[["b", "a"]])


def test_several_targets_are_a_frame_and_none_is_none(frame):
    y = targets_of(frame, Choice(["a"], ["p", "q"]))
    assert (list(y.columns), y["p"].tolist(), y["q"].tolist()) == (["p", "q"], [0.5, 1.5], ["m", "n"])
    assert targets_of(frame, Choice(["a"], [])) is None


def test_text_is_looked_at_only_where_it_may_stand_for_something_else():
    frame = pd.DataFrame({"a": ["01", "02"], "y": [0, 1]}, dtype=object)
    choice = Choice(["a"], ["y"])
    assert table_of(REQUEST, frame, choice).X["a"].tolist() == ["01", "02"]
    assert table_of(REQUEST, frame, choice, ".").X["a"].tolist() == [1, 2]


def test_columns_of_numbers_are_not_copied():
    values = np.ones((3, 2))
    frame = pd.DataFrame(values, columns=["a", "y"])
    table = table_of(REQUEST, frame, Choice(["a"], ["y"]), ".")
    assert table.X["a"].dtype == np.float64


def test_a_frame_without_rows_is_refused(frame):
    with pytest.raises(ts.InputError, match=r"'x\.csv' has no rows"):
        table_of(REQUEST, frame.iloc[:0], Choice(["a"], ["q"]))
