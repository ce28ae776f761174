"""What text stands for: booleans, dates, numbers, or text; labels, groups and times."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data.readers.text_columns import groups_of, is_text, labels_of, order_of, typed

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")


def series(values, dtype=object):
    return pd.Series(values, dtype=dtype, name="a")


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([True, None, False], "boolean"),
        (["2024-01-02", None], "datetime64"),
        (["2024/01/02", "2024/02/30"], "object"),
        (["2024-01-02 10:00:00", "2024-01-02T11:30:00Z"], "datetime64"),
        (["2024-01-02T10:00:00+02:00", "2024-07-02T11:30:00+01:00"], "datetime64"),
        (["2024-01-02", "soon"], "object"),
        (["02.01.2024", "03.01.2024"], "object"),
        (["1", "2.5", None], "float64"),
        (["123456789012345678901234567890", None], "float64"),
        ([None, None], "float64"),
        (["a", None], "object"),
        (["1,5", "2"], "object"),
    ],
)
def test_text_gets_the_type_that_all_of_it_stands_for(values, dtype):
    column, _ = typed(series(values))
    assert str(column.dtype).startswith(dtype)
    assert column.isna().tolist() == [value is None for value in values]


def test_dates_and_decimal_commas_keep_their_values():
    dates, _ = typed(series(["2024-01-02T10:00:00+02:00", "2024/01/03", None][:1]))
    assert dates[0] == pd.Timestamp("2024-01-02 08:00:00")
    numbers, _ = typed(series(["1,5", "-2", None]), ",")
    np.testing.assert_array_equal(numbers, [1.5, -2, np.nan])


def test_a_column_of_numbers_with_other_text_is_noted():
    column, note = typed(series(["1", "2", "n/k", "4"]))
    assert column.tolist() == ["1", "2", "n/k", "4"]
    assert note is not None
    assert "column 'a' is taken as text, as row 2 holds 'n/k'" in note
    assert typed(series(["x", "y", "3"]))[1] is None


def test_booleans_mixed_with_text_become_text():
    assert typed(series([True, "maybe"]))[0].tolist() == ["True", "maybe"]


@pytest.mark.parametrize(
    ("values", "dtype", "wanted"),
    [
        (["None", "NA", "x"], object, ["None", "NA", "x"]),
        (["x", " ", None], object, ["x", None, None]),
        (["1", "NA", ""], object, ["1", None, None]),
        ([1, 2], "int64", [1, 2]),
        (["u", "v", "u"], "category", ["u", "v", "u"]),
        ([3, 1], "category", [3, 1]),
        ([True, False], "bool", [True, False]),
    ],
)
def test_labels_are_what_stands_in_the_column(values, dtype, wanted):
    assert labels_of(series(values, dtype)).tolist() == wanted


def test_a_missing_category_is_a_missing_label():
    assert pd.isna(labels_of(series(["u", None], "category"))[1])


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([3, 1], [3, 1]),
        ([0.5, 0.25], [0.5, 0.25]),
        (["2024-01-02", "1970-01-01"], [np.datetime64("2024-01-02", "ns").astype(np.int64), 0]),
        (["02 Jan 1970", "01 Jan 1970"], [86_400 * 10**9, 0]),
        (["7", "8"], [7, 8]),
    ],
)
def test_times_are_numbers_or_nanoseconds(values, wanted):
    found = order_of(pd.Series(values, name="a"))
    assert found.tolist() == wanted
    assert found.dtype in (np.int64, np.float64)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (["2024-01-02", "soon"], "--time: column 'a' holds 'soon', which is neither a number nor a date"),
        (["2024-01-02", None], "--time: column 'a' is empty in row 1"),
        ([1.0, np.nan], "--time: column 'a' is empty in row 1"),
    ],
)
def test_times_that_cannot_be_sorted_are_refused(values, match):
    with pytest.raises(ts.InputError, match=match):
        order_of(pd.Series(values, name="a"))


def test_groups_are_text_or_numbers_and_none_is_missing():
    assert groups_of(series(["p", "q"])).tolist() == ["p", "q"]
    assert groups_of(series([1, 2], "int64")).tolist() == [1, 2]
    for values in (["p", ""], ["p", None]):
        with pytest.raises(ts.InputError, match="--group: column 'a' is empty in row 1"):
            groups_of(series(values))
    assert is_text(series(["p"]))
    assert not is_text(series([1], "int64"))
