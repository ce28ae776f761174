from __future__ import annotations

import decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trulysparse.errors import InputError
from trulysparse.preprocessing.values import distinct, numbers, text_of, truths

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")


def objects(*values):
    return pd.Series(values, dtype=object)


def spelled(series):
    codes, texts = distinct(series, "X", "c")
    assert len(set(texts)) == len(texts)
    return [None if code < 0 else texts[code] for code in codes], texts.tolist()


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1.0, None, 3.0]),
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([1, None, 3], dtype="Float32"),
        objects(1, None, 3.0),
        objects("1", None, "3"),
        pd.Series(["1", None, " 3.0 "], dtype="string"),
        objects(decimal.Decimal("1"), None, decimal.Decimal("3.0")),
        pd.Series([1, None, 3], dtype="category"),
        objects(True, None, 3),
    ],
)
def test_numbers_of_every_type(series):
    np.testing.assert_array_equal(numbers(series, "X", "c"), [1, np.nan, 3])


def test_numbers_are_read_in_place():
    frame = pd.DataFrame({"c": np.arange(5.0)})
    assert np.shares_memory(numbers(frame["c"], "X", "c"), frame["c"].to_numpy())


@pytest.mark.parametrize(
    "series, message",
    [
        (objects(1, "many", 3), r"X\[1, 'c'\] is 'many', but column 'c' held numbers"),
        (pd.Series([None, "1", ""]), r"X\[2, 'c'\] is '', but column 'c' held numbers"),
        (pd.Series([1.0, np.inf]), r"X\[1, 'c'\] is inf; features must be finite"),
        (objects("1", "-inf"), r"X\[1, 'c'\] is -inf; features must be finite"),
        (pd.Series(pd.to_datetime(["2024-01-01"])), "'c' holds datetime64"),
    ],
)
def test_what_is_no_number(series, message):
    with pytest.raises(InputError, match=message):
        numbers(series, "X", "c")


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([True, None, False], dtype="boolean"),
        objects(True, None, False),
        pd.Series([1.0, None, 0.0]),
        pd.Series(["true", None, "FALSE"]),
        pd.Series(["1", None, "0"]),
    ],
)
def test_booleans_of_every_type(series):
    np.testing.assert_array_equal(truths(series, "X", "c"), [1, np.nan, 0])


@pytest.mark.parametrize("series", [pd.Series([True, False, True]), pd.Series([1, 0, 1])])
def test_booleans_without_gaps(series):
    np.testing.assert_array_equal(truths(series, "X", "c"), [1, 0, 1])


@pytest.mark.parametrize("wrong", ["yes", 2, "2", -1.0, 0.5])
def test_what_is_no_boolean(wrong):
    with pytest.raises(InputError, match=r"X\[1, 'c'\] is .*, but column 'c' held booleans"):
        truths(objects(True, wrong), "X", "c")


def test_types_that_are_equal_are_told_apart_by_their_spelling():
    given, texts = spelled(objects(1, "1", 1.0, True, "True", None, 2.5, np.float32(2.5), np.int8(1), b"1"))
    assert given == ["1", "1", "1", "True", "True", None, "2.5", "2.5", "1", "1"]
    assert texts == ["1", "True", "2.5"]


@pytest.mark.parametrize(
    "series, wanted",
    [
        (pd.Series(["b", None, "a", "b"]), ["b", None, "a", "b"]),
        (pd.Series(["b", None, "a", "b"], dtype="string"), ["b", None, "a", "b"]),
        (pd.Series(["b", None, "a", "b"], dtype="category"), ["b", None, "a", "b"]),
        (pd.Series(pd.Categorical(["b", "a"], categories=["z", "a", "b"])), ["b", "a"]),
        (pd.Series([2, 1, 2], dtype="category"), ["2", "1", "2"]),
        (pd.Series([2.5, None, 2.0], dtype="category"), ["2.5", None, "2"]),
        (pd.Series([True, False]), ["True", "False"]),
        (pd.Series([2, None], dtype="Int64"), ["2", None]),
        (pd.Series([2.0, np.nan]), ["2", None]),
        (pd.Series(pd.Categorical([1, "1"])), ["1", "1"]),
        (objects(None, pd.NA, np.nan, pd.NaT), [None] * 4),
        (objects(b"\xff", b"a"), ["\\xff", "a"]),
        (objects("日本", "\ud800", ""), ["日本", "\ud800", ""]),
        (objects(("a", 1), ("a", 1)), ["('a', 1)"] * 2),
    ],
)
def test_distinct_values(series, wanted):
    given, texts = spelled(series)
    assert given == wanted
    assert texts == list(dict.fromkeys(text for text in wanted if text is not None))  # in the order of rows


def test_nested_values():
    with pytest.raises(InputError, match=r"X\[1, 'c'\] is \[1\]; a column must hold single values"):
        distinct(objects("a", [1]), "X", "c")


@given(st.lists(st.one_of(st.none(), st.text(max_size=2), st.integers(-3, 3), st.booleans(), st.floats(-2, 2))))
def test_distinct_is_what_a_loop_finds(values):
    wanted = [None if value is None else text_of(value) for value in values]
    assert spelled(pd.Series(values, dtype=object))[0] == wanted


@pytest.mark.parametrize(
    "value, text",
    [
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e30, "1e+30"),
        (np.float32(0.1), "0.1"),
        (2**70, str(2**70)),
        (float("inf"), "inf"),
    ],
)
def test_spelling(value, text):
    assert text_of(value) == text
