"""How a fleet is made: all agents' topologies and weights, on the random streams of SparseMLP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import checks, memory
from trulysparse._core.arrays import empty, zeros
from trulysparse._core.random import stream_keys
from trulysparse.connectivity import Connectivity, layer_counts, make_pattern
from trulysparse.connectivity.indexed import MAX_WIDTH, check_size
from trulysparse.errors import InputError
from trulysparse.nn import memory_use
from trulysparse.nn.activations import IDENTITY, make_activation, on_layer
from trulysparse.nn.fleet.blocks import side_by_side
from trulysparse.nn.fleet.signals import FleetSignals, hidden_scales, output_scales, signals_after
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.fleet_layer import FleetLayer
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.settings import NetworkSettings


@dataclass(frozen=True)
class FleetPlan:
    """What a fleet will be, checked, before anything is drawn."""

    layer_sizes: tuple[int, ...]
    counts: list[int]
    seeds: NDArray[np.uint64]
    settings: NetworkSettings
    arguments: dict[str, Any]  # of each agent's SparseMLP

    @property
    def connectivity(self) -> Any:
        """Where connections go."""
        return self.arguments["connectivity"]

    @property
    def bias(self) -> bool:
        """Whether neurons have biases."""
        return bool(self.arguments["bias"])

    @property
    def activation(self) -> Any:
        """Of the hidden layers."""
        return self.arguments["activation"]


def make_plan(
    n_agents: int,
    layer_sizes: Sequence[int],
    *,
    epsilon: Any,
    density: Any,
    densities: str,
    output_density: float | None,
    connectivity: Any,
    activation: Any,
    output: str,
    init: str,
    fan: str,
    balance: bool,
    bias: bool,
    dtype: str,
    seed: int,
    threads: int | None,
) -> FleetPlan:
    """The arguments of Fleet, checked; InputError and NotEnoughMemoryError as there."""
    n_agents = checks.integer("n_agents", n_agents, low=1, high=MAX_WIDTH)
    settings = NetworkSettings(
        activation=activation,
        output=output,
        init=WeightInit(init, fan, balance),
        dtype=dtype,
        seed=seed,
        threads=threads,
    )
    one = SparseMLP.without_layers(layer_sizes, settings)  # checks sizes and settings
    checks.flag("bias", bias)
    make_pattern(connectivity)
    counts = layer_counts(
        one.layer_sizes, epsilon=epsilon, density=density, densities=densities, output_density=output_density
    )
    sizes = [n_agents * n for n in one.layer_sizes]
    for n_in, n_out, count in zip(sizes, sizes[1:], counts, strict=False):
        check_size(n_in, n_out, n_agents * count)
    memory.require(
        memory_use.network_bytes(sizes, [n_agents * count for count in counts], one.storage_config),
        f"a fleet of {n_agents} networks of layers {one.sizes_text} with {sum(counts)} connections each",
        "choose fewer agents, a smaller density or smaller layers",
    )
    # Half of the range, so that they are seeds in any signed type.
    own, numbers = np.uint64(one.seed & (2**64 - 1)), np.arange(n_agents, dtype=np.uint64)
    keys = stream_keys(np.full(n_agents, own), "agent", numbers)
    seeds = keys >> np.uint64(1)
    arguments = {
        "epsilon": epsilon,
        "density": density,
        "densities": densities,
        "output_density": output_density,
        "connectivity": connectivity,
        "activation": activation,
        "output": output,
        "init": init,
        "fan": fan,
        "balance": balance,
        "bias": bias,
        "dtype": dtype,
    }
    return FleetPlan(one.layer_sizes, counts, seeds, one.settings, arguments)


def draw_fleet(plan: FleetPlan) -> list[FleetLayer]:
    """The layers of all agents."""
    threads, n_agents = checks.thread_count(plan.settings.threads), len(plan.seeds)
    if plan.connectivity != "erdos_renyi":
        nets = [SparseMLP(plan.layer_sizes, seed=int(seed), threads=1, **plan.arguments) for seed in plan.seeds]
        ones = [1] * n_agents
        return [side_by_side([net.layers[number] for net in nets], ones, threads) for number in range(len(plan.counts))]
    init, dtype, activation = plan.settings.init, np.dtype(plan.settings.dtype), make_activation(plan.activation)
    layers: list[FleetLayer] = []
    signals = FleetSignals.at_input(n_agents, threads)
    for number, ((n_in, n_out), count) in enumerate(zip(pairwise(plan.layer_sizes), plan.counts, strict=True)):
        keys = stream_keys(stream_keys(plan.seeds, "connectivity", number), "erdos-renyi")
        ptr, index = _kernels.draw_blocks(n_in, n_out, count, keys, threads)
        con = Connectivity.trusted(n_agents * n_in, n_agents * n_out, ptr, index, threads)
        last = number == len(plan.counts) - 1
        f = IDENTITY if last else on_layer(activation, number + 1)
        values, bias = empty(con.n_connections, dtype), zeros(n_agents * n_out if plan.bias else 0, dtype)
        layer = FleetLayer(con, values, bias, f, n_agents)
        layers.append(layer)
        form, scales = output_scales(init, layer, signals) if last else hidden_scales(init, layer)
        keys = stream_keys(plan.seeds, "weights", number)
        fan_in = np.diff(con.indptr) if form.by_fan_in else None
        along = con.by_input.index if form.by_fan_in else None
        _kernels.draw_block_weights(values, layer.blocks, init.kind, form, scales, keys, threads, along, fan_in)
        if not last and init.balance:
            signals = signals_after(init, layer, signals)
    return layers


def checked_seeds(seeds: ArrayLike, n_agents: int) -> NDArray[np.uint64]:
    """Seeds of agents as a fleet holds them, or InputError."""
    given = np.asarray(seeds)
    if given.shape != (n_agents,) or given.dtype.kind not in "iu" or (given.dtype.kind == "i" and (given < 0).any()):
        raise InputError(
            f"seeds must be {n_agents} integers from 0 to 2^64 - 1, not {given.dtype} of shape {given.shape}"
        )
    return given.astype(np.uint64)
