from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.sparse as sp

from trulysparse.errors import InputError, MissingExtraError
from trulysparse.preprocessing.frames import as_pandas, column_names, is_frame, needs_preprocessing

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")

FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None]})


def frames():
    yield FRAME
    yield pytest.importorskip("pyarrow").Table.from_pandas(FRAME)


@pytest.mark.parametrize("X", list(frames()), ids=lambda X: type(X).__module__)
def test_tables_of_every_library(X):
    assert is_frame(X)
    assert needs_preprocessing(X)
    pd.testing.assert_frame_equal(as_pandas(X), FRAME, check_dtype=False)


def test_polars():
    polars = pytest.importorskip("polars")
    X = polars.from_pandas(FRAME)
    assert is_frame(X)
    assert needs_preprocessing(X)
    assert as_pandas(X)["a"].tolist() == [1, 2]


@pytest.mark.parametrize("X", [np.eye(2), sp.csr_array(np.eye(2)), [[1.0]], None, FRAME["a"], "text"])
def test_what_is_no_table(X):
    assert not is_frame(X)
    assert not needs_preprocessing(X)


@pytest.mark.parametrize(
    "column, wanted",
    [
        ([1, 2], False),
        ([1.5, 2.5], False),
        ([True, False], False),
        (pd.array([1, 2], dtype="Int64"), False),
        (pd.array([1, None], dtype="Int64"), True),
        ([1.0, None], True),
        (["a", "b"], True),
        (pd.Categorical([1, 2]), True),
        (pd.to_datetime(["2024-01-01", "2024-01-02"]), True),
        (np.array([1, 2], dtype=object), True),
    ],
)
def test_what_needs_preprocessing(column, wanted):
    assert needs_preprocessing(pd.DataFrame({"plain": [1, 2], "column": column})) is wanted


@pytest.mark.parametrize("X", [FRAME.iloc[:0], FRAME[[]]])
def test_empty(X):
    with pytest.raises(InputError, match="samples is empty"):
        as_pandas(X, "samples")


def test_names_are_texts_and_differ():
    assert column_names(pd.DataFrame([[1, 2]], columns=[0, "b"])) == ["0", "b"]
    with pytest.raises(InputError, match="more than one column 'b'"):
        column_names(pd.DataFrame([[1, 2, 3]], columns=["b", "a", "b"]))
    with pytest.raises(InputError, match="more than one column '0'"):
        column_names(pd.DataFrame([[1, 2]], columns=[0, "0"]))


def test_missing_library_names_the_extra(monkeypatch):
    table = pytest.importorskip("pyarrow").Table.from_pandas(FRAME)
    monkeypatch.setitem(sys.modules, "pandas", None)

    class Other:
        columns = ("a",)

        def to_pandas(self):
            import pandas

            return pandas.DataFrame()

    with pytest.raises(MissingExtraError, match=r"trulysparse\[tables\]"):
        as_pandas(Other())
    assert is_frame(table)
