"""SparseAutoencoder as users of scikit-learn meet it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import trulysparse as ts
from estimators.tables import mixed_table
from sample_files import npy
from trulysparse.data import as_matrix
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.evolution import NAMES
from trulysparse.evolution.methods.registry import STANDING

FAST = dict(hidden_layer_sizes=(16,), epochs=2, batch_size=32, random_state=0, n_jobs=1)


@pytest.fixture
def X(rng):
    return 3 + rng.standard_normal((150, 3)) @ rng.standard_normal((3, 12)) * np.geomspace(0.1, 10, 12)


def mse(model, X):
    return float((np.square(model.reconstruct(X) - X) / X.var(axis=0)).mean())


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"output": "sigmoid", "corruption": "masking"},
        {"hidden_layer_sizes": (8, 3), "tied": True},
    ],
)
def test_estimator_checks(params):
    check_estimator(ts.SparseAutoencoder(**(dict(hidden_layer_sizes=(8,), epochs=2, n_jobs=1) | params)), on_skip=None)


def test_it_learns_what_three_factors_say(X):
    model = ts.SparseAutoencoder((32, 3), activation="identity", random_state=0).fit(X)
    assert mse(model, X) < 0.05
    assert model.transform(X).shape == (150, 3)
    assert model.get_feature_names_out().tolist() == [f"sparseautoencoder{i}" for i in range(3)]
    assert model.loss_curve_[-1] == model.loss_ < 0.1 * model.loss_curve_[0]
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), model.reconstruct(X), rtol=1e-9)
    np.testing.assert_array_equal(clone(model).fit_transform(X), model.transform(X))


def test_defaults_learn_digits():
    X, _ = load_digits(return_X_y=True)
    model = ts.SparseAutoencoder(random_state=0, epochs=20).fit(X[:1200])
    scale = X[:1200].var(axis=0) > 0
    error = model.reconstruct(X[1200:])[:, scale] - X[1200:, scale]
    assert np.square(error).mean() / X[1200:, scale].var(axis=0).mean() < 0.15


def test_outliers_have_low_scores(X, rng):
    model = ts.SparseAutoencoder((16, 3), activation="identity", random_state=0, epochs=100).fit(X)
    strange = rng.permuted(X, axis=0)  # columns of different samples
    assert np.median(model.score_samples(strange)) < model.score_samples(X).min()
    assert model.score(X) == model.score_samples(X).mean() > model.score(strange)


def test_a_search_finds_what_reconstructs_well(X):
    search = GridSearchCV(ts.SparseAutoencoder(**FAST), {"learning_rate": [1e-6, 0.01]}, cv=2).fit(X)
    assert search.best_params_ == {"learning_rate": 0.01}
    pipe = make_pipeline(StandardScaler(), ts.SparseAutoencoder(**FAST)).set_output(transform="pandas").fit(X)
    codes = pipe.transform(X)
    assert isinstance(codes, pd.DataFrame)
    assert codes.columns[0] == "sparseautoencoder0"


@pytest.mark.parametrize("output", ["identity", "sigmoid"])
def test_every_form_of_samples_gives_the_same(rng, output):
    X = (rng.random((150, 20)) < 0.2) * rng.integers(1, 5, (150, 20)).astype(np.float32)
    settings = FAST | {"output": output, "epochs": 3}
    model = ts.SparseAutoencoder(**settings).fit(X)
    for form in (sp.csr_array, sp.csc_array, pd.DataFrame, as_matrix, lambda X: X.astype(np.uint8)):
        other = clone(model).fit(form(X))
        np.testing.assert_allclose(other.transform(form(X)), model.transform(X), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(other.reconstruct(form(X)), model.reconstruct(X), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(other.score_samples(form(X)), model.score_samples(X), rtol=1e-3)


def test_samples_in_files(X, tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped, stream = np.load(tmp_path / "X.npy", mmap_mode="r"), StreamMatrix(npy(tmp_path, X))
    for form in (mapped, stream):
        model = ts.SparseAutoencoder(**FAST).fit(form)
        np.testing.assert_array_equal(model.transform(form), model.transform(X))
        np.testing.assert_array_equal(model.score_samples(form), model.score_samples(X))
        assert model.score(X) == pytest.approx(ts.SparseAutoencoder(**FAST).fit(X).score(X), rel=0.2)


MEMORY = """
import numpy as np, scipy.sparse as sp, trulysparse as ts
from pathlib import Path

def resident(name):
    return int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0]) / 1024

X = sp.random_array((1500, 20_000), density=0.001, format="csr", rng=np.random.default_rng(0), dtype=np.float32)
model = ts.SparseAutoencoder((50,), epsilon=2, epochs=1, random_state=0, n_jobs=1)
model.fit(X[:, :10].tocsr())
for work in (model.fit, model.partial_fit, model.transform, model.score_samples):
    Path("/proc/self/clear_refs").write_text("5")
    held = resident("VmRSS")
    work(X)
    print(resident("VmHWM") - held)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_wide_sparse_samples_are_never_dense():
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    tile, dense = 4 * 128 * 20_000 / 2**20, 4 * 1500 * 20_000 / 2**20
    for peak in map(float, done.stdout.split()):
        assert (
            peak < 4.5 * tile < 0.4 * dense
        )  # inputs, outputs and their copies of one tile, beside 80,100 connections


def test_tables_of_mixed_columns():
    table, _ = mixed_table(60)
    model = ts.SparseAutoencoder(**FAST, corruption="swap").fit(table)
    encoded = model.preprocessor_.transform(table)
    assert model.reconstruct(table).shape == encoded.shape
    assert model.score_samples(table).shape == (60,)
    np.testing.assert_array_equal(model.network_.scaling.factor[~model.preprocessor_.scaled_], 1)


def test_unlabelled_columns(X):
    frame = pd.DataFrame(X)
    model = ts.SparseAutoencoder(**FAST).fit(frame)
    np.testing.assert_array_equal(model.transform(frame), model.transform(X))
    assert not hasattr(model, "feature_names_in_")


def test_edges(rng):
    one_feature = rng.standard_normal((50, 1))
    assert mse(ts.SparseAutoencoder(random_state=0).fit(one_feature), one_feature) < 0.1
    one_sample = rng.standard_normal((1, 5))
    model = ts.SparseAutoencoder(**FAST).fit(one_sample)
    np.testing.assert_array_equal(model.reconstruct(one_sample), one_sample)
    assert model.score_samples(one_sample).tolist() == pytest.approx([0], abs=1e-3)
    constant = np.column_stack([one_feature, np.full(50, 7.0)])
    model = ts.SparseAutoencoder(**FAST).fit(constant)
    assert set(model.reconstruct(constant)[:, 1]) == {7}
    assert np.isfinite(model.score_samples(constant)).all()
    assert ts.SparseAutoencoder((1,), epochs=1).fit(constant).transform(constant).shape == (50, 1)


@pytest.mark.parametrize("evolution", [each for each in NAMES if each not in STANDING])
def test_both_ends_evolve_by_every_method(X, evolution):
    size = 1 if evolution in ("dsr", "gse", "granet") else 10  # those count updates, not epochs
    settings = dict(epsilon=3, epochs=30 if size == 1 else 12, batch_size=size, random_state=0, n_jobs=1)
    model = ts.SparseAutoencoder((40,), evolution=evolution, **settings).fit(X)
    still = clone(model).set_params(evolution=None).fit(X)
    for evolved, start in zip(model.network_.layers, still.network_.layers, strict=True):
        assert not np.array_equal(evolved.connectivity.by_input.index, start.connectivity.by_input.index)


def test_same_seed_same_bits(X):
    first = ts.SparseAutoencoder(**FAST).fit(X)
    for jobs in (2, -1):
        np.testing.assert_array_equal(clone(first).set_params(n_jobs=jobs).fit(X).reconstruct(X), first.reconstruct(X))
    assert not np.array_equal(clone(first).set_params(random_state=1).fit(X).transform(X), first.transform(X))
    drawn = ts.SparseAutoencoder(**(FAST | {"random_state": None}))
    assert not np.array_equal(drawn.fit_transform(X), drawn.fit_transform(X))


def test_copies_pickles_and_files(X, tmp_path):
    names = [f"column {i}" for i in range(12)]
    frame = pd.DataFrame(X, columns=names)
    model = ts.SparseAutoencoder(**FAST, progress=lambda what, done, total: None).fit(frame)
    wanted = model.score_samples(frame)
    ts.save(model, tmp_path / "model.safetensors")
    loaded = ts.load(tmp_path / "model.safetensors")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        np.testing.assert_array_equal(other.score_samples(frame), wanted)
        np.testing.assert_array_equal(other.inverse_transform(other.transform(frame)), model.reconstruct(frame))
        assert other.loss_curve_ == model.loss_curve_
        assert other.feature_names_in_.tolist() == names
        assert other.partial_fit(frame).n_iter_ == 3
        assert other.set_params(warm_start=True).fit(frame).n_iter_ == 5


def test_progress_is_told(X):
    told = []
    ts.SparseAutoencoder(**FAST, progress=lambda *now: told.append(now)).fit(X)
    assert told[-1] == ("training", 2, 2)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes must name at least one layer"),
        ({"hidden_layer_sizes": (0,)}, r"hidden_layer_sizes\[0\] must be at least 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"density": 0.5, "epsilon": 3}, "epsilon must be left as it is where density is given"),
        ({"density": 2}, "density"),
        ({"dtype": "int8"}, "dtype must be one of auto, float32, float64"),
        ({"output": "softmax"}, "output must be one of identity, sigmoid"),
        ({"activation": "step"}, "activation must be one of"),
        ({"reduction": "max"}, "reduction must be one of sum, mean"),
        ({"evolution": "magic"}, "evolution must be one of"),
        ({"noise": -1}, "noise must lie in"),
        ({"zeta": 2}, "zeta must lie in"),
        ({"dropout": 1}, "dropout must lie in"),
        ({"n_jobs": 0}, "n_jobs must be at least 1"),
        ({"scale": "standard", "output": "sigmoid"}, "scale must be"),
        ({"progress": 3}, "progress must be a function"),
    ],
)
def test_bad_parameters(X, params, message):
    model = ts.SparseAutoencoder(**(FAST | params))
    with pytest.raises(ts.InputError, match=message):
        model.fit(X)
    assert not hasattr(model, "network_")


def test_bad_samples(X):
    model = ts.SparseAutoencoder(**FAST)
    holes = X.copy()
    holes[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.fit(holes)
    with pytest.raises(ts.InputError, match="outputs of output='sigmoid' lie from 0 to 1"):
        clone(model).set_params(output="sigmoid", scale="none").fit(X)
    model.fit(X)
    with pytest.raises(ValueError, match="NaN"):
        model.score_samples(holes)
    with pytest.raises(ValueError, match="X has 11 features, but SparseAutoencoder is expecting 12"):
        model.reconstruct(X[:, 1:])
    with pytest.raises(ts.InputError, match="X must have 16 columns, as transform gives, not 12"):
        model.inverse_transform(X)


@pytest.mark.parametrize("sizes", [(16,), (16, 4)])
def test_tied_ends_stay_tied(X, tmp_path, sizes):
    model = ts.SparseAutoencoder(**(FAST | {"hidden_layer_sizes": sizes, "epochs": 5}), epsilon=3, tied=True).fit(X)
    ts.save(model, tmp_path / "model.safetensors")
    loaded = ts.load(tmp_path / "model.safetensors")
    for each in (model, loaded, pickle.loads(pickle.dumps(model)), model.partial_fit(X)):
        first, last = each.network_.layers[0], each.network_.layers[-1]
        np.testing.assert_array_equal(first.weight.toarray().T, last.weight.toarray())
        np.testing.assert_allclose(each.inverse_transform(each.transform(X)), each.reconstruct(X), rtol=1e-9)
    start = clone(model).set_params(evolution=None).fit(X).network_.layers[0]
    assert not np.array_equal(first.connectivity.by_input.index, start.connectivity.by_input.index)
    assert loaded.score(X) == clone(model).fit(X).score(X)
    classifier = ts.SparseMLPClassifier.from_autoencoder(model, epochs=1).fit(X, X[:, 0] > 3)
    assert classifier.network_.layer_sizes == (12, *sizes, 2)
