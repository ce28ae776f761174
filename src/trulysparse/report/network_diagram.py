"""A network as a picture: its layers as columns of neurons, with some of their connections."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from trulysparse.nn.mlp import SparseMLP
from trulysparse.report.connections import sampled
from trulysparse.report.numbers import percent, short
from trulysparse.report.svg import WIDTH, color, element, escape, label, picture

HEIGHT = 300
_MOST_LAYERS, _MOST_NEURONS = 7, 12
_TOP, _BOTTOM = 46, 258
# Lines between two layers: as many as the density's share of these, between a least and a largest number.
_LINES, _FEWEST, _MOST = 140, 14, 110
_THEMES = (
    "svg{color:#1c2128}@media(prefers-color-scheme:dark){svg{color:#e6e9ec;--s1:#5aa9e6;--s2:#ff9a56;--s3:#3cc99a}}"
)


class _Column(NamedTuple):
    """A layer of neurons as it is drawn: None stands for layers that are left out."""

    number: int | None
    x: float


def network_diagram(net: SparseMLP, *, standalone: bool = False) -> str:
    """Draws a network: a column per layer, of at most twelve neurons that stand for all, and connections that it has,
    drawn at random: more lines where the layer is denser.

    Args:
        net: the network, of any storage.
        standalone: whether the picture brings its own text colour for light and dark, as a file of its own needs it.

    Returns:
        An <svg> element without anything from elsewhere.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.report import network_diagram
        >>> drawing = network_diagram(ts.SparseMLP((4, 8, 2), epsilon=2, seed=0))
        >>> drawing[:4], drawing.count("<circle")
        ('<svg', 14)
    """
    columns = _columns(len(net.layer_sizes))
    parts: list[str] = []
    for left, right in pairwise(columns):
        if left.number is not None and right.number is not None:
            parts += _connections(net, left.number, left.x, right.x)
        else:
            parts += _gap(left, right)
    for column in columns:
        if column.number is not None:
            parts += _neurons(net, column.number, column.x)
    if len(columns) <= len(net.layer_sizes) and any(column.number is None for column in columns):
        left_out = len(net.layer_sizes) - len(columns) + 1
        parts.append(label(next(c.x for c in columns if c.number is None), 156, f"{left_out}", text_anchor="middle"))
        parts.append(label(next(c.x for c in columns if c.number is None), 170, "more", text_anchor="middle"))
    title = (
        f"network of layers {net.sizes_text}: {net.n_connections:,} connections, {percent(net.density)} of the dense "
        "network's"
        + (f"; {net.skip_layer.n_connections:,} of them from the inputs straight to the outputs" if net.skip else "")
    )
    if standalone:
        parts.insert(0, element("style", _THEMES))
    return picture(WIDTH, HEIGHT, title, parts, style="max-width:100%;height:auto")


def _columns(n: int) -> list[_Column]:
    numbers: list[int | None] = list(range(n))
    if n > _MOST_LAYERS:
        numbers = [*range(_MOST_LAYERS - 3), None, n - 2, n - 1]
    step = (WIDTH - 80) / (len(numbers) - 1)
    return [_Column(number, 40 + step * place) for place, number in enumerate(numbers)]


def _height(place: float, shown: int) -> float:
    """Where neuron `place` of `shown` lies."""
    step = min((_BOTTOM - _TOP) / max(shown - 1, 1), 30.0)
    return (_TOP + _BOTTOM) / 2 + (place - (shown - 1) / 2) * step


def _connections(net: SparseMLP, number: int, x1: float, x2: float) -> list[str]:
    layer = net.layers[number]
    con = layer.connectivity
    rows, columns = sampled(con, int(np.clip(round(con.density * _LINES), _FEWEST, _MOST)))
    ends = []
    for index, n in ((columns, layer.n_in), (rows, layer.n_out)):
        shown = min(n, _MOST_NEURONS)
        ends.append([_height(place, shown) for place in (index * shown // n).tolist()])
    lines = sorted(set(zip(*ends, strict=True)))
    path = "".join(f"M{x1:.0f} {a:.0f}L{x2:.0f} {b:.0f}" for a, b in lines)
    width = 0.6 + 1.2 * float(con.density) ** 0.5
    drawn = [element("path", d=path, stroke=color(0), stroke_width=width, stroke_opacity=0.55, fill="none")]
    middle = (x1 + x2) / 2
    text: dict[str, Any] = {"text_anchor": "middle", "font_size": 11, "fill_opacity": 0.85}
    whole = element(
        "title", escape(f"{con.n_connections:,} connections, {percent(con.density)} of {con.n_in:,} x {con.n_out:,}")
    )
    named = element(
        "g",
        whole + label(middle, 14, short(con.n_connections), **text) + label(middle, 26, percent(con.density), **text),
    )
    return [*drawn, named]


def _gap(left: _Column, right: _Column) -> list[str]:
    """Dots in place of connections to layers that are not drawn."""
    x1, x2 = (left.x + 14, right.x - 18) if left.number is not None else (left.x + 18, right.x - 14)
    line: dict[str, Any] = {"stroke": "currentColor", "stroke_opacity": 0.4, "stroke_dasharray": "2 5"}
    return [element("line", x1=x1, x2=x2, y1=152.0, y2=152.0, **line)]


def _neurons(net: SparseMLP, number: int, x: float) -> list[str]:
    n, last = net.layer_sizes[number], len(net.layer_sizes) - 1
    shown = min(n, _MOST_NEURONS)
    name = "input" if number == 0 else "output" if number == last else f"hidden {number}"
    fill = color(1) if number == 0 else color(2) if number == last else color(0)
    parts = [
        element("circle", cx=x, cy=_height(place, shown), r=5, fill=fill, stroke="var(--ground,none)")
        for place in range(shown)
    ]
    note = element("title", escape(f"{name}: {n:,} neurons, {shown} drawn"))
    text = label(x, 278, short(n), text_anchor="middle", font_weight="bold")
    text += label(x, 293, name, text_anchor="middle", font_size=11, fill_opacity=0.85)
    return [element("g", [note, *parts, text])]
