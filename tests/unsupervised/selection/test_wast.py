"""WAST against the source's rule in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse._core.progress import silent
from trulysparse.errors import DivergenceError, InputError
from trulysparse.unsupervised.selection import WAST, SelectionData
from trulysparse.unsupervised.selection import wast as module

HOW = {"n_keep": 3, "seed": 4, "threads": 1, "progress": silent}


def samples(n=50, features=9, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, features)) * rng.uniform(0.1, 10, features) + 5


@pytest.mark.parametrize("error_weight", [0.0, 0.4, 1.0])
def test_importance_after_one_batch_is_that_of_the_source(error_weight, monkeypatch):
    nets = []
    monkeypatch.setattr(module, "Trainer", lambda net, **how: nets.append(net.copy()) or ts.Trainer(net, **how))
    X, lam = samples(), error_weight
    scores = WAST(12, density=0.5, epochs=1, noise=0, error_weight=lam).scores(SelectionData.of(X), **HOW)

    start = nets[0]
    x = (X - X.mean(axis=0)) / X.std(axis=0)
    w1, w2 = (layer.weight.toarray().astype(np.float64) for layer in start.layers)
    assert np.abs(w1).max() <= 9**-0.5  # as torch.nn.Linear starts
    assert np.abs(w2).max() <= 12**-0.5
    hidden = 1 / (1 + np.exp(-x @ w1.T))
    error = hidden @ w2.T - x
    delta = 2 * error / error.size
    step = 0.1 * (1 + 0.9)  # Nesterov's first step
    new = w1 - step * (((delta @ w2) * hidden * (1 - hidden)).T @ x) * (w1 != 0)
    expected = lam * np.abs(error).mean(axis=0) + (1 - lam) * np.abs(new).sum(axis=0)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_topology_evolves_after_each_batch_but_the_last():
    evolved = []

    class Watching(ts.Trainer):
        def fit(self, *args, **how):
            class Count(ts.Callback):
                def on_evolution(self, trainer, grown):
                    evolved.append(trainer.step_count)
                    assert trainer.net.n_connections == total

            total = self.net.n_connections
            return super().fit(*args, callbacks=[Count()], **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Trainer", Watching)
        WAST(12, epochs=2, batch_size=20).scores(SelectionData.of(samples()), **HOW)
    assert evolved == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("growth", ["sampled", "largest"])
def test_sparse_samples_and_any_number_of_threads_give_the_same_bits(growth):
    X = np.where(np.random.default_rng(1).random((80, 10)) < 0.5, samples(80, 10), 0.0)
    method = WAST(20, epochs=3, batch_size=16, growth=growth)
    scores = method.scores(SelectionData.of(X), **HOW)
    assert np.array_equal(scores, method.scores(SelectionData.of(X), **HOW | {"threads": 2}))
    np.testing.assert_allclose(scores, method.scores(SelectionData.of(sp.csr_array(X)), **HOW), rtol=1e-3)


@pytest.mark.parametrize("growth", ["sampled", "largest"])
def test_divergence_is_told(growth):
    with pytest.raises(DivergenceError, match="training has diverged"):
        WAST(20, epochs=5, batch_size=16, learning_rate=1e30, growth=growth).scores(SelectionData.of(samples()), **HOW)


def test_constant_features_are_last():
    X = samples()
    X[:, 3] = 7.0
    scores = WAST(20, epochs=3).scores(SelectionData.of(X), **HOW)
    assert scores[3] == 0 < np.delete(scores, 3).min()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"hidden_layer_sizes": (20, 10)}, "one size for wast"),
        ({"density": 0}, "density"),
        ({"error_weight": 1.1}, "error_weight"),
        ({"growth": "random"}, "growth"),
        ({"momentum": 0}, "momentum"),
        ({"zeta": -1}, "zeta"),
        ({"epochs": 0.5}, "epochs"),
        ({"noise": None}, "noise"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": 0}, "learning_rate"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        WAST(**settings)
