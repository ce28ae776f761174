"""From tables to training and held-out samples, with columns fitted on training samples alone."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.data.files import read
from trulysparse.data.table import Table
from trulysparse.task.dataset import features_of, held_out_rows, join, make_dataset, make_fold, make_whole
from trulysparse.task.options import TaskOptions
from trulysparse.task.splits import folds, split

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")


def mixed(n: int = 60) -> Table:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.integers(18, 90, n)),
            "city": rng.choice(["Paris", "Rome", "Oslo"], n),
            "member": rng.random(n) < 0.5,
        }
    )
    return Table(frame, np.arange(n) % 2, features=list(frame.columns), target="bought")


def test_columns_are_fitted_on_training_samples_alone():
    table = mixed()
    table.X.loc[:, "city"] = "Rome"
    rows = held_out_rows(table, TaskOptions())
    table.X.loc[rows, "city"] = [f"only in the test set {i}" for i in range(len(rows))]
    table.X.loc[rows, "age"] = 1e6
    data = make_dataset(table, TaskOptions())
    train = table.X.drop(index=rows)
    assert data.test.rows.tolist() == rows.tolist()
    assert not any("only in the test set" in name for name in data.feature_names)
    age = data.feature_names.index("age")
    filled = np.asarray(data.train.X)[:, age]
    np.testing.assert_allclose(filled[train["age"].isna()], np.nanmedian(train["age"]))
    assert any("'city'" in note for note in data.notes)  # constant among the training samples


def test_the_split_is_that_of_the_labels_whatever_the_columns():
    table = mixed()
    data = make_dataset(table, TaskOptions(test_size=0.25, seed=3))
    train, test = split(60, fraction=0.25, seed=3, codes=(np.arange(60) % 2).astype(np.int32))
    np.testing.assert_array_equal(data.train.rows, train)
    np.testing.assert_array_equal(data.test.rows, test)
    np.testing.assert_array_equal(data.test.y, test % 2)


def test_validation_samples_come_out_of_the_training_samples():
    data = make_dataset(mixed(), TaskOptions(validation_fraction=0.25))
    parts = [set(part.rows.tolist()) for part in (data.train, data.validation, data.test)]
    assert set.union(*parts) == set(range(60))
    assert [len(part) for part in parts] == [36, 12, 12]


def test_a_file_of_test_samples_is_taken_as_it_is():
    table, test = mixed(), mixed(9)
    test.X = test.X.assign(city="Tokyo")
    data = make_dataset(table, TaskOptions(), test=test)
    assert (len(data.train), len(data.test), data.test.rows) == (60, 9, None)
    test.y = np.full(9, 7)
    with pytest.raises(ts.InputError, match=r"y_test\[0\] is 7, which is not one of the training labels \(0, 1\)"):
        make_dataset(table, TaskOptions(), test=test)


def test_folds_are_fitted_one_by_one():
    table = mixed()
    wanted = folds(60, 4, seed=0, codes=(np.arange(60) % 2).astype(np.int32))
    for number, (train, held) in enumerate(wanted):
        data = make_fold(table, TaskOptions(), number, 4)
        np.testing.assert_array_equal(data.train.rows, train)
        np.testing.assert_array_equal(data.test.rows, held)
    whole = make_whole(table, TaskOptions())
    assert (len(whole.train), whole.test) == (60, None)


def test_targets_of_a_regression_stay_in_their_unit():
    table = mixed()
    table.y = np.linspace(10.5, 70, 60)
    data = make_dataset(table, TaskOptions())
    assert data.task.kind == "regression"
    np.testing.assert_allclose(data.train.y[:, 0], table.y[data.train.rows])


def test_columns_can_be_left_out():
    data = make_dataset(mixed(), TaskOptions(ignore="city, member"))
    assert {name.split(" ")[0] for name in data.feature_names} == {"age"}
    with pytest.raises(ts.InputError, match="--ignore: there is no feature column 'town'; the columns are age, city"):
        make_dataset(mixed(), TaskOptions(ignore="town"))
    named = Table(mixed().X.rename(columns={"city": "age,member"}), mixed().y)
    assert make_dataset(named, TaskOptions(ignore="age,member")).preprocessor.used_columns_ == ["age", "member"]
    with pytest.raises(ts.InputError, match="--ignore leaves no feature column"):
        make_dataset(mixed(), TaskOptions(ignore="city,member,age"))
    with pytest.raises(ts.InputError, match="no named columns"):
        make_dataset(read("digits"), TaskOptions(ignore="city"))


def test_features_are_checked_without_those_left_out():
    table = mixed()
    assert list(features_of(table, TaskOptions(ignore="age")).columns) == ["city", "member"]
    table.X.loc[3, "age"] = np.inf
    with pytest.raises(ts.InputError, match=r"X\[3, 'age'\] is inf"):
        features_of(table, TaskOptions())
    assert len(features_of(table, TaskOptions(ignore="age"))) == 60
    with pytest.raises(ts.InputError, match=r"X\[1, 0\] is nan"):
        features_of(Table(np.array([[0.0], [np.nan]]), None), TaskOptions())


def test_gaps_can_be_refused():
    with pytest.raises(ts.InputError, match="'age'"):
        make_dataset(mixed(), TaskOptions(missing="refuse"))


def test_sparse_samples_stay_sparse():
    X = sp.random_array((50, 1000), density=0.01, format="csr", rng=np.random.default_rng(0))
    data = make_dataset(Table(X, np.arange(50) % 2), TaskOptions())
    assert sp.issparse(data.train.X)
    assert sp.issparse(data.test.X)
    assert (data.train.X.shape, data.preprocessor) == ((40, 1000), None)


def test_a_class_without_training_samples_is_named():
    table = Table(np.ones((5, 2)), np.array([0, 0, 0, 1, 2]))
    with pytest.raises(ts.InputError, match=r"--test-size holds 3 of 5 samples out, .* each of the 3 classes"):
        make_dataset(table, TaskOptions(test_size=0.6))
    table.order = np.arange(5)
    with pytest.raises(ts.InputError, match="label 2 has no sample left for training"):
        make_dataset(table, TaskOptions())


def test_lengths_and_widths_must_fit():
    with pytest.raises(ts.InputError, match="X has 4 samples, but y has 3"):
        make_dataset(Table(np.ones((4, 2)), np.array([0, 1, 0])), TaskOptions())
    with pytest.raises(ts.InputError, match="X_train has 2 features, but X_test has 3"):
        join(np.ones((2, 2)), np.ones((2, 3)))
    np.testing.assert_array_equal(join(np.zeros((1, 2)), np.ones((1, 2))), [[0, 0], [1, 1]])
    assert join(None, np.ones((1, 2))) is None
