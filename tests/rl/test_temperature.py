from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.rl.temperature import Temperature


def test_fixed_temperature_stays():
    temperature = Temperature(0.2, n_actions=3)
    temperature.update(5.0, 0.1)
    assert not temperature.learned
    assert temperature.value == 0.2


@pytest.mark.parametrize("log_probability, rises", [(5.0, True), (-9.0, False)])
def test_learned_temperature_rises_where_the_entropy_is_below_its_target(log_probability, rises):
    temperature = Temperature("auto", n_actions=3)
    temperature.update(log_probability, 0.01)
    assert temperature.target_entropy == -3
    assert (temperature.value > 1) == rises


def test_updates_are_adam_on_the_logarithm():
    rng, rate = np.random.default_rng(0), 0.03
    temperature = Temperature("auto_0.5", -2.0, n_actions=3)
    log, m, v = np.log(0.5), 0.0, 0.0
    for t, log_probability in enumerate(rng.normal(2, 3, 50), start=1):
        temperature.update(log_probability, rate)
        gradient = -(log_probability - 2.0)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        log -= rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert temperature.value == pytest.approx(np.exp(log), rel=1e-10)


def test_restored_temperature_goes_on_with_the_same_bits():
    first = Temperature("auto", n_actions=2)
    first.update(-4.0, 0.1)
    second = Temperature("auto", n_actions=2)
    second.restore(first.state())
    for log_probability in (-3.0, 1.0, 7.0):
        first.update(log_probability, 0.1)
        second.update(log_probability, 0.1)
    assert second.value == first.value


@pytest.mark.parametrize(
    "ent_coef", ["automatic", "auto_x", "auto_0", "auto_-1", -0.1, None, float("nan"), True, "0.2"]
)
def test_bad_ent_coef(ent_coef):
    with pytest.raises(InputError, match="ent_coef must"):
        Temperature(ent_coef, n_actions=1)


@pytest.mark.parametrize("target_entropy", ["-3", None, float("inf")])
def test_bad_target_entropy(target_entropy):
    with pytest.raises(InputError, match="target_entropy must"):
        Temperature("auto", target_entropy, n_actions=1)
