"""How an autoencoder is trained, and goes on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import trulysparse as ts
from estimators.tables import mixed_table

FAST = dict(hidden_layer_sizes=(16,), epochs=2, batch_size=32, random_state=0, n_jobs=1)


@pytest.fixture
def X(rng):
    return 3 + rng.standard_normal((150, 3)) @ rng.standard_normal((3, 12)) * np.geomspace(0.1, 10, 12)


def trainer(model):
    return model._members.trainers[0]


@pytest.mark.parametrize("sizes, layers", [(5, (12, 5, 12)), ((9,), (12, 9, 12)), ([9, 5, 2], (12, 9, 5, 2, 5, 9, 12))])
def test_the_decoder_mirrors_the_encoder(X, sizes, layers):
    model = ts.SparseAutoencoder(**(FAST | {"hidden_layer_sizes": sizes})).fit(X)
    assert model.network_.layer_sizes == layers
    assert model.encoder_.layer_sizes + model.decoder_.layer_sizes[1:] == layers
    assert model._n_features_out == model.transform(X).shape[1] == min(layers)


def test_parameters_reach_the_network_and_its_trainer(X):
    model = ts.SparseAutoencoder(
        (20,), density=0.3, activation="all_relu", alpha=0.3, init="normal", corruption="masking", noise=0.3,
        redraw=False, evolution="rigl", optimizer="sgd", learning_rate=0.001, momentum=0.5, weight_decay=0.01,
        dropout=0.1, batch_size=50, epochs=3, scale="minmax", dtype="float32", reduction="mean", random_state=0,
    ).fit(X)  # fmt: skip
    net, of = model.network_, trainer(model)
    assert net.density == pytest.approx(0.3, abs=0.01)
    assert net.dtype == np.float32
    assert net.activation == ts.AllReLU(0.3)
    assert net.init.rule == "normal"
    assert net.scaling.kind == "minmax"
    assert net.target_scaling is net.scaling
    assert of.optimizer == ts.SGD(0.001, 0.5, weight_decay=0.01)
    assert of.loss == ts.MeanSquaredError()
    assert of.input_masking == 0.3
    assert of.redraw_input_noise is False
    assert of.input_noise == 0
    assert isinstance(of.evolution, ts.RigL)
    assert of.evolution.output_layer
    assert of.dropout == 0.1
    assert of.batch_size == 50
    assert model.n_iter_ == 3


def test_the_loss_is_that_of_the_scaled_samples(X):
    still = dict(optimizer="sgd", learning_rate=1e-30, corruption=None, evolution=None)
    for reduction, factor in (("sum", 12), ("mean", 1)):
        model = ts.SparseAutoencoder(**(FAST | still), reduction=reduction).fit(X)
        assert model.loss_ == pytest.approx(-factor * model.score(X), rel=1e-9)


@pytest.mark.parametrize("kind", ["gaussian", "masking"])
def test_corruption_is_fresh_or_fixed(X, kind):
    losses = []
    for redraw in (True, False):
        still = dict(optimizer="sgd", learning_rate=1e-30, evolution=None, corruption=kind, redraw=redraw, noise=0.5)
        model = ts.SparseAutoencoder(**(FAST | still)).fit(X)
        first, second = model.loss_curve_
        assert (first == pytest.approx(second, rel=1e-9)) is not redraw
        losses.append(first)
    assert losses[0] != losses[1]


def test_partial_fit_keeps_what_was_learned_under_new_figures(X):
    model = ts.SparseAutoencoder(**FAST)
    for _ in range(30):
        model.partial_fit(X[:50])
    assert model.n_iter_ == 30
    before, old = model.reconstruct(X), model.network_.scaling
    model._rescale(model._samples(2 * X, reset=False))
    new = model.network_.scaling
    assert not np.array_equal(new.factor, old.factor)
    assert model.network_.target_scaling is new
    np.testing.assert_allclose(model.reconstruct(X), before, rtol=1e-6, atol=1e-6)


def test_partial_fit_sees_all_samples_and_learns(X):
    model, whole = ts.SparseAutoencoder(**(FAST | {"learning_rate": 0.01})), ts.SparseAutoencoder(**FAST).fit(X)
    for epoch in range(41):
        for start in range(0, 150, 50):
            model.partial_fit(X[start : start + 50])
        if epoch == 0:
            first = model.score(X)
            np.testing.assert_allclose(model.network_.scaling.offset, whole.network_.scaling.offset, rtol=1e-6)
            np.testing.assert_allclose(model.network_.scaling.factor, whole.network_.scaling.factor, rtol=1e-6)
    assert model.score(X) > first / 2
    connections = [layer.n_connections for layer in model.network_.layers]
    assert connections == [layer.n_connections for layer in whole.network_.layers]


@pytest.mark.parametrize("scale", ["auto", "none"])
@pytest.mark.parametrize("tied", [False, True])
def test_partial_fit_that_fails_leaves_the_model_as_it_was(X, scale, tied, tmp_path):
    params = FAST | {"optimizer": "sgd", "learning_rate": 1e-4, "scale": scale, "tied": tied}
    model, twin = (ts.SparseAutoencoder(**params).fit(X).partial_fit(X) for _ in range(2))
    with pytest.raises(ts.DivergenceError):
        model.set_params(learning_rate=1e30).partial_fit(3 * X)
    model.set_params(learning_rate=1e-4)
    broken = X.copy()
    broken[140, 3] = np.nan  # in the last batches
    np.save(tmp_path / "X.npy", broken)
    with pytest.raises(ts.InputError, match=r"X\[140, 3\] is nan"):
        model.partial_fit(np.load(tmp_path / "X.npy", mmap_mode="r"))
    np.testing.assert_array_equal(model.reconstruct(X), twin.reconstruct(X))
    np.testing.assert_array_equal(model.partial_fit(2 * X).reconstruct(X), twin.partial_fit(2 * X).reconstruct(X))
    assert model.n_iter_ == twin.n_iter_ == 4


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_samples_that_are_no_probabilities_are_named(rng, form, call):
    X, wrong = rng.random((40, 6)), rng.random((40, 6))
    wrong[30, 2] = 1.5
    model = ts.SparseAutoencoder(**(FAST | {"output": "sigmoid", "scale": "none"})).fit(form(X))
    for each in (model, ts.SparseAutoencoder(**model.get_params()), model.set_params(warm_start=True)):
        with pytest.raises(ts.InputError, match=r"X\[30, 2\] is 1.5; outputs of output='sigmoid' lie from 0 to 1"):
            getattr(each, call)(form(wrong))
    with pytest.raises(ts.InputError, match="warm_start must be True or False, not 'x'"):
        model.set_params(warm_start="x").fit(X)


def test_partial_fit_has_the_settings_of_its_call(X):
    model = ts.SparseAutoencoder(**FAST).partial_fit(X)
    before = model.reconstruct(X)
    model.set_params(learning_rate=1e-30).partial_fit(X)
    np.testing.assert_allclose(model.reconstruct(X), before)
    for params in ({"hidden_layer_sizes": (8,)}, {"activation": "tanh"}, {"output": "sigmoid"}):
        old = {name: getattr(model, name) for name in params}
        with pytest.raises(ts.InputError, match=f"{next(iter(params))} cannot change between calls of partial_fit"):
            model.set_params(**params).partial_fit(X)
        model.set_params(**old)
    assert model.get_feature_names_out().shape == (16,)


def test_a_model_that_could_not_be_loaded_is_not_saved(X, tmp_path):
    model = ts.SparseAutoencoder(**FAST).fit(X)
    for params in ({"hidden_layer_sizes": (8,)}, {"tied": True}, {"optimizer": "sgd"}):
        old = {name: getattr(model, name) for name in params}
        with pytest.raises(ts.InputError, match=f"{next(iter(params))} has changed since the training"):
            ts.save(model.set_params(**params), tmp_path / "m")
        model.set_params(**old)
    ts.save(model.set_params(learning_rate=0.1, batch_size=7), tmp_path / "m")
    np.testing.assert_array_equal(ts.load(tmp_path / "m").reconstruct(X), model.reconstruct(X))


@pytest.mark.parametrize("params", [{"output": "sigmoid"}, {"tied": True}, {"scale": "none"}])
def test_partial_fit_of_other_forms(X, params):
    model = ts.SparseAutoencoder(**(FAST | params))
    for part in (X[:50], X[50:100] * 1.5, X[100:]):
        model.partial_fit(part)
    assert np.isfinite(model.score_samples(X[100:])).all()
    scaling = model.network_.scaling
    assert scaling is model.network_.target_scaling
    assert (scaling is None) == (params.get("scale") == "none")


def test_warm_start_goes_on(X):
    model = ts.SparseAutoencoder(**FAST, warm_start=True).fit(X)
    net, scaling, steps = model.network_, model.network_.scaling, trainer(model).step_count
    model.fit(10 * X)
    assert model.network_ is net
    assert net.scaling is scaling
    assert model.n_iter_ == 4
    assert trainer(model).step_count == 2 * steps
    assert trainer(model).state_updates == 2 * steps
    for params in ({"hidden_layer_sizes": (8,)}, {"scale": "minmax"}, {"tied": True}):
        with pytest.raises(ts.InputError, match=f"for which {next(iter(params))} was"):
            model.set_params(**params).fit(X)
        model.set_params(hidden_layer_sizes=(16,), scale="auto", tied=False)
    assert model.set_params(warm_start=False).fit(X).n_iter_ == 2


def test_a_training_that_breaks_off_leaves_the_model_as_it_was(X):
    fresh, fitted = ts.SparseAutoencoder(**FAST), ts.SparseAutoencoder(**FAST).fit(X)
    before = fitted.reconstruct(X)
    for model in (fresh, fitted):
        with pytest.raises(ts.DivergenceError):
            model.set_params(optimizer="sgd", learning_rate=1e30, epochs=5, evolution=None).fit(X)
    assert not hasattr(fresh, "network_")
    np.testing.assert_array_equal(fitted.reconstruct(X), before)
    assert fitted.set_params(optimizer="adam", learning_rate=None).partial_fit(X).n_iter_ == 3


def test_one_hot_columns_keep_their_scale():
    table, _ = mixed_table(60)
    model = ts.SparseAutoencoder(**FAST)
    model.partial_fit(table.iloc[:30]).partial_fit(table.iloc[30:])
    kept = ~model.preprocessor_.scaled_
    assert kept.any()
    assert set(model.network_.scaling.factor[kept]) == {1}


def test_a_file_of_other_sizes_is_refused(X):
    model = ts.SparseAutoencoder(**FAST).fit(X)
    networks, arrays, config = model._saved()
    with pytest.raises(ts.InputError, match=r"must be one of hidden_layer_sizes=\(8,\), not 12-16-12"):
        ts.SparseAutoencoder((8,))._restore(networks, arrays, config)


def test_feature_names_are_those_of_the_columns(X):
    names = [f"column {i}" for i in range(12)]
    model = ts.SparseAutoencoder(**FAST).fit(pd.DataFrame(X, columns=names))
    assert list(model.network_.feature_names) == names
