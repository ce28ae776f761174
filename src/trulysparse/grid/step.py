"""What an hour gave all homes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats

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
        penalty: $ of grid limits, (H,); None without a feeder.
        voltage: at each home, per unit, (H,); None without a feeder.
        line_loading: highest of each feeder's lines, share of the rated current; None without a feeder.
        transformer_loading: of each feeder, share of the rated power; None without a feeder.
        vehicle_missing: kWh that vehicles lacked when they left, (H,); None without vehicles.
        diverged: a sentence where the power flow has no solution, with the step and the bus, else ''. The episode is
            over then; net and cost are those without a feeder.
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
    voltage: Array | None = None
    line_loading: Array | None = None
    transformer_loading: Array | None = None
    vehicle_missing: Array | None = None
    diverged: str = ""

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
