"""Figures of agents that learn: returns against steps and seconds, with their spread over seeds, and what their logs
hold besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trulysparse.report.line_chart import Series, line_chart
from trulysparse.report.numbers import number
from trulysparse.report.page import Figure, Table
from trulysparse.report.rl_records import DEVIATION, RETURN, Curve, SeedRecords, curve_of

EPISODES = "rollout/ep_rew_mean"
REPLAY = "replay/bytes"
# Above so many curves, tables of their values have too many columns.
_MOST_COLUMNS = 12


@dataclass(frozen=True)
class NamedCurve:
    """A curve with its name in the legend; place: of its colour."""

    name: str
    curve: Curve
    place: int = 0

    def series(self, x: str, scale: float = 1.0) -> Series:
        """As a line over 'steps' or 'seconds', with a band where it is of several seeds; values times scale."""
        curve = self.curve
        across = curve.seconds if x == "seconds" else curve.steps
        known = np.isfinite(across) & np.isfinite(curve.mean)
        edges = [None, None]
        if curve.n_seeds > 1 or not np.array_equal(curve.low, curve.high, equal_nan=True):
            edges = [(scale * edge[known]).tolist() for edge in (curve.low, curve.high)]
        return Series(self.name, across[known].tolist(), (scale * curve.mean[known]).tolist(), self.place, *edges)


def figure_of(
    curves: Sequence[NamedCurve],
    title: str,
    y_label: str,
    *,
    x: str = "steps",
    caption: str = "",
    zero: bool = False,
    scale: float = 1.0,
) -> Figure | None:
    """Curves in one picture, with a table of their values.

    Args:
        curves: at least one.
        title: over it.
        y_label: of the values.
        x: 'steps' or 'seconds'.
        caption: what there is to know.
        zero: whether the axis of values begins at 0.
        scale: what values are multiplied with.

    Returns:
        The figure; None where no curve has values over this axis.
    """
    series = [drawn for each in curves if (drawn := each.series(x, scale)).x]
    if not series:
        return None
    svg = line_chart(series, title=f"{title} by {x}", x_label=x, y_label=y_label, zero=zero, legend=len(series) > 1)
    return Figure(title, svg, caption, _table(series, x) if len(series) <= _MOST_COLUMNS else None)


def _table(series: Sequence[Series], x: str) -> Table:
    if len(series) == 1 and series[0].low is not None and series[0].high is not None:
        [one] = series
        rows = [list(map(_short, row)) for row in zip(one.x, one.y, series[0].low, series[0].high, strict=True)]
        return Table([x, "mean", "lowest", "highest"], rows, is_sample=True)
    columns = [dict(zip(each.x, each.y, strict=True)) for each in series]
    places = sorted({place for each in series for place in each.x})
    rows = [[_short(place), *(number(column.get(place)) for column in columns)] for place in places]
    return Table([x, *(each.name for each in series)], rows, is_sample=True)


def _short(value: float) -> str:
    return number(round(value, 1) if abs(value) >= 10 else value)


def returns(runs: Mapping[str, Sequence[SeedRecords]]) -> list[Figure]:
    """Returns of evaluations against steps and against seconds.

    Args:
        runs: seeds of each run, by its name.

    Returns:
        Two figures; fewer where there is nothing to draw.
    """
    curves = []
    for place, (name, seeds) in enumerate(runs.items()):
        curve = curve_of(seeds, RETURN)
        if curve is not None:
            alone = len(runs) == 1 and len(seeds) == 1
            curves.append(NamedCurve(name, with_deviation(curve, seeds[0]) if alone else curve, place))
    if not curves:
        return []
    what = _what_bands_are(runs)
    drawn = [
        figure_of(curves, "Return against steps", "return", caption=f"Mean return of each evaluation.{what}"),
        figure_of(curves, "Return against seconds", "return", x="seconds", caption="The same over the seconds so far."),
    ]
    return [each for each in drawn if each is not None]


def with_deviation(curve: Curve, seed: SeedRecords) -> Curve:
    """The curve of one seed's evaluations with one standard deviation of their episodes on both sides."""
    steps, deviation = seed.points(DEVIATION)
    if not len(steps):
        return curve
    room = np.interp(curve.steps, steps, deviation)
    return Curve(curve.steps, curve.seconds, curve.mean, curve.mean - room, curve.mean + room, 1)


def _what_bands_are(runs: Mapping[str, Sequence[SeedRecords]]) -> str:
    counts = {len(seeds) for seeds in runs.values()}
    if max(counts) > 1:
        count = f"{counts.pop()} " if len(counts) == 1 else ""
        return f" The line is the mean of {count}seeds, the band reaches from the lowest to the highest of them."
    if len(runs) == 1 and any(len(seed.points(DEVIATION)[0]) for seeds in runs.values() for seed in seeds):
        return " The band is one standard deviation of the episodes to both sides."
    return ""


def each_seed(seeds: Sequence[SeedRecords]) -> list[Figure]:
    """Returns of each seed as a line of its own; none of one seed."""
    if len(seeds) < 2:
        return []
    curves = [
        NamedCurve(f"seed {seed.seed}", curve, place)
        for place, seed in enumerate(seeds)
        if (curve := curve_of([seed], RETURN)) is not None
    ]
    found = figure_of(curves, "Return of each seed", "return") if curves else None
    return [] if found is None else [found]


_LEARNING = (
    (EPISODES, "Return of training episodes", "return", "Of the last 100 episodes, in which the agent explores."),
    ("rollout/ep_len_mean", "Length of training episodes", "steps", "Mean of the last 100 episodes."),
    ("train/critic_loss", "Loss of the critics", "loss", ""),
    ("train/loss", "Loss of the network", "loss", ""),
    ("train/actor_loss", "Loss of the actor", "loss", "Below 0 where the critics expect a positive return."),
    ("train/ent_coef", "Temperature", "coefficient", "The weight of the entropy."),
    ("rollout/exploration_rate", "Exploration", "share", "Share of actions that are drawn at random."),
    ("train/learning_rate", "Learning rate", "rate", ""),
    ("time/fps", "Speed", "steps a second", "Environment steps with their updates, since the start."),
)


def learning(seeds: Sequence[SeedRecords]) -> list[Figure]:
    """What the log holds of episodes, losses and speed. Of several seeds the mean, with a band from the lowest to the
    highest; constant values are left out."""
    figures = []
    for name, title, unit, caption in _LEARNING:
        curve = curve_of(seeds, name)
        if curve is None or (name == "train/learning_rate" and len(np.unique(curve.mean)) == 1):
            continue
        drawn = figure_of(
            [NamedCurve(title.lower(), curve)], title, unit, caption=caption, zero=name.startswith("time")
        )
        figures += [] if drawn is None else [drawn]
    return figures


_SPARSE = (
    ("sparse/connections", "Connections", "connections", "Of the networks that learn; targets have the same.", 1.0),
    ("sparse/replaced", "Connections replaced", "connections", "Removed and grown elsewhere, since the start.", 1.0),
    ("sparse/dormant", "Dormant neurons", "share", "Share of hidden neurons whose outputs are (nearly) always 0.", 1.0),
    (REPLAY, "Memory of the replay buffer", "MB", "MB are 10^6 bytes.", 1e-6),
)


def topology(seeds: Sequence[SeedRecords]) -> list[Figure]:
    """Connections, those replaced, dormant neurons and the memory of the replay buffer over the steps: in all, and of
    each network where the log has it, as `sparse/connections/actor`."""
    figures = []
    for name, title, unit, caption, scale in _SPARSE:
        own = dict.fromkeys(each for seed in seeds for each in seed.columns if each.startswith(f"{name}/"))
        curves = []
        for place, column in enumerate((name, *own)):
            curve = curve_of(seeds, column)
            if curve is not None:
                curves.append(NamedCurve(column.removeprefix(name).strip("/") or "all", curve, place))
        drawn = figure_of(curves, title, unit, caption=caption, zero=True, scale=scale) if curves else None
        figures += [] if drawn is None else [drawn]
    return figures
