"""How long each layer takes for a batch, forward and backward."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from trulysparse._core import checks
from trulysparse._core.random import generator
from trulysparse.errors import InputError
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.passes import COLUMNS


class LayerTime(NamedTuple):
    """Seconds that a layer takes for a batch.

    Args:
        forward: of the forward pass.
        backward: of the backward pass: the gradients along connections and biases and, but for the first layer, at the
            input.

    Example:
        >>> from trulysparse import analysis
        >>> analysis.LayerTime(forward=0.001, backward=0.002).backward
        0.002
    """

    forward: float
    backward: float


def layer_times(net: SparseMLP, *, samples: int = COLUMNS, repeats: int = 5, budget: float = 0.3) -> list[LayerTime]:
    """Measures each layer's passes on normally distributed samples. Weights and topology stay as they are.

    The backward pass fills gradients in an array along the connections, 4 or 8 bytes each, one layer at a time.

    Args:
        net: the network.
        samples: per batch, at least 1; the kernels take multiples of 8 to 16, so that fewer take as long.
        repeats: of which the median is taken, at least 1; fewer once the budget is spent.
        budget: seconds, above 0, that measuring may take beyond one pass of each layer, which warms up.

    Returns:
        The times of each layer.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> times = analysis.layer_times(ts.SparseMLP((10, 20, 3), epsilon=2, seed=0))
        >>> len(times), all(time.forward > 0 and time.backward > 0 for time in times)
        (2, True)
    """
    checks.integer("samples", samples, low=1)
    checks.integer("repeats", repeats, low=1)
    if not checks.real("budget", budget, low=0) > 0:
        raise InputError(f"budget must be above 0, not {budget}")
    net.check_layers()
    signals = net.workspace().signals(samples, 1.0)
    values = signals[0].values
    values[:] = generator(0, "layer times").standard_normal(values.shape, np.float32)
    each = budget / (2 * len(net.layers))
    forward, backward = [], []
    for number, layer in enumerate(net.layers):
        layer.fetch()
        x, y = _ends(net, number, signals)
        forward.append(_median(partial(layer.forward, x, y, 0, net.threads), repeats, each))
        layer.release()
    for number in reversed(range(len(net.layers))):
        layer, (x, y) = net.layers[number], _ends(net, number, signals)
        layer.fetch()
        dy, dx = np.zeros_like(y.values), np.empty_like(x.values) if x is not signals[0] else None
        into = layer.new_gradient()
        backward.append(_median(partial(layer.gradients, dy, x, dx, net.threads, into), repeats, each))
        layer.release()
    return [LayerTime(*pair) for pair in zip(forward, reversed(backward), strict=True)]


def _ends(net: SparseMLP, number: int, signals: list[Activations]) -> tuple[Activations, Activations]:
    """What layer `number` reads and writes."""
    return (signals[number], signals[number + 1]) if number < len(net.chain) else (signals[0], signals[-1])


def _median(call: Callable[[], object], repeats: int, budget: float) -> float:
    """The median of the seconds that a call takes."""
    began = time.perf_counter()
    call()
    times = [time.perf_counter() - began]
    if times[0] < budget:
        times, began = [], time.perf_counter()
        while len(times) < repeats and time.perf_counter() - began < budget:
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return statistics.median(times)
