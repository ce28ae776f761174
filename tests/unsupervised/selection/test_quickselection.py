"""QuickSelection against the source's rule in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse._core.progress import silent
from trulysparse._core.random import generator
from trulysparse.errors import InputError
from trulysparse.unsupervised.selection import QuickSelection, SelectionData

HOW = {"n_keep": 3, "seed": 4, "threads": 1, "progress": silent}


def samples(n=60, features=9, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, features)) * rng.uniform(0.1, 10, features) + 5
    X[:, 1] = 2 * X[:, 0] + 0.1 * X[:, 1]
    return X


class Reference:
    """A dense autoencoder trained in float64, weights kept where connections are."""

    def __init__(self, method, X, seed):
        self.method, self.seed = method, seed
        self.X = (X - X.mean(axis=0)) / X.std(axis=0)
        n = X.shape[1]
        net = ts.SparseMLP(
            (n, method.hidden_layer_sizes, n),
            epsilon=method.epsilon,
            activation="sigmoid",
            output="identity",
            init="normal",
            balance=False,
            seed=seed,
        )
        self.w = [layer.weight.toarray().astype(np.float64) for layer in net.layers]
        self.b = [np.zeros(len(w)) for w in self.w]
        self.there = [w != 0 for w in self.w]
        self.v = [np.zeros_like(each) for each in (*self.w, *self.b)]

    def epoch(self, order):
        m = self.method
        for start in range(0, len(order), m.batch_size):
            x = self.X[order[start : start + m.batch_size]]
            hidden = 1 / (1 + np.exp(-(x @ self.w[0].T + self.b[0])))
            delta = hidden @ self.w[1].T + self.b[1] - x  # as in the source: half the square, summed over outputs
            back = (delta @ self.w[1]) * hidden * (1 - hidden)
            gradients = (back.T @ x / len(x), delta.T @ hidden / len(x), back.mean(axis=0), delta.mean(axis=0))
            self.v = [m.momentum * v - m.learning_rate * each for v, each in zip(self.v, gradients, strict=True)]
            new = [p + v - m.weight_decay * p for p, v in zip((*self.w, *self.b), self.v, strict=True)]
            self.w = [w * there for w, there in zip(new[:2], self.there, strict=True)]
            self.b = new[2:]

    def kept_strength(self):
        """Of the inputs, without the zeta smallest weights of each sign."""
        kept = self.w[0].copy()
        for sign in (1, -1):
            rows, columns = np.nonzero(sign * self.w[0] > 0)
            sizes = np.abs(self.w[0][rows, columns])
            gone = np.argsort(sizes)[: int(self.method.zeta * len(sizes))]
            kept[rows[gone], columns[gone]] = 0
        return np.abs(kept).sum(axis=0)


@pytest.mark.parametrize("decay", [1e-5, 0.01])
def test_scores_are_what_the_last_evolution_keeps(decay):
    method = QuickSelection(
        20, epsilon=3, epochs=2, batch_size=16, dropout=0, noise=0, weight_decay=decay, learning_rate=0.05
    )
    X = samples()
    reference = Reference(method, X, seed=4)
    reference.epoch(generator(4, "shuffle", 0).permutation(len(X)))
    scores = method.scores(SelectionData.of(X), **HOW)
    np.testing.assert_allclose(scores, reference.kept_strength(), rtol=2e-4)


def test_one_epoch_has_no_evolution_and_scores_by_the_weights_as_they_are():
    method = QuickSelection(20, epsilon=3, epochs=1, batch_size=16, dropout=0, noise=0, learning_rate=0.05)
    X = samples()
    reference = Reference(method, X, seed=4)
    reference.epoch(generator(4, "shuffle", 0).permutation(len(X)))
    np.testing.assert_allclose(method.scores(SelectionData.of(X), **HOW), np.abs(reference.w[0]).sum(axis=0), rtol=2e-4)


def test_accumulated_scores_are_products_of_both_ends():
    method = QuickSelection(
        20, epsilon=3, epochs=1, batch_size=16, dropout=0, noise=0, learning_rate=0.05, accumulate=True
    )
    X = samples()
    reference = Reference(method, X, seed=4)
    reference.epoch(generator(4, "shuffle", 0).permutation(len(X)))
    both = np.abs(reference.w[0]).sum(axis=0) * np.abs(reference.w[1]).sum(axis=1)
    np.testing.assert_allclose(method.scores(SelectionData.of(X), **HOW), both, rtol=4e-4)


@pytest.mark.parametrize("settings", [{}, {"accumulate": True}, {"redraw": True}, {"hidden_layer_sizes": (20, 5)}])
def test_sparse_samples_and_any_number_of_threads_give_the_same_bits(settings):
    X = np.where(np.random.default_rng(1).random((80, 10)) < 0.5, samples(80, 10), 0.0)
    method = QuickSelection(**{"hidden_layer_sizes": 20, "epsilon": 3, "epochs": 3, "batch_size": 16} | settings)
    scores = method.scores(SelectionData.of(X), **HOW)
    assert np.array_equal(scores, method.scores(SelectionData.of(X), **HOW | {"threads": 2}))
    np.testing.assert_allclose(scores, method.scores(SelectionData.of(sp.csr_array(X)), **HOW), rtol=1e-4)
    assert not np.array_equal(scores, method.scores(SelectionData.of(X), **HOW | {"seed": 5}))


def test_the_unit_of_a_feature_does_not_matter_and_constant_ones_are_last():
    X = samples()
    X[:, 3] = 7.0
    method = QuickSelection(20, epsilon=3, epochs=3, batch_size=16)
    scores = method.scores(SelectionData.of(X), **HOW)
    others = np.delete(np.arange(9), 3)
    assert scores[3] == 0 < scores[others].min()
    np.testing.assert_allclose(method.scores(SelectionData.of(X * 1000 - 3), **HOW), scores, rtol=1e-3)


def test_noise_is_drawn_once_unless_it_is_to_be_redrawn():
    data, common = SelectionData.of(samples()), {"hidden_layer_sizes": 20, "epsilon": 3, "epochs": 3, "noise": 1.0}
    fixed, redrawn = (QuickSelection(redraw=each, **common).scores(data, **HOW) for each in (False, True))
    assert not np.array_equal(fixed, redrawn)


@pytest.mark.parametrize("hidden, per_feature", [(12, 5), (40, 5), (150, 6), (1000, 40)])
def test_each_feature_has_connections(hidden, per_feature):
    method = QuickSelection(hidden, epochs=3)
    assert method.epsilon_for(9) * (9 + hidden) == pytest.approx(9 * per_feature)
    assert (method.scores(SelectionData.of(samples()), **HOW) > 0).all()


def test_features_that_say_the_same_are_found_among_noise():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 40))
    X[:, :6] = X[:, :1] + 0.1 * X[:, :6]
    method = QuickSelection(20, epsilon=3, epochs=100, noise=1.0, accumulate=True)
    assert set(np.argsort(-method.scores(SelectionData.of(X), **HOW))[:6]) == set(range(6))


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"epsilon": 0}, "epsilon"),
        ({"zeta": 1.5}, "zeta"),
        ({"noise": -1}, "noise"),
        ({"dropout": 1.0}, "dropout"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes"),
        ({"momentum": 1}, "momentum"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"redraw": 1}, "redraw must be True or False"),
        ({"accumulate": "yes"}, "accumulate must be True or False"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        QuickSelection(**settings)
