"""QMIX's mixing network against itself written sample by sample, and its gradient against central differences."""

from __future__ import annotations

import numpy as np

from trulysparse.rl.mixing import MixingParameters, mix, mix_gradient

AGENTS, UNITS, SAMPLES = 3, 5, 4


def drawn(seed: int) -> tuple[np.ndarray, MixingParameters]:
    rng = np.random.default_rng(seed)
    shapes = (AGENTS * UNITS, SAMPLES), (UNITS, SAMPLES), (UNITS, SAMPLES), (1, SAMPLES)
    return rng.normal(size=(AGENTS, SAMPLES)), MixingParameters(*(rng.normal(size=shape) for shape in shapes))


def naive(values: np.ndarray, parameters: MixingParameters) -> np.ndarray:
    totals = []
    for b in range(values.shape[1]):
        w1 = np.abs(parameters.w1[:, b]).reshape(AGENTS, UNITS)  # as in the paper's figure: (agents, units)
        before = values[:, b] @ w1 + parameters.b1[:, b]
        after = np.array([h if h > 0 else np.exp(h) - 1 for h in before])
        totals.append(after @ np.abs(parameters.w2[:, b]) + parameters.b2[0, b])
    return np.array(totals)


def test_mix_is_the_network_of_each_sample() -> None:
    values, parameters = drawn(0)
    np.testing.assert_allclose(mix(values, parameters).total, naive(values, parameters), rtol=1e-13)


def test_gradient_is_that_of_central_differences() -> None:
    values, parameters = drawn(1)
    d_total = np.random.default_rng(2).normal(size=SAMPLES)
    mixed = mix(values, parameters)
    assert (mixed.hidden > 0).any()
    assert (mixed.hidden < 0).any()  # both sides of ELU
    d_values, d_parameters = mix_gradient(d_total, mixed, values, parameters)

    def loss() -> float:
        return float(d_total @ naive(values, parameters))

    for array, gradient in zip((values, *parameters), (d_values, *d_parameters), strict=True):
        assert gradient.shape == array.shape
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + 1e-6
            above = loss()
            array[place] = kept - 1e-6
            below = loss()
            array[place] = kept
            assert abs(gradient[place] - (above - below) / 2e-6) < 1e-8


def test_the_team_never_loses_by_an_agent_that_gains() -> None:
    values, parameters = drawn(3)
    mixed = mix(values, parameters)
    assert np.all(mix_gradient(np.ones(SAMPLES), mixed, values, parameters)[0] >= 0)
    for agent in range(AGENTS):
        larger = values.copy()
        larger[agent] += 0.7
        assert np.all(mix(larger, parameters).total >= mixed.total)


def test_float32_stays_float32_and_large_values_do_not_overflow() -> None:
    values, parameters = drawn(4)
    parameters = MixingParameters(*(each.astype(np.float32) for each in parameters))
    with np.errstate(all="raise"):
        mixed = mix((values * 1e4).astype(np.float32), parameters)
        d_values, d_parameters = mix_gradient(mixed.total, mixed, values.astype(np.float32), parameters)
    assert {each.dtype for each in (*mixed, d_values, *d_parameters)} == {np.dtype(np.float32)}
