"""What a network and its training will need, before anything is allocated: bytes by part, seconds per step from rates
measured on this machine, and the requests that fit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import HELD
from trulysparse.connectivity import layer_counts, skip_count
from trulysparse.connectivity.tiled import tile_shift
from trulysparse.errors import InputError
from trulysparse.nn import memory_use
from trulysparse.nn.activations_buffer import largest_batch
from trulysparse.nn.layers.storage import StorageConfig, activation_types
from trulysparse.nn.passes import tile_columns
from trulysparse.nn.skip import checked_skip, layer_pairs
from trulysparse.optim import Optimizer
from trulysparse.optim.optimizer import check_optimizer, state_type
from trulysparse.optim.sgd import SGD
from trulysparse.planning.rates import measured_rates

# The interpreter, the libraries and the batch that is being read.
BASE_BYTES = 150 << 20
# Samples that validation predicts at a time.
PREDICTION_BATCH = 256
STAGES = ("forward", "backward and update", "evolution")


@dataclass(frozen=True)
class PlanRequest:
    """A network and how it is trained; the arguments of SparseMLP and Trainer of the same names.

    Args:
        layer_sizes: neurons per layer, from input to output, at least two.
        epsilon: a layer n_in x n_out has about epsilon * (n_in + n_out) connections, above 0, one number or one per
            layer; None: as density says.
        batch_size: samples per update, at least 1.
        storage: 'indexed' or 'compact'.
        weights: type of the weights, 'float32' or, with 'compact', 'bfloat16'.
        signals: type of the activations, likewise.
        optimizer: of which the state counts.
        recompute: every how many layers activations are stored, at least 1 (all).
        on_disk: whether layers are in files.
        micro_batch_size: samples taken at a time; None: see nn.passes.tile_columns.
        pre_activations: whether training keeps the hidden layers' pre-activations, as for GELU and SiLU.
        density: in epsilon's place, one number or one per layer; see connectivity.layer_counts.
        densities: 'erk' or 'uniform'.
        output_density: the output layer's own density, or None.
        skip: whether a skip layer goes from the inputs to the outputs; not with on_disk.
        skip_density: see SparseMLP.

    Example:
        >>> from trulysparse.planning.plan import PlanRequest
        >>> PlanRequest((784, 1000, 10), epsilon=20, storage="indexed", weights="float32", signals="float32").batch_size
        32
    """

    layer_sizes: tuple[int, ...]
    epsilon: float | tuple[float, ...] | None
    batch_size: int = 32
    storage: str = "compact"
    weights: str = "bfloat16"
    signals: str = "bfloat16"
    optimizer: Optimizer = field(default_factory=lambda: SGD(momentum=0.0))
    recompute: int = 1
    on_disk: bool = False
    pre_activations: bool = False
    micro_batch_size: int | None = None
    density: float | tuple[float, ...] | None = None
    densities: str = "erk"
    output_density: float | None = None
    skip: bool = False
    skip_density: float | None = None

    @property
    def counts(self) -> list[int]:
        """Connections of each layer, the skip layer's last."""
        counts = layer_counts(
            self.layer_sizes,
            epsilon=self.epsilon,
            density=self.density,
            densities=self.densities,
            output_density=self.output_density,
        )
        if checked_skip(self.skip, self.skip_density):
            counts.append(skip_count(self.layer_sizes, counts, self.skip_density))
        return counts

    @property
    def tile_size(self) -> int:
        """Samples taken at a time."""
        return min(self.batch_size, self.micro_batch_size or tile_columns(self.layer_sizes))

    @property
    def storage_config(self) -> StorageConfig:
        """How the network is stored, as if in memory."""
        return StorageConfig.create(self.storage, self.weights, self.signals, None, "float32")


@dataclass(frozen=True)
class Plan:
    """What a request needs.

    Args:
        request: the request.
        connections: of the network.
        neurons: of the network, without its inputs.
        parts: bytes by part.
        resident: bytes in memory at the peak of training.
        disk: bytes on disk.
        seconds: per update: 'forward' and 'backward and update'; per evolution: 'evolution'. 0 where not measured.

    Example:
        >>> from trulysparse.planning.plan import PlanRequest, plan
        >>> planned = plan(PlanRequest((1000, 2000, 10), epsilon=10), measure=False)
        >>> planned.connections, planned.neurons, planned.disk, planned.disk_traffic
        (50000, 2010, 0, 0)
    """

    request: PlanRequest
    connections: int
    neurons: int
    parts: dict[str, int]
    resident: int
    disk: int
    seconds: dict[str, float]

    @property
    def disk_traffic(self) -> int:
        """Bytes per step to and from the disk where layers are in files; `seconds` does not include that time."""
        if not self.disk:
            return 0
        read = sum(self.parts[name] for name in ("connectivity", "weights", "biases"))
        changed = self.parts["weights"] + self.parts["biases"] + self.parts["optimizer state"]
        return int(read * (3 - 1 / self.request.recompute)) + changed + self.parts["optimizer state"]

    @property
    def step_seconds(self) -> float:
        """Seconds per update."""
        return self.seconds["forward"] + self.seconds["backward and update"]


def plan(request: PlanRequest, *, threads: int | None = None, measure: bool = True) -> Plan:
    """Plans memory and time of a training.

    Args:
        request: the network and how it is trained.
        threads: of the training; None: all cores.
        measure: measure rates on this machine, which takes about a second; else seconds are 0.

    Returns:
        The plan.

    Raises:
        InputError: where the request is out of range.

    Example:
        >>> from trulysparse.planning.plan import PlanRequest, plan
        >>> small, large = (plan(PlanRequest((1000, n, 10), epsilon=10), measure=False) for n in (10_000, 100_000))
        >>> small.connections, large.connections, small.resident < large.resident
        (210000, 2010000, True)
    """
    sizes = tuple(checks.integer(f"layers[{i}]", n, low=1) for i, n in enumerate(request.layer_sizes))
    if len(sizes) < 2:
        raise InputError(f"layers must name at least an input and an output layer, not {sizes}")
    checks.integer("batch_size", request.batch_size, low=1, high=2**31 - 1)
    checks.integer("recompute", request.recompute, low=1)
    check_optimizer(request.optimizer)
    counts = replace(request, layer_sizes=sizes).counts
    storage_config, optimizer = request.storage_config, request.optimizer
    network = memory_use.network_parts(sizes, counts, storage_config)
    training = memory_use.training_parts(
        sizes,
        sum(counts),
        request.batch_size,
        optimizer.n_slots,
        storage_config,
        state=state_type(optimizer),
        every=request.recompute,
        micro_batch_size=request.micro_batch_size,
        pre_activations=request.pre_activations,
    )
    threads = checks.thread_count(threads)
    training |= _scratch(sizes, counts, request, threads)
    parts = {**network, **training, "base": BASE_BYTES}
    scratch = parts.pop("scratch")
    # While the network is made there are no activations yet; evolution, one layer at a time, needs less than making it.
    stored = network["connectivity"] + network["weights"] + network["biases"] + training["optimizer state"]
    disk = 0
    ordered = training["rows in order"]
    at_rest, at_work = stored, sum(training.values()) - training["optimizer state"] - ordered
    types = activation_types(storage_config, len(sizes))
    batch = largest_batch(sizes, types, PREDICTION_BATCH)
    parts["predictions"] = 2 * batch * max(n * kind.itemsize for n, kind in zip(sizes, types, strict=True))
    parts["predictions"] += request.skip * batch * sizes[0] * types[0].itemsize
    if request.on_disk:
        largest_fraction = max(counts) / max(1, sum(counts))
        # What changes has a spare; the layer that evolves is there twice.
        disk = stored + network["weights"] + network["biases"] + training["optimizer state"]
        disk += (memory_use.TILE_BYTES + 2 * HELD[storage_config.weights].itemsize) * max(counts)
        at_rest = int(2 * largest_fraction * disk)  # the layer at work and the one that is read ahead
    evolving = (memory_use.TILE_BYTES + HELD[storage_config.weights].itemsize + 1) * max(counts) + scratch // 2
    resident = BASE_BYTES + at_rest + max(at_work + max(evolving, ordered, parts["predictions"]), scratch)
    seconds = _seconds(sizes, counts, request, threads) if measure else dict.fromkeys(STAGES, 0.0)
    return Plan(request, sum(counts), sum(sizes[1:]), parts, resident, disk, seconds)


def best_request(request: PlanRequest, free: int) -> PlanRequest | None:
    """The request nearest to the given one that fits: first other types, then activations computed again, then smaller
    batches, then layers on disk.

    Args:
        request: what is wanted.
        free: bytes of memory it may need at most.

    Returns:
        A request with storage='compact', or None where nothing fits.

    Example:
        >>> from trulysparse.planning.plan import PlanRequest, best_request, plan
        >>> wanted = PlanRequest((1000, 1_000_000, 1_000_000, 10), 2, 128, "indexed", "float32", "float32")
        >>> fitting = best_request(wanted, free=plan(wanted, measure=False).resident * 2 // 3)
        >>> fitting.storage, fitting.weights
        ('compact', 'bfloat16')
    """
    for on_disk in (False,) if request.skip else (False, True):
        batch = request.batch_size
        while batch >= 1:
            for recompute in (1, 2, 3, 4):
                for precision in dict.fromkeys((request.weights, "bfloat16")):
                    candidate = replace(
                        request,
                        storage="compact",
                        weights=precision,
                        signals=precision,
                        batch_size=batch,
                        recompute=max(recompute, request.recompute),
                        on_disk=on_disk or request.on_disk,
                    )
                    if plan(candidate, measure=False).resident <= free:
                        return candidate
            batch //= 2
    return None


def largest_batch_size(request: PlanRequest, free: int) -> int:
    """How far the request's batch size can be doubled.

    Args:
        request: what is wanted, which fits.
        free: bytes of memory it may need at most.

    Returns:
        The largest batch size that fits, of the request's, twice that, four times that and so on.

    Example:
        >>> from trulysparse.planning.plan import PlanRequest, largest_batch_size
        >>> largest_batch_size(PlanRequest((1000, 100_000, 10), epsilon=10, batch_size=16), free=270 << 20)
        32
    """
    batch = request.batch_size
    while batch < 1 << 20 and plan(replace(request, batch_size=2 * batch), measure=False).resident <= free:
        batch *= 2
    return batch


def _scratch(sizes: Sequence[int], counts: Sequence[int], request: PlanRequest, threads: int) -> dict[str, int]:
    """Temporary memory of the tiled kernels: sums of blocks, and rows that are brought into order."""
    sums = ordered = 0
    few = _kernels.FEW_BLOCKS
    stride, item = int(_kernels.padded_batch(request.tile_size)), HELD[request.signals].itemsize
    pairs = layer_pairs(sizes, request.skip)
    for (n_in, n_out), count in zip(pairs, counts, strict=True) if request.storage == "compact" else ():
        shift = tile_shift(n_in, n_out, count)
        for n in (n_in, n_out):  # few blocks are cut into parts, with sums each
            blocks = ((n - 1) >> shift) + 1
            sums = max(sums, min(n, 1 << shift) * (threads if blocks >= few else few + blocks) * stride * 4)
        if stride * item <= _kernels.ORDERED_BYTES and min(n_in, n_out) > few << shift:
            ordered = max(ordered, count * stride * item)
    return {"sums of blocks": sums, "rows in order": ordered}


def _seconds(sizes: Sequence[int], counts: Sequence[int], request: PlanRequest, threads: int) -> dict[str, float]:
    signals = request.signals if request.storage == "compact" else "float32"
    weights = request.weights if request.storage == "compact" else "float32"
    rates = measured_rates(request.tile_size, weights, signals, request.optimizer.n_slots, threads)
    seconds = dict.fromkeys(STAGES, 0.0)
    recomputed, tiles = 1 - 1 / request.recompute, -(-request.batch_size // request.tile_size)
    for number, ((n_in, n_out), count) in enumerate(zip(layer_pairs(sizes, request.skip), counts, strict=True)):
        forward = tiles * (rates.forward[0] * count + rates.forward[1] * n_out)
        seconds["forward"] += forward
        seconds["backward and update"] += recomputed * forward + tiles * rates.backward[0] * count
        if 0 < number < len(sizes) - 1:  # gradients at the network's input are not wanted
            seconds["backward and update"] += tiles * rates.backward[1] * n_in
        if number < len(sizes) - 2:
            seconds["evolution"] += rates.evolution * count
    return seconds
