from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import trulysparse as ts
from trulysparse.data import as_matrix
from trulysparse.errors import DivergenceError, InputError
from trulysparse.evolution.methods.registry import NAMES
from trulysparse.unsupervised.rbm import SparseRBM

SMALL = {"n_components": 12, "epsilon": 3, "n_iter": 3, "random_state": 0, "n_jobs": 1}


@pytest.fixture
def X(rng):
    patterns = rng.random((4, 20)) > 0.5
    return (patterns[rng.integers(4, size=60)] ^ (rng.random((60, 20)) < 0.05)).astype(np.float32)


class Squashed(SparseRBM):
    """Takes the logistic function of its samples, so that the checks' samples suit Bernoulli visible units."""

    def _samples(self, X, *, reset):
        x = super()._samples(X, reset=reset).x
        return as_matrix(expit((x.toarray() if sp.issparse(x) else x).astype(np.float64)))


@parametrize_with_checks(
    [
        SparseRBM(5, epsilon=3, n_iter=2, n_jobs=1),
        SparseRBM(5, epsilon=3, n_iter=2, visible="gaussian", persistent=True, n_jobs=1),
        Squashed(5, epsilon=3, n_iter=2, visible="bernoulli", n_jobs=1),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("evolution", ["set", "rigl", None])
def test_threads_and_forms_of_samples_change_nothing(X, evolution, persistent):
    options = SMALL | {"evolution": evolution, "persistent": persistent}
    one = SparseRBM(**options).fit(X)
    for other in (
        SparseRBM(**options | {"n_jobs": 3}).fit(X),
        SparseRBM(**options).fit(sp.csr_matrix(X)),
        SparseRBM(**options).fit(X.astype(np.uint8)),
        SparseRBM(**options).fit(pd.DataFrame(X, columns=[f"c{i}" for i in range(20)])),
    ):
        assert (one.components_ != other.components_).nnz == 0
        np.testing.assert_array_equal(one.intercept_visible_, other.intercept_visible_)
    np.testing.assert_array_equal(one.transform(X), one.transform(sp.csr_matrix(X)))
    np.testing.assert_array_equal(one.score_samples(X), one.score_samples(sp.csr_matrix(X)))


def test_wide_machines_on_threads_give_the_same_bits(rng):
    X = (rng.random((200, 3000)) < 0.1).astype(np.float32)
    found = []
    for n_jobs in (1, 3):
        rbm = SparseRBM(1000, density=0.02, n_iter=2, batch_size=100, random_state=0, n_jobs=n_jobs).fit(X)
        found.append((rbm.components_.data, rbm.transform(X), rbm.score_samples(X), rbm.sample(20, 5)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_every_method_of_evolution_works(X, name):
    rbm = SparseRBM(**SMALL | {"evolution": name}).fit(X)
    assert np.isfinite(rbm.components_.data).all()
    assert rbm.components_.nnz == 96 or name in ("granet", "snfs")


@pytest.mark.parametrize(
    "method",
    [
        *(ts.SET(), ts.DeepR(), ts.SNFS(), ts.MEST(), ts.CHTs(), ts.CTRE(), ts.DSR(threshold=0.02, every_updates=20)),
        *(ts.RigL(every_updates=20), ts.GSE(every_updates=20), ts.GraNet(every_updates=20)),
    ],
    ids=lambda each: each.name,
)
def test_every_method_of_evolution_changes_the_connections(X, method):
    rbm = SparseRBM(**SMALL | {"evolution": method, "n_iter": 40}).fit(X)
    static = SparseRBM(**SMALL | {"evolution": None, "n_iter": 1}).fit(X)
    assert {*zip(*rbm.components_.nonzero(), strict=True)} != {*zip(*static.components_.nonzero(), strict=True)}


def test_set_keeps_the_number_of_connections_and_changes_them(X):
    rbm = SparseRBM(**SMALL | {"evolution": ts.SET(0.3, fresh="init"), "n_iter": 6}).fit(X)
    fresh = SparseRBM(**SMALL | {"evolution": None, "n_iter": 1}).fit(X)
    one, other = rbm.components_, fresh.components_
    assert one.nnz == other.nnz == 96
    one.data[:], other.data[:] = 1, 1
    assert (one != other).nnz > 60


@pytest.mark.parametrize("options", [{}, {"momentum": 0.8, "weight_decay": 1e-3}, {"persistent": True}])
def test_partial_fit_goes_on_with_the_same_bits(X, tmp_path, options):
    whole = SparseRBM(**SMALL | options)
    for _ in range(3):
        whole.partial_fit(X)
    broken = SparseRBM(**SMALL | options).partial_fit(X)
    broken = pickle.loads(pickle.dumps(broken)).partial_fit(X)
    ts.save(broken, tmp_path / "rbm.safetensors")
    broken = ts.load(tmp_path / "rbm.safetensors").partial_fit(X)
    np.testing.assert_array_equal(whole.components_.data, broken.components_.data)
    np.testing.assert_array_equal(whole.intercept_visible_, broken.intercept_visible_)
    assert whole.reconstruction_errors_ == broken.reconstruction_errors_
    assert broken.n_iter_ == 3
    np.testing.assert_array_equal(whole.sample(5, 10), broken.sample(5, 10))


def test_partial_fit_without_evolution_is_fit_without(X):
    fitted = SparseRBM(**SMALL | {"evolution": None}).fit(X)
    steps = SparseRBM(**SMALL)
    for _ in range(3):
        steps.partial_fit(X)
    np.testing.assert_array_equal(fitted.components_.data, steps.components_.data)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_components", 5), ("visible", "gaussian"), ("batch_size", 7), ("persistent", True), ("momentum", 0.5)],
)
def test_partial_fit_refuses_another_machine(X, name, value):
    rbm = SparseRBM(**SMALL).partial_fit(X)
    before = rbm.components_.data.copy()
    with pytest.raises(InputError, match=f"{name} cannot change between calls"):
        rbm.set_params(**{name: value}).partial_fit(X)
    np.testing.assert_array_equal(rbm.components_.data, before)
    rbm.set_params(**SMALL | {name: getattr(SparseRBM(), name) if name != "n_components" else 12})
    rbm.set_params(learning_rate=0.01, k=2).partial_fit(X)


def test_constant_features_do_no_harm(X):
    X = np.hstack([X, np.zeros((60, 1), np.float32), np.ones((60, 1), np.float32)])
    rbm = SparseRBM(**SMALL | {"n_iter": 60}).fit(X)
    V = rbm.inverse_transform(rbm.transform(X))
    assert V[:, -2].max() < 0.1
    assert V[:, -1].min() > 0.9
    assert np.isfinite(rbm.score_samples(X)).all()
    one = SparseRBM(**SMALL).fit(np.ones((1, 1)))
    assert np.isfinite(one.transform(np.ones((1, 1)))).all()


def test_stacks_search_and_tables(rng, X):
    y = X[:, 0]
    stack = make_pipeline(
        SparseRBM(**SMALL | {"n_iter": 60}),
        SparseRBM(**SMALL | {"n_components": 8, "n_iter": 60}),
        LogisticRegression(C=100),
    )
    assert stack.fit(X, y).score(X, y) > 0.8
    search = GridSearchCV(SparseRBM(**SMALL), {"learning_rate": [0.001, 0.2]}, cv=2).fit(X)
    assert search.best_params_ == {"learning_rate": 0.2}
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(20)], index=np.arange(100, 160))
    out = SparseRBM(**SMALL).set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns[:2]) == ["sparserbm0", "sparserbm1"]
    assert out.index.equals(frame.index)


def test_progress_is_told_and_the_model_is_usable_in_it(X):
    told, errors, rbm = [], [], SparseRBM(**SMALL)

    def progress(what, done, total):
        told.append((what, done, total))
        errors.append(np.square(rbm.inverse_transform(rbm.transform(X)) - X).mean())

    rbm.set_params(progress=progress).fit(X)
    assert told == [("training", 1, 3), ("training", 2, 3), ("training", 3, 3)]
    assert errors[-1] < errors[0]
    many = []
    SparseRBM(**SMALL | {"progress": lambda *each: many.append(each), "batch_size": 1, "n_iter": 1}).fit(
        np.tile(X, (4, 1))
    )
    assert [round(done, 3) for _, done, _ in many] == [0.412, 0.829, 1]


# ---- bad input ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components must be at least 1, not 0"),
        ({"epsilon": 0}, r"epsilon must lie in \(0, inf\), not 0"),
        ({"density": 2, "epsilon": 10}, r"density must lie in \(0, 1\], not 2"),
        ({"density": 0.5}, "epsilon must be left as it is where density is given"),
        ({"learning_rate": 0}, r"learning_rate must lie in \(0, inf\), not 0"),
        ({"momentum": 1}, r"momentum must lie in \[0, 1\), not 1"),
        ({"weight_decay": -1}, r"weight_decay must lie in \[0, 1\), not -1"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"n_iter": 0}, "n_iter must be at least 1, not 0"),
        ({"k": 0}, "k must be at least 1, not 0"),
        ({"persistent": "yes"}, "persistent must be True or False, not 'yes'"),
        ({"visible": "poisson"}, "visible must be one of auto, bernoulli, gaussian, not 'poisson'"),
        ({"evolution": "drop"}, "evolution must be one of"),
        ({"zeta": 2}, r"zeta must lie in \[0, 1\], not 2"),
        ({"n_jobs": 0}, "n_jobs must be"),
        ({"progress": 3}, "progress must be a function"),
    ],
)
def test_parameters_out_of_range_are_refused(X, options, message):
    rbm = SparseRBM(**SMALL).fit(X)
    before = rbm.components_.data.copy()
    with pytest.raises(InputError, match=message):
        rbm.set_params(**options).fit(X)
    np.testing.assert_array_equal(rbm.components_.data, before)


@pytest.mark.parametrize("value", [-0.5, 1.5])
def test_values_out_of_range_are_refused(X, value):
    rbm, wrong = SparseRBM(**SMALL, visible="bernoulli").fit(X), X.copy()
    wrong[3, 4] = value
    for call in (rbm.fit, rbm.partial_fit):
        with pytest.raises(InputError, match=rf"X\[3, 4\] is {value}; Bernoulli visible units take values from 0 to 1"):
            call(wrong)
    with pytest.raises(InputError, match="Bernoulli visible units"):
        SparseRBM(**SMALL).partial_fit(X).partial_fit(wrong)
    assert SparseRBM(**SMALL).fit(X).visible_ == "bernoulli"
    assert SparseRBM(**SMALL).fit(wrong).visible_ == "gaussian"
    assert rbm.transform(wrong).shape == (60, 12)  # a test sample may lie outside the range of the training ones


@pytest.mark.parametrize("persistent", [False, True])
def test_partial_fit_that_fails_leaves_the_machine_as_it_was(rng, tmp_path, persistent):
    X = rng.normal(size=(60, 20))
    options = SMALL | {"visible": "gaussian", "momentum": 0.5, "persistent": persistent}
    rbm, twin = (SparseRBM(**options).partial_fit(X) for _ in range(2))
    with np.errstate(all="ignore"), pytest.raises(DivergenceError, match="smaller learning_rate"):
        rbm.set_params(learning_rate=1e30).partial_fit(X)
    broken = X.copy()
    broken[50, 3] = np.inf
    np.save(tmp_path / "X.npy", broken)
    with pytest.raises(InputError, match=r"X\[50, 3\] is inf"):
        rbm.set_params(learning_rate=None).partial_fit(np.load(tmp_path / "X.npy", mmap_mode="r"))
    assert rbm.n_iter_ == 1
    for _ in range(2):
        np.testing.assert_array_equal(rbm.components_.data, twin.components_.data)
        np.testing.assert_array_equal(rbm.sample(3, 5), twin.sample(3, 5))
        rbm.partial_fit(X)
        twin.partial_fit(X)


def test_samples_beyond_the_range_of_floats(X):
    X = X.astype(np.float64)
    rbm = SparseRBM(**SMALL).fit(X * 1e30)
    codes = rbm.transform(X * 1e30)
    assert 0.3 < np.corrcoef(rbm.inverse_transform(codes).ravel(), X.ravel())[0, 1] <= 1
    rbm.fit(X * 1e300)
    with pytest.raises(InputError, match="values in the unit of X are beyond the range of float32; scale X before fit"):
        rbm.inverse_transform(codes)


def test_divergence_is_told(rng):
    with np.errstate(all="ignore"), pytest.raises(DivergenceError, match="smaller learning_rate"):
        SparseRBM(**SMALL | {"learning_rate": 1e6, "n_iter": 30}).fit(rng.normal(size=(60, 20)))


def test_samples_in_files_give_the_same_bits(X, tmp_path):
    mapped = np.memmap(tmp_path / "X", np.float32, "w+", shape=X.shape)
    mapped[:] = X
    one = SparseRBM(**SMALL).fit(X)
    for other in (mapped, as_matrix(X)):
        twin = SparseRBM(**SMALL).fit(other)
        np.testing.assert_array_equal(one.components_.data, twin.components_.data)
        np.testing.assert_array_equal(one.score_samples(X), twin.score_samples(other))
    mapped[5, 3] = 2
    with pytest.raises(InputError, match=r"X\[5, 3\] is 2.0; Bernoulli"):
        SparseRBM(**SMALL, visible="bernoulli").fit(mapped)


@pytest.mark.parametrize(("columns", "visible"), [(["c", "e"], "bernoulli"), (["c", "age"], "gaussian")])
def test_tables_of_mixed_columns(rng, tmp_path, columns, visible):
    table = pd.DataFrame(
        {"c": rng.choice(["a", "b", "d"], 80), "e": rng.choice(["x", "y"], 80), "age": rng.integers(1, 80, 80)}
    )[columns]
    rbm = SparseRBM(**SMALL).fit(table)
    assert rbm.visible_ == visible
    assert rbm.n_features_in_ == 2
    ts.save(rbm, tmp_path / "rbm.safetensors")
    twin = ts.load(tmp_path / "rbm.safetensors")
    np.testing.assert_array_equal(twin.transform(table), rbm.transform(table))
    np.testing.assert_array_equal(twin.sample(3, 5), rbm.sample(3, 5))
    np.testing.assert_array_equal(twin.partial_fit(table).components_.data, rbm.partial_fit(table).components_.data)
