"""Points in a plane; where there are many, how many lie where."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.report.numbers import number
from trulysparse.report.png import png_uri
from trulysparse.report.svg import Axis, axes, color, element, escape, picture, spanning

WIDTH, HEIGHT = 440, 330
MOST_POINTS = 600
_CELLS = 64


def scatter(
    x: NDArray[np.float64], y: NDArray[np.float64], *, title: str, x_label: str, y_label: str, diagonal: bool = True
) -> str:
    """Draws pairs of values: as points, or as shades of squares where there are more than some hundred.

    Args:
        x: (n,), finite.
        y: (n,), finite.
        title: of the picture.
        x_label: what x is.
        y_label: what y is.
        diagonal: whether both axes are the same, and the line of equal values is drawn.

    Returns:
        An <svg> element.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.scatter import scatter
        >>> scatter(np.arange(5.0), np.arange(5.0), title="t", x_label="true", y_label="predicted").count("<circle")
        5
    """
    ends = [spanning([*_ends(x), *_ends(y)])] * 2 if diagonal else [spanning(_ends(x)), spanning(_ends(y))]
    across, up = Axis(*ends[0], 52, WIDTH - 12), Axis(*ends[1], HEIGHT - 40, 22)
    parts = axes(across, up, x_label, y_label)
    if diagonal:
        line: dict[str, Any] = {"x1": across.start, "y1": up.start, "x2": across.stop, "y2": up.stop}
        parts.append(element("line", **line, stroke="currentColor", stroke_opacity=0.6, stroke_dasharray="4 4"))
    if len(x) <= MOST_POINTS:
        for a, b in zip(x.tolist(), y.tolist(), strict=True):
            note = element("title", escape(f"{x_label} {number(a)}, {y_label} {number(b)}"))
            parts.append(element("circle", note, cx=across(a), cy=up(b), r=3, fill=color(0), fill_opacity=0.55))
    else:
        counts, _, _ = np.histogram2d(y, x, _CELLS, [ends[1], ends[0]])
        shade = np.where(counts > 0, 0.12 + 0.88 * np.sqrt(counts / max(counts.max(), 1)), 0)[::-1]
        box: dict[str, Any] = {
            "x": across.start,
            "y": up.stop,
            "width": across.stop - across.start,
            "height": up.start - up.stop,
        }
        image = element(
            "image", **box, href=png_uri(shade), preserveAspectRatio="none", style="image-rendering:pixelated"
        )
        parts.insert(0, image)
    return picture(WIDTH, HEIGHT, title, parts)


def _ends(values: NDArray[np.float64]) -> list[float]:
    return [float(values.min()), float(values.max())] if len(values) else []
