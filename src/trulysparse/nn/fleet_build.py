"""How a fleet is made: all agents' topologies and weights, on the random streams of SparseMLP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks, memory
from trulysparse._core.random import stream_key
from trulysparse.connectivity import layer_counts
from trulysparse.connectivity.indexed import MAX_WIDTH, check_size
from trulysparse.errors import InputError
from trulysparse.nn import memory_use
from trulysparse.nn.fleet_blocks import side_by_side
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
    connectivity: Any
    bias: bool
    arguments: dict[str, Any]


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
    seeds = np.array([stream_key(one.seed, "agent", i) >> 1 for i in range(n_agents)], np.uint64)
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
    return FleetPlan(one.layer_sizes, counts, seeds, one.settings, connectivity, bias, arguments)


def draw_fleet(plan: FleetPlan) -> list[FleetLayer]:
    """The layers of all agents."""
    threads = checks.thread_count(plan.settings.threads)
    nets = [SparseMLP(plan.layer_sizes, seed=int(seed), threads=1, **plan.arguments) for seed in plan.seeds]
    ones = [1] * len(nets)
    return [side_by_side([net.layers[number] for net in nets], ones, threads) for number in range(len(plan.counts))]


def checked_seeds(seeds: ArrayLike, n_agents: int) -> NDArray[np.uint64]:
    """Seeds of agents as a fleet holds them, or InputError."""
    given = np.asarray(seeds)
    if given.shape != (n_agents,) or given.dtype.kind not in "iu" or (given.dtype.kind == "i" and (given < 0).any()):
        raise InputError(
            f"seeds must be {n_agents} integers from 0 to 2^64 - 1, not {given.dtype} of shape {given.shape}"
        )
    return given.astype(np.uint64)
