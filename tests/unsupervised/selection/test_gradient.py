"""GradEnFS, against its rule written naively, and what it finds."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from selection_helpers import planted
from selection_helpers import scored as scored_by
from trulysparse.errors import InputError
from trulysparse.unsupervised.selection import SelectionData
from trulysparse.unsupervised.selection import gradient as module
from trulysparse.unsupervised.selection.gradient import GradientSelection
from trulysparse.unsupervised.selection.ranking import ranked

scored = partial(scored_by, "gradient")


def test_importance_is_the_decayed_sum_of_mean_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch's mean |d loss / dx| computed densely in float64 from the network's weights before the update."""
    data = planted(3, 90)
    scaled = (data.matrix.x - data.matrix.x.mean(0)) / data.matrix.x.std(0)
    expected = np.zeros(12)

    class Watched(module.SelectionTraining):
        def update(self, batch: Any, add_to: Any = None) -> float:
            nonlocal expected
            weights = [layer.weight.toarray().astype(np.float64) for layer in self.net.layers]
            biases = [layer.bias.astype(np.float64) for layer in self.net.layers]
            x = signal = scaled[batch.rows]
            signs = []
            for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                signal = signal @ weight.T + bias
                if number < len(weights) - 1:
                    signs.append(signal > 0)
                    signal = signal * signs[-1]
            p = np.exp(signal) / np.exp(signal).sum(axis=1, keepdims=True)
            back = p - np.eye(3)[batch.targets]
            for number in reversed(range(len(weights))):
                back = back @ weights[number]
                if number:
                    back = back * signs[number - 1]
            expected = 0.8 * expected + np.abs(back).mean(axis=0)
            assert back.shape == x.shape
            return super().update(batch, add_to)

    monkeypatch.setattr(module, "SelectionTraining", Watched)
    found = scored(data, decay=0.8, epochs=3, batch_size=32)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 15])
def test_planted_features_are_found(n_classes: int) -> None:
    data = planted(n_classes, 600)
    assert sorted(ranked(scored(data, epochs=25), data.constant)[:2].tolist()) == [2, 7]


def test_several_labels_per_sample() -> None:
    X = np.random.default_rng(0).standard_normal((400, 10))
    data = SelectionData.of(X, np.stack([X[:, 4] > 0, X[:, 1] > 0], axis=1))
    assert sorted(ranked(scored(data), data.constant)[:2].tolist()) == [1, 4]


def test_progress_counts_epochs() -> None:
    calls: list[tuple[str, float, float]] = []
    GradientSelection(hidden_layer_sizes=8, epochs=3).scores(
        planted(n=40), n_keep=1, seed=0, threads=1, progress=lambda *call: calls.append(call)
    )
    assert calls == [("selecting", 1, 3), ("selecting", 2, 3), ("selecting", 3, 3)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_layer_sizes": ()},
        {"epsilon": 0},
        {"zeta": 2},
        {"decay": 0},
        {"learning_rate": 0},
        {"weight_decay": 1},
        {"batch_size": 0},
        {"epochs": 1.5},
    ],
)
def test_bad_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        GradientSelection(**wrong)
