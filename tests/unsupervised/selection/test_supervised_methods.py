"""What all methods of selection that look at targets have in common."""

from __future__ import annotations

import numpy as np
import pytest

from selection_helpers import SMALL, planted, scored
from trulysparse.unsupervised.selection import METHODS, SelectionData
from trulysparse.unsupervised.selection.ranking import ranked


def test_every_method_with_targets_is_here() -> None:
    assert set(SMALL) == {name for name, method in METHODS.items() if method.needs_y}


@pytest.mark.parametrize("method", ["attribution", "gradient"])
def test_features_that_values_depend_on_are_found(method: str) -> None:
    X = np.random.default_rng(0).standard_normal((400, 10))
    data = SelectionData.of(X, 100 + 40 * X[:, 4] - 30 * X[:, 1])
    assert sorted(ranked(scored(method, data), data.constant)[:2].tolist()) == [1, 4]


@pytest.mark.parametrize("method", SMALL)
@pytest.mark.parametrize("shape", [(30, 1), (2, 5), (7, 40)])
@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_few_samples_features_and_epochs(method: str, shape: tuple[int, int], epochs: int) -> None:
    X = np.random.default_rng(0).standard_normal(shape)
    data = SelectionData.of(X, np.arange(shape[0]) % 2)
    scores = scored(method, data, epochs=epochs)
    assert scores.shape == (shape[1],)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("method", SMALL)
def test_constant_features_come_last(method: str) -> None:
    X = np.random.default_rng(0).standard_normal((60, 20))
    X[:, [1, 5]] = 3
    data = SelectionData.of(X, (X[:, 0] > 0).astype(int))
    scores = scored(method, data, n_keep=2)
    assert scores[1] == scores[5] == scores.min()
    assert sorted(ranked(scores, data.constant)[-2:].tolist()) == [1, 5]


@pytest.mark.parametrize("method", SMALL)
def test_bits_depend_on_the_seed_alone(method: str) -> None:
    data = planted(5, n_features=30)
    first, again, other = scored(method, data), scored(method, data, threads=2), scored(method, data, seed=1)
    assert first.tobytes() == again.tobytes() != other.tobytes()
