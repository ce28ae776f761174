"""What a Learner consists of: networks, or, where many agents learn, fleets of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trulysparse._core.random import stream_key
from trulysparse.evolution import Evolution, Evolver
from trulysparse.evolution.fleet_evolver import FleetEvolver
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.fleet.passes import FleetPasses
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import OptimizerState
from trulysparse.rl.joint_passes import JointPasses


def new_networks(
    n_networks: int, layer_sizes: Sequence[int], n_agents: int | None, seed: int, **options: Any
) -> list[Any]:
    """Networks that start as reinforcement learning does: weights within +-1/sqrt(sparse fan-in), no biases.

    Args:
        n_networks: at least 1.
        layer_sizes: neurons per layer, the input first.
        n_agents: of the fleets in place of networks; None: networks.
        seed: of topologies and weights.
        options: of SparseMLP or Fleet.

    Returns:
        SparseMLPs, or Fleets.

    Example:
        >>> from trulysparse.rl.networks import new_networks
        >>> [type(each).__name__ for each in new_networks(2, (3, 8, 1), 5, 0, density=0.5)]
        ['Fleet', 'Fleet']
    """
    options |= {"output": "identity", "init": "uniform", "fan": "sparse", "balance": False}
    seeds = [stream_key(seed, "network", number) >> 1 for number in range(n_networks)]
    if n_agents is None:
        return [SparseMLP(layer_sizes, seed=each, **options) for each in seeds]
    return [Fleet(n_agents, layer_sizes, seed=each, **options) for each in seeds]


def new_passes(networks: Sequence[Any], columns: int, threads: int) -> Any:
    """Passes of networks, or of fleets, on one input.

    Args:
        networks: from `new_networks`.
        columns: width of a batch as `padded_batch` gives it.
        threads: at least 1.

    Returns:
        JointPasses, or FleetPasses, which have the same methods.
    """
    kind: Any = FleetPasses if isinstance(networks[0], Fleet) else JointPasses
    return kind(networks, columns, threads)


def new_evolver(evolution: Evolution, network: Any, state: Sequence[OptimizerState], **options: Any) -> Any:
    """What lets the topology of a network, or of each agent of a fleet, evolve.

    Args:
        evolution: how.
        network: a SparseMLP or Fleet.
        state: of its optimizer.
        options: see Evolver.

    Returns:
        An Evolver, or a FleetEvolver, which have the same methods.

    Raises:
        InputError: where the method is none that a fleet has, or an option is missing.
    """
    if isinstance(network, Fleet):
        return FleetEvolver(evolution, network, state, **options)
    return Evolver(evolution, network, state, seed=network.seed, **options)
