from __future__ import annotations

import json
import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import check_estimator

from trulysparse import TablePreprocessor
from trulysparse.errors import InputError

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")


def table(rng, n=100):
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n).astype(float),
            "city": rng.choice(["Paris", "Rome", "Oslo"], n),
            "income": rng.standard_normal(n),
            "plan": pd.Categorical(rng.choice([1, 2, 3], n)),
        }
    )
    frame.loc[::9, "age"] = np.nan
    return frame


def same(a, b):
    assert type(a) is type(b)
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(*(x.toarray() if sp.issparse(x) else x for x in (a, b)))


def test_as_scikit_learns_transformers(rng):
    train, test = table(rng), table(rng)
    test.loc[::8, "city"] = "Lima"
    reference = make_column_transformer(
        (SimpleImputer(strategy="median", add_indicator=True), ["age"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ("passthrough", ["income"]),
        (OneHotEncoder(), ["plan"]),
        sparse_threshold=0,
    ).fit(train)
    own = TablePreprocessor(sparse_threshold=0).fit(train)
    np.testing.assert_array_equal(own.transform(test), reference.transform(test))
    assert own.get_feature_names_out().tolist() == [
        "age",
        "age (missing)",
        "city=Oslo",
        "city=Paris",
        "city=Rome",
        "income",
        "plan=1",
        "plan=2",
        "plan=3",
    ]
    assert own.scaled_.tolist() == [True, False, False, False, False, True, False, False, False]
    assert own.sources_.tolist() == [0, 0, 1, 1, 1, 2, 3, 3, 3]
    assert (own.n_features_in_, own.n_features_out_, own.dtype_) == (4, 9, "float64")


def test_sparse_where_few_values_would_not_be_zero(rng):
    frame = table(rng)
    sparse = TablePreprocessor(sparse_threshold=1).fit(frame)
    assert sparse.sparse_output_
    dense = TablePreprocessor(sparse_threshold=0).fit(frame)
    assert isinstance(sparse.transform(frame), sp.csr_array)
    np.testing.assert_array_equal(sparse.transform(frame).toarray(), dense.transform(frame))
    share = sparse.transform(frame).nnz / dense.transform(frame).size
    assert TablePreprocessor(sparse_threshold=share + 0.02).fit(frame).sparse_output_
    assert not TablePreprocessor(sparse_threshold=share - 0.02).fit(frame).sparse_output_
    one = sparse.transform(frame.iloc[:1])  # decided in fitting, whatever comes later
    assert isinstance(one, sp.csr_array)
    assert not TablePreprocessor(sparse_threshold=1).fit(frame[["income"]]).sparse_output_
    counts = pd.DataFrame(rng.random((50, 200)) < 0.1).astype(float)  # numbers may be mostly 0 too
    counts.iloc[3, 4] = None
    assert TablePreprocessor().fit(counts).sparse_output_


@pytest.mark.parametrize("n, sparse", [(128, False), (129, True)])
def test_narrow_outputs_are_dense(n, sparse):
    frame = pd.DataFrame({"c": np.repeat([f"c{i}" for i in range(n)], 2)})
    own = TablePreprocessor().fit(frame)
    assert own.n_features_out_ == n
    assert own.sparse_output_ is sparse
    assert through_json(own).sparse_output_ is sparse


def test_columns_are_found_by_name(rng):
    frame = table(rng)
    own = TablePreprocessor().fit(frame)
    wanted = own.transform(frame)
    same(own.transform(frame[["plan", "city", "income", "age"]].assign(more="text")), wanted)
    same(own.transform(frame.reset_index(drop=True).set_index(frame.index[::-1])), wanted)
    same(own.transform(frame.astype({"plan": str})), wanted)
    same(own.transform(frame.astype({"plan": float, "city": "category", "age": "Float64"})), wanted)
    with pytest.raises(InputError, match=r"X has no column 'city' \(and 1 more\)"):
        own.transform(frame[["age", "income"]])
    with pytest.raises(InputError, match=r"X\[3, 'income'\] is 'high', but column 'income' held numbers"):
        own.transform(frame.assign(income=["1", "2", "3", "high"] * 25))


def test_columns_without_an_output_need_not_come_again():
    frame = pd.DataFrame({"a": [1, 2, 3], "same": 1, "twin": [1, 2, 3]})
    own = TablePreprocessor().fit(frame)
    assert own.transform(frame[["a"]]).tolist() == [[1], [2], [3]]
    assert len(own.notes_) == 2


def test_polars_and_pyarrow(rng):
    frame = table(rng).astype({"plan": int})
    own = TablePreprocessor().fit(frame)
    for module, convert in (("polars", "from_pandas"), ("pyarrow", "Table")):
        library = pytest.importorskip(module)
        other = library.from_pandas(frame) if module == "polars" else getattr(library, convert).from_pandas(frame)
        same(own.transform(other), own.transform(frame))
        again = TablePreprocessor().fit(other)
        same(again.transform(other), own.transform(frame))
        assert again.get_feature_names_out().tolist() == own.get_feature_names_out().tolist()


def test_unseen_categories_and_gaps():
    own = TablePreprocessor(max_categories=2).fit(pd.DataFrame({"c": list("aaabbcd"), "d": list("xyxyxyx")}))
    assert own.get_feature_names_out().tolist() == ["c=a", "c=b", "c (other)", "d=x", "d=y"]
    found = own.transform(pd.DataFrame({"c": ["a", "d", "new", None], "d": ["y", "new", None, "x"]}))
    assert found.tolist() == [[1, 0, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 0]]


def test_gaps_that_come_after_fitting():
    own = TablePreprocessor().fit(pd.DataFrame({"x": [1.0, 2.0, 9.0], "b": [True, True, False]}))
    assert own.transform(pd.DataFrame({"x": [None, 5], "b": [None, False]})).tolist() == [[2, 1], [5, 0]]
    strict = TablePreprocessor(missing="refuse").fit(pd.DataFrame({"x": [1.0, 2.0]}))
    with pytest.raises(InputError, match=r"X\[1, 'x'\] is missing, and missing='refuse'"):
        strict.transform(pd.DataFrame({"x": [1, None]}))


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, pd.DataFrame])
def test_numbers_pass_through(rng, make):
    X = rng.standard_normal((5, 3))
    own = TablePreprocessor().fit(make(X))
    found = own.transform(make(X))
    np.testing.assert_array_equal(found.toarray() if sp.issparse(found) else found, X)
    assert own.scaled_.all()


def test_arrays_are_checked():
    own = TablePreprocessor().fit(np.eye(2))
    with pytest.raises(ValueError, match="X has 3 features"):
        own.transform(np.eye(3))
    with pytest.raises(ValueError, match="contains NaN"):
        own.transform([[1.0, np.nan]])
    with pytest.raises(InputError, match="must be a DataFrame"):
        TablePreprocessor().fit(pd.DataFrame({"a": [1, 2]})).transform(np.eye(2))
    with pytest.raises(InputError, match="has no state"):
        own.state()
    assert own.get_feature_names_out().tolist() == ["x0", "x1"]
    assert own.get_feature_names_out(["a", "b"]).tolist() == ["a", "b"]
    with pytest.raises(InputError, match="must have 2 names"):
        own.get_feature_names_out(["a"])


def test_fitting_again_forgets(rng):
    own = TablePreprocessor().fit(table(rng))
    own.fit(np.eye(2))
    assert not hasattr(own, "feature_names_in_")
    assert own.fit(pd.DataFrame({"a": [1, 2]})).get_feature_names_out().tolist() == ["a"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"missing": "drop"}, "missing must be one of impute, refuse"),
        ({"max_categories": 0}, "max_categories must be at least 1"),
        ({"sparse_threshold": 1.5}, "sparse_threshold must lie in"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        TablePreprocessor(**options).fit(pd.DataFrame({"a": [1, 2]}))


def test_scikit_learns_own_checks():
    check_estimator(TablePreprocessor())


def test_scikit_learns_conventions(rng):
    frame = table(rng)
    own = TablePreprocessor(missing="refuse", max_categories=3)
    assert (
        clone(own).get_params()
        == own.get_params()
        == {
            "missing": "refuse",
            "max_categories": 3,
            "sparse_threshold": None,
        }
    )
    with pytest.raises(NotFittedError):
        own.transform(frame)
    own = TablePreprocessor(sparse_threshold=0).set_output(transform="pandas")
    found = own.fit_transform(frame)
    assert isinstance(found, pd.DataFrame)
    assert found.columns.tolist() == own.get_feature_names_out(frame.columns).tolist()
    assert isinstance(own.encode(frame), np.ndarray)  # whatever set_output says
    with pytest.raises(ValueError, match="sparse"):
        TablePreprocessor(sparse_threshold=1).set_output(transform="pandas").fit_transform(frame)
    with pytest.raises(InputError, match="input_features"):
        own.get_feature_names_out(["a"])
    y = (frame["city"] == "Rome").to_numpy()
    for threshold in (0, 1):
        pipeline = make_pipeline(TablePreprocessor(sparse_threshold=threshold), LogisticRegression(max_iter=1000))
        assert pipeline.fit(frame, y).score(frame, y) == 1
    again = pickle.loads(pickle.dumps(own))
    pd.testing.assert_frame_equal(again.transform(frame), found)


def through_json(own):
    settings, arrays = own.state()
    return TablePreprocessor.from_state(json.loads(json.dumps(settings)), arrays)


def test_state_gives_back_the_same(rng):
    frame = table(rng)
    own = TablePreprocessor(max_categories=np.int64(2), sparse_threshold=np.float32(1)).fit(frame.assign(one=1))
    again = through_json(own)
    same(again.transform(frame), own.transform(frame))
    assert again.notes_ == own.notes_ != []
    assert again.get_params() == own.get_params()
    for name in ("scaled_", "sources_", "feature_names_in_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(own, name))


values = st.one_of(st.none(), st.text(st.characters(exclude_categories=()), max_size=2), st.integers(), st.booleans())


@given(st.lists(st.tuples(values, st.one_of(st.none(), st.floats(-1e30, 1e30))), min_size=2), st.integers(1, 3))
def test_state_of_any_table_gives_back_the_same(rows, most):
    frame = pd.DataFrame(
        {"c": pd.Series([a for a, _ in rows], dtype=object), "x": [b for _, b in rows], "k": range(len(rows))}
    )
    own = TablePreprocessor(max_categories=most).fit(frame)
    same(through_json(own).transform(frame), own.transform(frame))


@pytest.mark.parametrize(
    "key, value",
    [
        ("missing", "drop"),
        ("missing", None),
        ("max_categories", 0),
        ("max_categories", "many"),
        ("sparse_threshold", 2),
        ("sparse_threshold", "0.3"),
        ("dtype", "int8"),
        ("sparse_output", 1),
        ("notes", "text"),
        ("notes", [1]),
    ],
)
def test_damaged_settings(rng, key, value):
    settings, arrays = TablePreprocessor().fit(table(rng)).state()
    with pytest.raises(InputError):
        TablePreprocessor.from_state(settings | {key: value}, arrays)
    del settings[key]
    with pytest.raises(InputError, match="preprocessing must name"):
        TablePreprocessor.from_state(settings, arrays)


@pytest.mark.parametrize("settings", [None, [], "text", 3])
def test_settings_that_are_none(rng, settings):
    with pytest.raises(InputError):
        TablePreprocessor.from_state(settings, TablePreprocessor().fit(table(rng)).state()[1])


def test_a_hundred_thousand_categories_take_memory_in_proportion_to_rows(rng):
    n, k = 200_000, 100_000
    codes = rng.permutation(np.arange(n) % k)
    frame = pd.DataFrame({"c": np.array([f"category {i}" for i in range(k)], dtype=object)[codes], "x": rng.random(n)})
    own = TablePreprocessor(max_categories=None)
    tracemalloc.start()
    X = own.fit(frame).transform(frame)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert X.shape == (n, k + 1)
    assert X.nnz == 2 * n
    assert peak < 600 * n  # a dense array would take 400,000 bytes per row
    names = own.get_feature_names_out()
    assert all(names[X.indices[2 * row]] == f"c={frame['c'][row]}" for row in range(0, n, 9999))
    same(through_json(own).transform(frame[:100]), X[:100])
