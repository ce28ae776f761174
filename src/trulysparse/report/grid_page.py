"""The report of homes on a grid: costs beside baselines and bounds, seen and unseen homes, the grid, the devices."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trulysparse._core.files import write_whole
from trulysparse.report import grid_figures
from trulysparse.report.feeder_map import FeederMap
from trulysparse.report.grid_run import AGENTS, BOUND, RULE, UNSEEN, BudgetRow, Control, GridHours, HomeWeek
from trulysparse.report.line_chart import Series, line_chart
from trulysparse.report.numbers import number, percent
from trulysparse.report.page import Figure, Page, Section, facts_table, notes_list
from trulysparse.report.svg import escape

MODES = {
    "follow": "Mode follow: agents set how the battery behaves in the coming hour, and the inverter follows the "
    "hour's real load.",
    "setpoint": "Mode setpoint: agents fix the battery's power before they know the hour's load. Figures of mode "
    "follow are not comparable.",
}
"""What agents know when they act, by the mode's name."""

ORACLE = (
    "Oracle: agents of this run were told the future (perfect forecasts of the data set). No controller could know it; "
    "such runs are marked red."
)


@dataclass(frozen=True)
class LearningCurve:
    """How agents learned.

    Args:
        name: such as 'seed 0'.
        x: how far the training had gone, ascending.
        y: the figure.
        unit: of x.

    Example:
        >>> from trulysparse.report.grid_page import LearningCurve
        >>> LearningCurve("es, seed 0", [1, 2], [0.9, 0.8], "generations").unit
        'generations'
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    unit: str = "hours"


@dataclass(frozen=True, kw_only=True)
class GridReport:
    """All that the page shows.

    Args:
        title: of the page.
        command: the exact command that repeats the run, quoted for a shell.
        mode: 'follow' or 'setpoint'.
        controls: agents, rules and bounds, of the same homes, hours and tariff.
        oracle: whether agents were told the future.
        weeks: some days of homes, drawn.
        hours: what the grid saw, by control; none without a feeder.
        feeders: maps, by the name of the control.
        budgets: what agents take on their devices.
        device: name of their class.
        learning: curves, by what they show: {'cost': [...]}, over that without control.
        facts: how the run was made, by name.
        notes: sentences on what there is to know.

    Example:
        >>> from trulysparse.report.grid_page import GridReport, grid_html
        >>> from trulysparse.report.grid_run import Control, Share
        >>> none = Control(name="no control", kind="rule", cost=1000.0, whole=Share(1.0, 0.0))
        >>> report = GridReport(title="6 homes", command="trulysparse grid run --out r", mode="follow", controls=[none])
        >>> "Mode follow" in grid_html(report)
        True
    """

    title: str
    command: str
    mode: str
    controls: Sequence[Control]
    oracle: bool = False
    weeks: Sequence[HomeWeek] = ()
    hours: Sequence[GridHours] = ()
    feeders: Mapping[str, FeederMap] = field(default_factory=dict)
    budgets: Sequence[BudgetRow] = ()
    device: str | None = None
    learning: Mapping[str, Sequence[LearningCurve]] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def write_grid_report(path: str | os.PathLike[str], report: GridReport) -> None:
    """Writes the page as one HTML file, which needs nothing else: no script, no font, no connection.

    Args:
        path: the file, which is replaced as a whole.
        report: what it shows. Its size grows with the buses of a map, not with homes or hours.

    Raises:
        OSError: where the file cannot be written.
    """
    text = grid_html(report)
    write_whole(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def grid_html(report: GridReport) -> str:
    """The page that `write_grid_report` writes.

    Args:
        report: what it shows.

    Returns:
        HTML.
    """
    figures = [
        ("Cost and saving", grid_figures.costs(report.controls)),
        ("Seen and unseen homes and weeks", grid_figures.seen_and_unseen(report.controls)),
        ("A week of one home", grid_figures.weeks(report.weeks)),
        ("The grid", _grid(report)),
        ("Devices", grid_figures.budgets(report.budgets, report.device)),
        ("While they learned", _learning(report)),
    ]
    tables = {"Cost and saving": ("All figures", grid_figures.cost_table(report.controls))}
    if report.hours:
        tables["The grid"] = ("Limits of the grid", grid_figures.limits_table(report.hours))
    sections = []
    for title, drawn in figures:
        sections += [Section(title, drawn)] if drawn else []
        if title in tables:
            name, table = tables[title]
            sections.append(Section(name, text=table.html()))
    what = facts_table({name: value for name, value in report.facts.items() if str(value)}) + notes_list(report.notes)
    if what:
        sections.append(Section("Settings", text=what))
    sections.append(
        Section("To repeat it", text=f"<pre>{escape(report.command)}</pre><p class='soft'>Run in the same folder.</p>")
    )
    above = f"<p>{escape(MODES.get(report.mode, report.mode))}</p>"
    if report.oracle or any(each.oracle and each.kind != BOUND for each in report.controls):
        above = f"<p class='alarm'><b>{escape(ORACLE)}</b></p>{above}"
    return Page(report.title, tiles=_tiles(report), sections=sections, text=above).html()


def _tiles(report: GridReport) -> dict[str, str]:
    """The agents' savings, and what they are to be compared with."""
    tiles = {}
    agents = [each for each in report.controls if each.kind == AGENTS]
    for each in agents[:1]:
        tiles[f"share of saving, {grid_figures.name_of(each)}"] = grid_figures.percent_or_dash(each.whole.saving)
        unseen = each.parts.get((UNSEEN, UNSEEN))
        if unseen is not None:
            tiles[f"of unseen homes in unseen weeks, {each.name}"] = grid_figures.percent_or_dash(unseen.saving)
    rules = [each for each in report.controls if each.kind == RULE and not each.oracle and each.whole.saving > 0]
    best = max(rules, key=lambda each: each.whole.saving, default=None)
    if best is not None:
        tiles[f"share of saving, {best.name}, the best rule"] = percent(best.whole.saving)
    for hours in report.hours[:1]:
        tiles[f"highest transformer loading, {hours.control}"] = grid_figures.percent_or_dash(
            grid_figures.highest(hours.transformer)
        )
        tiles[f"lowest voltage in p.u., {hours.control}"] = number(round(-grid_figures.highest(-hours.lowest), 3))
    connections = next((row for row in report.budgets if row.name.startswith("connections")), None)
    if connections is not None:
        tiles["connections per agent, mean"] = number(round(connections.mean, 1))
    return tiles


def _grid(report: GridReport) -> list[Figure]:
    return [
        *grid_figures.grid_hours(report.hours),
        *(grid_figures.feeder(each, control) for control, each in report.feeders.items()),
    ]


def _learning(report: GridReport) -> list[Figure]:
    figures = []
    for what, curves in report.learning.items():
        for unit in dict.fromkeys(each.unit for each in curves):
            own = [each for each in curves if each.unit == unit and len(each.x)]
            lines = [Series(each.name, each.x, each.y, place) for place, each in enumerate(own)]
            if lines:
                name = f"{what} while agents learned"
                svg = line_chart(lines, title=name, x_label=unit, y_label="over no control", legend=len(lines) > 1)
                caption = "Over the cost without control, in weeks drawn at random."
                figures.append(Figure(what[:1].upper() + what[1:], svg, caption))
    return figures
