"""Heat pumps of many homes, synthetic: a room that stores heat, a pump whose efficiency depends on the weather."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core.checks import integer
from trulysparse.errors import InputError

Array = NDArray[np.float64]

RESISTANCE = 5.0  # K/kW between inside and outside
CAPACITY = 8.0  # kWh/K
SET_POINT = 20.5  # degrees Celsius
MOST_SHIFT = 2.0  # K, by which an action moves the set point
GAIN_KW = 0.4  # heat of people and appliances
POWER_KW = 3.0  # electric
SUPPLY = 47.5  # degrees Celsius of the heating water
QUALITY = 0.25  # share of the ideal efficiency
MOST_COP = 8.0
DISCOMFORT_PRICE = 0.05  # $ per hour and kelvin below the set point: above what a colder room saves
KEEP = float(np.exp(-1.0 / (RESISTANCE * CAPACITY)))  # share of the difference to outside that an hour leaves


def coefficient_of_performance(outdoors: ArrayLike) -> Array:
    """Heat per electricity of a heat pump, of any shape like its argument.

    Args:
        outdoors: degrees Celsius.

    Returns:
        .25 (T_supply + 273.15) / (T_supply - T_outdoors) with water of 47.5 degrees, at most 8.

    Source: CityLearn 3.0.2, `HeatPump.get_cop`.

    Example:
        >>> coefficient_of_performance([-10.0, 7.5]).round(2).tolist()
        [1.39, 2.0]
    """
    lift = np.maximum(SUPPLY - np.asarray(outdoors, np.float64), 1e-6)
    return np.minimum(QUALITY * (SUPPLY + 273.15) / lift, MOST_COP)


class HeatPumps:
    """One heated room per home, stepped by the hour together. Synthetic: sizes are assumed, not measured.

    The temperature inside goes from T to T_out + (T - T_out) a + R (Q_hp + Q_gain) (1 - a) in an hour, with
    a = exp(-1 / (R C)). The pump gives the heat that would bring the room to its set point at the hour's end, as far
    as its power goes; it does not cool. A load that is measured at the whole meter may have heating in it already.

    Args:
        n_homes: how many, H, at least 1.
        start: temperature inside at the start, degrees Celsius, one or (H,).

    Raises:
        InputError: n_homes is not such an integer, or `start` is of another shape.

    Source: an equivalent thermal circuit with one resistance and one capacity, solved exactly for each hour.

    Example:
        >>> pumps = HeatPumps(2)
        >>> pumps.step([0.0, 1.0], outdoors=0.0).round(3).tolist()
        [2.192, 3.0]
        >>> pumps.inside.round(2).tolist()
        [20.5, 20.67]
    """

    def __init__(self, n_homes: int, *, start: ArrayLike = SET_POINT) -> None:
        n_homes = integer("n_homes", n_homes, low=1)
        inside = np.asarray(start, np.float64)
        if inside.shape not in ((), (n_homes,)) or not np.isfinite(inside).all():
            raise InputError(f"start must be one finite number or {n_homes}, not {start!r:.60}")
        self.inside = np.array(np.broadcast_to(inside, n_homes))

    def step(self, shift: ArrayLike, outdoors: ArrayLike) -> Array:
        """One hour.

        Args:
            shift: (H,) or one number, -1 to 1: the set point is moved by 2 K times that.
            outdoors: degrees Celsius, one or (H,).

        Returns:
            Electricity taken in kWh, (H,). `inside` is then the temperature at the hour's end.
        """
        out = np.asarray(outdoors, np.float64)
        goal = SET_POINT + MOST_SHIFT * np.clip(np.asarray(shift, np.float64), -1.0, 1.0)
        unheated = out + (self.inside - out) * KEEP + RESISTANCE * GAIN_KW * (1 - KEEP)
        cop = coefficient_of_performance(out)
        heat = np.clip((goal - unheated) / (RESISTANCE * (1 - KEEP)), 0.0, POWER_KW * cop)
        self.inside = unheated + RESISTANCE * heat * (1 - KEEP)
        return np.asarray(heat / cop, np.float64)

    @property
    def discomfort(self) -> Array:
        """(H,) kelvins by which each room is colder than its set point, no shift, 0 where it is not."""
        return np.maximum(SET_POINT - self.inside, 0.0)

    def state(self) -> dict[str, Any]:
        """All that changes: the temperatures inside."""
        return {"inside": self.inside.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state() of as many homes."""
        inside = np.array(state["inside"], np.float64)
        if inside.shape != self.inside.shape:
            raise InputError(f"state is of {inside.shape} homes, these are {self.inside.shape}")
        self.inside = inside
