"""How often values occur, of several sets of them on the same axes, with the limits that they should keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trulysparse.report.numbers import short, shortened
from trulysparse.report.svg import ALARM, WIDTH, Axis, axes, color, element, escape, label, picture, spanning

HEIGHT = 240
_BINS = 48


@dataclass(frozen=True)
class Limit:
    """A value that should not be passed.

    Args:
        value: where it lies.
        name: what it is.

    Example:
        >>> from trulysparse.report.distribution import Limit
        >>> Limit(0.95, "lowest allowed").value
        0.95
    """

    value: float
    name: str


def distribution(
    sets: Mapping[str, ArrayLike],
    *,
    title: str,
    x_label: str,
    y_label: str,
    limits: Sequence[Limit] = (),
    colors: Sequence[str] | None = None,
) -> str:
    """Draws the outline of a histogram of each set of values, counts on a logarithmic axis, so that single ones show.

    Args:
        sets: values by name; what is not finite is left out.
        title: of the picture.
        x_label: what the values are.
        y_label: what is counted.
        limits: drawn as dashed lines.
        colors: of the sets; None: those of series.

    Returns:
        An <svg> element.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.distribution import Limit, distribution
        >>> sets = {"agents": np.linspace(0.96, 1.0, 100), "rule": np.linspace(0.94, 1.0, 100)}
        >>> svg = distribution(sets, title="t", x_label="voltage, p.u.", y_label="hours", limits=[Limit(0.95, "least")])
        >>> svg.count("<path")
        2
    """
    known = {name: values[np.isfinite(values)] for name, each in sets.items() if len(values := _flat(each))}
    ends = [float(end) for values in known.values() if len(values) for end in (values.min(), values.max())]
    low, high = spanning([*ends, *(limit.value for limit in limits)], padding=0.03)
    edges = np.linspace(low, high, _BINS + 1)
    counts = {name: np.histogram(values, edges)[0] for name, values in known.items()}
    rows = len(known)
    top = 18 * rows + 26
    height = HEIGHT + 18 * rows
    largest = max((int(each.max()) for each in counts.values()), default=1)
    x = Axis(low, high, 52, WIDTH - 12)
    y = Axis(0.5, max(largest * 1.5, 10.0), height - 40, top, log=True)
    parts = axes(x, y, x_label, f"{y_label}, logarithmic", whole=(False, True))
    for place, (name, of_bins) in enumerate(counts.items()):
        ink = color(place) if colors is None else colors[place]
        parts.append(_outline(name, of_bins.tolist(), edges.tolist(), x, y, ink))
        parts += _named(name, 18 * place, ink)
    for limit in limits:
        parts += _limit(limit, x, y)
    return picture(WIDTH, height, title, parts)


def _flat(values: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(values, np.float64).ravel()


def _outline(name: str, counts: Sequence[int], edges: Sequence[float], x: Axis, y: Axis, ink: str) -> str:
    """From the axis up and along the tops of the bins; bins without values lie on the axis."""
    path = [f"M{x(edges[0]):.1f} {y.start:.1f}"]
    for count, right in zip(counts, edges[1:], strict=True):
        path.append(f"V{(y(count) if count else y.start):.1f}H{x(right):.1f}")
    path.append(f"V{y.start:.1f}")
    note = element("title", escape(name))
    return element("path", note, d="".join(path), fill=ink, fill_opacity=0.1, stroke=ink, stroke_width=1.8)


def _named(name: str, top: float, ink: str) -> list[str]:
    at = top + 8
    return [
        element("line", x1=2, x2=20, y1=at, y2=at, stroke=ink, stroke_width=3),
        label(25, at + 4, shortened(name, 50), length=50),
    ]


def _limit(limit: Limit, x: Axis, y: Axis) -> list[str]:
    at = x(limit.value)
    text = f"{limit.name} {short(limit.value)}"
    right = at + 5 + 6.6 * len(text) < WIDTH
    return [
        element("line", x1=at, x2=at, y1=y.start, y2=y.stop, stroke=ALARM, stroke_width=1.2, stroke_dasharray="4 3"),
        label(
            at + (4 if right else -4),
            y.stop + 10,
            text,
            length=30,
            font_size=11,
            fill=ALARM,
            text_anchor="start" if right else "end",
        ),
    ]


def outside(values: ArrayLike, low: float = -math.inf, high: float = math.inf) -> int:
    """How many finite values lie below or above what is allowed.

    Example:
        >>> from trulysparse.report.distribution import outside
        >>> outside([0.94, 0.95, 1.0, 1.06, float("nan")], 0.95, 1.05)
        2
    """
    flat = _flat(values)
    return int(((flat < low) | (flat > high)).sum())
