"""Values in rows and columns as shades of one colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.report.numbers import number, shortened
from trulysparse.report.png import png_uri
from trulysparse.report.svg import WIDTH, color, element, escape, label, picture

# Tables of more rows are an image without numbers.
MOST_CELLS = 20


def heat_map(
    shade: NDArray[np.float64],
    names: Sequence[str],
    *,
    title: str,
    row_label: str,
    column_label: str,
    shown: Callable[[int, int], str] | None = None,
) -> str:
    """Draws a square table: cells with numbers where there is room for them, else an image.

    Args:
        shade: (n, n) in [0, 1].
        names: of the n rows and columns, or none.
        title: of the picture.
        row_label: what rows are.
        column_label: what columns are.
        shown: the text of cell (row, column); None: its shade.

    Returns:
        An <svg> element.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.heat_map import heat_map
        >>> heat_map(np.eye(2), ["a", "b"], title="t", row_label="true", column_label="predicted").count("<rect")
        4
    """
    n = len(shade)
    if n > MOST_CELLS:
        return image(shade, title=title, row_label=row_label, column_label=column_label)
    room = 9 if n <= 6 else 7
    longest = max((len(shortened(name, 14)) for name in names), default=0)
    left, top = 24 + 7.1 * longest, 40.0
    upright = n * 7.6 * min(longest, room) <= WIDTH - left - 6
    if not upright:
        top = 30 + 5.6 * longest
    side = min((WIDTH - left - 6) / n, 64.0)
    parts = [
        label(left + side * n / 2, 12, column_label, text_anchor="middle", fill_opacity=0.8, font_size=12),
        label(
            0,
            0,
            row_label,
            text_anchor="middle",
            fill_opacity=0.8,
            font_size=12,
            transform=f"translate(11 {top + side * n / 2:.1f}) rotate(-90)",
        ),
    ]
    size = 13 if side >= 32 else 10
    for i in range(n):
        middle = side * (i + 0.5)
        parts.append(label(left - 6, top + middle + 4, names[i], length=14, text_anchor="end"))
        if upright:
            parts.append(label(left + middle, top - 6, names[i], length=room, text_anchor="middle"))
        else:
            turned = f"translate({left + middle + 3:.1f} {top - 5:.1f}) rotate(-50)"
            parts.append(label(0, 0, names[i], length=14, transform=turned, font_size=12))
        for j in range(n):
            value = float(shade[i, j])
            text = number(round(value, 3)) if shown is None else shown(i, j)
            note = element("title", escape(f"{row_label} {names[i]}, {column_label} {names[j]}: {text}"))
            at: dict[str, Any] = {"x": left + side * j, "y": top + side * i}
            parts.append(
                element(
                    "rect",
                    note,
                    **at,
                    width=side - 1,
                    height=side - 1,
                    fill=color(0),
                    fill_opacity=0.04 + 0.96 * value if np.isfinite(value) else 0.0,
                )
            )
            if len(text) * size * 0.6 <= side:
                ink = "var(--ground,#fff)" if value > 0.5 else "currentColor"
                center: dict[str, Any] = {"x": left + side * (j + 0.5), "y": top + side * (i + 0.5) + size * 0.36}
                parts.append(
                    element(
                        "text",
                        escape(text),
                        **center,
                        text_anchor="middle",
                        font_size=size,
                        fill=ink,
                        pointer_events="none",
                        fill_opacity=None if value or text != "0" else 0.4,
                    )
                )
    return picture(WIDTH, top + side * n + 4, title, parts)


def image(
    shade: NDArray[np.float64], *, title: str, row_label: str = "", column_label: str = "", frame: bool = True
) -> str:
    """Draws values as an image, one pixel each.

    Args:
        shade: (rows, columns) in [0, 1].
        title: of the picture.
        row_label: what rows are.
        column_label: what columns are.
        frame: whether a line goes around it.

    Returns:
        An <svg> element.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.heat_map import image
        >>> image(np.eye(28), title="t").count("<image")
        1
    """
    rows, columns = shade.shape
    left, top = (22.0, 20.0) if row_label or column_label else (1.0, 1.0)
    scale = min((WIDTH - left - 4) / columns, 360 / rows)
    width, height = scale * columns, scale * rows
    left = max(left, (WIDTH - width) / 2)
    box: dict[str, Any] = {"x": left, "y": top, "width": width, "height": height}
    parts = [
        element("image", **box, href=png_uri(shade), preserveAspectRatio="none", style="image-rendering:pixelated"),
    ]
    if frame:
        parts.append(element("rect", **box, fill="none", stroke="currentColor", stroke_opacity=0.3))
    text: dict[str, Any] = {"text_anchor": "middle", "fill_opacity": 0.8, "font_size": 12}
    if column_label:
        parts.append(label(left + width / 2, 13, column_label, **text))
    if row_label:
        turned = f"translate({left - 8:.1f} {top + height / 2:.1f}) rotate(-90)"
        parts.append(label(0, 0, row_label, transform=turned, **text))
    return picture(WIDTH, top + height + 2, title, parts)
