"""Runs an environment to its end with a rule or with agents, and keeps what it gave."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.memory import require
from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError
from trulysparse.grid.baselines.rules import Rule
from trulysparse.grid.outcome import Outcome

_DETAILS = ("load", "pv", "charge")


def run(
    environment: Any,
    actor: Any,
    *,
    label: str | None = None,
    details: bool = True,
    progress: Progress = silent,
) -> Outcome:
    """One episode of all homes, from reset to end.

    Args:
        environment: a GridEnvironment whose homes all live in the same hours.
        actor: a Rule; agents with `act(observations (H, n_observations)) -> actions (H, n_actions)`; or a function
            `actor(environment) -> actions`.
        label: what reports call it; None: the rule's own, or "agents".
        details: whether load, PV and charge are kept for every hour and home; without them an outcome takes a quarter
            of the memory.
        progress: is told how far it is.

    Returns:
        The outcome. Where the power flow of an hour has no solution, it ends with that hour and says so in `details`.

    Raises:
        InputError: an actor of another kind or mode, or homes that live in different hours.
        NotEnoughMemoryError: where the hours and homes do not fit in memory.

    Example:
        >>> from trulysparse import grid
        >>> from trulysparse.grid.baselines.rules import NoControl, SelfConsumption
        >>> environment = grid.GridEnvironment(grid.sample_data(), n_hours=168)
        >>> none, own = run(environment, NoControl()), run(environment, SelfConsumption())
        >>> own.cost() < none.cost(), own.charge.shape
        (True, (168, 6))
    """
    details = checks.flag("details", details)
    step_once = _stepper(environment, actor)
    if not isinstance(environment.first_hour, int):
        raise InputError("environment must have one first_hour for all homes: these live in different hours")
    hours, homes = environment.n_hours, environment.n_homes
    require(
        4 * hours * homes * (1 + len(_DETAILS) * details),
        f"an outcome of {hours} hours and {homes} homes",
        "details=False keeps less",
    )
    kept = _Kept(hours, homes, details)
    observations = environment.reset()
    if isinstance(actor, Rule):
        actor.start(environment)
    stored = environment.batteries.energy_kwh.copy()
    done, diverged = 0, ""
    for number in range(hours):
        step = step_once(observations)
        observations = step.observations
        done, diverged = number + 1, step.diverged
        kept.take(number, step, environment.batteries.charge)
        if number % 24 == 23:
            progress("simulating", done, hours)
        if step.ended:
            break
    progress("simulating", hours, hours)
    named = label or (actor.label if isinstance(actor, Rule) else "agents")
    foresight = isinstance(actor, Rule) and actor.foresight
    return kept.outcome(
        environment, named, foresight, done, np.stack([stored, environment.batteries.energy_kwh]), diverged
    )


def _stepper(environment: Any, actor: Any) -> Any:
    """observations -> Step, or InputError."""
    if isinstance(actor, Rule):
        return lambda observations: actor.step(environment)
    if callable(getattr(actor, "act", None)):
        if not environment.observe:
            raise InputError("agents need an environment that observes: GridEnvironment(observe=True)")
        return lambda observations: environment.step(actor.act(observations))
    if callable(actor):
        return lambda observations: environment.step(actor(environment))
    raise InputError(
        f"actor must be a Rule, agents with act(observations), or a function of the environment: not {actor!r:.80}"
    )


class _Kept:
    """Arrays that a run fills hour by hour."""

    def __init__(self, hours: int, homes: int, details: bool) -> None:
        self.net = np.empty((hours, homes), np.float32)
        self.details = {name: np.empty((hours, homes), np.float32) for name in _DETAILS * details}
        self.clipped, self.curtailed = np.zeros(homes), np.zeros(homes)
        self.voltage, self.line = np.empty((2, hours), np.float32), np.empty(hours, np.float32)
        self.home_voltage = np.stack([np.full(homes, np.inf), np.full(homes, -np.inf)])
        self.transformer: NDArray[np.float32] | None = None
        self.vehicle_missing: float | None = None
        self.discomfort: float | None = None

    def take(self, hour: int, step: Any, charge: NDArray[np.float64]) -> None:
        self.net[hour] = step.net
        if self.details:
            self.details["load"][hour] = step.load
            self.details["pv"][hour] = step.pv
            self.details["charge"][hour] = charge
        self.clipped += step.clipped
        if step.curtailed is not None:
            self.curtailed += step.curtailed
        if step.vehicle_missing is not None:
            self.vehicle_missing = (self.vehicle_missing or 0.0) + float(step.vehicle_missing.sum())
        if step.discomfort is not None:
            self.discomfort = (self.discomfort or 0.0) + float(step.discomfort.sum())
        if step.voltage is not None and not step.diverged:
            if self.transformer is None:
                self.transformer = np.empty((len(self.net), len(np.atleast_1d(step.transformer_loading))), np.float32)
            self.transformer[hour] = step.transformer_loading
            self.voltage[:, hour] = step.voltage.min(), step.voltage.max()
            self.line[hour] = np.max(step.line_loading)
            np.minimum(self.home_voltage[0], step.voltage, out=self.home_voltage[0])
            np.maximum(self.home_voltage[1], step.voltage, out=self.home_voltage[1])

    def outcome(
        self, environment: Any, label: str, foresight: bool, done: int, stored: NDArray[np.float64], diverged: str
    ) -> Outcome:
        """What was kept of the first `done` hours; of a diverged one there is no flow."""
        first, tariff, data = environment.first_hour, environment.tariff, environment.data
        rows = slice(first, first + done)
        flow = self.transformer is not None
        more: dict[str, Any] = {}
        if diverged:
            more["diverged"] = diverged
            for array in (self.voltage.T, self.line, self.transformer) if flow else ():
                array[done - 1] = np.nan  # type: ignore[index]
        if self.vehicle_missing is not None:
            more["vehicle_missing_kwh"] = self.vehicle_missing
        if self.discomfort is not None:
            more["too_cold_kelvin_hours"] = self.discomfort
        return Outcome(
            label=label,
            information="foresight" if foresight else environment.information,
            tariff=tariff.name,
            net=self.net[:done],
            price=tariff.import_price[rows],
            export_price=tariff.export_price[rows],
            kind=tariff.kind,
            carbon=np.asarray(data.carbon[rows], np.float64),
            hour=np.asarray(data.hour[rows]),
            month=np.asarray(data.month[rows]),
            first_hour=first,
            **{name: array[:done] for name, array in self.details.items()},
            clipped_kwh=self.clipped,
            curtailed_kwh=self.curtailed,
            stored_kwh=stored,
            market=environment.market,
            peak_fee=tariff.peak_fee,
            voltage=self.voltage[:, :done] if flow else None,
            home_voltage=self.home_voltage.astype(np.float32) if flow else None,
            transformer=self.transformer[:done] if self.transformer is not None else None,
            line=self.line[:done] if flow else None,
            names=tuple(data.names[home] for home in environment.scenario.home.tolist()),
            details=more,
        )
