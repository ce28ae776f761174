"""A feeder seen from above: cables, and buses coloured by the voltage that is farthest from nominal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError
from trulysparse.report.svg import ALARM, WIDTH, color, element, escape, label, picture

_LEGEND, _MARGIN, _TALLEST, _SHORTEST = 42, 12, 460, 90
_LOW, _HIGH = color(1), color(0)  # below nominal orange, above it blue


@dataclass(frozen=True, kw_only=True)
class FeederMap:
    """A feeder and what its voltages came to.

    Args:
        x: (buses,), positions from left to right, in any unit.
        y: (buses,), from the bottom to the top, in the same unit.
        lines: (lines, 2), numbers of the buses at both ends.
        low: (buses,), lowest voltage of all hours, p.u.; NaN where there is none.
        high: (buses,), the highest one.
        source: number of the bus at the transformer.
        names: of the buses; none: their numbers.
        limits: what is allowed, p.u.

    Raises:
        InputError: where the arrays do not fit one another.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.feeder_map import FeederMap
        >>> feeder = FeederMap(x=np.arange(3.0), y=np.zeros(3), lines=np.array([[0, 1], [1, 2]]),
        ...                    low=np.array([1.0, 0.97, 0.94]), high=np.array([1.0, 1.01, 1.02]))
        >>> feeder.worst.tolist(), feeder.n_outside
        ([1.0, 0.97, 0.94], 1)
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    lines: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    source: int = 0
    names: Sequence[str] = field(default_factory=list)
    limits: tuple[float, float] = (0.95, 1.05)

    def __post_init__(self) -> None:
        n = len(self.x)
        if not n or any(len(each) != n for each in (self.y, self.low, self.high)):
            raise InputError(f"a map needs x, y, low and high of the same buses, at least one, not of {n}")
        if len(self.lines) and (self.lines.min() < 0 or self.lines.max() >= n):
            raise InputError(f"lines must hold numbers of buses, 0 to {n - 1}, not {self.lines.max()}")

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
    """Draws the feeder.

    Args:
        feeder: with its voltages.
        title: of the picture.

    Returns:
        An <svg> element.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.feeder_map import FeederMap, feeder_map
        >>> feeder = FeederMap(x=np.arange(3.0), y=np.zeros(3), lines=np.array([[0, 1], [1, 2]]),
        ...                    low=np.array([1.0, 0.97, 0.94]), high=np.array([1.0, 1.01, 1.02]))
        >>> feeder_map(feeder, title="a street").count("<circle")
        3
    """
    across, up, height = _places(feeder)
    parts = []
    for a, b in feeder.lines.tolist():
        ends: dict[str, Any] = {"x1": across[a], "y1": up[a], "x2": across[b], "y2": up[b]}
        parts.append(element("line", **ends, stroke="currentColor", stroke_opacity=0.45, stroke_width=1.2))
    radius = 5.0 if len(across) <= 60 else 4.0 if len(across) <= 160 else 3.2
    worst = feeder.worst.tolist()
    for bus, voltage in enumerate(worst):
        if bus == feeder.source:
            continue
        if not math.isfinite(voltage):
            continue  # a joint: its lines are drawn
        low, high = float(feeder.low[bus]), float(feeder.high[bus])
        note = element("title", escape(f"{feeder.name(bus)}: {low:.4f} to {high:.4f} p.u."))
        is_out = low < feeder.limits[0] or high > feeder.limits[1]
        parts.append(element("circle", note, cx=across[bus], cy=up[bus], r=radius, **_paint(voltage, feeder, is_out)))
    side = 2 * radius + 3
    at: dict[str, Any] = {"x": across[feeder.source] - side / 2, "y": up[feeder.source] - side / 2}
    note = element("title", escape(f"{feeder.name(feeder.source)}: transformer"))
    parts.append(element("rect", note, **at, width=side, height=side, fill="currentColor"))
    return picture(WIDTH, height, title, [*parts, *_legend(feeder)])


def _paint(voltage: float, feeder: FeederMap, is_out: bool) -> dict[str, Any]:
    """The fill by distance from nominal, as a share of what is allowed; a red ring where that is passed."""
    room = 1 - feeder.limits[0] if voltage < 1 else feeder.limits[1] - 1
    share = min(abs(voltage - 1) / room, 1.0) if room > 0 else 1.0
    fill = {"fill": _LOW if voltage < 1 else _HIGH, "fill_opacity": 0.1 + 0.9 * share}
    ring = {"stroke": ALARM, "stroke_width": 2} if is_out else {"stroke": "currentColor", "stroke_opacity": 0.5}
    return {**fill, **ring}


def _places(feeder: FeederMap) -> tuple[list[float], list[float], float]:
    """Positions in the picture, and its height; a feeder that is higher than wide is turned by a right angle."""
    x, y = np.asarray(feeder.x, np.float64), np.asarray(feeder.y, np.float64)
    if np.ptp(y) > np.ptp(x):
        x, y = y, -x
    wide, high = max(float(np.ptp(x)), 1e-9), float(np.ptp(y))
    scale = min((WIDTH - 2 * _MARGIN) / wide, (_TALLEST - 2 * _MARGIN) / max(high, 1e-9))
    drawn = scale * high
    top = _LEGEND + _MARGIN + max(0.0, (_SHORTEST - drawn) / 2)
    left = (WIDTH - scale * wide) / 2
    across = left + scale * (x - x.min())
    up = top + scale * (y.max() - y)
    return across.tolist(), up.tolist(), _LEGEND + 2 * _MARGIN + max(drawn, _SHORTEST)


def _legend(feeder: FeederMap) -> list[str]:
    low, high = feeder.limits
    values = [low, (1 + low) / 2, 1.0, (1 + high) / 2, high]
    parts, left = [], 10.0
    for value in values:
        parts.append(element("circle", cx=left, cy=10, r=6, **_paint(value, feeder, False)))
        parts.append(label(left + 10, 14, f"{value:.3f}", font_size=12))
        left += 57
    ring: dict[str, Any] = {"fill": "none", "stroke": ALARM, "stroke_width": 2}
    parts.append(element("circle", cx=left, cy=10, r=6, **ring))
    parts.append(label(left + 10, 14, "not allowed", font_size=12))
    parts.append(element("rect", x=4, y=26, width=12, height=12, fill="currentColor"))
    parts.append(
        label(20, 36, "transformer; circles: buses, by the voltage farthest from 1 p.u.", font_size=12, length=70)
    )
    return parts
