"""Pictures of training and of a topology. Each function returns a matplotlib figure, or None where there is nothing to
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
    """An empty figure, drawn without a display."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("a report", "matplotlib", "analysis") from None
    return Figure(figsize=(width, height), layout="constrained")


def curves(records: Sequence[Record], names: Sequence[str], label: str) -> Any:
    """Figures of the records against the epoch: one line each, or one a layer where they are lists."""
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
    """How many neurons have how many connections, layer by layer, on both sides."""
    figure = new_figure(6.4, 1.2 + 2.0 * len(net.layers))
    for number, layer in enumerate(net.layers):
        for side, (title, values) in enumerate(
            (("inputs a neuron", in_degrees(layer.connectivity)), ("outputs a neuron", out_degrees(layer.connectivity)))
        ):
            axes = figure.add_subplot(len(net.layers), 2, 2 * number + side + 1, title=f"layer {number + 1}: {title}")
            axes.hist(values, bins=min(50, max(1, int(values.max()) + 1)), color="C0")
            axes.set_yscale("symlog")
    return figure


def input_importance(net: SparseMLP) -> Any:
    """How many connections leave each input feature: a picture where the features make a square (of one or three
    channels), else the features in descending order."""
    used = out_degrees(net.layers[0].connectivity)
    figure = new_figure(4.0, 3.6)
    for channels in (1, 3):
        side = math.isqrt(len(used) // channels)
        if side > 3 and side * side * channels == len(used):
            axes = figure.add_subplot(title="connections from each input")
            image = axes.imshow(used.reshape(channels, side, side).sum(axis=0), cmap="viridis")
            figure.colorbar(image)
            axes.axis("off")
            return figure
    axes = figure.add_subplot(xlabel="feature, by rank", ylabel="connections")
    axes.plot(np.sort(used)[::-1])
    return figure
