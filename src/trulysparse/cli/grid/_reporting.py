"""From a run's folder to its report."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trulysparse._core.version import __version__
from trulysparse.bench.report import processor
from trulysparse.cli._json import read_object
from trulysparse.cli._run import REPORT, RESULTS
from trulysparse.cli.grid._bounding import title_of
from trulysparse.cli.grid._controls import FORESIGHT, NO_CONTROL, POOLED, kind_of, rules_of
from trulysparse.cli.grid._homes import Homes, make_homes
from trulysparse.cli.grid._learners import Learner, learners_of, rules_asked_for
from trulysparse.cli.grid._progress_file import curves, read_rows
from trulysparse.cli.grid._run_folder import PROGRESS, figures_file, outcome_file, read_settings
from trulysparse.cli.grid._settings import GridSettings
from trulysparse.cli.grid._shares import Scale, chosen_home, chosen_week, feeder_voltages, grid_hours, home_week
from trulysparse.errors import InputError
from trulysparse.report.grid_page import GridReport, LearningCurve, write_grid_report
from trulysparse.report.grid_run import AGENTS, BOUND, BudgetRow, Control

_CURVES = {"cost": "cost of the homes learned from", "best": "least cost so far"}
_IN_GRID = ("no control", "self-consumption", "TOU fill, spread", "TOU fill, random")
"""Rules whose loading and voltages are drawn."""
_BUDGETS = {
    "connections": "connections",
    "ram_bytes": "RAM, bytes",
    "flash_bytes": "flash, bytes",
    "multiply_adds_per_decision": "multiply-adds per decision",
    "multiply_adds_per_day": "multiply-adds per day",
    "bytes_sent_per_day": "bytes sent per day",
    "joules_per_day": "energy per day, µJ",
}


@dataclass(frozen=True)
class RunOutcomes:
    """What a run has come to so far.

    Args:
        scale: by which costs are measured.
        agents: outcomes of the seeds of agents, by label.
        rules: outcomes by label, the one that is asked for first.
        bound: perfect foresight, or None.
        first: (label, outcome) of what is drawn: the first agents, or the first rule.
    """

    scale: Scale
    agents: Mapping[str, Sequence[Any]]
    rules: Mapping[str, Any]
    bound: Any
    first: tuple[str, Any]

    def controls(self, *, oracle: bool) -> list[Control]:
        """What all of them came to, agents first."""
        scale = self.scale
        found = [scale.control(label, AGENTS, each, oracle=oracle) for label, each in self.agents.items()]
        every = [*self.rules.values(), *([] if self.bound is None else [self.bound])]
        return found + [scale.rule(each) for each in sorted(every, key=lambda each: kind_of(each) == BOUND)]


def read_outcomes(out: Path, settings: GridSettings, homes: Homes) -> RunOutcomes:
    """The outcomes in a run's folder; InputError where there is none of no control, or a file is damaged."""
    if not outcome_file(out, NO_CONTROL).is_file():
        raise InputError(f"RUN: '{out}' holds no outcomes yet")
    known = rules_of(homes, settings.seed)
    asked = rules_asked_for(settings, tuple(known))
    names = [*asked, *(name for name in known if name not in asked)]
    rules = {each.label: each for name in names if (each := _outcome(out, name)) is not None}
    agents: dict[str, list[Any]] = {}
    for learner in learners_of(settings):
        if (found := _outcome(out, learner.name)) is not None:
            agents.setdefault(learner.label, []).append(found)
    none, bound = _outcome(out, NO_CONTROL), _outcome(out, FORESIGHT) or _outcome(out, POOLED)
    first = next(((label, each[0]) for label, each in agents.items()), None) or next(iter(rules.items()))
    return RunOutcomes(Scale(none, bound, homes.split), agents, rules, bound, first)


def _outcome(out: Path, name: str) -> Any:
    from trulysparse.grid.outcome import Outcome

    path = outcome_file(out, name)
    return Outcome.from_file(path) if path.is_file() else None


def write_report_of(out: Path, page: Path | None = None) -> Path:
    """Writes the page of a run, finished or not; gives its path.

    Raises:
        InputError: where the folder is not of a run on the grid, or its data are not to be had any more.
    """
    settings, threads = read_settings(out)
    homes = make_homes(settings)
    outcomes = read_outcomes(out, settings, homes)
    path = out / REPORT if page is None else page
    finished = (out / RESULTS).is_file()
    write_grid_report(path, report_of(out, settings, homes, outcomes, threads, finished=finished))
    return path


def report_of(
    out: Path, settings: GridSettings, homes: Homes, outcomes: RunOutcomes, threads: int, *, finished: bool
) -> GridReport:
    """What the page of a run shows.

    Args:
        out: the run's folder.
        settings: of the run.
        homes: likewise.
        outcomes: what it has come to.
        threads: of the kernels.
        finished: whether it has come to its end.
    """
    label, first = outcomes.first
    drawn = {label: first}
    if outcomes.bound is not None and outcomes.bound.load is not None:
        drawn[outcomes.bound.label] = outcomes.bound
    shown = dict([outcomes.first, *((name, outcomes.rules[name]) for name in _IN_GRID if name in outcomes.rules)])
    hours = [found for name, each in shown.items() if (found := grid_hours(each, name)) is not None]
    maps = {}
    if homes.feeder is not None and (drawn_map := feeder_voltages(first, homes.feeder)) is not None:
        maps[label] = drawn_map
    return GridReport(
        title=title_of(settings, homes),
        command=settings.command_line(out),
        mode=settings.information,
        controls=outcomes.controls(oracle=settings.oracle),
        oracle=settings.oracle,
        weeks=[] if first.load is None else _weeks(homes, outcomes, drawn),
        hours=hours,
        feeders=maps,
        budgets=budgets_of(out, settings),
        device=settings.device,
        learning=_learning(out),
        facts=facts_of(out, settings, homes, threads),
        notes=notes_of(settings, homes, outcomes, finished=finished),
    )


def _weeks(homes: Homes, outcomes: RunOutcomes, drawn: Mapping[str, Any]) -> list[Any]:
    capacity = homes.scenario.battery_kwh
    none, weekday = outcomes.scale.none, homes.scenario.data.weekday
    home, first = chosen_home(homes.split, none, capacity), chosen_week(homes.split, none.n_hours)
    whole = {name: each for name, each in drawn.items() if each.n_hours > first}
    return [home_week(each, name, home, first, capacity, weekday) for name, each in whole.items()]


def budgets_of(out: Path, settings: GridSettings) -> list[BudgetRow]:
    """What the first agents take on their devices, beside dense ones and the limits of the class of devices."""
    found = {each.label: each for each in reversed(learners_of(settings))}
    ordered = learners_of(settings)
    if not ordered:
        return []
    own = _figures(out, ordered[0])
    dense = next((_figures(out, each) for each in found.values() if each.density == 1 and not each.shared), {})
    limits = own.get("allowed", {})
    rows = []
    for name, title in _BUDGETS.items():
        if name in own.get("mean", {}):
            scale = 1e6 if name == "joules_per_day" else 1.0
            beside = dense.get("mean", {}).get(name)
            mean, largest = scale * own["mean"][name], scale * own["largest"][name]
            rows.append(BudgetRow(title, mean, largest, limits.get(name), None if beside is None else scale * beside))
    return rows


def _figures(out: Path, learner: Learner) -> dict[str, Any]:
    path = figures_file(out, learner.name)
    return read_object(path) if path.is_file() else {}


def _learning(out: Path) -> dict[str, list[LearningCurve]]:
    rows = read_rows(out / PROGRESS)
    found = {
        title: [
            LearningCurve(name, steps, values, "generations" if name.startswith("es") else "hours")
            for name, (steps, values) in curves(rows, column).items()
        ]
        for column, title in _CURVES.items()
    }
    return {title: each for title, each in found.items() if each}


def facts_of(out: Path, settings: GridSettings, homes: Homes, threads: int) -> dict[str, str]:
    """How a run was made, by name."""
    split, data = homes.split, homes.scenario.data
    n_train, n_test = len(split.train_homes), len(split.test_homes)
    hours = int(split.test_hours.sum())
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    facts = {
        "data": settings.source,
        "homes": f"{homes.n_homes:,}, {n_train:,} learned from, {n_test:,} unseen"
        + (f"; drawn from {data.n_homes} homes of the data" if homes.drawn else ""),
        "hours": f"{data.n_hours:,}, {hours:,} of them unseen (weeks: {settings.weeks})",
        "tariff": settings.tariff,
        "information": settings.information,
        "market": settings.market or "",
        "feeder": "" if homes.feeder is None else f"{settings.feeder}, limits: {settings.grid_limits}",
        "agents": ", ".join(each.name for each in learners_of(settings)),
        "networks": f"density {settings.density:g}, hidden layers {', '.join(map(str, settings.hidden))}",
        "broadcast": f"{settings.broadcast}, one number every hour" if settings.broadcast else "",
        "exchange": settings.exchange or "",
        "device": settings.device or "",
        "synthetic": ", ".join(_synthetic(settings)),
        "seconds": _seconds(out, settings),
        "machine": f"{processor()}; {threads} thread{'s' * (threads > 1)}",
        "version": f"trulysparse {__version__}, Python {python}",
        "written": time.strftime("%Y-%m-%d %H:%M"),
    }
    return facts


def _synthetic(settings: GridSettings) -> list[str]:
    vehicles = ["electric vehicles"] if settings.electric_vehicles else []
    return [*vehicles, *(["heat pumps"] if settings.heat_pumps else [])]


def _seconds(out: Path, settings: GridSettings) -> str:
    each = {learner.name: _figures(out, learner).get("seconds") for learner in learners_of(settings)}
    return ", ".join(f"{name} {seconds:,.1f}" for name, seconds in each.items() if isinstance(seconds, int | float))


def notes_of(settings: GridSettings, homes: Homes, outcomes: RunOutcomes, *, finished: bool) -> list[str]:
    """Sentences on what there is to know."""
    notes = []
    if not finished:
        notes.append("The run is not finished: this is what it has come to so far.")
    if outcomes.bound is None:
        notes.append("Perfect foresight was not computed, so that shares of saving are not known.")
    if homes.drawn:
        notes.append("Homes are drawn from the same few homes of the data: none of them is unseen.")
    if settings.electric_vehicles or settings.heat_pumps:
        notes.append("Vehicles and heat pumps are synthetic: they are not in the data.")
    for label, each in {**{name: every[0] for name, every in outcomes.agents.items()}, **outcomes.rules}.items():
        if (sentence := each.details.get("diverged")) is not None:
            notes.append(f"{label} ended before the others, so that its cost cannot be compared: {sentence}")
        missing = each.details.get("vehicle_missing_kwh")
        if isinstance(missing, int | float) and math.isfinite(missing) and missing > 0:
            notes.append(f"Under {label}, vehicles left with {missing:,.1f} kWh less than they needed, in all.")
    flagged = [homes.names[home] for home in homes.split.flagged.tolist() if home < homes.n_homes]
    if flagged and not homes.drawn:
        notes.append(f"Data of {' and '.join(flagged)} are odd (repeated loads, or PV in one month only); they count.")
    return notes
