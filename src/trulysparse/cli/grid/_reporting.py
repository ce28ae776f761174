"""From a run's folder to its report."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core.version import __version__
from trulysparse.bench.report import processor
from trulysparse.cli._json import read_object
from trulysparse.cli._run import REPORT, RESULTS
from trulysparse.cli.grid._bounding import title_of
from trulysparse.cli.grid._controls import BOUNDS, MOST_BOUNDED, MOST_LIMITED, NO_CONTROL, SCALES, rules_of
from trulysparse.cli.grid._homes import Homes, make_homes
from trulysparse.cli.grid._learners import Learner, exchange_of, learners_of, rules_asked_for
from trulysparse.cli.grid._progress_file import curves, read_rows
from trulysparse.cli.grid._run_folder import PROGRESS, figures_file, outcome_file, read_settings
from trulysparse.cli.grid._settings import HIDDEN, GridSettings
from trulysparse.cli.grid._shares import Scale, chosen_home, chosen_week, feeder_voltages, grid_hours, home_week
from trulysparse.errors import InputError
from trulysparse.report.grid_page import GridReport, LearningCurve, write_grid_report
from trulysparse.report.grid_run import AGENTS, BOUND, BudgetRow, Control, GridHours

_POINTS = 16  # of a curve: as many rows of its log as lie between two of them are averaged
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
    """What a run has come to so far. Of most outcomes only figures are kept: those of thousands of homes are large.

    Args:
        controls: all of them: agents, rules, bounds.
        scale: by which costs are measured.
        first: what is drawn: the outcome of the first agents, or of the first rule.
        hours: what the grid saw, the first control first.
        notes: sentences on single outcomes.
    """

    controls: Sequence[Control]
    scale: Scale
    first: Any
    hours: Sequence[GridHours]
    notes: Sequence[str]


def read_outcomes(out: Path, settings: GridSettings, homes: Homes) -> RunOutcomes:
    """The outcomes in a run's folder; InputError where there is none of no control, or a file is damaged."""
    if not outcome_file(out, NO_CONTROL).is_file():
        raise InputError(f"RUN: '{out}' holds no outcomes yet")
    known = rules_of(homes, settings.seed)
    asked = rules_asked_for(settings, tuple(known))
    measures = {name: found for name in SCALES[settings.settled is not None] if (found := _outcome(out, name))}
    scale = Scale(_outcome(out, NO_CONTROL), measures, homes.split)
    agents: dict[str, list[str]] = {}
    for learner in learners_of(settings):
        if outcome_file(out, learner.name).is_file():
            agents.setdefault(learner.label, []).append(learner.name)
    rules = [*asked, *(name for name in known if name not in asked), *BOUNDS]
    controls, hours, notes, first = [], [], [], None
    for names in [*agents.values(), *([name] for name in rules)]:
        outcomes = [found for name in names if (found := _outcome(out, name)) is not None]
        if not outcomes:
            continue
        own = outcomes[0]
        is_agents = names in agents.values()
        oracle = settings.oracle and is_agents
        control = scale.control(own.label, AGENTS, outcomes, oracle=oracle) if is_agents else scale.rule(own)
        controls.append(control)
        if first is None or own.label in _IN_GRID:
            hours += [seen for seen in [grid_hours(own, own.label)] if seen is not None]
        first = own if first is None else first
        notes += _notes_on(own)
    ordered = sorted(controls, key=lambda each: each.kind == BOUND)
    return RunOutcomes(ordered, scale, first, hours, notes)


def _outcome(out: Path, name: str) -> Any:
    from trulysparse.grid.outcome import Outcome

    path = outcome_file(out, name)
    return Outcome.from_file(path) if path.is_file() else None


def _notes_on(outcome: Any) -> list[str]:
    notes = []
    if (sentence := outcome.details.get("diverged")) is not None:
        notes.append(f"{outcome.label} ended before the others, so that its cost cannot be compared: {sentence}")
    missing = outcome.details.get("vehicle_missing_kwh")
    if isinstance(missing, int | float) and missing > 0:
        notes.append(f"Under {outcome.label}, vehicles left with {missing:,.1f} kWh less than they needed, in all.")
    cold = outcome.details.get("too_cold_kelvin_hours")
    if isinstance(cold, int | float) and cold >= 1:
        notes.append(f"Under {outcome.label}, homes were colder than their set point by {cold:,.0f} K h, in all.")
    return notes


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
    first, bound = outcomes.first, outcomes.scale.bound
    drawn = [first, *([bound] if bound is not None and bound.load is not None else [])]
    seen = None if homes.feeder is None else feeder_voltages(first, homes.feeder)
    return GridReport(
        title=title_of(settings, homes),
        command=settings.command_line(out),
        mode=settings.information,
        controls=outcomes.controls,
        oracle=settings.oracle,
        weeks=[] if first.load is None else _weeks(homes, outcomes, drawn),
        hours=outcomes.hours,
        feeders={} if seen is None else {first.label: seen},
        budgets=budgets_of(out, settings),
        device=settings.device,
        learning=_learning(out),
        facts=facts_of(out, settings, homes, threads),
        notes=notes_of(settings, homes, outcomes, finished=finished),
    )


def _weeks(homes: Homes, outcomes: RunOutcomes, drawn: Sequence[Any]) -> list[Any]:
    capacity = homes.scenario.battery_kwh
    none, weekday = outcomes.scale.none, homes.scenario.data.weekday
    home, first = chosen_home(homes.split, none, capacity), chosen_week(homes.split, none.n_hours)
    whole = [each for each in drawn if each.n_hours > first]
    return [home_week(each, each.label, home, first, capacity, weekday) for each in whole]


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
    """The costs that agents' homes had as they learned, in weeks drawn at random: means over some rows of each log."""
    found: dict[str, list[LearningCurve]] = {}
    for name, (steps, values) in curves(read_rows(out / PROGRESS), "cost").items():
        unit = "generations" if name.startswith("es") else "hours"
        rows = max(1, len(values) // _POINTS)
        title = "cost of the homes learned from" + (f", means of {rows} entries" if rows > 1 else "")
        found.setdefault(title, []).append(LearningCurve(name, steps[rows - 1 :], _running_mean(values, rows), unit))
    return found


def _running_mean(values: Sequence[float], rows: int) -> list[float]:
    total = np.cumsum([0.0, *values])
    means: list[float] = ((total[rows:] - total[:-rows]) / rows).tolist()
    return means


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
        "market": settings.settled or "",
        "feeder": "" if homes.feeder is None else f"{settings.feeder}, limits: {settings.grid_limits}",
        "agents": ", ".join(each.name for each in learners_of(settings)),
        "networks": _networks(settings),
        "broadcast": f"{settings.broadcast}, one number every hour" if settings.broadcast else "",
        "exchange": exchange_of(settings, homes),
        "device": settings.device or "",
        "synthetic": ", ".join(_synthetic(settings)),
        "seconds": _seconds(out, settings),
        "machine": f"{processor()}; {threads} thread{'s' * (threads > 1)}",
        "version": f"trulysparse {__version__}, Python {python}",
        "written": time.strftime("%Y-%m-%d %H:%M"),
    }
    return facts


def _networks(settings: GridSettings) -> str:
    kinds = dict.fromkeys(each.kind for each in learners_of(settings))
    sizes = [settings.hidden or HIDDEN[kind] for kind in kinds]
    layers = "; ".join(dict.fromkeys(f"hidden layers {', '.join(map(str, each))}" for each in sizes))
    return f"density {settings.density:g}, {layers}" if kinds else ""


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
    if outcomes.scale.bound is None:
        notes.append("Perfect foresight was not computed, so that shares of saving are not known.")
    elif homes.n_homes > MOST_LIMITED and settings.settled is None:
        notes.append(f"The linear program's limit is left out: it takes too long for more than {MOST_LIMITED} homes.")
    if homes.n_homes > MOST_BOUNDED:
        notes.append(f"Control by forecast (MPC) is left out: it takes too long for more than {MOST_BOUNDED} homes.")
    if outcomes.scale.bound is not None and settings.settled is not None and outcomes.scale.bound.n_homes == 1:
        notes.append("Savings are measured by the limit of a linear program, which no batteries reach.")
    if homes.drawn:
        notes.append("Homes are drawn from the same few homes of the data: none of them is unseen.")
    if settings.electric_vehicles or settings.heat_pumps:
        notes.append(
            "Vehicles and heat pumps are synthetic: they are not in the data. Perfect foresight plans batteries alone, "
            "so that agents, which also decide on these, can save more than 100 %."
        )
    notes += outcomes.notes
    flagged = [homes.names[home] for home in homes.split.flagged.tolist() if home < homes.n_homes]
    if flagged and not homes.drawn:
        notes.append(f"Data of {' and '.join(flagged)} are odd (repeated loads, or PV in one month only); they count.")
    return notes
