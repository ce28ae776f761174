"""Stale gradients: what they do to a quadratic problem, and the step that is made of them, against naive rules."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from parallel_helpers import gradient_for, make_server
from trulysparse import _kernels
from trulysparse._kernels import Update, UpdateRule
from trulysparse.parallel.server.staleness import LENGTHENING, MeanStaleness, shares, stale_rule


def sgd(rate=0.01, momentum=0.9, kind=Update.SGD, **terms):
    return UpdateRule(kind, learning_rate=rate, momentum=momentum, **terms)


def applied(stale, values, slots, gradient):
    """One update by both parts of a rule, by the kernels."""
    _kernels.update(values, *slots, [(gradient, 1.0)], stale.rule, False, 1)
    if stale.direct is not None:
        own = (np.zeros_like(values), slots[1]) if stale.direct.kind == Update.ADAM else (None, None)
        _kernels.update(values, *own, [(gradient, 1.0)], stale.direct, False, 1)


def path_of(rule_of, curvature, staleness, steps, start=1.0):
    """w of curvature * w^2 / 2 where each gradient is `staleness` updates old."""
    values, slots = np.array([start]), (np.zeros(1), None)
    path = [start]
    for step in range(steps):
        applied(rule_of(step), values, slots, np.array([curvature * path[max(0, step - staleness)]]))
        path.append(float(values[0]))
    return np.array(path)


def test_random_staleness_is_momentum():
    """Mitliagkas et al. (2016), theorem 3: of N workers of which a random one delivers next, the expected path is that
    of momentum 1 - 1/N = s / (s + 1) and of a rate divided by N = s + 1, s being the mean staleness."""
    n, rate, runs, steps = 4, 0.2, 40_000, 25
    rng = np.random.default_rng(0)
    held = np.ones((runs, n))  # what each worker computes its gradient on
    w, each, mean, staleness = np.ones(runs), np.arange(runs), [1.0], []
    taken = np.zeros((runs, n))
    for step in range(steps):
        worker = rng.integers(0, n, runs)
        staleness.append((step - taken[each, worker]).mean())
        w = w - rate * held[each, worker]
        held[each, worker], taken[each, worker] = w, step + 1
        mean.append(w.mean())
    s = n - 1
    assert staleness[-1] == pytest.approx(s, rel=0.02)
    momentum, expected, v = s / (s + 1), [1.0, 1.0 - rate], -rate
    for step in range(1, steps):
        v = momentum * v - rate / (s + 1) * expected[step]
        expected.append(expected[-1] + v)
    np.testing.assert_allclose(mean, expected, atol=0.01)


@pytest.mark.parametrize("staleness", [0.0, 1.0, 2.5, 7.0, 17.0])
@pytest.mark.parametrize("kind", [Update.SGD, Update.NESTEROV])
def test_each_gradient_moves_the_weights_by_rate_over_one_minus_momentum(staleness, kind):
    stale = stale_rule(sgd(0.01, 0.9, kind), staleness, 0)
    values, slots = np.zeros(3), (np.zeros(3), None)
    for step in range(6000):
        applied(stale, values, slots, np.array([1.0, -2.0, 0.5]) * (step == 0))
    distance = 0.1 * min(1.0, 9 / (staleness + 1))  # the rate is bounded beyond a staleness of 8
    np.testing.assert_allclose(values, -distance * np.array([1.0, -2.0, 0.5]), rtol=1e-9)


@pytest.mark.parametrize("staleness", [1, 3, 7])
def test_weights_are_those_that_velocity_alone_would_lead_to(staleness):
    """Against momentum as it is known, whose gradients are computed that many updates ahead."""
    momentum, share = shares(0.9, staleness)
    stale = stale_rule(sgd(0.01, 0.9), staleness, 0)
    rate = 0.01 / 0.1 * (1 - momentum)
    rng = np.random.default_rng(staleness)
    values, slots = np.zeros(5), (np.zeros(5), None)
    x, v = np.zeros(5), np.zeros(5)
    for _ in range(50):
        gradient = rng.standard_normal(5)
        applied(stale, values, slots, gradient)
        v = momentum * v - rate * gradient
        x = x + v
        ahead = x + sum(momentum**k for k in range(1, staleness + 1)) * v
        np.testing.assert_allclose(values, ahead, rtol=1e-10, atol=1e-12)
    assert share == pytest.approx(momentum**staleness)


def test_one_update_ahead_is_nesterovs(monkeypatch):
    monkeypatch.setattr("trulysparse.parallel.server.staleness.LENGTHENING", 0.0)
    terms = {"l2": 0.0, "decay": 0.001}
    stale, nesterov = stale_rule(sgd(0.1, 0.8, **terms), 1.0, 0), sgd(0.1, 0.8, Update.NESTEROV, **terms)
    one, other = np.ones(4), np.ones(4)
    slots, others = (np.zeros(4), None), (np.zeros(4), None)
    rng = np.random.default_rng(0)
    for _ in range(20):
        gradient = rng.standard_normal(4)
        applied(stale, one, slots, gradient)
        _kernels.update(other, *others, [(gradient, 1.0)], nesterov, False, 1)
    np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize(("staleness", "curvature"), [(1, 22.0), (3, 8.0), (7, 3.5), (15, 1.3)])
def test_sharp_directions_stay_stable(staleness, curvature):
    """Where momentum as it is known, and none at the rate / (1 - momentum), diverge."""
    plain = path_of(lambda step: stale_rule(sgd(), 0.0, step), curvature, staleness, 4000)
    none = path_of(lambda step: stale_rule(sgd(0.1, 0.0), 0.0, step), curvature, staleness, 4000)
    ours = path_of(lambda step: stale_rule(sgd(), float(staleness), step), curvature, staleness, 4000)
    assert abs(plain[-1]) > 1e3 or not np.isfinite(plain[-1])
    assert abs(none[-1]) > 1e3 or not np.isfinite(none[-1])
    assert abs(ours[-1]) < 1e-3


def test_adam_divides_both_parts_by_the_same_root():
    """Quasi-hyperbolic Adam, written naively; m's correction is that of the momentum in use."""
    rate, beta1, beta2, epsilon, s = 0.01, 0.9, 0.99, 1e-8, 3.0
    lengthened, share = 1 - 0.1 / (1 + LENGTHENING * s), (1 - 0.1 / (1 + LENGTHENING * s)) ** s
    optimizer = ts.Adam(rate, beta1, beta2, epsilon, weight_decay=0.1, weight_decay_mode="decoupled")
    rng = np.random.default_rng(0)
    values, slots = rng.standard_normal(6), (np.zeros(6), np.zeros(6))
    w, m, v = values.copy(), np.zeros(6), np.zeros(6)
    for step in range(30):
        gradient = rng.standard_normal(6)
        applied(stale_rule(optimizer.rule(step, 0.0, None), s, step), values, slots, gradient)
        m = lengthened * m + (1 - lengthened) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        root = np.sqrt(v / (1 - beta2 ** (step + 1))) + epsilon
        w = (1 - 0.1 * rate) * w
        w -= rate * (share * m / (1 - lengthened ** (step + 1)) + (1 - share) * gradient) / root
        np.testing.assert_allclose(values, w, rtol=1e-9)
        np.testing.assert_allclose(slots[1], v, rtol=1e-12)


@pytest.mark.parametrize(("staleness", "factor"), [(7.0, 1.0), (8.0, 1.0), (17.0, 0.5)])
def test_rules_without_momentum_keep_their_rate_within_its_bound(staleness, factor):
    for rule in (sgd(0.1, 0.0), ts.Adam(0.01, beta1=0.0).rule(3, 0.0, None)):
        stale = stale_rule(rule, staleness, 3)
        assert stale.rule.learning_rate == pytest.approx(factor * rule.learning_rate)
        assert stale.rule.kind == rule.kind
        assert stale.direct is None

    class Own:
        learning_rate = 0.1

        def update(self, values, gradient, slots, is_bias):
            pass

    own = Own()
    assert stale_rule(own, 7.0, 0).rule is own


def test_mean_staleness_follows_the_last_gradients():
    staleness = MeanStaleness(3.0)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        staleness.add(int(rng.integers(0, 15)))
    assert staleness.value == pytest.approx(7.0, abs=1.0)
    for _ in range(1000):
        staleness.add(2)
    assert staleness.value == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_server_measures_staleness(workers):
    """Workers that deliver in turn: all gradients but the first ones are workers - 1 updates old."""
    server, _ = make_server(ts.WASAP(workers), [200] * workers, epochs=1)
    server._updater.staleness.value = 0.0
    given = {}
    for worker in range(workers):
        server.join(worker)
        given[worker] = server.pull(worker)
    for turn in range(900):
        worker = turn % workers
        if given[worker] is not None:
            server.push(worker, gradient_for(given[worker], 1e-3))
            given[worker] = server.pull(worker, wait=False)
    n = server.n_updates
    assert server._updater.staleness.value == pytest.approx((workers - 1) * (1 - 0.99**n), abs=0.05)
