"""Training by an evolution strategy, generation after generation, of an agent per home or of one that all share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.grid.agents.evolution_strategy import EvolutionStrategy
from trulysparse.grid.agents.exchange import Exchange
from trulysparse.grid.agents.policy import REACH, ActionMap
from trulysparse.grid.agents.rollout import EnvironmentMaker, Rollouts
from trulysparse.grid.agents.topology import evolution_of
from trulysparse.grid.agents.windows import Windows
from trulysparse.grid.splits import Split
from trulysparse.io.kept_models import Parts
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import Adam


@dataclass(frozen=True)
class StrategySettings:
    """How an evolution strategy learns.

    Args:
        generations: of the whole training.
        candidates: of each agent in a generation, even.
        deviation: of the perturbations.
        learning_rate: of Adam.
        window_hours: see Windows.
        windows: most of a generation, see Windows; None: all that fit side by side.
        replaced: share of the connections that an evolution of the topology replaces, in [0, 1].
        evolve_every: generations between two evolutions.
        evolve_until: share of the training after which the topology stays, in [0, 1].
        activation: of the hidden layers.
        reach: see ActionMap.
    """

    generations: int = 400
    candidates: int = 16
    deviation: float = 0.05
    learning_rate: float = 0.02
    window_hours: int = 168
    windows: int | None = 4
    replaced: float = 0.2
    evolve_every: int = 10
    evolve_until: float = 0.6
    activation: str = "tanh"
    reach: float = REACH


class StrategyTraining:
    """A training of the agents of some homes by an evolution strategy.

    All agents begin with the same sparse network, whose output layer is dense and zero, so that each home starts close
    to self-consumption; from there on everybody has weights, costs and, with evolution, a topology of its own.

    Args:
        maker: of the environment.
        homes: that learn, each from its own data.
        split: the hours to learn from.
        given: settings by name, see StrategySettings.
        hidden: neurons of the hidden layers.
        density: of the network, in (0, 1]; 1 is dense.
        shared: whether one network decides for all these homes, and learns from all of them.
        evolve: whether the topology evolves.
        exchange: hours of life between exchanges with neighbours; None: there are none. The training stands for the
            training hours being lived through once.
        neighbours: see Exchange.
        seed: of everything random.
        threads: at least 1; the same bits for any number.

    Attributes:
        fleet: the agents' networks.
        done: generations that are over.
        length: generations in all.
        exchange: the Exchange, or None.

    Raises:
        InputError: where an argument is out of range or does not go with another.
        NotEnoughMemoryError: where the candidates would not fit into memory.
    """

    unit = "generations"
    choices = None

    def __init__(
        self,
        maker: EnvironmentMaker,
        homes: NDArray[np.int64],
        split: Split,
        given: Mapping[str, Any],
        *,
        hidden: tuple[int, ...],
        density: float,
        shared: bool = False,
        evolve: bool = True,
        exchange: float | None = None,
        neighbours: int = 3,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        settings = _settings(given)
        self.length = checks.integer("generations", settings.generations, low=1)
        self.homes = homes
        example = maker.make(np.arange(maker.n_homes), 0, 1)
        self.action_map = ActionMap(example.start_actions, settings.reach)
        sizes = (example.n_observations, *hidden, example.n_actions)
        self.fleet = new_fleet(sizes, density, 1 if shared else len(homes), settings.activation, seed, threads)
        self.windows = Windows(split, settings.window_hours, settings.windows, seed)
        self.rollouts = Rollouts(maker, homes, len(self.fleet), self.action_map)
        evolution = None
        if evolve and density < 1:
            evolution = evolution_of(settings.replaced, settings.evolve_every, settings.evolve_until, self.length)
        self.strategy = EvolutionStrategy(
            self.fleet,
            self.rollouts.columns(self.windows.count),
            candidates=settings.candidates,
            deviation=settings.deviation,
            optimizer=Adam(settings.learning_rate),
            evolution=evolution,
            generations=self.length,
            seed=seed,
            threads=threads,
        )
        self.exchange = None
        if exchange is not None:
            if shared:
                raise InputError("exchange is for agents of their own: a shared agent has nobody to exchange with")
            self.exchange = Exchange(len(homes), exchange, neighbours)
        self._hours = float(split.train_hours.sum()) / self.length

    @property
    def done(self) -> int:
        """Generations that are over."""
        return self.strategy.generation

    @property
    def hours_lived(self) -> float:
        """Hours of life that the training stands for so far: all of it is the training hours, once."""
        return self.done * self._hours

    def advance(self) -> dict[str, float]:
        """One generation.

        Returns:
            What the log has of it: `cost`, the mean of all candidates as a share of no control's cost, `best`, that of
            each agent's best candidate, and what topology evolution and exchange have done so far.
        """
        before = self.strategy.generation
        costs = self.rollouts.costs(self.strategy.draw(), self.windows.of_generation(before), self.windows.length)
        self.strategy.update(costs)
        if self.exchange is not None and self.exchange.due(before * self._hours, self.done * self._hours):
            self.exchange.run(self.fleet, self.strategy.states)
            self.strategy.follow_topology()
        costs /= self.windows.hours * self.rollouts.homes_per_agent
        row = {"cost": float(costs.mean()), "best": float(costs.min(axis=1).mean())}
        row["replaced"] = int(self.strategy.replaced.sum())
        row["sent_bytes"] = 0 if self.exchange is None else int(self.exchange.bytes_sent.sum())
        return row

    def parts(self) -> Parts:
        """What a run goes on from: networks, optimizer state, counters."""
        state = self.strategy.state_dict()
        if self.exchange is not None:
            state |= {"exchange.count": self.exchange.count, "exchange.bytes_sent": self.exchange.bytes_sent}
        arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        numbers = {name: value for name, value in state.items() if name not in arrays}
        return Parts({"fleet": self.fleet}, arrays, numbers)

    def restore(self, parts: Parts, threads: int) -> None:
        """Goes on from `parts` of a training with the same arguments."""
        fleet: Any = parts.networks["fleet"]
        for own, layer in zip(self.fleet.layers, fleet.layers, strict=True):
            own.connectivity, own.values, own.bias = layer.connectivity, layer.values, layer.bias
        self.strategy.load_state_dict({**parts.config, **parts.arrays})
        if self.exchange is not None:
            self.exchange.count = int(parts.config["exchange.count"])
            self.exchange.bytes_sent[:] = parts.arrays["exchange.bytes_sent"]


def _settings(given: Mapping[str, Any]) -> StrategySettings:
    known = [each.name for each in fields(StrategySettings)]
    for name in given:
        if name not in known:
            raise InputError(f"there is no setting {name!r:.40}; there are {', '.join(known)}")
    return StrategySettings(**given)


def new_fleet(sizes: tuple[int, ...], density: float, n_agents: int, activation: str, seed: int, threads: int) -> Fleet:
    """Agents that begin with one and the same network, whose output layer is zero.

    Args:
        sizes: of the layers.
        density: of the whole network.
        n_agents: how many.
        activation: of the hidden layers.
        seed: of the network.
        threads: at least 1.
    """
    checks.real("density", density, low=0, high=1, low_open=True)
    net = SparseMLP(
        sizes, density=density, activation=activation, output="identity", fan="sparse", seed=seed, threads=threads
    )
    net.layers[-1].values[:] = 0
    return Fleet.from_networks([net]).repeat(n_agents)
