"""Updates of supervised selection: gradients at the input, batches, samples held out."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.unsupervised.selection import SelectionData
from trulysparse.unsupervised.selection.training import SelectionTraining, default_batch_size, default_epochs, held_out


def make(data: SelectionData, batch_size: int = 16, threads: int = 1) -> SelectionTraining:
    net = ts.SparseMLP(
        (data.n_features, 30, data.n_outputs), epsilon=4, activation="tanh", output=data.output, dtype="float64", seed=2
    )
    return SelectionTraining(net, data, ts.SGD(0.1), batch_size=batch_size, epochs=3, seed=5, threads=threads)


def mean_gradient(net: ts.SparseMLP, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """mean |d loss / dx| of each sample's own loss at standardised x, by central differences."""

    def losses(x: np.ndarray) -> np.ndarray:
        for number, layer in enumerate(net.layers):
            x = x @ layer.weight.toarray().T + layer.bias
            x = np.tanh(x) if number < len(net.layers) - 1 else x
        if y.ndim == 2:
            return ((x - y) ** 2).mean(axis=1)
        return np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), y]

    h, found = 1e-5, np.zeros(X.shape[1])
    for i in range(X.shape[1]):
        step = np.zeros(X.shape[1])
        step[i] = h
        found[i] = np.abs((losses(X + step) - losses(X - step)) / (2 * h)).mean()
    return found


@pytest.mark.parametrize("labels", [True, False])
def test_gradient_at_the_input_equals_central_differences(labels: bool) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 5)) * [1, 10, 0.1, 3, 1] + 2
    y = rng.integers(0, 3, 40) if labels else rng.standard_normal((40, 2))
    data = SelectionData.of(X, y)
    training = make(data)
    targets = data.targets
    assert targets is not None
    scaled = (X - X.mean(0)) / X.std(0)
    total, expected, seen = np.zeros(5), np.zeros(5), []
    for batch in training.batches(0):
        expected += mean_gradient(training.net, scaled[batch.rows], targets[batch.rows])
        training.update(batch, total)
        seen.append(batch.rows)
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    assert [len(rows) for rows in seen] == [14, 13, 13]
    assert sorted(np.concatenate(seen)) == list(range(40))


def test_asking_for_the_gradient_changes_no_update() -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 6))
    data = SelectionData.of(X, rng.integers(0, 2, 200))
    weights = []
    for threads, wanted in ((1, True), (1, False), (2, True)):
        training = make(data, threads=threads)
        total = np.zeros(6)
        for epoch in range(2):
            for batch in training.batches(epoch):
                training.update(batch, total if wanted else None)
        weights.append([layer.values.tobytes() for layer in training.net.layers])
    assert weights[0] == weights[1] == weights[2]


def test_mean_loss_is_that_of_all_rows() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((50, 4)), rng.integers(0, 3, 50)
    training = make(SelectionData.of(X, y))
    rows = np.arange(3, 44)
    p = training.net.predict_proba(X[rows]) if hasattr(training.net, "predict_proba") else None
    z = training.net.forward(X[rows]).output
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) if p is None else p
    assert training.mean_loss(rows) == pytest.approx(-np.log(p[np.arange(41), y[rows]]).mean(), rel=1e-6)


def test_classes_are_held_out_by_their_share() -> None:
    y = np.repeat([0, 1, 2, 3], [50, 10, 1, 2])
    data = SelectionData.of(np.arange(63.0)[:, None], y)
    train, watched = held_out(data, 0.2, seed=0)
    assert np.bincount(y[watched], minlength=4).tolist() == [10, 2, 0, 0]
    assert sorted([*train, *watched]) == list(range(63))
    assert held_out(data, 0.2, seed=0)[1].tolist() == watched.tolist() != held_out(data, 0.2, seed=1)[1].tolist()


def test_too_few_samples_are_trained_on_and_watched() -> None:
    train, watched = held_out(SelectionData.of([[1.0], [2.0]], np.array([0, 1])), 0.2, seed=0)
    assert train.tolist() == watched.tolist() == [0, 1]


def test_values_are_held_out_whatever_they_are() -> None:
    train, watched = held_out(SelectionData.of(np.arange(10.0)[:, None], np.arange(10.0)), 0.3, seed=0)
    assert len(train) == 7
    assert len(watched) == 3


def test_defaults_follow_the_number_of_samples() -> None:
    assert [default_batch_size(n, None) for n in (199, 200)] == [20, 100]
    assert default_batch_size(10, 7) == 7
    assert [default_epochs(n, None, 100, 12_000) for n in (100, 12_000, 60_000, 10**7)] == [100, 100, 20, 10]
    assert default_epochs(10**7, 3, 100, 12_000) == 3
