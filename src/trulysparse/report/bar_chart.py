"""Bars: of named values from left to right, and of a histogram upwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.report.numbers import number, short
from trulysparse.report.svg import WIDTH, Axis, axes, color, element, escape, label, picture

HEIGHT = 220
_ROW = 21
_NAME = 22  # characters of a name
_LARGEST_LINEAR = 60


def bar_chart(
    names: Sequence[str],
    values: Sequence[float],
    *,
    title: str,
    shown: Callable[[float], str] = number,
    colors: Sequence[str] | None = None,
) -> str:
    """Draws a bar for each of some named values, one under the other.

    Args:
        names: of the values.
        values: what is below 0 or not finite has no bar.
        title: of the picture.
        shown: how a value is written beside its bar.
        colors: of the bars, such as svg.color gives; None: one for all.

    Returns:
        An <svg> element.

    Example:
        >>> from trulysparse.report.bar_chart import bar_chart
        >>> bar_chart(["reading", "updates"], [0.5, 2.0], title="Seconds").count("<rect")
        2
    """
    longest = max((len(str(name)) for name in names), default=0)
    left = 14 + 7.3 * min(longest, _NAME)
    largest = max((value for value in values if math.isfinite(value)), default=0.0)
    room = 8 + 7 * max((len(shown(value)) for value in values), default=0)
    x = Axis(0, largest if largest > 0 else 1.0, left, WIDTH - room)
    parts = []
    for row, (name, value) in enumerate(zip(names, values, strict=True)):
        top = _ROW * row + 2
        parts.append(label(left - 8, top + 13, name, length=_NAME, text_anchor="end"))
        drawn = value if math.isfinite(value) else 0.0
        note = element("title", escape(f"{name}: {shown(value)}"))
        fill = color(0) if colors is None else colors[row]
        parts.append(
            element("rect", note, x=left, y=top + 2, width=max(x(drawn) - left, 0.5), height=_ROW - 6, fill=fill)
        )
        parts.append(label(max(x(drawn), left) + 5, top + 13, shown(value), font_size=12))
    return picture(WIDTH, _ROW * len(names) + 6, title, parts)


def binned(values: ArrayLike, most: int = 40, *, whole: bool = False) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Counts of values in equal bins.

    Args:
        values: finite numbers, at least one.
        most: how many bins there may be.
        whole: whether the values are whole numbers: bins are then as wide as a whole number.

    Returns:
        (counts, edges), one edge more than counts.

    Example:
        >>> from trulysparse.report.bar_chart import binned
        >>> counts, edges = binned([1, 2, 2, 4], whole=True)
        >>> counts.tolist(), edges.tolist()
        ([1, 2, 0, 1], [0.5, 1.5, 2.5, 3.5, 4.5])
    """
    array = np.asarray(values, np.float64).ravel()
    low, high = float(array.min()), float(array.max())
    edges: NDArray[np.float64]
    if whole:
        step = math.ceil((high - low + 1) / most)
        edges = low - 0.5 + step * np.arange(math.ceil((high - low + 1) / step) + 1, dtype=np.float64)
    else:
        # Halved first: the difference of the largest numbers would overflow.
        if high / 2 - low / 2 <= 1e-9 * max(abs(low), abs(high)):
            room = abs(high) / 2 or 0.5
            low, high = low - room, high + room
        edges = 2 * np.linspace(low / 2, high / 2, most + 1)
    counts, _ = np.histogram(array, edges)
    return counts.astype(np.int64), edges


def histogram(
    counts: NDArray[np.int64],
    edges: NDArray[np.float64],
    *,
    title: str,
    x_label: str,
    y_label: str,
    whole: bool = False,
    number_of_color: int = 0,
) -> str:
    """Draws how many values lie in which bin, on a logarithmic axis where counts are large.

    Args:
        counts: of each bin.
        edges: of the bins, one more.
        title: of the picture.
        x_label: what the values are.
        y_label: what is counted.
        whole: whether the values are whole numbers.
        number_of_color: see svg.color.

    Returns:
        An <svg> element.

    Example:
        >>> from trulysparse.report.bar_chart import binned, histogram
        >>> histogram(*binned([1, 2, 2, 4], whole=True), title="t", x_label="x", y_label="n").count("<rect")
        3
    """
    largest = float(counts.max()) if len(counts) else 1.0
    log = largest > _LARGEST_LINEAR
    x = Axis(float(edges[0]), float(edges[-1]), 52, WIDTH - 12)
    y = Axis(0.5 if log else 0.0, max(largest, 1.0) * (1.3 if log else 1.05), HEIGHT - 40, 22, log)
    parts = axes(x, y, x_label, f"{y_label}, logarithmic" if log else y_label, whole=(whole, True))
    for count, first, last in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if not count:
            continue
        a, b, top = x(first), x(last), y(count)
        gap = 1.0 if b - a > 4 else 0.0
        note = element("title", escape(f"{number(count)} from {short(first)} to {short(last)}"))
        parts.append(
            element(
                "rect", note, x=a, y=top, width=max(b - a - gap, 0.5), height=y.start - top, fill=color(number_of_color)
            )
        )
    return picture(WIDTH, HEIGHT, title, parts)
