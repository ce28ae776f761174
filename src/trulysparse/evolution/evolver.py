"""Topology evolution in a loop of one's own: the clock in updates, the keys, and what rules remember."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution.clock import Clock, check_method, evolution_key
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.layers import EvolvableLayers, init_of, listed_states
from trulysparse.evolution.step import EvolutionStep
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.network import Network
from trulysparse.optim import OptimizerState

_PREFIX = "evolution_state."


class Evolver(Clock):
    """Evolves layers in the course of a training loop of one's own; its clock is the number of updates.

    With the same seed and number of updates it gives the same bits as a Trainer, for any number of threads.

    Args:
        method: the evolution, such as SET(every_updates=1000).
        layers: a network, a layer, or a sequence of layers, which need not belong together. Layers are changed in
            place; a network or list is read anew at each evolution.
        optimizer_state: of each layer, as `layer.new_state(optimizer)` makes it; it is changed in place.
        total_updates: of the whole training, at least 1: evolution stops before the last one, and decays and ends that
            are fractions of training refer to it. None: not known.
        updates_per_epoch: at least 1; needed where the method counts epochs.
        seed: of the random numbers, at least 0; give networks that evolve side by side one each.
        threads: that compute; None: those of the network, or all.
        init: how weights of new connections are drawn; None: as those of the network, of plain layers WeightInit().
        evolving: numbers of the layers that evolve, from 0. None: of a network all, the last one only where the
            method's output_layer says so; of other layers all.

    Attributes:
        method, layers, optimizer_state, total_updates, updates_per_epoch, seed, threads, init, evolving: as given.
        count: updates so far.
        evolution_state: what the rules store from one evolution to the next, by layer.

    Raises:
        InputError: where the method cannot evolve such layers, an argument is out of range, or the method needs
            total_updates or updates_per_epoch and has none.

    Example:
        As in reinforcement learning, where nobody knows how long training will last: a tenth of the weights of each
        sign is replaced every 1000 updates, the last time after 50,000.

        >>> import numpy as np
        >>> import trulysparse as ts
        >>> critic = ts.SparseMLP((24, 64, 64, 1), epsilon=8, output="identity", seed=0, threads=1)
        >>> optimizer_state = [layer.new_state(ts.Adam()) for layer in critic.layers]
        >>> evolver = ts.Evolver(ts.SET(0.1, every_updates=1000, until=50_000), critic, optimizer_state, seed=1)
        >>> replaced = 0
        >>> for _ in range(2500):
        ...     pass  # one update of critic.layers and optimizer_state
        ...     evolver.step_done()
        ...     if evolver.due():
        ...         replaced += evolver.evolve()
        >>> replaced  # about twice a tenth of the 1728 connections of the hidden layers
        326

        A method that needs gradients gets each layer's input x and the loss gradient dy at its pre-activation, in place
        of an update; or `start()` is the sink of a backward pass. Here for a single layer:

        >>> evolver = ts.Evolver(ts.RigL(0.3, every_updates=2, until=10), critic.layers[0], optimizer_state[0])
        >>> rng = np.random.default_rng(0)
        >>> for _ in range(6):
        ...     x, dy = (rng.standard_normal((n, 16)).astype(np.float32) for n in (24, 64))
        ...     if evolver.due():
        ...         print(evolver.count, evolver.start().evolve_layer(0, x, dy) > 0)
        ...     else:
        ...         pass  # one update
        ...     evolver.step_done()
        2 True
        4 True
    """

    def __init__(
        self,
        method: Evolution,
        layers: EvolvableLayers,
        optimizer_state: OptimizerState | Sequence[OptimizerState],
        *,
        total_updates: int | None = None,
        updates_per_epoch: int | None = None,
        seed: int = 0,
        threads: int | None = None,
        init: WeightInit | None = None,
        evolving: Sequence[int] | None = None,
    ) -> None:
        check_method(method)
        method.check_storage(layers, evolving)
        listed_states(layers, optimizer_state)
        init_of(layers, init)
        super().__init__(method, total_updates, updates_per_epoch)
        self.layers = layers
        self.optimizer_state = optimizer_state
        self.seed = checks.integer("seed", seed, low=0)
        own = layers.threads if isinstance(layers, Network) else None
        self.threads = checks.thread_count(own if threads is None else threads)
        self.init = init
        self.evolving = evolving
        self.evolution_state: dict[str, Any] = {}

    def start(self) -> EvolutionStep:
        """Begins an evolution that is due now.

        Returns:
            The step. It is a sink of a backward pass in place of an update; or hand each layer's (x, dy) to its
            `evolve_layer`, or to `decide` and `apply`.
        """
        return self.method.start(
            self.layers,
            self.optimizer_state,
            key=evolution_key(self.seed, self.count),
            threads=self.threads,
            training_progress=self.progress(),
            evolution_state=self.evolution_state,
            init=self.init,
            evolving=self.evolving,
            total_updates=self.end(),
        )

    def evolve(self) -> int:
        """Evolves all layers now, without gradients.

        Returns:
            How many connections were added.

        Raises:
            InputError: where the method needs gradients.
        """
        if self.method.needs_gradient:
            raise InputError(
                f"{type(self.method).__name__} needs gradients: hand start() to a backward pass as its sink, or each "
                "layer's x and dy to start().evolve_layer"
            )
        step = self.start()
        return sum(map(step.evolve_layer, step.views))

    def forget_connections(self) -> None:
        """Drops what rules remember of single connections; for layers whose connections others have changed."""
        forget_connections(self.evolution_state)

    def state_dict(self) -> dict[str, Any]:
        """The clock and what the rules remember, to go on from with the same bits.

        Returns:
            A flat dictionary of arrays and numbers, as np.savez takes it. Layers and optimizer state are not in it.

        Example:
            >>> import trulysparse as ts
            >>> layer = ts.SparseMLP((20, 30), epsilon=4, seed=0).layers[0]
            >>> evolver = ts.Evolver(ts.DeepR(), layer, layer.new_state(ts.SGD()))
            >>> evolver.step_done()
            >>> evolver.evolve()
            0
            >>> list(evolver.state_dict())
            ['count', 'evolution_state.0.signs']
        """
        state: dict[str, Any] = {"count": self.count}
        for owner, remembered in self.evolution_state.items():
            if not isinstance(remembered, dict):
                state[f"{_PREFIX}{owner}"] = copy.deepcopy(remembered)
                continue
            for name, value in remembered.items():
                state[f"{_PREFIX}{owner}.{name}"] = copy.deepcopy(value)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where another Evolver was, given the same arguments, layers and optimizer state.

        Args:
            state: from `state_dict`; arrays of no dimension count as numbers.

        Raises:
            InputError: where it is not; nothing changes then.
        """
        if not isinstance(state, Mapping) or "count" not in state:
            raise InputError(f"state must be what state_dict() returned, not {state!r:.80}")
        remembered: dict[str, Any] = {}
        for name in state:
            value = state[name]
            value = value.item() if isinstance(value, np.ndarray) and not value.ndim else copy.deepcopy(value)
            owner, _, part = name.removeprefix(_PREFIX).partition(".")
            if name == "count":
                count = checks.integer("count", value, low=0)
            elif not name.startswith(_PREFIX) or not owner:
                raise InputError(f"state must be what state_dict() returned; it holds {name!r}")
            elif part:
                remembered.setdefault(owner, {})[part] = value
            else:
                remembered[owner] = value
        self.count, self.evolution_state = count, remembered


def forget_connections(evolution_state: dict[str, Any]) -> None:
    """Drops what rules remember of single connections (arrays), and keeps numbers."""
    for remembered in evolution_state.values():
        if isinstance(remembered, dict):
            for name in [name for name, value in remembered.items() if isinstance(value, np.ndarray)]:
                del remembered[name]
