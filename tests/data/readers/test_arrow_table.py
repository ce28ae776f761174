"""Tables of Apache Arrow: the types that pandas gives them."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data.readers.arrow_table import check_types, columns_of, frame_of, numbers_of

pa = pytest.importorskip("pyarrow", reason="pyarrow comes with the extra trulysparse[tables]")


def test_a_frame_has_pandas_own_types():
    table = pa.table(
        {
            "whole": [1, 2],
            "gap": [1, None],
            "yes": [True, False],
            "maybe": [True, None],
            "price": [Decimal("1.25"), None],
            "day": [datetime.date(2024, 1, 2), None],
            "none": pa.array([None, None], pa.null()),
            "kind": pa.array(["u", "v"]).dictionary_encode(),
        }
    )
    frame = frame_of(table)
    types = {name: str(dtype).split("[")[0] for name, dtype in frame.dtypes.items()}
    assert types == {
        "whole": "int64",
        "gap": "float64",
        "yes": "bool",
        "maybe": "boolean",
        "price": "float64",
        "day": "datetime64",
        "none": "float64",
        "kind": "category",
    }
    assert (frame["price"][0], str(frame["day"][0])) == (1.25, "2024-01-02 00:00:00")


def test_an_index_that_pandas_wrote_is_not_a_column():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1]}, index=pd.Index(["r"], name="row"))
    assert columns_of(pa.Table.from_pandas(frame).schema) == ["a"]


@pytest.mark.parametrize("kind", ["list_(float)", "struct", "binary", "dictionary"])
def test_types_that_are_no_single_value_are_named(kind):
    types = {
        "list_(float)": pa.list_(pa.float64()),
        "struct": pa.struct({"x": pa.int8()}),
        "binary": pa.binary(),
        "dictionary": pa.dictionary(pa.int8(), pa.binary()),
    }
    schema = pa.schema({"a": pa.int64(), "odd": types[kind]})
    check_types(schema, ["a"], numbers_only=True)
    with pytest.raises(ts.InputError, match="column 'odd' is of type"):
        check_types(schema, ["a", "odd"], numbers_only=False)
    with pytest.raises(ts.InputError, match="--stream: column 'odd' must hold numbers only"):
        check_types(schema, ["a", "odd"], numbers_only=True)


def test_numbers_of_a_block_are_floats_with_nan():
    table = pa.table({"yes": [True, None], "price": [Decimal("1.5"), None], "n": [1, 2]})
    np.testing.assert_array_equal(
        numbers_of(table, ["n", "yes", "price"]).to_numpy(dtype=float), [[1, 1, 1.5], [2, np.nan, np.nan]]
    )
