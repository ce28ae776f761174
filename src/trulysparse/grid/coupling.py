"""The feeder that homes share: a power flow each hour, and what passing its limits means."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.grid.feeder import Feeder
from trulysparse.grid.limits import curtail, penalties
from trulysparse.grid.power_flow.flow import Feeders
from trulysparse.grid.power_flow.result import Flow

Array = NDArray[np.float64]

GRID_LIMITS = ("penalty", "curtail")
NO_SOLUTION = 50.0  # $ for each home of a feeder whose power flow has no solution


class Solved(NamedTuple):
    """What a feeder made of an hour.

    Args:
        flow: the power flow.
        penalty: $ of each home for limits, (H,).
        diverged: a sentence where there is no solution, else ''.
    """

    flow: Flow
    penalty: Array
    diverged: str


class Coupling:
    """Homes on feeders.

    Args:
        feeder: a Feeder or the name of one, as often as the homes fill it; or Feeders of all homes.
        n_homes: H.
        limits: 'penalty': homes pay for limits that are passed; 'curtail': the operator turns down batteries, then PV.

    Raises:
        InputError: where the homes do not fill feeders.

    Example:
        >>> coupling = Coupling(Feeder.named("landnetz"), 34, "penalty")
        >>> coupling.feeders.n_copies
        2
        >>> coupling.pay(np.full(34, 2.0), 0).flow.voltage.shape
        (34,)
    """

    def __init__(self, feeder: Feeder | Feeders | str, n_homes: int, limits: str) -> None:
        self.limits = checks.choice("grid_limits", limits, GRID_LIMITS)
        if isinstance(feeder, str):
            feeder = Feeder.named(feeder)
        if isinstance(feeder, Feeder):
            if n_homes % feeder.n_homes:
                raise InputError(
                    f"feeder has {feeder.n_homes} homes, of which the scenario's {n_homes} are no multiple: "
                    "select or resample as many"
                )
            feeder = Feeders(feeder, n_homes // feeder.n_homes)
        if not isinstance(feeder, Feeders):
            raise InputError(f"feeder must be a Feeder, the name of one, or Feeders, not {feeder!r:.80}")
        if feeder.n_homes != n_homes:
            raise InputError(f"feeder must be of the scenario's {n_homes} homes, not of {feeder.n_homes}")
        self.feeders = feeder
        self._start: NDArray[Any] | Flow | None = None
        self.voltage: Floats = np.zeros(n_homes, np.float32)
        self.loading: Floats = np.zeros(feeder.n_copies, np.float32)

    def pay(self, net: Array, hour: int) -> Solved:
        """The flow of an hour and what homes pay for it.

        Args:
            net: kWh at each home's meter, + = import, (H,).
            hour: its number, for the sentence on a flow without solution.
        """
        flow = self.feeders.flow(net, start=self._start)
        return self._done(flow, net, hour)

    def turn_down(
        self, need: Array, balance: Array, pv: NDArray[Any], hour: int
    ) -> tuple[Solved, Array, NDArray[np.float64]]:
        """The flow of an hour in which the operator turns down batteries, then PV, as far as limits ask for it.

        Args:
            need: load - PV of each home in kWh, (H,).
            balance: what its battery takes, (H,).
            pv: kWh of PV that could be turned off, (H,).
            hour: its number.

        Returns:
            The flow that is left, the kWh that each battery may take, and the kWh of PV that are let through.
        """
        found = curtail(self.feeders, need, balance, pv, self._start)
        net = need + found.balance + (pv - found.pv)
        return self._done(found.flow, net, hour), found.balance, found.pv

    def _done(self, flow: Flow, net: Array, hour: int) -> Solved:
        diverged = flow.divergence(hour) or ""
        penalty = penalties(flow, net)
        self._start = flow
        np.copyto(self.voltage, flow.voltage, casting="same_kind")
        self.loading[:] = np.where(flow.transformer_kw >= 0, flow.transformer_loading, -flow.transformer_loading)
        if diverged:
            penalty = np.where(np.isfinite(penalty), penalty, NO_SOLUTION)
            self.voltage[~np.isfinite(self.voltage)] = 1
            self.loading[~np.isfinite(self.loading)] = 0
        return Solved(flow, penalty, diverged)

    def reset(self) -> None:
        """An hour before the first: rated voltage, no load."""
        self._start = None
        self.voltage[:] = 1
        self.loading[:] = 0

    def state(self) -> dict[str, Any]:
        """All that the next hour depends on."""
        start = self._start.phasors if isinstance(self._start, Flow) else self._start
        return {
            "phasors": np.zeros(0, np.complex64) if start is None else start,
            "voltage": self.voltage.copy(),
            "loading": self.loading.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state() of as many homes."""
        self._start = None if np.size(state["phasors"]) == 0 else np.array(state["phasors"])
        np.copyto(self.voltage, state["voltage"])
        np.copyto(self.loading, state["loading"])
