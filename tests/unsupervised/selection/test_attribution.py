"""Attribution, against its rule written naively, and what it finds."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from selection_helpers import SMALL, planted
from selection_helpers import scored as scored_by
from trulysparse.errors import InputError
from trulysparse.unsupervised.selection import SelectionData, make_method
from trulysparse.unsupervised.selection import attribution as module
from trulysparse.unsupervised.selection.attribution import AttributionSelection
from trulysparse.unsupervised.selection.ranking import ranked

scored = partial(scored_by, "attribution")


@pytest.mark.parametrize("probabilities", [True, False])
@pytest.mark.parametrize("samples", [None, 1000])
def test_importance_is_the_sum_of_dense_jacobians(
    samples: int | None, probabilities: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = planted(3, 90)
    scaled = (data.matrix.x - data.matrix.x.mean(0)) / data.matrix.x.std(0)
    expected = np.zeros(12)

    class Watched(module.SelectionTraining):
        def update(self, batch: Any, add_to: Any = None) -> float:
            nonlocal expected
            rows = batch.rows if samples else batch.rows[: 32 // 3]
            back = np.broadcast_to(np.eye(3), (len(rows), 3, 3))  # samples x outputs x neurons
            weights = [layer.weight.toarray().astype(np.float64) for layer in self.net.layers]
            signal, signs = scaled[rows], []
            for layer, weight in zip(self.net.layers[:-1], weights, strict=False):
                signal = signal @ weight.T + layer.bias
                signs.append(signal > 0)
                signal = signal * signs[-1]
            if probabilities:
                z = signal @ weights[-1].T + self.net.layers[-1].bias
                p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
                back = p[:, :, None] * (back - p[:, None, :])
            for number in reversed(range(len(weights))):
                back = back @ weights[number]
                if number:
                    back = back * signs[number - 1][:, None]
            expected = expected + np.abs(back).mean(axis=0).sum(axis=0)
            return super().update(batch, add_to)

        def mean_loss(self, rows: Any) -> float:
            return -float(self.updates)  # ever smaller: all epochs count

    monkeypatch.setattr(module, "SelectionTraining", Watched)
    found = scored(data, samples=samples, probabilities=probabilities, epochs=3, batch_size=32, every_updates=2)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 15])
@pytest.mark.parametrize("settings", [{}, {"probabilities": False}, {"importance": "strength", "epochs": 60}])
def test_planted_features_are_found(n_classes: int, settings: dict[str, Any]) -> None:
    data = planted(n_classes, 600)
    assert sorted(ranked(scored(data, **settings), data.constant)[:2].tolist()) == [2, 7]


def test_training_ends_where_held_out_samples_gain_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([5.0, 4.0, 3.0, 3.5, 3.0, 9.0, 1.0])

    class Watched(module.SelectionTraining):
        def mean_loss(self, rows: Any) -> float:
            return next(losses)

    monkeypatch.setattr(module, "SelectionTraining", Watched)
    calls: list[tuple[str, float, float]] = []
    method = make_method("attribution", **(SMALL["attribution"] | {"patience": 3}))
    stopped = method.scores(planted(), n_keep=1, seed=0, threads=1, progress=lambda *call: calls.append(call))
    assert [call[1] for call in calls] == [1, 2, 3, 4, 5, 6, 15]
    losses = iter([3.0, 2.0, 1.0, 1.0, 1.0, 0.9, 0.9, 0.9, 0.9])
    assert (scored(planted(), patience=3) > stopped).all()  # more epochs, a greater sum
    losses = iter([9.0, 8.0, 7.0, 6.0, 7.0, 8.0, 0.0])
    np.testing.assert_array_equal(stopped, scored(planted(), patience=2))  # six epochs too


@pytest.mark.parametrize("sizes", [20, (50,), (20, 10)])
def test_small_networks_have_connections_enough(sizes):
    X = np.random.default_rng(0).standard_normal((200, 15))
    data = SelectionData.of(X, (X[:, 3] + X[:, 7] > 0).astype(int))
    how: dict[str, Any] = dict(n_keep=2, seed=0, threads=1, progress=lambda *_: None)
    scores = AttributionSelection(sizes, epochs=20, learning_rate=0.01).scores(data, **how)
    assert sorted(np.argsort(-scores)[:2].tolist()) == [3, 7]
    assert AttributionSelection(sizes, density=0.01).density_for(15, 2) == 0.01
    with pytest.raises(InputError, match="no output depends on any feature"):
        AttributionSelection(sizes, density=1e-9, epochs=1, zeta=0).scores(data, **how)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_layer_sizes": "wide"},
        {"density": 0},
        {"importance": "gradient"},
        {"samples": 0},
        {"probabilities": "yes"},
        {"zeta": -1},
        {"every_updates": 0},
        {"held_out": 1},
        {"patience": 0},
        {"learning_rate": 0},
        {"weight_decay": 1},
        {"batch_size": 0},
        {"epochs": 1.5},
    ],
)
def test_bad_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        AttributionSelection(**wrong)
