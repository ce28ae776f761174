"""How fast this machine trains: seconds per connection and neuron, measured on two layers that no cache holds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import HELD, empty
from trulysparse.connectivity import TiledConnectivity
from trulysparse.nn.activations_buffer import Activations, bit_bytes
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.optim import OptimizerState
from trulysparse.optim.sgd import SGD

# Neurons of the measured layers and bytes of their activations, at least: more than any cache holds.
MIN_NEURONS, MIN_BYTES = 1 << 20, 128 << 20


@dataclass(frozen=True)
class Rates:
    """Rates of large layers: seconds per connection and per output neuron forward, per connection and per input neuron
    backward, and per connection of an evolution."""

    forward: tuple[float, float]
    backward: tuple[float, float]
    evolution: float


@lru_cache(maxsize=32)
def measured_rates(batch_size: int, weights: str, signals: str, n_slots: int, threads: int) -> Rates:
    """Rates of the tiled kernels on this machine, from two layers: one and four connections per neuron. weights,
    signals: types, 'float32' or 'bfloat16'. n_slots: of the optimizer, per parameter. Takes about a second."""
    stride = int(_kernels.padded_batch(batch_size))
    kind = HELD[signals]
    n = max(MIN_NEURONS, MIN_BYTES // (stride * kind.itemsize))
    times = [_time_layer(n, per_neuron * n, stride, weights, kind, n_slots, threads) for per_neuron in (1, 4)]

    def solve(stage: int) -> tuple[float, float]:
        one, four = times[0][stage], times[1][stage]
        connection = max(0.0, (four - one) / (3 * n))
        return connection, max(0.0, one / n - connection)

    return Rates(solve(0), solve(1), times[1][2] / (4 * n))


def _time_layer(
    n: int, count: int, stride: int, weights: str, kind: np.dtype[np.generic], n_slots: int, threads: int
) -> tuple[float, float, float]:
    """Seconds of a forward pass, a backward pass with update, and an evolution of a layer n x n."""
    con = TiledConnectivity.draw(n, n, count, seed=0, threads=threads)
    values, bias = empty(count, HELD[weights]), empty(n, HELD[weights])
    values.fill(0)
    bias.fill(0)
    activation = _kernels.Activation.LEAKY, -0.5
    layer = TiledLayer(con, values, bias, activation)
    optimizer = SGD(1e-9, momentum=0.9 if n_slots else 0.0)
    state = layer.new_state(optimizer) if n_slots else OptimizerState([], [])
    arrays = [empty(n * stride, np.dtype(kind)).reshape(n, stride) for _ in range(2)]
    for array in arrays:
        array.fill(0)
    bits = [np.zeros(bit_bytes(n, stride, True), np.uint8) for _ in range(2)]
    x, y = (Activations(v, activation, b) for v, b in zip(arrays, bits, strict=True))
    rule = optimizer.rule(0, 0, None)
    forward, backward = [], []
    for _ in range(3):
        began = time.perf_counter()
        layer.forward(x, y, 0, threads)
        between = time.perf_counter()
        layer.backward(y.values, x, x.values, state, rule, threads)
        forward.append(between - began)
        backward.append(time.perf_counter() - between)
    _kernels.draw_weights(layer.values, _kernels.Draw.UNIFORM, 1.0, 1, threads)
    began = time.perf_counter()
    keep_mask = np.empty(count, np.uint8)
    _kernels.keep_by_sign_magnitude(layer.values, 0.3, keep_mask, threads)
    layer.evolve(keep_mask, count - int(np.count_nonzero(keep_mask)), WeightInit(), (1, 2), state, threads)
    return sorted(forward)[1], sorted(backward)[1], time.perf_counter() - began
