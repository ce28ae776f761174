"""Figures of the trained network: its layers, their degrees, the strength of its inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from trulysparse.nn.mlp import SparseMLP
from trulysparse.report.bar_chart import bar_chart, binned, histogram
from trulysparse.report.connections import degrees
from trulysparse.report.heat_map import image
from trulysparse.report.network_diagram import network_diagram
from trulysparse.report.numbers import number, percent, size_of
from trulysparse.report.page import Figure, Table

_MOST_LAYERS, _MOST_NAMES = 4, 30


def network(net: SparseMLP) -> list[Figure]:
    """The network drawn, with a table of its layers."""
    rows = []
    for index, layer in enumerate(net.layers):
        last = len(net.chain) - 1
        kind = type(net.activation).__name__ if index < last else net.output if index == last else "none: skip layer"
        rows.append(
            [
                f"{index + 1}: {size_of(layer)}",
                f"{layer.n_connections:,}",
                percent(layer.connectivity.density),
                kind,
            ]
        )
    caption = (
        f"{net.n_connections:,} connections, {percent(net.density)} of a dense network's. At most 12 neurons of a "
        "layer are drawn, and connections in proportion to its density."
    )
    table = Table(["layer", "connections", "density", "activation"], rows)
    return [Figure("Drawn", network_diagram(net), caption), Figure("Layers", "", "", table)]


def degree_distributions(net: SparseMLP) -> list[Figure]:
    """How many neurons have how many connections, of the first and last layers."""
    n = len(net.layers)
    chosen = list(range(n)) if n <= _MOST_LAYERS else [*range(_MOST_LAYERS - 1), n - 1]
    figures = []
    for index in chosen:
        found = degrees(net.layers[index].connectivity)
        for values, side in ((found.inputs, "inputs"), (found.outputs, "outputs")):
            low, middle, high = int(values.min()), float(np.median(values)), int(values.max())
            counts, edges = binned(values, whole=True)
            caption = (
                f"From {low:,} to {high:,}, median {number(middle)}; "
                f"{np.count_nonzero(values == 0):,} neurons without {side}."
            )
            if found.is_part:
                caption += f" Of {len(values):,} neurons that stand for all."
            if n > len(chosen) and index == chosen[0] and side == "inputs":
                caption += f" {len(chosen)} of {n} layers are drawn."
            rows = [[_bin(a, b), f"{c:,}"] for c, a, b in zip(counts.tolist(), edges[:-1], edges[1:], strict=True) if c]
            svg = histogram(
                counts,
                edges,
                title=f"{side} per neuron of layer {index + 1}",
                x_label=f"{side} per neuron",
                y_label="neurons",
                whole=True,
                number_of_color=int(side == "outputs"),
            )
            figures.append(
                Figure(f"Layer {index + 1}: {side} per neuron", svg, caption, Table([side, "neurons"], rows))
            )
    return figures


def _bin(low: float, high: float) -> str:
    first, last = round(low + 0.5), round(high - 0.5)
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def input_importance(
    importance: ArrayLike,
    names: Sequence[str] | None,
    *,
    what: str = "Strength of an input: the sum of the absolute values of its outgoing weights.",
) -> list[Figure]:
    """The importance of each input: as an image where inputs make one, and the largest by name.

    Args:
        importance: (n_inputs,), at least 0.
        names: of the inputs, or None.
        what: what importance is, a sentence.

    Returns:
        The figures.
    """
    values = np.nan_to_num(np.asarray(importance, np.float64).ravel(), posinf=0.0)
    figures, shape = [], image_shape(len(values)) if names is None or are_pixels(names) else None
    if shape is not None:
        summed = values.reshape(shape).sum(axis=0)
        shade = summed / summed.max() if summed.max() > 0 else summed
        svg = image(shade, title="importance of each input, as an image")
        channels = " The three channels are added up." if shape[0] == 3 else ""
        caption = (
            f"The inputs as an image of {shape[1]} x {shape[2]}: the stronger the colour, the more important.{channels}"
        )
        figures.append(Figure("Map of the inputs", svg, caption))
    order = np.argsort(-values, kind="stable")[:_MOST_NAMES]
    shown = [_name(names, i) for i in order.tolist()]
    total = values.sum() or 1.0
    rows = [[name, number(values[i]), percent(float(values[i] / total))] for name, i in zip(shown, order, strict=True)]
    most = len(order) if shape is None else 12
    title = "Inputs by importance" if len(values) <= most else "The most important inputs"
    svg = bar_chart(shown[:most], values[order[:most]].tolist(), title=title)
    figures.append(Figure(title, svg, what, Table(["input", "importance", "share"], rows)))
    if len(values) > _MOST_NAMES:
        counts, edges = binned(values)
        svg = histogram(
            counts,
            edges,
            title="importance of all inputs",
            x_label="importance",
            y_label="inputs",
        )
        unused = int(np.count_nonzero(values == 0))
        caption = f"{len(values):,} inputs, of which {unused:,} have no importance at all." if unused else ""
        figures.append(Figure("All inputs", svg, caption))
    return figures


def _name(names: Sequence[str] | None, index: int) -> str:
    return str(names[index]) if names is not None and index < len(names) else f"input {index}"


def are_pixels(names: Sequence[str]) -> bool:
    """Whether names are those of an image's pixels, such as pixel_0_3, or numbers alone."""
    return all(str(name).lower().startswith(("pixel", "px")) or str(name).isdigit() for name in names)


def image_shape(n: int) -> tuple[int, int, int] | None:
    """(channels, rows, columns) of square images of n values, of one or three channels; None where there are none.

    Example:
        >>> from trulysparse.report.topology_figures import image_shape
        >>> image_shape(784), image_shape(3072), image_shape(10)
        ((1, 28, 28), (3, 32, 32), None)
    """
    for channels in (1, 3):
        side = math.isqrt(n // channels)
        if side >= 6 and side * side * channels == n:
            return channels, side, side
    return None
