"""Rules that both simulators are run with: rule(t, load, pv, charge) -> actions, arrays over homes. NumPy alone."""

from __future__ import annotations

import numpy as np

POWER_KW = 5.0


def no_control(t, load, pv, charge):
    return np.zeros(len(load))


def follow_net(t, load, pv, charge):
    """Self-consumption: the battery takes the surplus of the hour and gives its deficit."""
    return (pv - load) / POWER_KW


def fill_and_release(t, load, pv, charge):
    """Fills at full power before the dear hours, whatever the charge, and releases in them. Row 0 is hour 23."""
    hour = (t + 23) % 24
    if 12 <= hour < 15:
        return np.ones(len(load))
    return np.full(len(load), -0.35) if 15 <= hour < 20 else np.where(pv > load, 0.4, 0.0)


def random(t, load, pv, charge):
    """Anything, also beyond [-1, 1]."""
    return np.random.default_rng([7, t]).uniform(-2.5, 2.5, len(load))


def alternating(t, load, pv, charge):
    return np.where((np.arange(len(load)) + t) % 2 == 0, 1.0, -1.0)


def by_charge(t, load, pv, charge):
    """Depends on the charge, with thresholds that are rarely met exactly."""
    return np.where(charge > 0.613, -0.9, np.where(charge < 0.2071, 0.77, 0.31 - charge))


RULES = {rule.__name__: rule for rule in (no_control, follow_net, fill_and_release, random, alternating, by_charge)}
