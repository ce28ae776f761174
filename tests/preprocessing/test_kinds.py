from __future__ import annotations

import datetime
import decimal

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.preprocessing.kinds import BOOLEAN, CATEGORY, NUMBER, kind_of

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")


def objects(*values):
    return pd.Series(values, dtype=object)


@pytest.mark.parametrize(
    "series, wanted",
    [
        (pd.Series([1, 2]), NUMBER),
        (pd.Series([1.5, None]), NUMBER),
        (pd.Series([1, None], dtype="Int8"), NUMBER),
        (pd.Series([1.5, None], dtype="Float32"), NUMBER),
        (objects(1, None, 2.5), NUMBER),
        (objects(decimal.Decimal("1.5"), None), NUMBER),
        (objects(None, None), NUMBER),
        (pd.Series([np.nan, np.nan]), NUMBER),
        (pd.Series([True, False]), BOOLEAN),
        (pd.Series([True, None], dtype="boolean"), BOOLEAN),
        (objects(True, None), BOOLEAN),
        (pd.Series(["a", None]), CATEGORY),
        (pd.Series(["a", None], dtype="string"), CATEGORY),
        (pd.Series([1, 2], dtype="category"), CATEGORY),
        (objects(1, "a"), CATEGORY),
        (objects(b"a", b"b"), CATEGORY),
        (objects("1", "2"), CATEGORY),
    ],
)
def test_kinds(series, wanted):
    assert kind_of(series, "X: column 'c'") == wanted


def test_arrow_types():
    pa = pytest.importorskip("pyarrow")
    for type_, values, wanted in (
        (pa.int64(), [1, None], NUMBER),
        (pa.decimal128(5, 2), [decimal.Decimal("1.5"), None], NUMBER),
        (pa.bool_(), [True, None], BOOLEAN),
        (pa.string(), ["a", None], CATEGORY),
    ):
        assert kind_of(pd.Series(values, dtype=pd.ArrowDtype(type_)), "c") == wanted, type_


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(pd.to_datetime(["2024-01-31"])),
        pd.Series(pd.to_datetime(["2024-01-31"])).dt.tz_localize("UTC"),
        pd.Series(pd.to_timedelta(["1 days"])),
        pd.Series(pd.period_range("2024-01", periods=2, freq="M")),
        pd.Series(pd.Categorical(pd.to_datetime(["2024-01-31"]))),
        objects(datetime.date(2024, 1, 31), None),
        objects(datetime.time(12, 30), None),
        pd.Series(["2024-01-31", None]),
        pd.Series(["31.01.2024", "01.02.2024"]),
        pd.Series(["1/31/24", "2/1/24"]),
        pd.Series(["2024-01-31 10:30", "2024-01-31T10:30:11.5Z"]),
        pd.Series(["31 Jan 2024", "1-feb-24"]),
        pd.Series(["Jan 31, 2024", "February 1st, 2024"]),
    ],
)
def test_dates_are_refused_with_advice(series):
    with pytest.raises(InputError, match=r"X: column 'born' holds dates .* leave it out .*--ignore 'born'"):
        kind_of(series, "X: column 'born'")


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-01-31", "unknown"],
        ["1.2.3", "1.2.4"],
        ["10-20", "20-30"],
        ["555-123-4567", "555-123-4568"],
        ["2024-13-01", "2024-01-32"],
        ["1/2", "3/4"],
        ["May", "June"],
        ["192.168.10.20", "10.0.0.1"],
        ["", " "],
        ["20240131", "20240201"],
    ],
)
def test_texts_that_only_look_like_dates(texts):
    assert kind_of(pd.Series(texts), "c") == CATEGORY


def test_dates_are_looked_for_all_along_a_column():
    assert kind_of(pd.Series(["2024-01-31"] * 5000 + ["none"] * 5000), "c") == CATEGORY
    with pytest.raises(InputError, match="dates"):
        kind_of(pd.Series([None] * 5000 + ["2024-01-31"] * 5000), "c")


@pytest.mark.parametrize("series", [pd.Series([1j]), objects(1j, 2j)])
def test_complex_numbers(series):
    with pytest.raises(InputError, match="c holds complex numbers"):
        kind_of(series, "c")
