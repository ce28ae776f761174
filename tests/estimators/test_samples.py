"""Targets and samples in the forms that users have them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from estimators.tables import mixed_table
from trulysparse.estimators._samples import as_target, encoded, fitted_preprocessor, n_columns, taken


@pytest.mark.parametrize("dtype", ["int64", "float64", "object"])
def test_columns_of_other_libraries_are_read_as_targets(dtype):
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    values = np.array(["b", "a", "b"], object) if dtype == "object" else np.array([2, 1, 2], dtype)
    forms = [pl.Series(values.tolist()), pa.array(values.tolist()), pa.chunked_array([values.tolist()])]
    for form in forms:
        np.testing.assert_array_equal(as_target(form), values)
    table = pl.DataFrame({"a": values.tolist(), "b": values.tolist()})
    np.testing.assert_array_equal(as_target(table), np.c_[values, values])


@pytest.mark.parametrize("dtype", ["Int64", "string", "category", "float64", "object"])
def test_gaps_in_targets_are_named(dtype):
    pd = pytest.importorskip("pandas")
    y = pd.Series([1, 2, None, 1], dtype="Int64").astype("string" if dtype in ("string", "category") else dtype)
    with pytest.raises(ts.InputError, match=r"y\[2\] is missing; every sample needs a target"):
        as_target(y.astype(dtype))
    with pytest.raises(ts.InputError, match=r"y\[2\] is missing"):
        as_target(pd.DataFrame({"a": [1, 1, 1, 1], "b": y}))


@pytest.mark.parametrize(
    "y, columns",
    [
        (None, 0),
        ([1, 2, 3], 0),
        ([[1], [2]], 1),
        (np.ones((3, 4)), 4),
        (sp.csr_array((3, 2)), 2),
        (np.array(5), 0),
    ],
)
def test_n_columns(y, columns):
    assert n_columns(y) == columns


def test_n_columns_of_tables():
    pd = pytest.importorskip("pandas")
    assert n_columns(pd.DataFrame(np.ones((3, 2)))) == 2
    assert n_columns(pd.Series([1, 2])) == 0


def test_tables_are_encoded_and_arrays_left_alone():
    frame, _ = mixed_table(30)
    preprocessor = fitted_preprocessor(frame)
    part = taken(frame, np.array([4, 2]))
    assert part.index.tolist() == [4, 2]
    np.testing.assert_array_equal(encoded(part, preprocessor), preprocessor.transform(frame)[[4, 2]])
    X = np.eye(3)
    assert fitted_preprocessor(X) is None
    assert encoded(X, None) is X
    np.testing.assert_array_equal(taken(X, np.array([2])), X[[2]])


def test_dates_are_refused_and_nothing_is_left_of_the_attempt():
    pd = pytest.importorskip("pandas")
    frame, y = mixed_table(30)
    model = ts.SparseMLPClassifier((8,), epochs=1, random_state=0).fit(frame, y)
    before = model.predict_proba(frame)
    with pytest.raises(ts.InputError, match="dates or times"):
        model.fit(frame.assign(day=pd.date_range("2024-01-01", periods=30)), y)
    np.testing.assert_array_equal(model.network_.predict_proba(frame), before)


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "table"])
def test_gaps_in_columns_of_other_libraries_are_named(kind):
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    values = ["a", None, "b"]
    y = {"polars": pl.Series(values), "pyarrow": pa.array(values), "table": pl.DataFrame({"a": values, "b": values})}
    with pytest.raises(ts.InputError, match=r"y\[1\] is missing"):
        as_target(y[kind])


def test_tables_that_are_not_as_the_fitted_one_are_refused_by_column():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=["a", "b"])
    model = ts.SparseMLPClassifier((8,), epochs=1, random_state=0).fit(X, np.arange(20) % 2)
    with pytest.raises(ts.InputError, match="X: column 'b' holds gaps, but the table that was fitted to has plain"):
        model.predict(X.mask(X["b"] > 0).assign(a=X["a"]))
    with pytest.raises(ts.InputError, match=r"X: column 'a' holds (str|object)"):
        model.predict(X.astype({"a": str}))
    with pytest.raises(ts.InputError, match="X has more than one column 'a'"):
        model.fit(X.set_axis(["a", "a"], axis=1), np.arange(20) % 2)


def test_rows_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"inhomogeneous|legacy|sequence"):
        ts.SparseMLPClassifier((8,)).fit(np.eye(4), [[0], [1, 0], [0], [1]])


@pytest.mark.parametrize("gap", [None, float("nan"), "NA"])
@pytest.mark.parametrize("form", ["array", "list", "columns"])
def test_gaps_among_labels_that_are_objects_are_named(gap, form):
    if gap == "NA":
        gap = pytest.importorskip("pandas").NA
    labels = ["a", "b", gap, "b"]
    y = {"array": np.array(labels, dtype=object), "list": labels, "columns": [[0, each] for each in labels]}[form]
    with pytest.raises(ts.InputError, match=r"y\[2\] is missing; every sample needs a target"):
        ts.SparseMLPClassifier((8,)).fit(np.eye(4), y)


@pytest.mark.parametrize("y", [[0, 1, 0, 1], ["a", "nan", "None", "a"], np.array([0, 1, 1, 0], dtype=object)])
def test_labels_without_gaps_are_left_alone(y):
    assert as_target(y) is y
