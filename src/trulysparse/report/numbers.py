"""Numbers and names as tables and axes show them."""

from __future__ import annotations

import math
import re
from typing import Any, SupportsFloat

MISSING = "\N{EN DASH}"
"""What stands where there is no number."""

_SPACES = re.compile(r"[ \t\r\n\f\v]+")
_STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def number(value: Any) -> str:
    """A number for a table: whole ones with thousands separators, others with four significant digits.

    Args:
        value: a number, or anything else, which is shown as it stands; None and NaN: a dash.

    Returns:
        The text.

    Example:
        >>> from trulysparse.report.numbers import number
        >>> [number(value) for value in (1234567, 0.98765, 12345.6, 2.0, 1.5e-7, float("nan"))]
        ['1,234,567', '0.9877', '12,346', '2', '1.5e-07', '–']
    """
    if value is None:
        return MISSING
    if isinstance(value, bool | str) or not isinstance(value, SupportsFloat):
        return str(value)
    return _real(float(value))


def _real(real: float) -> str:
    if not math.isfinite(real):
        return MISSING if math.isnan(real) else ("∞" if real > 0 else "-∞")
    if real == round(real) and abs(real) < 1e15:
        return f"{round(real):,}"
    if abs(real) >= 1000:
        return f"{real:,.0f}" if abs(real) < 1e15 else f"{real:.3e}"
    return f"{real:.4g}"


def short(value: float) -> str:
    """A number for an axis or a label in a picture, in few characters.

    Args:
        value: the number.

    Returns:
        The text: from ten thousand on with k, M, B or T.

    Example:
        >>> from trulysparse.report.numbers import short
        >>> [short(value) for value in (0.25, 1000, 12_500, 3_000_000, 0.00001)]
        ['0.25', '1,000', '12.5k', '3M', '1e-05']
    """
    if not math.isfinite(value):
        return number(value)
    if abs(value) >= 1e4:
        for step, letter in _STEPS:
            if abs(value) >= 0.9995 * step:
                return f"{value / step:.3g}{letter}" if abs(value) < 1e15 else f"{value:.3g}"
    if value == round(value):
        return f"{round(value):,}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """A share for a table.

    Args:
        share: usually in [0, 1].

    Returns:
        As 12.3 %, small ones with two significant digits.

    Example:
        >>> from trulysparse.report.numbers import percent
        >>> [percent(share) for share in (1, 0.1234, 0.00123)]
        ['100 %', '12.3 %', '0.12 %']
    """
    if not math.isfinite(share):
        return MISSING
    value = round(100 * share, 9)
    if value == round(value):
        return f"{value:.0f} %"
    return f"{value:.1f} %" if abs(value) >= 1 else f"{value:.2g} %"


def size_of(layer: Any) -> str:
    r"""The inputs and outputs of a layer, held together on one line.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.report.numbers import size_of
        >>> size_of(ts.SparseMLP((1000, 20), epsilon=1).layers[0]) == "1,000\xa0x\xa020"
        True
    """
    return f"{layer.n_in:,}\N{NO-BREAK SPACE}x\N{NO-BREAK SPACE}{layer.n_out:,}"


def one_line(text: Any) -> str:
    """A text without line breaks or runs of spaces; spaces that hold words together stay.

    Example:
        >>> from trulysparse.report.numbers import one_line
        >>> one_line(" a  b\\n c")
        'a b c'
    """
    return _SPACES.sub(" ", str(text)).strip(" ")


def shortened(text: Any, length: int) -> str:
    """A name of at most so many characters, its middle left out where it is longer.

    Args:
        text: the name.
        length: at least 3.

    Returns:
        The name; where shortened, with … in place of its middle.

    Example:
        >>> from trulysparse.report.numbers import shortened
        >>> shortened("blood_pressure_systolic_mmHg", 15)
        'blood_p…ic_mmHg'
    """
    name = one_line(text)
    if len(name) <= length:
        return name
    tail = (length - 1) // 2
    return f"{name[: length - 1 - tail]}…{name[-tail:]}"
