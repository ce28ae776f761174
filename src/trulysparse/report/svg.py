"""Parts of SVG pictures, and axes to draw along.

Colours are CSS variables with a value to fall back on, so that a picture follows the theme of its page and stands alone
as well. Text has the colour of the text around the picture."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trulysparse.report.numbers import one_line, short, shortened

COLORS = ("#0068a8", "#c44e00", "#00795a", "#a3458c", "#7d6200", "#56616b")
"""Of the series of a chart, on a light ground; told apart by colour-blind readers too."""

ALARM = "var(--alarm,#a8001c)"
"""Of what readers must not take for an ordinary result."""

WIDTH = 400
"""Of pictures; texts stay readable where a phone shrinks them, and do not grow too large on a wide screen."""

DASHES = ("", "6 3", "2 3", "9 3 2 3")
"""Patterns of lines whose colours come again."""

# What XML cannot hold, not even escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LONGEST = 2000


def escape(text: Any) -> str:
    """Text that stands for itself in HTML and SVG.

    Args:
        text: anything; of very long texts the middle is left out.

    Returns:
        The text with <, >, & and quotes escaped, and without characters that XML cannot hold.

    Example:
        >>> from trulysparse.report.svg import escape
        >>> escape('<b a="1">')
        '&lt;b a=&quot;1&quot;&gt;'
    """
    text = str(text)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    return _escaped(text)


def _escaped(text: str) -> str:
    return html.escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text))


def color(number: int) -> str:
    """The colour of a series, counted from 0.

    Example:
        >>> from trulysparse.report.svg import color
        >>> color(0)
        'var(--s1,#0068a8)'
    """
    number %= len(COLORS)
    return f"var(--s{number + 1},{COLORS[number]})"


def element(name: str, content: str | Sequence[str] = "", **attributes: Any) -> str:
    """An element.

    Args:
        name: of the element.
        content: what is in it, escaped already.
        **attributes: an underscore stands for a hyphen; those that are None are left out, and their values are escaped.

    Returns:
        Its text.

    Example:
        >>> from trulysparse.report.svg import element
        >>> element("rect", x=1.0, width=2.345, stroke_width=1)
        '<rect x="1" width="2.35" stroke-width="1"/>'
    """
    content = content if isinstance(content, str) else "".join(content)
    text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{text}>{content}</{name}>" if content else f"<{name}{text}/>"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{round(value, 2) + 0.0:g}" if abs(value) < 1e5 else f"{value:.0f}"
    return _escaped(str(value))  # paths and images are long


def label(x: float, y: float, text: Any, *, length: int = 40, **attributes: Any) -> str:
    """Text at a point; where it is longer than `length` characters its middle is left out, and it is shown as a whole
    when pointed at.

    Example:
        >>> from trulysparse.report.svg import label
        >>> label(1, 2, "a<b", text_anchor="end")
        '<text x="1" y="2" text-anchor="end" fill="currentColor">a&lt;b</text>'
    """
    shown = shortened(text, length)
    whole = element("title", escape(text)) if shown != one_line(text) else ""
    return element(
        "text", whole + escape(shown), x=x, y=y, **{**attributes, "fill": attributes.get("fill", "currentColor")}
    )


def picture(width: float, height: float, title: str, parts: Sequence[str], *, style: str | None = None) -> str:
    """A whole picture, which takes the width there is.

    Args:
        width: in units of the parts.
        height: likewise.
        title: what it shows, for readers who cannot see it.
        parts: its elements, the lowest first.
        style: CSS of the picture itself.

    Returns:
        An <svg> element.

    Example:
        >>> from trulysparse.report.svg import picture
        >>> picture(10, 5, "nothing", [])[:56]
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 '
    """
    title = shortened(title, 300)
    return element(
        "svg",
        [element("title", escape(title)), *parts],
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        width=float(width),
        height=float(height),
        role="img",
        aria_label=title,
        font_family="system-ui, sans-serif",
        font_size=13,
        style=style,
    )


@dataclass(frozen=True)
class Axis:
    """A line along which values are drawn.

    Args:
        low: the value at `start`.
        high: the value at `stop`, above low.
        start: position in the picture.
        stop: likewise.
        log: whether equal ratios are equally far apart; low is above 0 then.

    Example:
        >>> from trulysparse.report.svg import Axis
        >>> axis = Axis(0, 10, 100, 200)
        >>> axis(2.5), axis.ticks(5)
        (125.0, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0])
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        # Halved first: the difference of the largest numbers would overflow.
        share = (value / 2 - low / 2) / (high / 2 - low / 2)
        return self.start + share * (self.stop - self.start)

    def ticks(self, wanted: int, *, whole: bool = False) -> list[float]:
        """About so many round values between low and high; whole: whole numbers only."""
        if self.log:
            lowest, highest = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            if highest > lowest:
                every = max(1, math.ceil((highest - lowest) / wanted))
                return [10.0**power for power in range(lowest, highest + 1, every)]
        raw = (self.high / 2 - self.low / 2) / wanted * 2
        power = 10.0 ** math.floor(math.log10(raw))
        step = next((power * factor for factor in (1, 2, 5) if raw <= power * factor * 1.0001), power * 10)
        if whole:
            step = max(1.0, round(step))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * count + 0.0 for count in range(first, last + 1)]


def spanning(values: Sequence[float], *, zero: bool = False, padding: float = 0.05) -> tuple[float, float]:
    """Ends of an axis that holds all of the values, which may be none.

    Example:
        >>> from trulysparse.report.svg import spanning
        >>> spanning([1.0, 3.0], padding=0.5), spanning([2.0])
        ((0.0, 4.0), (1.0, 3.0))
    """
    finite = [value for value in map(float, values) if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        # Around 0 the axis must not shrink to nothing.
        room = abs(high) / 2 or 1.0
        return (low, high + room) if zero and low == 0 else (low - room, high + room)
    room = padding * (high - low) if math.isfinite(high - low) else 0.0
    return (low if zero and low == 0 else low - room), high + room


def tick_names(values: Sequence[float]) -> list[str]:
    """Texts of ticks, with as many digits as it takes to tell them apart.

    Example:
        >>> from trulysparse.report.svg import tick_names
        >>> tick_names([0.0, 0.5, 1.0]), tick_names([5.3475, 5.35, 5.3525])
        (['0', '0.5', '1'], ['5.3475', '5.35', '5.3525'])
    """
    names = [short(value) for value in values]
    for digits in range(4, 10):
        if len(set(names)) == len(values) and all(
            abs(float(f"{value:.{digits - 1}g}") - value) <= 1e-3 * abs(values[-1] - values[0]) for value in values
        ):
            break
        names = [f"{value:.{digits}g}" for value in values]
    return names


def axes(x: Axis, y: Axis, x_label: str, y_label: str, *, whole: tuple[bool, bool] = (False, False)) -> list[str]:
    """Grid, ticks and names of two axes, y upwards (y.start below y.stop in value, above it in the picture).

    Args:
        x: the horizontal axis.
        y: the vertical axis.
        x_label: its name.
        y_label: its name.
        whole: whether ticks are whole numbers only, of each axis.

    Returns:
        Elements.

    Example:
        >>> from trulysparse.report.svg import Axis, axes
        >>> "epoch" in "".join(axes(Axis(0, 10, 50, 400), Axis(0, 1, 200, 20), "epoch", "loss"))
        True
    """
    grid: dict[str, Any] = {"stroke": "currentColor", "stroke_opacity": 0.15}
    text: dict[str, Any] = {"fill_opacity": 0.85, "font_size": 12}
    parts = []
    values = y.ticks(5, whole=whole[1])
    for value, name in zip(values, tick_names(values), strict=True):
        at = y(value)
        parts.append(element("line", x1=x.start, x2=x.stop, y1=at, y2=at, **grid))
        parts.append(label(x.start - 6, at + 4, name, text_anchor="end", **text))
    values = x.ticks(5, whole=whole[0])
    for value, name in zip(values, tick_names(values), strict=True):
        at = x(value)
        parts.append(
            element("line", x1=at, x2=at, y1=y.start, y2=y.start + 4, stroke="currentColor", stroke_opacity=0.5)
        )
        # The last one stays within the picture.
        middle = min(at, x.stop + 11 - 3.4 * len(name))
        parts.append(label(middle, y.start + 17, name, text_anchor="middle", **text))
    parts.append(
        element("line", x1=x.start, x2=x.stop, y1=y.start, y2=y.start, stroke="currentColor", stroke_opacity=0.5)
    )
    parts.append(label((x.start + x.stop) / 2, y.start + 34, x_label, text_anchor="middle", **text))
    parts.append(label(2, y.stop - 9, y_label, **text))
    return parts
