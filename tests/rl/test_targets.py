"""Soft Mellowmax and lambda-returns against their formulas, written naively."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.rl.targets import SoftMellowmax, lambda_returns


def naive_soft_mellowmax(q: np.ndarray, alpha: float, omega: float) -> float:
    weights = np.exp(alpha * q) / np.exp(alpha * q).sum()
    return float(np.log((weights * np.exp(omega * q)).sum()) / omega)


@pytest.mark.parametrize("alpha, omega", [(1.0, 10.0), (0.1, 0.5), (5.0, 2.0)])
def test_soft_mellowmax_is_its_formula(alpha: float, omega: float) -> None:
    q = np.random.default_rng(0).normal(size=(5, 3, 7))
    found = SoftMellowmax(alpha, omega)(q)
    expected = [[naive_soft_mellowmax(q[:, i, b], alpha, omega) for b in range(7)] for i in range(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_soft_mellowmax_lies_between_mean_and_maximum_and_tends_to_the_maximum() -> None:
    q = np.random.default_rng(1).normal(size=(4, 100))
    found = SoftMellowmax(1.0, 10.0)(q)
    assert np.all(found > q.mean(axis=0))
    assert np.all(found < q.max(axis=0))
    np.testing.assert_allclose(SoftMellowmax(1.0, 1e6)(q), q.max(axis=0), atol=1e-5)


def test_soft_mellowmax_of_large_values_does_not_overflow() -> None:
    q = np.array([[800.0], [790.0]], np.float32)
    assert SoftMellowmax(1.0, 10.0)(q)[0] == pytest.approx(800.0, abs=0.1)
    assert SoftMellowmax(1.0, 10.0)(-q)[0] == pytest.approx(-790.0, abs=0.1)


def test_soft_mellowmax_leaves_out_actions_that_are_not_there() -> None:
    q = np.random.default_rng(2).normal(size=(3, 6))
    padded = np.vstack([q, np.full((2, 6), -np.inf)])
    np.testing.assert_allclose(SoftMellowmax()(padded), SoftMellowmax()(q), rtol=1e-13)


@pytest.mark.parametrize("given", [{"alpha": 0.0}, {"omega": -1.0}, {"omega": np.nan}, {"alpha": "1"}])
def test_soft_mellowmax_refuses_what_is_out_of_range(given: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"SoftMellowmax\."):
        SoftMellowmax(**given)


def naive_lambda_return(t: int, r: np.ndarray, d: np.ndarray, v: np.ndarray, last: np.ndarray, lam: float) -> float:
    """The mixture of n-step returns, (1 - lambda) sum_n lambda^(n-1) G_n, the longest of which takes what is left."""
    steps = []  # G_1, G_2, ...
    rewards, discount = 0.0, 1.0
    for k in range(t, len(r)):
        rewards += discount * r[k]
        discount *= d[k]
        steps.append(rewards + discount * v[k])
        if last[k]:
            break
    weights = [(1 - lam) * lam**n for n in range(len(steps) - 1)] + [lam ** (len(steps) - 1)]
    return float(np.dot(weights, steps))


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("length", [1, 2, 9])
def test_lambda_returns_mix_the_returns_of_n_steps(lam: float, length: int) -> None:
    rng = np.random.default_rng(3)
    shape = (2, length, 11)
    r, v = rng.normal(size=shape), rng.normal(size=shape)
    last = rng.random(shape) < 0.3
    d = 0.9 * (rng.random(shape) < 0.8)
    d[~last] = 0.9
    found = lambda_returns(r, d, v, last, lam)
    for i in range(2):
        for b in range(11):
            expected = [naive_lambda_return(t, *(x[i, :, b] for x in (r, d, v, last)), lam) for t in range(length)]
            np.testing.assert_allclose(found[i, :, b], expected, rtol=1e-12)


def test_nothing_passes_from_one_episode_to_the_one_before() -> None:
    r, v = np.zeros((4, 1)), np.zeros((4, 1))
    last = np.array([[False], [True], [False], [False]])
    before = lambda_returns(r, np.full((4, 1), 0.9), v, last, 0.9)
    r[2:] = np.nan
    after = lambda_returns(r, np.full((4, 1), 0.9), v, last, 0.9)
    np.testing.assert_array_equal(after[:2], before[:2])
