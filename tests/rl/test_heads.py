from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trulysparse.rl.heads import (
    LOG_STD_MAX,
    LOG_STD_MIN,
    SquashedGaussian,
    huber_error,
    squared_error,
    tanh_actions,
    tanh_gradient,
)

STEP = 1e-6


def central_differences(function, values):
    """The gradient of a scalar function at `values`, entry by entry."""
    gradient = np.zeros_like(values)
    for at in np.ndindex(values.shape):
        around = []
        for sign in (1, -1):
            moved = values.copy()
            moved[at] += sign * STEP
            around.append(function(moved))
        gradient[at] = (around[0] - around[1]) / (2 * STEP)
    return gradient


def outputs_and_noise(n_actions=3, columns=16, seed=0):
    rng = np.random.default_rng(seed)
    outputs = np.concatenate([rng.normal(0, 1.5, (n_actions, columns)), rng.uniform(-3, 1, (n_actions, columns))])
    return outputs, rng.standard_normal((n_actions, columns))


def test_gradient_of_tanh_actions():
    rng = np.random.default_rng(0)
    outputs, towards = rng.normal(0, 2, (3, 8)), rng.normal(0, 1, (3, 8))
    actions = tanh_actions(outputs, np.empty_like(outputs))
    found = tanh_gradient(actions, towards, np.empty_like(outputs))
    expected = central_differences(lambda z: float((np.tanh(z) * towards).sum()), outputs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


def test_log_probability_is_that_of_a_normal_variable_through_tanh():
    outputs, noise = outputs_and_noise()
    actions, found = SquashedGaussian(3, 16, "float64").sample(outputs, noise)
    mean, deviation = outputs[:3], np.exp(outputs[3:])
    before = np.arctanh(actions)
    expected = stats.norm.logpdf(before, mean, deviation) - np.log(1 - actions**2)
    np.testing.assert_allclose(before, mean + deviation * noise, rtol=1e-9)
    np.testing.assert_allclose(found, expected.sum(axis=0), rtol=1e-8)


def test_density_of_one_action_integrates_to_one():
    n = 20_001
    u = np.linspace(-9, 9, n)
    outputs = np.concatenate([np.full((1, n), 0.3), np.full((1, n), -0.5)])
    actions, log_probability = SquashedGaussian(1, n, "float64").sample(outputs, ((u - 0.3) / np.exp(-0.5))[None])
    assert np.trapezoid(np.exp(log_probability), actions[0]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("weight", [0.0, 0.2, 3.0])
def test_gradient_of_squashed_gaussian(weight):
    outputs, noise = outputs_and_noise()
    towards = np.random.default_rng(1).normal(0, 1, (3, 16))
    head = SquashedGaussian(3, 16, "float64")

    def loss(z):
        actions, log_probability = SquashedGaussian(3, 16, "float64").sample(z, noise)
        return float((actions * towards).sum() + weight * log_probability.sum())

    head.sample(outputs, noise)
    found = head.gradient(towards, weight, np.full((6, 16), np.nan))
    np.testing.assert_allclose(found, central_differences(loss, outputs), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("log_std, clamped", [(-30.0, LOG_STD_MIN), (5.0, LOG_STD_MAX)])
def test_deviation_is_clamped_and_has_no_gradient_there(log_std, clamped):
    outputs, noise = outputs_and_noise(2, 4)
    outputs[2:, 0] = log_std
    head = SquashedGaussian(2, 4, "float64")
    actions, log_probability = (each.copy() for each in head.sample(outputs, noise))
    found = head.gradient(np.ones((2, 4)), 0.5, np.empty((4, 4)))
    assert np.all(found[2:, 0] == 0)
    assert np.all(found[2:, 1:] != 0)
    outputs[2:, 0] = clamped
    again = head.sample(outputs, noise)
    np.testing.assert_array_equal(actions, again[0])
    np.testing.assert_array_equal(log_probability, again[1])
    assert np.all(head.gradient(np.ones((2, 4)), 0.5, np.empty((4, 4)))[2:, 0] != 0)  # the bound itself is within


def test_saturated_actions_have_finite_exact_densities_in_float32():
    outputs = np.array([[0.0, 30.0, -60.0], [0.0, 0.5, 1.0]], np.float32)
    noise = np.array([[0.1, 1.0, -1.0]], np.float32)
    actions, log_probability = SquashedGaussian(1, 3).sample(outputs, noise)
    u = outputs[0].astype(float) + np.exp(outputs[1].astype(float)) * noise[0].astype(float)
    correction = 2 * (np.log(2) - u - np.logaddexp(0, -2 * u))
    expected = stats.norm.logpdf(u, outputs[0], np.exp(outputs[1].astype(float))) - correction
    assert abs(actions[0, 1]) == 1
    np.testing.assert_allclose(log_probability, expected, rtol=1e-6)


def test_float32_head_is_near_the_one_of_float64():
    outputs, noise = outputs_and_noise(6, 256)
    towards = np.random.default_rng(2).normal(0, 1, (6, 256))
    results = []
    for dtype in (np.float32, np.float64):
        head = SquashedGaussian(6, 256, dtype)
        actions, log_probability = head.sample(outputs.astype(dtype), noise.astype(dtype))
        gradient = head.gradient(towards.astype(dtype), 0.2, np.empty((12, 256), dtype))
        assert {each.dtype for each in (actions, log_probability, gradient)} == {np.dtype(dtype)}
        results.append((actions, log_probability, gradient))
    for single, double in zip(*results, strict=True):
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("function", [squared_error, huber_error])
def test_gradient_of_errors(function):
    rng = np.random.default_rng(0)
    values, targets = rng.normal(0, 2, 12), rng.normal(0, 2, 12)
    gradient, unused = np.empty(12), np.empty(12)
    function(values, targets, 10, gradient)
    expected = central_differences(lambda v: function(v, targets, 10, unused), values)
    np.testing.assert_allclose(gradient[:10], expected[:10], rtol=0, atol=1e-8)
    np.testing.assert_array_equal(expected[10:], 0)  # padding does not count


def test_errors_are_their_formulas():
    values, targets = np.array([0.0, 0.5, 3.0, -4.0]), np.zeros(4)
    gradient = np.empty(4)
    assert squared_error(values, targets, 4, gradient) == pytest.approx((0.25 + 9 + 16) / 4)
    assert huber_error(values, targets, 4, gradient) == pytest.approx((0.125 + 2.5 + 3.5) / 4)
    np.testing.assert_allclose(gradient, [0, 0.125, 0.25, -0.25])
