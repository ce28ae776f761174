"""Lines over a common axis, with bands around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trulysparse.report.numbers import number, shortened
from trulysparse.report.svg import DASHES, WIDTH, Axis, axes, color, element, escape, label, picture, spanning

HEIGHT = 230
_LEFT, _RIGHT, _BOTTOM = 52, 12, 40
_MOST_POINTS = 400
# Up to so many points are marked, and say their values when pointed at.
_MARKED = 60


@dataclass(frozen=True)
class Series:
    """One line.

    Args:
        name: in the legend.
        x: positions, ascending.
        y: a value each; what is not finite makes a gap.
        number: of its colour and pattern; None: its place among the lines.
        low: lower edge of a band around the line, a value each; None: there is no band.
        high: its upper edge.

    Example:
        >>> from trulysparse.report.line_chart import Series
        >>> Series("loss", [1, 2], [0.7, 0.5]).name
        'loss'
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    number: int | None = None
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None

    @property
    def extent(self) -> list[float]:
        """All values that are drawn."""
        return [*self.y, *(self.low if self.low is not None else ()), *(self.high if self.high is not None else ())]


def thinned(n: int, most: int) -> list[int]:
    """Numbers of at most so many of n points, evenly spread, the first and the last among them.

    Example:
        >>> from trulysparse.report.line_chart import thinned
        >>> thinned(3, 5), thinned(101, 3)
        ([0, 1, 2], [0, 50, 100])
    """
    if n <= most:
        return list(range(n))
    return sorted({round(i * (n - 1) / (most - 1)) for i in range(most)})


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    zero: bool = False,
    whole: bool = False,
    legend: bool = True,
) -> str:
    """Draws lines, with their names above them.

    Args:
        series: the lines; of long ones only some hundred points are drawn.
        title: of the picture.
        x_label: of the horizontal axis, whose values are whole numbers.
        y_label: of the vertical axis.
        zero: whether the vertical axis begins at 0.
        whole: whether the values are whole numbers.
        legend: whether lines are named.

    Returns:
        An <svg> element.

    Example:
        >>> from trulysparse.report.line_chart import Series, line_chart
        >>> lines = [Series("loss", [1, 2], [0.7, 0.5])]
        >>> line_chart(lines, title="Loss", x_label="epoch", y_label="loss").count("<path")
        1
    """
    named, rows = _legend(series) if legend else ([], 0)
    top = 18 * rows + 24
    height = HEIGHT + 18 * rows
    xs = [value for each in series for value in each.x]
    low, high = (min(xs), max(xs)) if xs else (0.0, 1.0)
    x = Axis(low - (low == high), high + (low == high), _LEFT, WIDTH - _RIGHT)
    y = Axis(*spanning([value for each in series for value in each.extent], zero=zero), height - _BOTTOM, top)
    parts = axes(x, y, x_label, y_label, whole=(True, whole))
    for place, each in enumerate(series):
        parts += _band(each, place if each.number is None else each.number, x, y)
    for place, each in enumerate(series):
        parts += _line(each, place if each.number is None else each.number, x, y)
    return picture(WIDTH, height, title, [*parts, *named])


def _line(series: Series, place: int, x: Axis, y: Axis) -> list[str]:
    chosen = thinned(len(series.x), _MOST_POINTS)
    points = [(series.x[i], series.y[i]) for i in chosen]
    path, pen, parts = [], "M", []
    for at, value in points:
        if not math.isfinite(value):
            pen = "M"
            continue
        path.append(f"{pen}{x(at):.1f} {y(value):.1f}")
        pen = "L"
    if path:
        parts.append(
            element(
                "path",
                d="".join(path),
                fill="none",
                stroke=color(place),
                stroke_width=2,
                stroke_linejoin="round",
                stroke_linecap="round",
                stroke_dasharray=_dash(place),
            )
        )
    if len(points) <= _MARKED:
        for at, value in points:
            if math.isfinite(value):
                note = element("title", escape(f"{series.name}: {number(value)} at {number(at)}"))
                parts.append(element("circle", note, cx=x(at), cy=y(value), r=2.5, fill=color(place)))
    return parts


def _band(series: Series, place: int, x: Axis, y: Axis) -> list[str]:
    """The area between a line's edges, in one piece per run of finite values."""
    if series.low is None or series.high is None:
        return []
    pieces: list[list[tuple[float, float, float]]] = [[]]
    for i in thinned(len(series.x), _MOST_POINTS):
        low, high = series.low[i], series.high[i]
        if math.isfinite(low) and math.isfinite(high):
            pieces[-1].append((x(series.x[i]), y(low), y(high)))
        elif pieces[-1]:
            pieces.append([])
    return [
        element(
            "polygon",
            points=" ".join(
                f"{across:.1f},{up:.1f}"
                for across, up in (*((a, high) for a, _, high in piece), *((a, low) for a, low, _ in reversed(piece)))
            ),
            fill=color(place),
            fill_opacity=0.18,
        )
        for piece in pieces
        if len(piece) > 1
    ]


def _dash(place: int) -> str | None:
    return DASHES[place // 6 % len(DASHES)] or None


def _legend(series: Sequence[Series]) -> tuple[list[str], int]:
    """The legend's elements, and how many rows it takes."""
    parts, left, row = [], 2.0, 0
    for place, each in enumerate(series):
        name = shortened(each.name, 28)
        width = 30 + 7.2 * len(name)
        if left > 2 and left + width > WIDTH:
            left, row = 2.0, row + 1
        at, which = 12 + 18 * row, place if each.number is None else each.number
        parts.append(
            element(
                "line",
                x1=left,
                x2=left + 18,
                y1=at - 4,
                y2=at - 4,
                stroke=color(which),
                stroke_width=3,
                stroke_dasharray=_dash(which),
            )
        )
        parts.append(label(left + 23, at, each.name, length=28))
        left += width + 8
    return parts, row + 1
