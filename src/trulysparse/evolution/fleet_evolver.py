"""Topology evolution of a fleet in a loop of one's own: every agent as an Evolver of its own would evolve it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.random import stream_keys
from trulysparse.errors import InputError
from trulysparse.evolution.clock import Clock, check_method
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.fleet_step import FleetEvolutionStep, check_fleet_method
from trulysparse.evolution.layers import evolving_layers, init_of, listed_states
from trulysparse.nn.fleet.build import checked_seeds
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.initialization import WeightInit
from trulysparse.optim import OptimizerState


class FleetEvolver(Clock):
    """Evolves the topologies of all agents of a fleet, each by its own counts and random numbers, one call of the
    kernels per layer.

    Agent i ends with the very bits that Evolver(method, fleet[i], ..., seed=seeds[i]) gives, for any number of threads:
    connections, weights, optimizer state. Every agent keeps its number of connections, and nothing grows from one agent
    to another. Time and memory are linear in connections; RigL also looks at all n_in * n_out places of each agent's
    layer, on each sample.

    Args:
        method: SET, RigL or Static, or an Evolution of prune.sign_magnitude or prune.magnitude and grow.uniform or
            grow.LargestGradient(), each without density, budget and percolate.
        fleet: its layers are changed in place.
        optimizer_state: of each layer, as `layer.new_state(optimizer)` makes it; it is changed in place.
        total_updates: see Evolver.
        updates_per_epoch: see Evolver.
        seeds: of each agent's random numbers, (N,) integers from 0 to 2^64 - 1; None: the agents' own, fleet.seeds.
        threads: that compute; None: those of the fleet.
        init: how weights of new connections are drawn where the method draws them; None: as those of the fleet.
        evolving: numbers of the layers that evolve, from 0. None: all, the last one only where the method's
            output_layer says so.

    Attributes:
        method, fleet, optimizer_state, total_updates, updates_per_epoch, threads, init, evolving: as given.
        seeds: (N,) uint64.
        count: updates so far.
        replaced: connections that were added so far, of each agent, (N,) int64.

    Raises:
        InputError: where fleets do not have the method, an argument is out of range, or the method needs total_updates
            or updates_per_epoch and has none.

    Source:
        Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity" (2018), SET;
        Evci et al., "Rigging the lottery" (2020), RigL.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> fleet = ts.Fleet(100, (24, 32, 2), density=0.3, output="identity", seed=0, threads=1)
        >>> states = [layer.new_state(ts.Adam()) for layer in fleet.layers]
        >>> evolver = ts.FleetEvolver(ts.SET(0.3, every_updates=500), fleet, states)
        >>> for _ in range(1001):
        ...     pass  # one update of fleet.layers and states
        ...     evolver.step_done()
        ...     if evolver.due():
        ...         replaced = evolver.evolve()
        >>> int(evolver.replaced.min()) > 0, fleet.n_connections == 100 * fleet[0].n_connections
        (True, True)

        RigL takes the place of an update; `start()` is the sink of a backward pass, or gets each layer's input x and
        the gradient dy at its pre-activation:

        >>> evolver = ts.FleetEvolver(ts.RigL(0.3, every_updates=2, until=10), fleet, states, evolving=[0])
        >>> for _ in range(3):
        ...     if evolver.due():
        ...         x, dy = (np.random.rand(100, n, 16).astype(np.float32) for n in (24, 32))
        ...         print(evolver.start().evolve_layer(0, x, dy) > 0)
        ...     evolver.step_done()
        True
    """

    def __init__(
        self,
        method: Evolution,
        fleet: Fleet,
        optimizer_state: OptimizerState | Sequence[OptimizerState],
        *,
        total_updates: int | None = None,
        updates_per_epoch: int | None = None,
        seeds: ArrayLike | None = None,
        threads: int | None = None,
        init: WeightInit | None = None,
        evolving: Sequence[int] | None = None,
    ) -> None:
        check_method(method)
        check_fleet_method(method)
        if not isinstance(fleet, Fleet):
            raise InputError(f"fleet must be a Fleet, not {type(fleet).__name__}; a network evolves by Evolver")
        super().__init__(method, total_updates, updates_per_epoch)
        listed_states(fleet.network, optimizer_state)
        init_of(fleet.network, init)
        self.fleet = fleet
        self.optimizer_state = optimizer_state
        self.seeds: NDArray[np.uint64] = fleet.seeds if seeds is None else checked_seeds(seeds, fleet.n_agents)
        self.threads = checks.thread_count(fleet.threads if threads is None else threads)
        self.init = init
        self.evolving = evolving
        self.replaced = np.zeros(fleet.n_agents, np.int64)
        self._evolving()

    def start(self) -> FleetEvolutionStep:
        """Begins an evolution that is due now.

        Returns:
            The step. It is a sink of a backward pass in place of an update; or hand each layer's (x, dy) to its
            `evolve_layer`.
        """
        network = self.fleet.network
        return FleetEvolutionStep(
            self.method,
            {number: self.fleet.layers[number] for number in self._evolving()},
            listed_states(network, self.optimizer_state),
            keys=stream_keys(self.seeds, "evolution", self.count),
            threads=self.threads,
            fraction=self.method.schedule.fraction_at(self.progress(), self.end()),
            init=init_of(network, self.init),
            added=self.replaced,
        )

    def _evolving(self) -> list[int]:
        """Numbers of the layers that evolve; InputError where `evolving` holds anything else."""
        return list(evolving_layers(self.fleet.network, self.method.output_layer, self.evolving))

    def evolve(self) -> int:
        """Evolves all layers now, without gradients.

        Returns:
            How many connections were added, of all agents.

        Raises:
            InputError: where the method needs gradients.
        """
        if self.method.needs_gradient:
            raise InputError(
                f"{type(self.method).__name__} needs gradients: hand start() to a backward pass as its sink, or each "
                "layer's x and dy to start().evolve_layer"
            )
        step = self.start()
        return sum(map(step.evolve_layer, step.layers))

    def state_dict(self) -> dict[str, Any]:
        """The clock and what was replaced, to go on from with the same bits.

        Returns:
            A flat dictionary of arrays and numbers, as np.savez takes it. Layers and optimizer state are not in it.
        """
        return {"count": self.count, "replaced": self.replaced.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where another FleetEvolver was, given the same arguments, layers and optimizer state.

        Args:
            state: from `state_dict`; without 'replaced' nothing was replaced.

        Raises:
            InputError: where it is not, or of another number of agents; nothing changes then.
        """
        if not isinstance(state, Mapping) or "count" not in state or set(state) - {"count", "replaced"}:
            raise InputError(f"state must be what state_dict() returned, not {state!r:.80}")
        replaced = np.asarray(state.get("replaced", np.zeros_like(self.replaced)))
        if replaced.shape != self.replaced.shape or replaced.dtype.kind not in "iu":
            raise InputError(f"state must be of {self.fleet.n_agents} agents, not of shape {replaced.shape}")
        self.count = checks.integer("count", np.asarray(state["count"]).item(), low=0)
        self.replaced = replaced.astype(np.int64)
