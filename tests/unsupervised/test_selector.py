"""SparseFeatureSelector as users of scikit-learn meet it; what it has in common with other models: test_contract.py."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import trulysparse as ts
from estimators.tables import mixed_table
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.synthetic import MadelonLike
from trulysparse.errors import InputError
from trulysparse.unsupervised.selection import WAST, QuickSelection
from trulysparse.unsupervised.selection.ranking import selection_stability

FAST = {"hidden_layer_sizes": 20, "epsilon": 3, "epochs": 3, "random_state": 0}


@dataclass(frozen=True)
class ByTarget:
    """A method of one's own that notes what it is given and scores by |covariance with the target|."""

    name: ClassVar[str] = "by_target"
    needs_y: ClassVar[bool] = True
    given: ClassVar[list] = []

    def scores(self, data, *, n_keep, seed, threads, progress):
        self.given.append((data, n_keep, seed))
        X = data.matrix.chunk(0, data.n_samples)
        X = (X - data.scaling.offset) * data.scaling.factor
        return data.finished(np.abs(X.T @ data.targets.reshape(len(X), -1)).sum(axis=1))


def samples(n=80, features=12):
    rng = np.random.default_rng(3)
    return rng.standard_normal((n, features)) * rng.uniform(0.1, 10, features)


def test_the_best_features_are_kept_in_their_order():
    X = samples()
    selector = ts.SparseFeatureSelector(4, **FAST).fit(X)
    best = np.sort(np.argsort(-selector.scores_)[:4])
    assert np.array_equal(selector.get_support(indices=True), best)
    assert np.array_equal(selector.transform(X), X[:, best])
    assert sorted(selector.ranking_) == list(range(1, 13))
    assert np.array_equal(np.argsort(selector.ranking_), np.argsort(-selector.scores_))
    back = selector.inverse_transform(selector.transform(X))
    assert np.array_equal(back[:, best], X[:, best])
    assert not np.delete(back, best, axis=1).any()
    assert selector.get_feature_names_out().tolist() == [f"x{i}" for i in best]
    assert (selector.n_features_, selector.stability_, selector.repeat_scores_.shape) == (4, None, (1, 12))
    assert selector.method_ == QuickSelection(20, epsilon=3, epochs=3)


@pytest.mark.parametrize("method", ["quickselection", "wast"])
def test_labels_are_ignored_by_methods_that_do_without(method):
    X, how = samples(), {"method": method, "epochs": 2, "random_state": 0}
    alone = ts.SparseFeatureSelector(3, **how).fit(X)
    with_labels = ts.SparseFeatureSelector(3, **how).fit(X, ["a", "b"] * 40)
    assert np.array_equal(alone.scores_, with_labels.scores_)


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.coo_matrix])
def test_sparse_samples_stay_sparse(form):
    X = np.where(np.random.default_rng(0).random((60, 12)) < 0.3, samples(60), 0)
    dense = ts.SparseFeatureSelector(4, **FAST).fit(X)
    selector = ts.SparseFeatureSelector(4, **FAST).fit(form(X))
    np.testing.assert_allclose(selector.scores_, dense.scores_, rtol=1e-4)
    chosen = selector.transform(form(X))
    assert sp.issparse(chosen)
    assert np.array_equal(chosen.toarray(), X[:, selector.support_])
    assert np.array_equal(selector.inverse_transform(chosen).toarray()[:, selector.support_], X[:, selector.support_])


def test_samples_in_files_are_read_block_by_block():
    matrix = StreamMatrix(MadelonLike(600, 40, seed=3))
    X = matrix.chunk(0, 600)
    selector = ts.SparseFeatureSelector(5, **FAST).fit(matrix)
    assert np.array_equal(selector.transform(matrix), X[:, selector.support_])
    assert selector.n_features_in_ == 40


def test_columns_of_a_table_are_chosen_and_given_back_as_they_were():
    frame, y = mixed_table(90)
    selector = ts.SparseFeatureSelector(3, **FAST).fit(frame, y)
    assert selector.scores_.shape == (5,)
    chosen = selector.transform(frame)
    names = list(frame.columns[selector.support_])
    assert list(chosen.columns) == list(selector.get_feature_names_out()) == names
    assert chosen.equals(frame[names])
    with pytest.raises(InputError, match="plain numbers"):
        selector.inverse_transform(chosen)
    assert np.isfinite(selector.scores_).all()


def test_a_constant_column_of_a_table_is_last():
    frame, _ = mixed_table(90)
    frame.insert(0, "same", 4)
    selector = ts.SparseFeatureSelector(3, **FAST).fit(frame)
    assert selector.ranking_[0] == 6
    assert selector.scores_[0] == selector.scores_.min()


def test_constant_features_are_last_even_where_all_are_asked_for():
    X = samples()
    X[:, [2, 5]] = 1.5
    selector = ts.SparseFeatureSelector(12, **FAST).fit(X)
    assert selector.support_.all()
    assert selector.ranking_[[2, 5]].tolist() == [11, 12]


def test_two_samples_are_enough_and_one_is_not():
    X = samples(2)
    for method in ("quickselection", "wast"):
        assert ts.SparseFeatureSelector(2, method=method, epochs=2).fit(X).support_.sum() == 2
    with pytest.raises(ValueError, match="minimum of 2"):
        ts.SparseFeatureSelector(2).fit(X[:1])


def test_repeats_average_scores_and_say_how_far_they_agree():
    said = []
    X = samples()
    how = FAST | {"n_repeats": 3, "progress": lambda what, done, total: said.append((what, done, total))}
    selector = ts.SparseFeatureSelector(4, **how).fit(X)
    assert np.array_equal(selector.repeat_scores_[0], ts.SparseFeatureSelector(4, **FAST).fit(X).scores_)
    assert len(np.unique(selector.repeat_scores_, axis=0)) == 3
    np.testing.assert_allclose(selector.scores_, selector.repeat_scores_.mean(axis=0))
    chosen = [[score in sorted(row)[-4:] for score in row] for row in selector.repeat_scores_]
    assert selector.stability_ == pytest.approx(selection_stability(chosen))
    done = [part for what, part, total in said if what == "selecting"]
    assert done == sorted(done)
    assert {total for what, _, total in said if what == "selecting"} == {9}
    assert done[-1] == 9


@pytest.mark.parametrize(
    "y, output, labels",
    [
        (np.array(["no", "yes"] * 40), "softmax", [0, 1]),
        (np.linspace(0, 1, 80), "identity", None),
        (np.array([[0, 1], [1, 1]] * 40), "sigmoid", None),
    ],
)
def test_targets_of_any_kind_reach_methods_that_want_them(y, output, labels):
    ByTarget.given.clear()
    selector = ts.SparseFeatureSelector(4, method=ByTarget(), random_state=7).fit(samples(), y)
    data, n_keep, _ = ByTarget.given[0]
    assert (data.output, n_keep) == (output, 4)
    assert labels is None or data.targets[:2].tolist() == labels
    assert selector.support_.sum() == 4
    assert selector.__sklearn_tags__().target_tags.required


def test_a_method_that_needs_targets_says_so():
    with pytest.raises(ValueError, match="method 'by_target' requires y"):
        ts.SparseFeatureSelector(4, method=ByTarget()).fit(samples())


def test_choices_are_learned_inside_pipelines_and_searches():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 20))
    X[:, :3] = X[:, :1] + 0.1 * X[:, :3]
    y = np.where(X[:, 0] > 0, "high", "low")
    pipeline = make_pipeline(ts.SparseFeatureSelector(**FAST | {"epochs": 40}), LogisticRegression())
    grid = {"sparsefeatureselector__n_features_to_select": [2, 0.5], "sparsefeatureselector__accumulate": [True]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.7
    assert search.best_estimator_[0].support_.sum() in (2, 10)


def test_fits_after_a_filter_with_names_and_set_output():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(samples(), columns=[f"f{i}" for i in range(12)]).assign(f2=0.0)
    selector = make_pipeline(VarianceThreshold(), ts.SparseFeatureSelector(3, **FAST)).set_output(transform="pandas")
    chosen = selector.fit_transform(frame)
    assert chosen.shape == (80, 3)
    assert set(chosen.columns) <= set(frame.columns) - {"f2"}
    assert chosen.equals(frame[list(chosen.columns)])


def test_copies_pickles_and_files_choose_the_same(tmp_path):
    X = samples()
    selector = ts.SparseFeatureSelector(0.3, method=WAST(15, epochs=2), n_repeats=2, random_state=1).fit(X)
    ts.save(selector, tmp_path / "chosen.safetensors")
    for twin in (
        copy.deepcopy(selector),
        pickle.loads(pickle.dumps(selector)),
        ts.load(tmp_path / "chosen.safetensors"),
    ):
        assert np.array_equal(twin.transform(X), selector.transform(X))
        for name in ("scores_", "ranking_", "repeat_scores_"):
            assert np.array_equal(getattr(twin, name), getattr(selector, name))
        assert (twin.stability_, twin.method_, twin.n_features_) == (selector.stability_, WAST(15, epochs=2), 3)
        assert twin.get_params()["method"] == WAST(15, epochs=2)


def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads():
    X = samples()
    first, second = (ts.SparseFeatureSelector(4, **FAST, n_jobs=n).fit(X) for n in (1, 2))
    assert np.array_equal(first.scores_, second.scores_)
    assert not np.array_equal(first.scores_, ts.SparseFeatureSelector(4, **FAST | {"random_state": 1}).fit(X).scores_)


def test_scaling_may_be_another():
    X = np.abs(samples())
    X[X < 1] = 0
    standard, moderated = (ts.SparseFeatureSelector(4, scale=each, **FAST).fit(X) for each in ("standard", "moderated"))
    assert not np.array_equal(standard.scores_, moderated.scores_)


@pytest.mark.parametrize(
    "parameters, words",
    [
        ({"n_features_to_select": 13}, "n_features_to_select must be at most 12, the features of X, not 13"),
        ({"n_features_to_select": 0}, "n_features_to_select must be at least 1"),
        ({"n_features_to_select": 1.5}, r"n_features_to_select must lie in \(0, 1\]"),
        ({"method": "lasso"}, "method must be one of quickselection, wast"),
        ({"method": "wast", "accumulate": True}, "accumulate is no setting of method 'wast'"),
        ({"accumulate": "yes"}, "accumulate must be True or False"),
        ({"density": 0.1}, "density is no setting of method 'quickselection'"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"n_repeats": 0}, "n_repeats must be at least 1"),
        ({"scale": "none"}, "scale must be one of standard"),
        ({"task": "clustering"}, "task must be one of auto"),
        ({"progress": 3}, "progress must be a function"),
    ],
)
def test_bad_parameters_are_refused_in_one_sentence(parameters, words):
    selector = ts.SparseFeatureSelector(**parameters)
    with pytest.raises(InputError, match=words):
        selector.fit(samples())
    assert not hasattr(selector, "scores_")


def test_nan_is_refused_by_name():
    X = samples()
    X[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        ts.SparseFeatureSelector(3, **FAST).fit(X)
