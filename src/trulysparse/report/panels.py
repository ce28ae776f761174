"""Several charts one under the other, over the same hours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trulysparse.report.line_chart import Series
from trulysparse.report.numbers import shortened
from trulysparse.report.svg import DASHES, WIDTH, Axis, color, element, label, picture, spanning, tick_names

_LEFT, _RIGHT, _LEGEND, _GAP = 52, 12, 18, 16
# Above so many days, only some are named.
_MOST_DAYS = 10


@dataclass(frozen=True)
class Panel:
    """One of the charts.

    Args:
        title: over it: what is drawn, with its unit.
        series: lines; their x are hours.
        height: of the part that is drawn in.
        steps: whether values hold for their hour, so that lines are steps.
        zero: whether the axis holds 0.
        also: values that the axis holds too, so that charts side by side have the same one.

    Example:
        >>> from trulysparse.report.line_chart import Series
        >>> from trulysparse.report.panels import Panel
        >>> Panel("price, $/kWh", [Series("price", [0, 1], [0.2, 0.5])], height=60).steps
        False
    """

    title: str
    series: Sequence[Series]
    height: float = 100
    steps: bool = False
    zero: bool = True
    also: Sequence[float] = ()


def panels(charts: Sequence[Panel], hours: int, days: Sequence[str], *, first_hour: int = 0, title: str) -> str:
    """Draws charts over the same hours, with a line where a day begins.

    Args:
        charts: from the top.
        hours: how many there are.
        days: names of the days, the one in progress at the first hour included.
        first_hour: of the day, 0 to 23.
        title: of the picture.

    Returns:
        An <svg> element.

    Example:
        >>> from trulysparse.report.line_chart import Series
        >>> from trulysparse.report.panels import Panel, panels
        >>> price = Panel("price, $/kWh", [Series("price", range(48), [0.2] * 48)], steps=True)
        >>> panels([price], 48, ["Monday", "Tuesday"], title="two days").count("<path")
        1
    """
    x = Axis(0, max(hours, 1), _LEFT, WIDTH - _RIGHT)
    parts, top = [], 4.0
    for chart in charts:
        drawn, top = _chart(chart, x, top)
        parts += drawn
        parts += _midnights(x, hours, first_hour, top, top - chart.height)
        top += _GAP
    return picture(WIDTH, top + 8, title, [*parts, *_names(days, x, hours, first_hour, top)])


def _chart(chart: Panel, x: Axis, top: float) -> tuple[list[str], float]:
    """The elements of a chart, and where it ends."""
    parts = [label(2, top + 11, chart.title, font_size=12, fill_opacity=0.85, length=56)]
    top += 15
    if len(chart.series) > 1:
        named, top = _legend(chart.series, top)
        parts += named
    top += 6
    values = [*chart.also, *(float(value) for each in chart.series for value in each.y)]
    y = Axis(*spanning(values, zero=chart.zero), top + chart.height, top)
    ticks = y.ticks(4)
    for value, name in zip(ticks, tick_names(ticks), strict=True):
        at = y(value)
        strong = 0.5 if value == 0 else 0.15
        parts.append(element("line", x1=x.start, x2=x.stop, y1=at, y2=at, stroke="currentColor", stroke_opacity=strong))
        parts.append(label(x.start - 6, at + 4, name, text_anchor="end", fill_opacity=0.85, font_size=12))
    for place, each in enumerate(chart.series):
        which = place if each.number is None else each.number
        line: dict[str, Any] = {"stroke": color(which), "stroke_width": 1.5, "stroke_dasharray": _dash(which)}
        parts.append(element("path", d=_path(each, x, y, chart.steps), fill="none", stroke_linejoin="round", **line))
    return parts, top + chart.height


def _path(series: Series, x: Axis, y: Axis, steps: bool) -> str:
    """A line through the finite values; as steps each value holds for an hour."""
    path, pen = [], "M"
    for at, value in zip(series.x, series.y, strict=True):
        if not math.isfinite(value):
            pen = "M"
            continue
        path.append(f"{pen}{x(at):.1f} {y(value):.1f}")
        if steps:
            path.append(f"H{x(at + 1):.1f}")
        pen = "L"
    return "".join(path)


def _dash(place: int) -> str | None:
    return DASHES[place // 6 % len(DASHES)] or None


def _legend(series: Sequence[Series], top: float) -> tuple[list[str], float]:
    """Names of the lines, and where they end."""
    parts, left = [], 2.0
    for place, each in enumerate(series):
        which = place if each.number is None else each.number
        width = 30 + 7.2 * len(shortened(each.name, 24))
        if left > 2 and left + width > WIDTH:
            left, top = 2.0, top + _LEGEND
        at: dict[str, Any] = {"x1": left, "x2": left + 18, "y1": top + 8, "y2": top + 8}
        parts.append(element("line", **at, stroke=color(which), stroke_width=3, stroke_dasharray=_dash(which)))
        parts.append(label(left + 23, top + 12, each.name, length=24))
        left += width + 8
    return parts, top + _LEGEND


def _midnights(x: Axis, hours: int, first_hour: int, bottom: float, top: float) -> list[str]:
    return [
        element("line", x1=x(at), x2=x(at), y1=top, y2=bottom, stroke="currentColor", stroke_opacity=0.15)
        for at in range((24 - first_hour) % 24, hours + 1, 24)
    ]


def _names(days: Sequence[str], x: Axis, hours: int, first_hour: int, top: float) -> list[str]:
    """The name of each day under the middle of its hours, where there is room for it."""
    parts, every = [], -(-len(days) // _MOST_DAYS)
    room = every * (x(24) - x(0))
    whole = all(7.5 * len(name) <= room for name in days)
    for place, name in enumerate(days):
        first, last = max(24 * place - first_hour, 0), min(24 * (place + 1) - first_hour, hours)
        text = name if whole else name[:3]
        if place % every == 0 and 7 * len(text) <= every * (x(last) - x(first)):
            middle = min((x(first) + x(last)) / 2, WIDTH - 4 - 3.6 * len(text))
            parts.append(label(middle, top, text, text_anchor="middle", font_size=12, fill_opacity=0.85))
    return parts
