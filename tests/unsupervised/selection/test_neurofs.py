"""NeuroFS: its schedule and topology, against its rule written naively, and what it finds."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from selection_helpers import SMALL, silent
from selection_helpers import planted as planted_features
from selection_helpers import scored as scored_by
from trulysparse.errors import DivergenceError, InputError
from trulysparse.unsupervised.selection import SelectionData
from trulysparse.unsupervised.selection import neurofs as module
from trulysparse.unsupervised.selection.neurofs import NeuroFS
from trulysparse.unsupervised.selection.ranking import ranked

scored = partial(scored_by, "neurofs", n_keep=2)
planted = partial(planted_features, n=400, n_features=30)


def naive_schedule(n: int, n_keep: int, epochs: int, method: NeuroFS) -> list[tuple[int, int]]:
    """(inputs that remain, inputs exchanged at most) after each epoch but the last."""
    remove, removed, found = max(0, n - n_keep - int(method.spare * n)), 0, []
    end = int(method.removal * epochs)
    for epoch in range(epochs - 1):
        exchanged = 0
        if epoch >= 2:
            exchanged = int(removed * method.exchange * (1 - epoch / epochs))
            if removed < remove:
                removed += int(np.ceil((remove - removed) / max(1, end - epoch)))
        found.append((n - removed, exchanged))
    return found


def test_arrays_shrink_and_the_first_layer_keeps_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    data = planted(n_features=100)
    seen: list[tuple[int, int]] = []
    previous: list[Any] = [np.arange(100)]
    protected: set[int] = set()

    class Watched(module._Run):
        def evolve(self, epoch: int) -> None:
            nonlocal protected
            super().evolve(epoch)
            net, state = self.training.net, self.training.state[0]
            layer = net.layers[0]
            assert net.layer_sizes == (len(self.active), 40, 30, 20, 2)
            assert layer.n_in == len(self.active) == len(net.scaling.factor)
            assert layer.n_connections == min(5 * 140, 40 * len(self.active))
            assert state.weight[0].shape == layer.values.shape
            assert [each.n_connections for each in net.layers[1:]] == [350, 250, 40]
            assert self.training.samples.matrix.n_features == len(self.active)
            comes = set(self.active.tolist()) - set(previous[0].tolist())
            assert protected <= set(self.active.tolist())
            protected = comes
            seen.append((len(self.active), len(comes)))
            previous[0] = self.active
            net.check_layers()

    monkeypatch.setattr(module, "_Run", Watched)
    scores = scored(data, n_keep=5)
    expected = naive_schedule(100, 5, 20, NeuroFS(**SMALL["neurofs"]))
    assert [remain for remain, _ in seen] == [remain for remain, _ in expected]
    assert all(came <= most for (_, came), (_, most) in zip(seen, expected, strict=True))
    assert max(came for _, came in seen) > 1
    assert int((scores >= 0).sum()) == 25


def test_those_that_come_have_the_largest_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the dense gradient in float64 of the first layer, at all inputs that were gone."""
    data = planted(n_features=60)
    scaled = (data.matrix.x - data.matrix.x.mean(0)) / data.matrix.x.std(0)
    checked = []

    class Watched(module._Run):
        def _exchange(self, epoch: int, rows: Any, dy: Any) -> None:
            before = self.active
            super()._exchange(epoch, rows, dy)
            gone = np.setdiff1d(np.arange(60), before)
            comes = np.setdiff1d(self.active, before)
            steepness = np.abs(scaled[rows][:, gone].T @ dy[:, : len(rows)].T.astype(np.float64)).max(axis=1)
            assert sorted(gone[np.argsort(-steepness)[: len(comes)]]) == comes.tolist()
            checked.append(len(comes))

    monkeypatch.setattr(module, "_Run", Watched)
    scored(data, gradient_samples=50)
    assert sum(checked) > 5


@pytest.mark.parametrize("n_classes", [2, 12])
def test_planted_features_are_found(n_classes: int) -> None:
    data = planted(n_classes, n=600)
    assert sorted(ranked(scored(data, epochs=30), data.constant)[:2].tolist()) == [2, 7]


def test_features_that_values_depend_on_are_found_in_sparse_samples() -> None:
    rng = np.random.default_rng(0)
    X = np.where(rng.random((2000, 30)) < 0.5, rng.standard_normal((2000, 30)), 0)
    y = 100 + 40 * X[:, 4] - 30 * X[:, 1]
    dense, sparse = SelectionData.of(X, y), SelectionData.of(sp.csr_array(X), y)
    scores = scored(sparse)
    assert sorted(ranked(scores, sparse.constant)[:2].tolist()) == [1, 4]
    np.testing.assert_allclose(scores, scored(dense), rtol=1e-3)


def test_constant_features_have_no_neuron_and_come_last() -> None:
    X = np.random.default_rng(0).standard_normal((60, 20))
    X[:, [1, 5]] = 3
    data = SelectionData.of(X, (X[:, 0] > 0).astype(int))
    scores = scored(data)
    assert scores[1] == scores[5] == scores.min()
    assert sorted(ranked(scores, data.constant)[-2:].tolist()) == [1, 5]
    assert not scored(SelectionData.of(np.ones((30, 3)), np.arange(30) % 2)).any()


def test_one_hidden_layer_will_do() -> None:
    data = planted()
    assert sorted(ranked(scored(data, hidden_layer_sizes=40, epochs=30), data.constant)[:2].tolist()) == [2, 7]


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_layer_sizes": [0]},
        {"epsilon": 0},
        {"removal": 0},
        {"spare": 2},
        {"exchange": -1},
        {"zeta_input": 2},
        {"zeta": 2},
        {"gradient_samples": 0},
        {"learning_rate": 0},
        {"momentum": 1},
        {"weight_decay": 1},
        {"batch_size": 0},
        {"epochs": 1.5},
    ],
)
def test_bad_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        NeuroFS(**wrong)


def test_values_are_learned_as_quartiles_with_the_source_s_settings() -> None:
    X = np.random.default_rng(0).standard_normal((120, 6))
    y = np.stack([30 * X[:, 1], X[:, 4] - 5], axis=1)
    data = SelectionData.of(X, y)
    own = module._without_values(data)
    assert (own.output, own.n_outputs) == ("sigmoid", 6)
    assert own.targets is not None
    np.testing.assert_allclose(own.targets.mean(axis=0), [0.75, 0.5, 0.25] * 2)
    scores = NeuroFS(epochs=20).scores(data, n_keep=2, seed=0, threads=1, progress=silent)
    assert sorted(ranked(scores, data.constant)[:2].tolist()) == [1, 4]


def test_divergence_is_told() -> None:
    with pytest.raises(DivergenceError, match="lower the learning rate"):
        scored(planted(), learning_rate=1e20, activation="relu")
