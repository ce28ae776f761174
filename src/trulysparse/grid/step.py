"""What an hour gave all homes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.grid.power_flow.result import Flow

Array = NDArray[np.float64]


@dataclass(slots=True)
class Step:
    """What one step of a GridEnvironment gave. Arrays are overwritten by later steps: copy what is to be kept.

    Args:
        observations: at the beginning of the next hour, float32 (H, numbers); None where the environment does not
            observe.
        rewards: float32 (H,).
        ended: whether the episode is over.
        net: kWh at each home's meter, + = import, (H,).
        cost: what each home pays for the hour, $, with its community's market and the month's peak fee, (H,).
        pv: kWh that PV gave after curtailment, (H,).
        balance: kWh that each battery took from the home, + = charging, (H,).
        requested: what was asked of it, (H,).
        curtailed: kWh of PV that were not let through, (H,); None where nothing curtails.
        penalty: $ of grid limits, which rewards count, (H,); None without a feeder.
        flow: the power flow; None without a feeder.
        vehicle_missing: kWh that vehicles lacked when they left, (H,); None without vehicles.
        indoors: temperature in each home, degrees Celsius, (H,); None without heat pumps.
        discomfort: kelvins by which each home is colder than its set point, (H,); None without heat pumps.
        diverged: a sentence where the power flow has no solution, with the step and the bus, else ''. The episode is
            over then, and net and cost are those of homes that draw what they want.
    """

    observations: Floats | None
    rewards: Floats
    ended: bool
    net: Array
    cost: Array
    pv: NDArray[np.floating]
    balance: Array
    requested: Array
    curtailed: Array | None = None
    penalty: Array | None = None
    flow: Flow | None = None
    vehicle_missing: Array | None = None
    indoors: Array | None = None
    discomfort: Array | None = None
    diverged: str = ""

    @property
    def voltage(self) -> NDArray[Any] | None:
        """At each home, per unit, (H,); None without a feeder."""
        return None if self.flow is None else self.flow.voltage

    @property
    def transformer_loading(self) -> Array | None:
        """Of each feeder, share of the rated power, (feeders,); None without a feeder."""
        return None if self.flow is None else self.flow.transformer_loading

    @property
    def line_loading(self) -> Array | None:
        """Of each feeder's line that is loaded most, share of the rated current, (feeders,); None without a feeder."""
        return None if self.flow is None else self.flow.line_loading

    @property
    def load(self) -> Array:
        """kWh that each home used, with vehicle and heat pump, without the battery, (H,)."""
        load: Array = self.net - self.balance + self.pv
        return load

    @property
    def clipped(self) -> Array:
        """Between what was asked of each battery and what it did, kWh, (H,)."""
        clipped: Array = np.abs(self.requested - self.balance)
        return clipped
