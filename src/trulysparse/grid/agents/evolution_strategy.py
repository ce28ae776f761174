"""EvolutionStrategy: many agents' sparse networks learn from what candidates with perturbed weights cost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse._core.random import generator
from trulysparse.errors import InputError
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.fleet_evolver import FleetEvolver
from trulysparse.grid.agents.candidates import Candidates
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.optim import Optimizer


class EvolutionStrategy:
    """Each agent of a fleet follows an estimate of the gradient of its own cost, made of candidates alone.

    In each generation K / 2 directions are drawn along the connections and biases of each agent, normal of a given
    deviation s; a candidate goes each way. Costs count by their rank r among the agent's candidates, from -1/2 (least)
    to 1/2, where equal ones share a rank. The gradient is then estimated as
    sum_k (r_k+ - r_k-) e_k / (K s), with e_k the direction of deviation 1, and the optimizer takes a step. No agent
    sees another's costs. Between generations the topology evolves by the weights' magnitudes. Directions are functions
    of the seed and of the generation's number, so that a run goes on from `state_dict` with the same bits.

    Args:
        fleet: the agents; changed in place.
        columns: samples that each candidate is asked at a time: homes and windows.
        candidates: K of each agent, even, at least 2.
        deviation: s, above 0.
        optimizer: such as Adam(0.02).
        evolution: of the topology, counted in generations, such as SET(0.2, every_updates=10, until=200); a method that
            needs no gradients of single samples. None: the topology stays.
        generations: of the whole training, which counts as one epoch of the optimizer's schedule; None: not known.
        seed: at least 0.
        threads: at least 1; the same bits for any number.

    Attributes:
        candidates: see Candidates; those of the coming generation after `draw`.
        generation: how many are over.

    Raises:
        InputError: where an argument is out of range, or the evolution needs gradients.
        NotEnoughMemoryError: where the candidates would not fit into memory, before anything is changed.

    Source:
        Salimans, Ho, Chen, Sidor, Sutskever, "Evolution strategies as a scalable alternative to reinforcement learning"
        (2017), algorithm 1 with mirrored sampling and rank shaping; Mocanu et al., "Scalable training of artificial
        neural networks with adaptive sparse connectivity" (2018), for the topology.

    Example:
        Three agents, each of which shall give its own number:

        >>> import numpy as np, trulysparse as ts
        >>> fleet = ts.Fleet(3, (2, 8, 1), density=0.5, activation="tanh", output="identity", seed=0, threads=1)
        >>> wanted = np.array([-0.5, 0.0, 0.5])
        >>> strategy = EvolutionStrategy(fleet, 1, candidates=16, optimizer=ts.Adam(0.05), threads=1)
        >>> for _ in range(100):
        ...     candidates = strategy.draw()
        ...     candidates.x[...] = 1
        ...     strategy.update((candidates.forward()[:, :, 0, 0].T - wanted[:, None]) ** 2)
        >>> bool((abs(fleet.predict(np.ones((3, 2)))[:, 0] - wanted) < 0.1).all())
        True
    """

    def __init__(
        self,
        fleet: Fleet,
        columns: int,
        *,
        candidates: int = 24,
        deviation: float = 0.05,
        optimizer: Optimizer,
        evolution: Evolution | None = None,
        generations: int | None = None,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        count = checks.integer("candidates", candidates, low=2)
        if count % 2:
            raise InputError(f"candidates must be even, as each direction is taken both ways, not {count}")
        self.deviation = checks.real("deviation", deviation, low=0, low_open=True)
        self.fleet, self.optimizer, self.seed, self.threads = fleet, optimizer, seed, checks.thread_count(threads)
        self.generations = None if generations is None else checks.integer("generations", generations, low=1)
        if evolution is not None and evolution.needs_gradient:
            raise InputError(
                f"evolution must be one that needs no gradients, such as SET(), not {evolution!r:.80}: an evolution "
                "strategy has none of single connections"
            )
        self.states = [layer.new_state(optimizer) for layer in fleet.layers]
        self._evolver = None
        if evolution is not None:
            self._evolver = FleetEvolver(evolution, fleet, self.states, total_updates=generations, threads=self.threads)
        self.candidates = Candidates(fleet, count, columns, self.threads)
        self.generation = 0
        self._directions: list[tuple[Floats, Floats]] = []

    @property
    def count(self) -> int:
        """K."""
        return self.candidates.count

    @property
    def replaced(self) -> NDArray[np.int64]:
        """Connections that evolution has replaced so far, of each agent, (N,)."""
        return np.zeros(self.fleet.n_agents, np.int64) if self._evolver is None else self._evolver.replaced

    def draw(self) -> Candidates:
        """Gives the candidates the weights of a new generation.

        Returns:
            The candidates, to be asked; then `update` gets what each of them cost.
        """
        half = self.count // 2
        self._directions = []
        for number, layer in enumerate(self.fleet.layers):
            rng = generator(self.seed, "perturbation", self.generation, number)
            pair = tuple(
                rng.standard_normal((half, array.size), dtype=np.float32).astype(array.dtype, copy=False)
                for array in (layer.values, layer.bias)
            )
            self._directions.append(pair)  # type: ignore[arg-type]
            for k, candidate in enumerate(self.candidates.fleets):
                own = candidate.layers[number]
                factor = self.deviation if k < half else -self.deviation
                for out, mean, direction in zip((own.values, own.bias), (layer.values, layer.bias), pair, strict=True):
                    np.multiply(direction[k % half], out.dtype.type(factor), out=out)
                    np.add(out, mean, out=out)
        return self.candidates

    def update(self, costs: ArrayLike) -> None:
        """Takes one step down, and evolves the topology where that is due.

        Args:
            costs: (N, K), of each agent's candidates of this generation; the unit does not matter. An infinite one is
                the worst.

        Raises:
            InputError: of another shape, or not numbers, or before `draw`; nothing has changed then.
        """
        given = np.asarray(costs, np.float64)
        shape = self.fleet.n_agents, self.count
        if given.shape != shape:
            raise InputError(f"costs must be of shape {shape} (agents, candidates), not {given.shape}")
        if np.isnan(given).any():
            agent, candidate = np.argwhere(np.isnan(given))[0]
            raise InputError(f"costs must be numbers, but candidate {candidate} of agent {agent} has none")
        if not self._directions:
            raise InputError("update() needs the candidates of draw(), which comes before each update")
        half = self.count // 2
        ranks = shaped_ranks(given)
        weight = (ranks[:, :half] - ranks[:, half:]) / (self.count * self.deviation)
        share = 0.0 if self.generations is None else min(1.0, self.generation / self.generations)
        rule = self.optimizer.rule(self.generation, share, None if self.generations is None else 1)
        for layer, state, pair in zip(self.fleet.layers, self.states, self._directions, strict=True):
            counts = (layer.connections_per_agent, len(layer.bias) // self.fleet.n_agents)
            gradient = [_weighted(weight, direction, count) for direction, count in zip(pair, counts, strict=True)]
            layer.update([(gradient[0], gradient[1], 1.0)], state, rule, self.threads)
        self._directions = []
        self.generation += 1
        if self._evolver is not None:
            self._evolver.step_done()
            if self._evolver.due():
                self._evolver.evolve()
                self.follow_topology()

    def follow_topology(self) -> None:
        """Gives the candidates the connections that the fleet has now."""
        for candidate in self.candidates.fleets:
            for own, layer in zip(candidate.layers, self.fleet.layers, strict=True):
                own.connectivity = layer.connectivity
                if own.values.shape != layer.values.shape:
                    own.values = np.array(layer.values)

    def state_dict(self) -> dict[str, Any]:
        """What a run goes on from with the same bits, the fleet apart: counters and optimizer state.

        Returns:
            Numbers and copies of arrays, by name.
        """
        state: dict[str, Any] = {"generation": self.generation}
        for number, each in enumerate(self.states):
            for name, arrays in (("weight", each.weight), ("bias", each.bias)):
                state |= {f"state.{number}.{name}.{slot}": np.array(array) for slot, array in enumerate(arrays)}
        if self._evolver is not None:
            state |= {f"evolver.{name}": value for name, value in self._evolver.state_dict().items()}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where another strategy was, given the same arguments and its fleet.

        Args:
            state: from `state_dict`.

        Raises:
            InputError: where it does not fit this strategy.
        """
        own = self.state_dict()
        sizes = {name: np.shape(value) for name, value in own.items() if name.startswith("state.")}
        for name, shape in sizes.items():
            if name not in state or np.shape(state[name]) != shape:
                raise InputError(f"state must be of this strategy's fleet and optimizer: {name} does not fit")
        for name in sizes:
            _, number, kind, slot = name.split(".")
            getattr(self.states[int(number)], kind)[int(slot)][...] = state[name]
        self.generation = int(state["generation"])
        if self._evolver is not None:
            prefix = "evolver."
            self._evolver.load_state_dict(
                {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
            )
        self.follow_topology()


def shaped_ranks(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of numbers within their row, from -1/2 (least) to 1/2; equal ones share the mean of theirs.

    Args:
        costs: (N, K), K at least 2.

    Returns:
        (N, K).

    Example:
        >>> shaped_ranks(np.array([[3.0, 1.0, 2.0], [7.0, 7.0, 7.0]])).tolist()
        [[0.5, -0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    n, count = costs.shape
    order = np.argsort(costs, axis=1, kind="stable")
    ordered = np.take_along_axis(costs, order, axis=1)
    first = np.ones((n, count), np.bool_)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    last = np.ones((n, count), np.bool_)
    last[:, :-1] = first[:, 1:]
    places = np.arange(count)
    low = np.maximum.accumulate(np.where(first, places, 0), axis=1)
    high = np.minimum.accumulate(np.where(last, places, count)[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty((n, count))
    np.put_along_axis(ranks, order, (low + high) / 2, axis=1)
    shaped: NDArray[np.float64] = ranks / (count - 1) - 0.5
    return shaped


def _weighted(weight: NDArray[np.float64], directions: Floats, counts: NDArray[np.int64] | int) -> Floats:
    """sum_k weight[i, k] * directions[k, j] for each place j of agent i, which has counts[i] places."""
    total: Floats = np.zeros(directions.shape[1], directions.dtype)
    for k, direction in enumerate(directions):
        total += np.repeat(weight[:, k].astype(total.dtype), counts) * direction
    return total
