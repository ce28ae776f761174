"""MEST: least |w| + weight * |gradient|."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import batch_of, coordinates, one_step, problem, weights_of


def test_mest_removes_least_weight_plus_gradient():
    trainer, batch, before = one_step(ts.MEST(0.3, weight=5.0))
    _, gradients = trainer.gradients(*batch)
    expected = []
    for layer, (gradient, _) in zip(trainer.net.layers, gradients, strict=True):
        dense = gradient.toarray().T
        places = coordinates(layer)
        scores = np.abs(layer.values) + 5.0 * np.abs([dense[place] for place in places])
        order = np.argsort(scores, kind="stable")[: int(0.3 * len(places))]
        expected.append({places[k] for k in order})
    trainer.evolve(*batch)
    for old, new, gone in zip(before, weights_of(trainer.net), expected, strict=True):
        assert len(new) == len(old)
        assert all(new[place] == w for place, w in old.items() if place not in gone)
        assert all(new[place] in (0, old.get(place)) for place in set(new) - (set(old) - gone))


@pytest.mark.parametrize("training_progress, fraction", [(0.0, 0.2), (0.5, 0.2), (0.5625, 0.1), (0.75, 0.1)])
def test_mest_replaces_a_fifth_then_a_tenth_of_the_connections(training_progress, fraction):
    """From 0.90 to 0.92 of sparsity is a fifth of the connections: epochs 0, 90 and 120 of 160."""
    assert ts.MEST().schedule.fraction_at(training_progress) == pytest.approx(fraction)


def test_mest_ends_at_three_quarters_of_training():
    due = [done for done in range(161) if ts.MEST().due(done, 1, 160)]
    assert due == list(range(5, 121, 5))


@pytest.mark.parametrize("clock", [{"every": 1}, {"every_updates": 4, "until": 22}])
@pytest.mark.parametrize("fraction", [0.2, 1 / 3])
def test_mest_soft_prunes_to_the_final_number_and_grows_the_extra_ones_anew(fraction, clock):
    X, y = problem(200)
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4, seed=0, threads=1)
    initial = [layer.n_connections for layer in net.layers]
    seen = []

    class Watch(ts.Callback):
        def on_evolution(self, trainer, n_new):
            seen.append((trainer.training_progress, n_new, [layer.n_connections for layer in net.layers]))

    trainer = ts.Trainer(net, evolution=ts.MEST(fraction, soft=True, **clock), batch_size=25, seed=0)
    trainer.fit(X, y, epochs=8, callbacks=[Watch()])
    end = 22 / 64 if "until" in clock else 0.75
    final = [round(n * (1 - fraction)) for n in initial]
    assert len(seen) >= 5
    for progress, n_new, now in seen:
        left = 1.0 if progress / end < 0.75 else 0.5 if progress < end else 0.0
        wanted = [round(n * (1 - fraction * (1 - left))) for n in initial]
        assert now == wanted
        assert n_new <= sum(wanted) - sum(final) + len(initial)
    assert seen[-1][2] == final
    assert seen[-1][1] == 0


def asked(view):
    """How many connections the prune rule was to remove; some grow again at once."""
    return int(view.fraction * view.layer.n_connections)


def test_mest_soft_removes_down_to_the_final_number():
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4, seed=0)
    states = [layer.new_state(ts.SGD()) for layer in net.layers]
    initial = [layer.n_connections for layer in net.layers]
    remembered = {}
    for progress, left in ((0.1, 1.0), (0.6, 0.5), (0.7, 0.5), (0.75, 0.0)):
        step = ts.MEST(0.3, soft=True).start(
            net, states, key=3, threads=1, training_progress=progress, evolution_state=remembered
        )
        for number, view in step.views.items():
            step.decide(number, *batch_of(view.layer, 1))
            assert abs(view.layer.n_connections - asked(view) - 0.7 * initial[number]) <= 1
            step.apply(number)
        assert [layer.n_connections for layer in net.layers] == [round(n * (1 - 0.3 * (1 - left))) for n in initial]


def test_mest_soft_without_an_end_is_refused():
    with pytest.raises(ts.InputError, match="stop must be below 1 with soft=True"):
        ts.MEST(soft=True, stop=1.0)
    with pytest.raises(ts.InputError, match=r"fraction must lie in \[0, 1\)"):
        ts.MEST(1.0, soft=True)
    assert ts.MEST(soft=True, stop=1.0, until=30).schedule.until == 30
