"""What a network and its training will need, before anything is allocated: bytes by part, seconds a step from rates
measured on this machine, and the settings that fit it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import HELD, empty
from trulysparse.connectivity import TiledConnectivity, epsilon_counts
from trulysparse.connectivity.tiled import tile_shift
from trulysparse.errors import InputError
from trulysparse.nn import memory_use
from trulysparse.nn.activations_buffer import Activations, bit_bytes, largest_batch
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.storage import StorageConfig, activation_types
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.optim import SGD, Optimizer, OptimizerState

# The interpreter, the libraries and the batch on its way in.
BASE_BYTES = 150 << 20
# Samples that validation predicts at a time.
PREDICTED = 256


@dataclass(frozen=True)
class PlanRequest:
    """A network and how it is trained; the arguments of SparseMLP and Trainer of the same names."""

    layer_sizes: tuple[int, ...]
    epsilon: float
    batch_size: int = 32
    storage: str = "compact"
    weights: str = "bfloat16"
    signals: str = "bfloat16"
    optimizer: Optimizer = field(default_factory=lambda: SGD(momentum=0.0))
    recompute: int = 1
    on_disk: bool = False

    @property
    def storage_config(self) -> StorageConfig:
        """The storage_config, as if in memory."""
        return StorageConfig.create(self.storage, self.weights, self.signals, None, "float32")


@dataclass(frozen=True)
class Plan:
    """Bytes by part, what of them is in memory at the peak of training and what on disk, and seconds a step."""

    setting: PlanRequest
    connections: int
    neurons: int
    parts: dict[str, int]
    resident: int
    disk: int
    seconds: dict[str, float]

    @property
    def moved(self) -> int:
        """Bytes that a step moves to and from the disk where layers live there; `seconds` leaves that time out."""
        if not self.disk:
            return 0
        read = sum(self.parts[name] for name in ("connectivity", "weights", "biases"))
        changed = self.parts["weights"] + self.parts["biases"] + self.parts["optimizer state"]
        return int(read * (3 - 1 / self.setting.recompute)) + changed + self.parts["optimizer state"]

    @property
    def step_seconds(self) -> float:
        """Of one update."""
        return self.seconds["forward"] + self.seconds["backward and update"]


def plan(setting: PlanRequest, *, threads: int | None = None, measure: bool = True) -> Plan:
    """The plan for a setting. measure: take rates on this machine (a second); else seconds are 0."""
    sizes = tuple(checks.integer(f"layers[{i}]", n, low=1) for i, n in enumerate(setting.layer_sizes))
    if len(sizes) < 2:
        raise InputError(f"layers must name at least an input and an output layer, not {sizes}")
    checks.integer("batch_size", setting.batch_size, low=1)
    checks.integer("recompute", setting.recompute, low=1)
    counts = epsilon_counts(sizes, checks.real("epsilon", setting.epsilon, low=0, low_open=True))
    storage_config, optimizer = setting.storage_config, setting.optimizer
    network = memory_use.network_parts(sizes, counts, storage_config)
    training = memory_use.training_parts(
        sizes,
        sum(counts),
        setting.batch_size,
        optimizer.n_slots,
        storage_config,
        state=optimizer.state,
        every=setting.recompute,
    )
    threads = checks.thread_count(threads)
    training |= _scratch(sizes, counts, setting, threads)
    parts = {**network, **training, "base": BASE_BYTES}
    scratch = parts.pop("scratch")
    # While the network is made there are no activations yet; evolution, a layer at a time, needs less than making it.
    stored = network["connectivity"] + network["weights"] + network["biases"] + training["optimizer state"]
    disk = 0
    ordered = training["rows in order"]
    at_rest, at_work = stored, sum(training.values()) - training["optimizer state"] - ordered
    types = activation_types(storage_config, len(sizes))
    batch = largest_batch(sizes, types, PREDICTED)
    parts["predictions"] = 2 * batch * max(n * kind.itemsize for n, kind in zip(sizes, types, strict=True))
    if setting.on_disk:
        largest = max(range(len(counts)), key=counts.__getitem__)
        share = counts[largest] / max(1, sum(counts))
        # What changes has a spare; the layer that evolves is there twice.
        disk = stored + network["weights"] + network["biases"] + training["optimizer state"]
        disk += (memory_use.TILE_BYTES + 2 * HELD[storage_config.weights].itemsize) * max(counts)
        at_rest = int(2 * share * disk)  # the layer at work and the one that is read ahead
    evolving = (memory_use.TILE_BYTES + HELD[storage_config.weights].itemsize + 1) * max(counts) + scratch // 2
    resident = BASE_BYTES + at_rest + max(at_work + max(evolving, ordered, parts["predictions"]), scratch)
    seconds = _seconds(sizes, counts, setting, threads) if measure else dict.fromkeys(_STAGES, 0.0)
    return Plan(setting, sum(counts), sum(sizes[1:]), parts, resident, disk, seconds)


def best_setting(setting: PlanRequest, free: int) -> PlanRequest | None:
    """The setting nearest to the given one that needs at most `free` bytes of memory, or None: first other types, then
    activations computed again, then smaller batches, then layers on disk."""
    for on_disk in (False, True):
        batch = setting.batch_size
        while batch >= 1:
            for recompute in (1, 2, 3, 4):
                for precision in dict.fromkeys((setting.weights, "bfloat16")):
                    tried = replace(
                        setting,
                        storage="compact",
                        weights=precision,
                        signals=precision,
                        batch_size=batch,
                        recompute=max(recompute, setting.recompute),
                        on_disk=on_disk or setting.on_disk,
                    )
                    if plan(tried, measure=False).resident <= free:
                        return tried
            batch //= 2
    return None


def largest_batch_size(setting: PlanRequest, free: int) -> int:
    """The largest of the setting's batch size, doubled and doubled again, that needs at most `free` bytes of memory."""
    batch = setting.batch_size
    while batch < 1 << 20 and plan(replace(setting, batch_size=2 * batch), measure=False).resident <= free:
        batch *= 2
    return batch


_STAGES = ("forward", "backward and update", "evolution")


def _scratch(sizes: Sequence[int], counts: Sequence[int], setting: PlanRequest, threads: int) -> dict[str, int]:
    """What the compact kernels take for a while: sums of blocks, and rows that are brought into order."""
    sums = ordered = 0
    few = _kernels.FEW_BLOCKS
    stride, item = int(_kernels.padded_batch(setting.batch_size)), HELD[setting.signals].itemsize
    for (a, b), count in zip(pairwise(sizes), counts, strict=True) if setting.storage == "compact" else ():
        shift = tile_shift(a, b, count)
        for n in (a, b):  # few blocks are cut into parts, with sums each
            blocks = ((n - 1) >> shift) + 1
            sums = max(sums, min(n, 1 << shift) * (threads if blocks >= few else few + blocks) * stride * 4)
        if stride * item <= _kernels.ORDERED_BYTES and min(a, b) > few << shift:
            ordered = max(ordered, count * stride * item)
    return {"sums of blocks": sums, "rows in order": ordered}


@dataclass(frozen=True)
class Rates:
    """Seconds a connection and a neuron of a large layer, forward and backward; seconds a connection of evolution."""

    forward: tuple[float, float]
    backward: tuple[float, float]
    evolution: float


@lru_cache(maxsize=32)
def measured_rates(batch_size: int, weights: str, signals: str, n_slots: int, threads: int) -> Rates:
    """Rates of the compact kernels on this machine, from two layers that no cache holds: one and four connections a
    neuron."""
    stride = int(_kernels.padded_batch(batch_size))
    kind = HELD[signals]
    n = max(1 << 20, (128 << 20) // (stride * kind.itemsize))
    times = [_time_layer(n, per_neuron * n, stride, weights, kind, n_slots, threads) for per_neuron in (1, 4)]

    def solve(which: int) -> tuple[float, float]:
        one, four = times[0][which], times[1][which]
        connection = max(0.0, (four - one) / (3 * n))
        return connection, max(0.0, one / n - connection)

    return Rates(solve(0), solve(1), times[1][2] / (4 * n))


def _time_layer(
    n: int, count: int, stride: int, weights: str, kind: np.dtype[np.generic], n_slots: int, threads: int
) -> tuple[float, float, float]:
    con = TiledConnectivity.draw(n, n, count, seed=0, threads=threads)
    values, bias = empty(count, HELD[weights]), empty(n, HELD[weights])
    values.fill(0)
    bias.fill(0)
    activation = _kernels.Activation.LEAKY, -0.5
    layer = TiledLayer(con, values, bias, activation)
    optimizer = SGD(1e-9, momentum=0.9 if n_slots else 0.0)
    state = layer.new_state(optimizer) if n_slots else OptimizerState([], [])
    signals = [empty(n * stride, np.dtype(kind)).reshape(n, stride) for _ in range(2)]
    for signal in signals:
        signal.fill(0)
    bits = [np.zeros(bit_bytes(n, stride, True), np.uint8) for _ in range(2)]
    x, y = (Activations(v, activation, b) for v, b in zip(signals, bits, strict=True))
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
    keep = np.empty(count, np.uint8)
    _kernels.keep_by_sign_magnitude(layer.values, 0.3, keep, threads)
    layer.evolve(keep, count - int(np.count_nonzero(keep)), WeightInit(), (1, 2), state, threads)
    return sorted(forward)[1], sorted(backward)[1], time.perf_counter() - began


def _seconds(sizes: Sequence[int], counts: Sequence[int], setting: PlanRequest, threads: int) -> dict[str, float]:
    signals = setting.signals if setting.storage == "compact" else "float32"
    weights = setting.weights if setting.storage == "compact" else "float32"
    rates = measured_rates(setting.batch_size, weights, signals, setting.optimizer.n_slots, threads)
    found = dict.fromkeys(_STAGES, 0.0)
    again = 1 - 1 / setting.recompute
    for number, ((a, b), count) in enumerate(zip(pairwise(sizes), counts, strict=True)):
        forward = rates.forward[0] * count + rates.forward[1] * b
        found["forward"] += forward
        found["backward and update"] += again * forward + rates.backward[0] * count
        if number:  # gradients at the network's input are not wanted
            found["backward and update"] += rates.backward[1] * a
        if number < len(counts) - 1:
            found["evolution"] += rates.evolution * count
    return found
