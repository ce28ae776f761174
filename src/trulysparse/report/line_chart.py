"""Lines over a common axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trulysparse.report.numbers import number, shortened
from trulysparse.report.svg import DASHES, Axis, axes, color, element, escape, label, picture, spanning

WIDTH, HEIGHT = 440, 250
_LEFT, _RIGHT, _BOTTOM = 48, 12, 40
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

    Example:
        >>> from trulysparse.report.line_chart import Series
        >>> Series("loss", [1, 2], [0.7, 0.5]).name
        'loss'
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    number: int | None = None


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
) -> str:
    """Draws lines with a legend above them.

    Args:
        series: the lines; of long ones only some hundred points are drawn.
        title: of the picture.
        x_label: of the horizontal axis, whose values are whole numbers.
        y_label: of the vertical axis.
        zero: whether the vertical axis begins at 0.
        whole: whether the values are whole numbers.

    Returns:
        An <svg> element.

    Example:
        >>> from trulysparse.report.line_chart import Series, line_chart
        >>> lines = [Series("loss", [1, 2], [0.7, 0.5])]
        >>> line_chart(lines, title="Loss", x_label="epoch", y_label="loss").count("<path")
        1
    """
    legend, rows = _legend(series)
    top = 16 * rows + 22
    height = HEIGHT + 16 * (rows - 1)
    xs = [value for each in series for value in each.x]
    low, high = (min(xs), max(xs)) if xs else (0.0, 1.0)
    x = Axis(low - (low == high), high + (low == high), _LEFT, WIDTH - _RIGHT)
    y = Axis(*spanning([value for each in series for value in each.y], zero=zero), height - _BOTTOM, top)
    parts = axes(x, y, x_label, y_label, whole=(True, whole))
    for place, each in enumerate(series):
        parts += _line(each, place if each.number is None else each.number, x, y)
    return picture(WIDTH, height, title, [*parts, *legend])


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


def _dash(place: int) -> str | None:
    return DASHES[place // 6 % len(DASHES)] or None


def _legend(series: Sequence[Series]) -> tuple[list[str], int]:
    """The legend's elements, and how many rows it takes."""
    parts, left, row = [], 2.0, 0
    for place, each in enumerate(series):
        name = shortened(each.name, 28)
        width = 30 + 6.6 * len(name)
        if left > 2 and left + width > WIDTH:
            left, row = 2.0, row + 1
        at, which = 12 + 16 * row, place if each.number is None else each.number
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
