"""Judges of chosen features: nothing of the held-out samples reaches the selection."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.feature_selection import f_classif
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import trulysparse as ts
from sample_files import npy
from trulysparse._core.progress import silent
from trulysparse.cli import _feature_judges
from trulysparse.cli._feature_judges import Labelled, judge_features
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.report.selection_page import ALL, CHOSEN, RANDOM
from trulysparse.task.task import make_task


class ByF(BaseEstimator):
    """Chooses the features of the largest F statistic, and remembers what it saw."""

    seen: ClassVar[list] = []

    def __init__(self, k=5, random_state=None, progress=None):
        self.k = k
        self.random_state = random_state
        self.progress = progress

    def fit(self, X, y=None):
        self.seen.append((X, y, self.random_state))
        self.n_features_in_ = X.shape[1]
        self.order_ = np.arange(X.shape[1]) if y is None else np.argsort(-f_classif(X, y)[0])
        return self

    def get_support(self, indices):
        return np.sort(self.order_[: self.k])


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(ByF, "seen", [])
    monkeypatch.setattr(_feature_judges, "_TREES", 15)


def labelled(X, y, **options):
    task = make_task(y)
    return Labelled(X, task.encode(y, "y"), task, **options)


def means(judged):
    return {(each.judge, each.features): each.mean for each in judged}


def test_selection_within_each_fold_leaks_nothing(rng, monkeypatch):
    """Of 3,000 features of noise, the five that look best on all samples tell classes apart; those chosen within folds
    do not."""
    X, y = rng.normal(size=(60, 3000)), np.arange(60) % 2
    chosen = np.argsort(-f_classif(X, y)[0])[:5]
    rows = np.arange(60)
    leaked = []
    for k in range(5):
        train, test = rows % 5 != k, rows % 5 == k
        leaked.append(SVC().fit(X[train][:, chosen], y[train]).score(X[test][:, chosen], y[test]))
    monkeypatch.setattr(_feature_judges, "_MOST_BYTES", 10)  # without all features, which take time
    judged = means(judge_features(ByF(), labelled(X, y), 5, 0, 1, silent, with_y=True))
    assert np.mean(leaked) > 0.75
    assert all(score < 0.68 for score in judged.values())


def test_what_the_selector_sees(rng):
    X, y = rng.normal(size=(50, 8)), rng.integers(0, 2, 50)
    X[:, 0] = np.arange(50)
    calls = []
    judge_features(ByF(2), labelled(X, y), 5, 0, 1, lambda *call: calls.append(call), with_y=True)
    assert [len(seen) for seen, _, _ in ByF.seen] == [40] * 5
    held = [set(range(50)) - set(seen[:, 0].astype(int)) for seen, _, _ in ByF.seen]
    assert sorted(i for each in held for i in each) == list(range(50))
    for seen, targets, _ in ByF.seen:
        np.testing.assert_array_equal(targets, y[seen[:, 0].astype(int)])
    assert len({seed for _, _, seed in ByF.seen}) == 5
    assert calls == [("judging", i, 5) for i in range(6)]
    ByF.seen.clear()
    judge_features(ByF(2), labelled(X, y), 2, 0, 1, silent, with_y=False)
    assert [targets for _, targets, _ in ByF.seen] == [None, None]


def test_scores_are_those_of_scikit_learn(rng):
    X, y = rng.normal(size=(60, 6)) * [1, 100, 1, 1, 1, 1], np.arange(60) % 2
    X[:, 1] += 200 * y
    data = labelled(X, y)
    judged = means(judge_features(ByF(1), data, 3, 7, 1, silent, with_y=True))
    expected = []
    for train, test in data.folds(3, 7):
        scaler = StandardScaler().fit(X[train])
        model = SVC().fit(scaler.transform(X[train]), y[train])
        expected.append(model.score(scaler.transform(X[test]), y[test]))
    assert judged["SVC", ALL] == pytest.approx(np.mean(expected))
    assert judged["SVC", CHOSEN] > judged["SVC", RANDOM]
    assert set(judged) == {(a, b) for a in ("SVC", "extra trees", "5 neighbours") for b in (CHOSEN, ALL, RANDOM)}


@pytest.mark.parametrize("form", ["csr", "frame", "stream"])
def test_every_form_of_samples(rng, tmp_path, form):
    pd = pytest.importorskip("pandas")
    X, y = rng.normal(size=(40, 5)), np.arange(40) % 2
    X[:, 3] += 3 * y
    forms = {"csr": sp.csr_array(X), "frame": pd.DataFrame(X, columns=list("abcde")), "stream": None}
    made = StreamMatrix(npy(tmp_path, X)) if form == "stream" else forms[form]
    selector = ts.SparseFeatureSelector(2, method="wast", epochs=1, hidden_layer_sizes=5, n_jobs=1)
    expected = means(judge_features(selector, labelled(X, y), 2, 0, 1, silent, with_y=False))
    found = means(judge_features(selector, labelled(made, y), 2, 0, 1, silent, with_y=False))
    if form == "csr":  # which is not shifted to mean 0, to stay sparse
        assert found.keys() == expected.keys()
    else:
        assert found == expected


@pytest.mark.parametrize("kind", ["regression", "several", "multilabel"])
def test_other_targets(rng, kind):
    X = rng.normal(size=(60, 6))
    y = {
        "regression": X[:, 0] + 0.1 * rng.normal(size=60),
        "several": X[:, :2] + 0.1 * rng.normal(size=(60, 2)),
        "multilabel": (X[:, :3] > 0).astype(int),
    }[kind]
    judged = means(judge_features(ByF(3), labelled(X, y), 3, 0, 1, silent, with_y=False))
    assert {judge for judge, _ in judged} - {"SVR"} == {"extra trees", "5 neighbours"}
    assert (("SVR", CHOSEN) in judged) == (kind == "regression")
    assert judged["extra trees", CHOSEN] > (0.7 if kind == "multilabel" else 0.5)


def test_many_samples_are_judged_by_some(rng, monkeypatch):
    monkeypatch.setattr(_feature_judges, "MOST_TRAINED", 20)
    monkeypatch.setattr(_feature_judges, "_MOST_BYTES", 10)
    X, y = rng.normal(size=(90, 5)), np.arange(90) % 2
    judged = means(judge_features(ByF(2), labelled(X, y), 3, 0, 1, silent, with_y=True))
    assert [len(seen) for seen, _, _ in ByF.seen] == [60] * 3  # the selection sees all
    assert ("SVC", ALL) not in judged  # too large


def test_groups_stay_together(rng):
    X, y = rng.normal(size=(60, 5)), np.arange(60) % 2
    X[:, 0] = groups = np.repeat(np.arange(12), 5)
    judge_features(ByF(2), labelled(X, y, groups=groups), 3, 0, 1, silent, with_y=True)
    for seen, _, _ in ByF.seen:
        assert all(np.sum(seen[:, 0] == group) in (0, 5) for group in range(12))


def test_columns_that_say_nothing_are_passed_over(rng):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"same": "a", "x": np.where(rng.random(40) < 0.5, None, "b"), "z": rng.normal(size=40)})
    judged = means(judge_features(ByF(1), labelled(frame, np.arange(40) % 2), 2, 0, 1, silent, with_y=False))
    assert CHOSEN not in {name for _, name in judged}
    assert ALL in {name for _, name in judged}


def test_sparse_samples_of_64_bit_indices(rng):
    """As readers of .libsvm files make them; judges refuse them."""
    X, y = sp.random_array((40, 8), density=0.5, format="csr", rng=rng), np.arange(40) % 2
    wide = sp.csr_array((X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), shape=X.shape)
    judged = [judge_features(ByF(2), labelled(each, y), 2, 0, 1, silent, with_y=False) for each in (X, wide)]
    assert means(judged[0]) == means(judged[1])
    assert ("SVC", CHOSEN) in means(judged[1])


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_fewer_samples_than_neighbours(rng, kind):
    X = rng.normal(size=(6, 3))
    y = np.arange(6) % 2 if kind == "classification" else X[:, 0]
    judged = judge_features(ByF(1), labelled(X, y), 2, 0, 1, silent, with_y=False)
    assert ("5 neighbours", CHOSEN) in means(judged)
    assert np.isfinite(list(means(judged).values())).all()


def test_folds_that_judges_cannot_be_trained_or_scored_in(rng):
    X = rng.normal(size=(6, 3))
    with pytest.raises(ts.InputError, match="--cv: of 6 folds, one has a single sample to score by R²"):
        labelled(X, X[:, 0]).folds(6, 0)
    y = np.repeat([0, 1], 3)
    with pytest.raises(ts.InputError, match="--cv: of 2 folds, one has a single class to train on"):
        labelled(X, y, groups=y).folds(2, 0)
