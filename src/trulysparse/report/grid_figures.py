"""Figures of a grid: costs beside baselines and bounds, a week of a home, loading and voltage, devices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trulysparse.report.bar_chart import bar_chart
from trulysparse.report.distribution import Limit, distribution, outside
from trulysparse.report.feeder_map import FeederMap, feeder_map
from trulysparse.report.grid_run import (
    AGENTS,
    BOUND,
    SEEN,
    UNSEEN,
    BudgetRow,
    Control,
    GridHours,
    HomeWeek,
    Hourly,
)
from trulysparse.report.line_chart import Series
from trulysparse.report.numbers import MISSING, number, percent
from trulysparse.report.page import Figure, Table
from trulysparse.report.panels import Panel, panels
from trulysparse.report.svg import ALARM, color

VOLTAGES = (0.95, 1.05)
"""What is allowed, p.u."""
PARTS = tuple((homes, weeks) for homes in (SEEN, UNSEEN) for weeks in (SEEN, UNSEEN))
_COLORS = {AGENTS: color(0), BOUND: color(2)}


def name_of(control: Control) -> str:
    """Its name; of what knows the future with a word on that."""
    return f"{control.name} (oracle)" if control.oracle and control.kind != BOUND else control.name


def _ink(control: Control) -> str:
    return ALARM if control.oracle and control.kind != BOUND else _COLORS.get(control.kind, color(5))


def costs(controls: Sequence[Control]) -> list[Figure]:
    """Cost and share of saving of each control.

    Args:
        controls: of the same homes, hours and tariff.

    Returns:
        Two figures; that of savings alone where no control has a cost to compare.
    """
    names, inks = [name_of(each) for each in controls], [_ink(each) for each in controls]
    ratios = bar_chart(
        names,
        [each.whole.ratio for each in controls],
        title="cost over that without control",
        shown=_ratio,
        colors=inks,
    )
    savings = bar_chart(
        names, [each.whole.saving for each in controls], title="share of saving", shown=percent_or_dash, colors=inks
    )
    colors = "Blue: agents that learned; grey: rules; green: bounds, which know the future."
    if any(each.oracle and each.kind != BOUND for each in controls):
        colors += " Red: an oracle, which is told what no controller could know."
    beyond = any(each.kind == BOUND and each.whole.saving > 1 for each in controls)
    limit = " A linear program's batteries lose less than real ones: its limit lies beyond." if beyond else ""
    return [
        Figure("Cost", ratios, f"Cost of all homes over that without control. {colors}"),
        Figure(
            "Share of saving",
            savings,
            "The cost saved over that which perfect foresight saves: 0 % is no control, 100 % the bound. Below 0 % "
            f"nothing is drawn: the control costs more than none.{limit}",
        ),
    ]


def cost_table(controls: Sequence[Control]) -> Table:
    """A row per control, with all of its figures.

    Args:
        controls: of the same homes, hours and tariff.
    """
    more = list(dict.fromkeys(name for each in controls for name in each.figures))
    spread = any(each.lowest is not None for each in controls)
    columns = ["control", "cost, $", "over no control", "share of saving", *(["of the seeds"] if spread else []), *more]
    rows = []
    for each in controls:
        seeds = MISSING if each.lowest is None else f"{percent(each.lowest)} to {percent(each.highest or 0.0)}"
        cells = [f"{each.cost:,.2f}", _ratio(each.whole.ratio), percent_or_dash(each.whole.saving)]
        own = [number(_rounded(each.figures.get(name, math.nan))) for name in more]
        rows.append([name_of(each), *cells, *([seeds] if spread else []), *own])
    return Table(columns, rows)


def _rounded(value: float) -> float:
    return round(value, 1) if math.isfinite(value) and abs(value) >= 10 else value


def _ratio(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else MISSING


def percent_or_dash(share: float) -> str:
    """A share, with a dash where there is nothing to have a share of."""
    return percent(share) if math.isfinite(share) else MISSING


def seen_and_unseen(controls: Sequence[Control]) -> list[Figure]:
    """Savings by homes and weeks that were learned from and those that were not.

    Args:
        controls: of which those count that have parts.

    Returns:
        A 2 x 2 table of each group of agents, and one of all controls; none where nothing is held out.
    """
    known = [each for each in controls if each.parts]
    if not known:
        return []
    figures = [_two_by_two(each) for each in known if each.kind == AGENTS]
    columns = ["homes, weeks", *(f"{homes}, {weeks}" for homes, weeks in PARTS)]
    rows = [
        [
            name_of(each),
            *(percent_or_dash(each.parts[part].saving) if part in each.parts else MISSING for part in PARTS),
        ]
        for each in known
    ]
    return [*figures, Figure("All controls", "", "Share of saving.", Table(columns, rows))]


def _two_by_two(control: Control) -> Figure:
    """Its savings, and its costs beside them."""
    rows = []
    for homes in (SEEN, UNSEEN):
        shares = [control.parts.get((homes, weeks)) for weeks in (SEEN, UNSEEN)]
        savings = [MISSING if share is None else percent_or_dash(share.saving) for share in shares]
        ratios = [MISSING if share is None else _ratio(share.ratio) for share in shares]
        rows.append([f"{homes} homes", *savings, *ratios])
    columns = ["", *(f"{what}, {weeks} weeks" for what in ("saving", "cost") for weeks in (SEEN, UNSEEN))]
    return Figure(name_of(control), "", "Share of saving, and cost over that without control.", Table(columns, rows))


def weeks(each: Sequence[HomeWeek]) -> list[Figure]:
    """Some days of homes: load, PV and net, what is in the battery, the price; all on the same axes.

    Args:
        each: the homes, or one under several controls.

    Returns:
        A figure each, without a table.
    """
    power = [float(end) for of in each for of_home in (of.load, of.pv, of.net) for end in _ends(of_home)]
    charge = [float(end) for of in each for end in _ends(of.charge)]
    return [_week(of, power, charge) for of in each]


def _ends(values: Hourly) -> tuple[float, float]:
    return (float(np.min(values)), float(np.max(values))) if len(values) else (0.0, 0.0)


def _week(of: HomeWeek, power_ends: Sequence[float], charge_ends: Sequence[float]) -> Figure:
    hours = range(len(of.net))
    power = [
        Series("load", hours, of.load.tolist(), 5),
        Series("PV", hours, of.pv.tolist(), 4),
        Series("at the meter", hours, of.net.tolist(), 0),
    ]
    charts = [
        Panel("kWh in the hour; below 0 the home exports", power, 120, steps=True, also=power_ends),
        Panel("in the battery, kWh", [Series("battery", hours, of.charge.tolist(), 2)], 60, also=charge_ends),
        Panel("price of import, $/kWh", [Series("price", hours, of.price.tolist(), 3)], 45, steps=True),
    ]
    svg = panels(charts, len(hours), of.days, first_hour=of.first_hour, title=f"a week of {of.home} under {of.control}")
    caption = "Lines are hourly means. The battery is drawn at the end of each hour."
    return Figure(f"{of.home} under {of.control}", svg, caption)


def grid_hours(each: Sequence[GridHours]) -> list[Figure]:
    """Distributions of transformer loading and of voltages.

    Args:
        each: what the grid saw under some controls.

    Returns:
        Two figures; none of no control.
    """
    if not each:
        return []
    loading = distribution(
        {hours.control: 100 * np.asarray(hours.transformer, np.float64) for hours in each},
        title="loading of the transformer",
        x_label="% of the rating",
        y_label="hours",
        limits=[Limit(100, "rating")],
    )
    voltage = distribution(
        {hours.control: np.concatenate([hours.lowest, hours.highest]) for hours in each},
        title="lowest and highest voltage of the homes",
        x_label="voltage, p.u.",
        y_label="hours",
        limits=[Limit(VOLTAGES[0], "lowest"), Limit(VOLTAGES[1], "highest")],
    )
    means = "Of hourly means: peaks within an hour are higher, and a balanced grid of one phase shows no unbalance."
    return [
        Figure("Transformer loading", loading, "How many hours have which loading."),
        Figure("Voltages", voltage, f"The lowest and the highest voltage of all homes in each hour. {means}"),
    ]


def highest(values: Hourly) -> float:
    """The highest value that is a number; NaN where there is none, as where a flow had no solution.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.grid_figures import highest
        >>> highest(np.array([0.4, np.nan, 0.7])), highest(np.zeros(0))
        (0.7, nan)
    """
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else math.nan


def _per_unit(voltage: float) -> str:
    return f"{voltage:.4f}" if math.isfinite(voltage) else MISSING


def limits_table(each: Sequence[GridHours]) -> Table:
    """How near controls came to the limits of the grid, and how often they passed them.

    Args:
        each: what the grid saw under some controls.
    """
    rows = [
        [
            hours.control,
            percent_or_dash(highest(hours.transformer)),
            str(outside(hours.transformer, high=1.0)),
            percent_or_dash(highest(hours.line)),
            _per_unit(-highest(-hours.lowest)),
            str(outside(hours.lowest, low=VOLTAGES[0])),
            _per_unit(highest(hours.highest)),
            str(outside(hours.highest, high=VOLTAGES[1])),
        ]
        for hours in each
    ]
    columns = [
        "control",
        "transformer, highest",
        "hours above 100 %",
        "fullest line",
        "lowest voltage",
        f"hours below {VOLTAGES[0]}",
        "highest voltage",
        f"hours above {VOLTAGES[1]}",
    ]
    return Table(columns, rows)


def feeder(of: FeederMap, control: str) -> Figure:
    """The feeder, drawn by length of cable.

    Args:
        of: buses, cables and voltages.
        control: name of the one under which they came about.

    Returns:
        The figure, with a table of the ten buses farthest from nominal.
    """
    worst = of.worst
    known = np.flatnonzero(np.isfinite(worst))
    far = known[np.argsort(-np.abs(worst[known] - 1), kind="stable")][:10].tolist()
    rows = [[of.name(bus), f"{of.low[bus]:.4f}", f"{of.high[bus]:.4f}"] for bus in far]
    out = f"{of.n_outside} of {len(known)} buses leave {of.limits[0]} to {of.limits[1]} p.u. in some hour."
    return Figure(
        f"Voltages under {control}",
        feeder_map(of, title=f"the feeder under {control}"),
        f"Each bus by the voltage farthest from 1 p.u. in all hours. {out}",
        Table(["bus", "lowest, p.u.", "highest, p.u."], rows),
    )


def budgets(rows: Sequence[BudgetRow], device: str | None) -> list[Figure]:
    """What agents take on their devices.

    Args:
        rows: the figures.
        device: name of the class of devices; None: none is asked for.

    Returns:
        A table; none without rows.
    """
    if not rows:
        return []
    columns = ["per agent", "mean", "largest"]
    has_limit = device is not None and any(row.allowed is not None for row in rows)
    has_dense = any(row.dense is not None for row in rows)
    columns += [f"allowed on {device}"] if has_limit else []
    columns += ["dense, same widths"] if has_dense else []
    cells = [
        [
            row.name + (" (more than allowed)" if row.is_over else ""),
            number(_rounded(row.mean)),
            number(_rounded(row.largest)),
            *([number(row.allowed)] if has_limit else []),
            *([number(row.dense)] if has_dense else []),
        ]
        for row in rows
    ]
    energy = "Energy is computed, not measured: 1 nJ per multiply-add, 2 µJ per byte that is sent."
    caption = energy if any(row.name.startswith("energy") for row in rows) else ""
    return [Figure("On the devices", "", caption, Table(columns, cells))]
