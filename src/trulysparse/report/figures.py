"""Figures of training and of a topology. Each function returns a matplotlib figure, or None where there is nothing to
show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trulysparse.analysis import in_degrees, out_degrees
from trulysparse.errors import MissingExtraError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.training.history import Record


def new_figure(width: float = 6.4, height: float = 3.6) -> Any:
    """An empty figure, drawn without a display.

    Args:
        width: in inches.
        height: in inches.

    Returns:
        A matplotlib figure.

    Raises:
        MissingExtraError: where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("a report", "matplotlib", "analysis") from None
    return Figure(figsize=(width, height), layout="constrained")


def curves(records: Sequence[Record], names: Sequence[str], label: str) -> Any:
    """Values of the records against the epoch: one line per name, or one per layer where values are lists.

    Args:
        records: of the epochs, as History.records.
        names: of the values; those that no record has are left out.
        label: of the vertical axis.

    Returns:
        A matplotlib figure, or None where no record has any of the names.
    """
    figure = new_figure()
    axes = figure.add_subplot(xlabel="epoch", ylabel=label)
    drawn = 0
    for name in names:
        points = [(r["epoch"], r[name]) for r in records if r.get(name) is not None]
        if not points:
            continue
        epochs, values = zip(*points, strict=True)
        if isinstance(values[0], list):
            for layer in range(len(values[0])):
                axes.plot(
                    epochs, [np.nan if v[layer] is None else v[layer] for v in values], label=f"layer {layer + 1}"
                )
        else:
            axes.plot(epochs, values, label=name)
        drawn += 1
    if not drawn:
        return None
    axes.legend()
    return figure


def degrees(net: SparseMLP) -> Any:
    """How many neurons have how many connections, layer by layer, on both sides.

    Args:
        net: the network.

    Returns:
        A matplotlib figure.
    """
    figure = new_figure(6.4, 1.2 + 2.0 * len(net.layers))
    for number, layer in enumerate(net.layers):
        con = layer.connectivity
        sides = ("inputs per neuron", in_degrees(con)), ("outputs per neuron", out_degrees(con))
        for side, (title, values) in enumerate(sides):
            axes = figure.add_subplot(len(net.layers), 2, 2 * number + side + 1, title=f"layer {number + 1}: {title}")
            axes.hist(values, bins=min(50, max(1, int(values.max()) + 1)), color="C0")
            axes.set_yscale("symlog")
    return figure


def input_degrees(net: SparseMLP) -> Any:
    """How many connections each input feature has: an image where the features make a square (of one or three
    channels), else the features in descending order.

    Args:
        net: the network.

    Returns:
        A matplotlib figure.
    """
    degree = out_degrees(net.layers[0].connectivity)
    figure = new_figure(4.0, 3.6)
    for channels in (1, 3):
        side = math.isqrt(len(degree) // channels)
        if side > 3 and side * side * channels == len(degree):
            axes = figure.add_subplot(title="connections of each input")
            image = axes.imshow(degree.reshape(channels, side, side).sum(axis=0), cmap="viridis")
            figure.colorbar(image)
            axes.axis("off")
            return figure
    axes = figure.add_subplot(xlabel="feature, by rank", ylabel="connections")
    axes.plot(np.sort(degree)[::-1])
    return figure
