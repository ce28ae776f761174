"""A feeder drawn by length of cable, its buses coloured by the voltage that is farthest from nominal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError
from trulysparse.report.svg import ALARM, WIDTH, Axis, color, element, escape, label, picture, tick_names
from trulysparse.report.tree_layout import tree_layout

_LEGEND, _MARGIN, _ROW, _LEAST, _TALLEST = 44, 12, 40.0, 12.0, 640.0
_LOW, _HIGH = color(1), color(0)  # below nominal orange, above it blue


@dataclass(frozen=True, kw_only=True)
class FeederMap:
    """A feeder and what its voltages came to.

    Args:
        parent: (buses,), number of the bus before each, smaller than its own; -1 for bus 0 at the transformer.
        length: (buses,), of the cable from there, m; 0 for bus 0.
        low: (buses,), lowest voltage of all hours, p.u.; NaN where none is known.
        high: (buses,), the highest one.
        names: of the buses; none: their numbers.
        limits: what is allowed, p.u.

    Raises:
        InputError: where the arrays do not fit one another.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.feeder_map import FeederMap
        >>> feeder = FeederMap(parent=np.array([-1, 0, 1]), length=np.array([0.0, 40, 40]),
        ...                    low=np.array([1.0, 0.97, 0.94]), high=np.array([1.0, 1.01, 1.02]))
        >>> feeder.worst.tolist(), feeder.n_outside
        ([1.0, 0.97, 0.94], 1)
    """

    parent: NDArray[np.int64]
    length: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    names: Sequence[str] = field(default_factory=list)
    limits: tuple[float, float] = (0.95, 1.05)

    def __post_init__(self) -> None:
        n = len(self.parent)
        if not n or any(len(each) != n for each in (self.length, self.low, self.high)):
            raise InputError(f"a map needs parent, length, low and high of the same buses, at least one, not of {n}")
        before = np.asarray(self.parent)
        if before[0] != -1 or (before[1:] < 0).any() or (before[1:] >= np.arange(1, n)).any():
            raise InputError("parent must be -1 for bus 0, and for each other bus one with a smaller number")

    @property
    def worst(self) -> NDArray[np.float64]:
        """Of each bus the voltage that is farthest from 1 p.u."""
        worst: NDArray[np.float64] = np.where(1 - self.low >= self.high - 1, self.low, self.high)
        return worst

    @property
    def n_outside(self) -> int:
        """How many buses were below or above what is allowed in some hour."""
        return int(((self.low < self.limits[0]) | (self.high > self.limits[1])).sum())

    def name(self, bus: int) -> str:
        """What a bus is called."""
        return self.names[bus] if bus < len(self.names) else f"bus {bus}"


def feeder_map(feeder: FeederMap, *, title: str) -> str:
    """Draws the feeder: to the right by length of cable, each lateral in a row.

    Args:
        feeder: with its voltages.
        title: of the picture.

    Returns:
        An <svg> element.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.feeder_map import FeederMap, feeder_map
        >>> feeder = FeederMap(parent=np.array([-1, 0, 1]), length=np.array([0.0, 40, 40]),
        ...                    low=np.array([1.0, 0.97, 0.94]), high=np.array([1.0, 1.01, 1.02]))
        >>> feeder_map(feeder, title="a feeder").count("<title")
        4
    """
    metres, rows = tree_layout(np.asarray(feeder.parent), np.asarray(feeder.length, np.float64))
    low, high = min(float(rows.min()), 0.0), max(float(rows.max()), 0.0)
    row = min(_ROW, max(_LEAST, _TALLEST / (high - low + 1)))
    top = _LEGEND + _MARGIN - row * low
    bottom = top + row * high + _MARGIN
    x = Axis(0, max(float(metres.max()), 1e-9), _MARGIN + 8, WIDTH - _MARGIN)
    across, up = [x(value) for value in metres.tolist()], (top + row * rows).tolist()
    parts = []
    for bus, before in enumerate(np.asarray(feeder.parent).tolist()):
        if bus:
            ends: dict[str, Any] = {"x1": across[before], "y1": up[before], "x2": across[bus], "y2": up[bus]}
            parts.append(element("line", **ends, stroke="currentColor", stroke_opacity=0.45, stroke_width=1.2))
    radius = min(5.0, 0.15 * row + 1)
    parts += [_bus(feeder, bus, across[bus], up[bus], radius) for bus in range(1, len(across))]
    note = element("title", escape(f"{feeder.name(0)}, at the transformer"))
    parts.append(element("rect", note, x=across[0] - 6, y=up[0] - 6, width=12, height=12, fill="currentColor"))
    return picture(WIDTH, bottom + 40, title, [*parts, *_legend(feeder), *_metres(x, bottom)])


def _bus(feeder: FeederMap, bus: int, across: float, up: float, radius: float) -> str:
    """A circle; '' for a joint whose voltage is not known."""
    low, high, voltage = float(feeder.low[bus]), float(feeder.high[bus]), float(feeder.worst[bus])
    if not math.isfinite(voltage):
        return ""
    is_out = low < feeder.limits[0] or high > feeder.limits[1]
    note = element("title", escape(f"{feeder.name(bus)}: {low:.4f} to {high:.4f} p.u."))
    return element("circle", note, cx=across, cy=up, r=radius, **_paint(voltage, feeder, is_out))


def _paint(voltage: float, feeder: FeederMap, is_out: bool) -> dict[str, Any]:
    """The fill by distance from nominal, as a share of what is allowed; a red ring where that is passed."""
    room = 1 - feeder.limits[0] if voltage < 1 else feeder.limits[1] - 1
    share = min(abs(voltage - 1) / room, 1.0) if room > 0 else 1.0
    fill = {"fill": _LOW if voltage < 1 else _HIGH, "fill_opacity": 0.1 + 0.9 * share}
    ring = {"stroke": ALARM, "stroke_width": 2} if is_out else {"stroke": "currentColor", "stroke_opacity": 0.5}
    return {**fill, **ring}


def _legend(feeder: FeederMap) -> list[str]:
    low, high = feeder.limits
    parts, left = [], 10.0
    for value in (low, (1 + low) / 2, 1.0, (1 + high) / 2, high):
        parts.append(element("circle", cx=left, cy=10, r=6, **_paint(value, feeder, False)))
        parts.append(label(left + 10, 14, f"{value:.3f}", font_size=12))
        left += 57
    ring: dict[str, Any] = {"fill": "none", "stroke": ALARM, "stroke_width": 2}
    parts.append(element("circle", cx=left, cy=10, r=6, **ring))
    parts.append(label(left + 10, 14, "not allowed", font_size=12))
    parts.append(element("rect", x=4, y=26, width=12, height=12, fill="currentColor"))
    words = "transformer; circles: buses, by the voltage farthest from 1 p.u."
    parts.append(label(20, 36, words, font_size=12, length=70))
    return parts


def _metres(x: Axis, top: float) -> list[str]:
    """The axis of lengths."""
    line: dict[str, Any] = {"stroke": "currentColor", "stroke_opacity": 0.5}
    parts = [element("line", x1=x.start, x2=x.stop, y1=top, y2=top, **line)]
    values = x.ticks(5)
    for value, name in zip(values, tick_names(values), strict=True):
        at = x(value)
        parts.append(element("line", x1=at, x2=at, y1=top, y2=top + 4, **line))
        middle = min(at, WIDTH - 2 - 3.4 * len(name))
        parts.append(label(middle, top + 17, name, text_anchor="middle", fill_opacity=0.85, font_size=12))
    words = "m of cable from the transformer"
    parts.append(label((x.start + x.stop) / 2, top + 34, words, text_anchor="middle", fill_opacity=0.85, font_size=12))
    return parts
