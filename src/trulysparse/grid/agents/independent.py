"""Independent TD3 and DQN: the algorithms of `rl`, one agent for each home, on a fleet of networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import rl
from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.grid.agents.exchange import Exchange
from trulysparse.grid.agents.policy import REACH, ActionMap
from trulysparse.grid.agents.rollout import EnvironmentMaker
from trulysparse.grid.agents.savings import SavingEnvironments
from trulysparse.grid.agents.topology import evolution_of
from trulysparse.grid.agents.windows import Windows
from trulysparse.grid.splits import Split
from trulysparse.io.kept_models import Parts
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.rl.learner import Learner

CHOICES = (-1.0, -0.5, 0.0, 0.2, 0.5, 1.0)
"""The battery's actions that DQN chooses among."""


@dataclass(frozen=True)
class IndependentSettings:
    """How TD3 and DQN learn in homes; other names are settings of the algorithm, see rl.TD3 and rl.DQN.

    Args:
        hours: that each agent lives through, in whole windows.
        window_hours: length of an episode, see Windows.
        replaced: share of the connections that an evolution of the topology replaces, in [0, 1].
        evolve_every: updates between two evolutions.
        evolve_until: share of the training after which the topology stays, in [0, 1].
        reach: see ActionMap.
        choices: of DQN.
    """

    hours: int = 36_000
    window_hours: int = 480
    replaced: float = 0.05
    evolve_every: int = 1000
    evolve_until: float = 0.7
    reach: float = REACH
    choices: tuple[float, ...] = CHOICES


_COMMON = {"batch_size": 64, "gamma": 0.98, "buffer_size": 4096, "learning_starts": 2000}
DEFAULTS: dict[str, dict[str, Any]] = {
    "td3": {**_COMMON, "exploration_noise": 0.4},
    "dqn": {
        **_COMMON,
        "train_freq": 1,
        "gradient_steps": 1,
        "exploration_initial_eps": 0.15,
        "exploration_final_eps": 0.15,
    },
}
"""Settings of the algorithms that were found on training homes and weeks."""


class IndependentTraining:
    """A training of one TD3 or DQN agent for each home, all of them in one call per step.

    Each agent lives in its home for window after window of the training hours, drawn at random, and learns after every
    hour from its own transitions alone.

    Args:
        kind: 'td3' or 'dqn'.
        maker: of the environment.
        homes: that learn.
        split: the hours to learn from.
        given: settings by name: those of IndependentSettings, and those of the algorithm.
        hidden: neurons of the hidden layers, of actors and critics.
        density: of all networks, in (0, 1].
        shared: see Training; refused, as only an evolution strategy has it.
        evolve: whether topologies evolve.
        exchange: hours between averaging the acting networks with neighbours, at the end of a window; None: there is
            none. There is one exchange at the end of a window at most.
        neighbours: see Exchange.
        seed: of everything random.
        threads: at least 1.

    Attributes:
        agent: of rl, with fleet=True.
        done: hours that each agent has lived through.
        length: hours in all.

    Raises:
        InputError: where a setting is unknown or out of range, or does not go with another.
        NotEnoughMemoryError: where the replay memories would not fit.
    """

    unit = "hours"

    def __init__(
        self,
        kind: str,
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
        if shared:
            raise InputError(f"shared is for 'es': {kind} learns in each home alone")
        if maker.coupled and len(homes) < maker.n_homes:
            raise InputError(
                f"{kind} must learn in all homes where a feeder, a market or a broadcast couples them: split must have "
                f"{maker.n_homes} training homes, not {len(homes)}"
            )
        own = {each.name for each in fields(IndependentSettings)}
        settings = IndependentSettings(**{name: value for name, value in given.items() if name in own})
        self.kind, self.homes, self.settings = kind, homes, settings
        self.windows = Windows(split, settings.window_hours)
        hours = checks.integer("hours", settings.hours, low=self.windows.length)
        self.length = hours // self.windows.length * self.windows.length
        algorithm = {**DEFAULTS[kind], **{name: value for name, value in given.items() if name not in own}}
        evolution = None
        if evolve and density < 1:
            evolution = evolution_of(settings.replaced, settings.evolve_every, settings.evolve_until, self.length)
        environment = maker.make(homes, 0, self.windows.length)
        self.choices = settings.choices if kind == "dqn" else None
        self.action_map = ActionMap(environment.start_actions, settings.reach, squashed=kind == "td3")
        self.environments = SavingEnvironments(
            environment,
            maker.unit[homes],
            algorithm["gamma"],
            reach=settings.reach,
            choices=self.choices,
            windows=self.windows.first,
        )
        make = rl.TD3 if kind == "td3" else rl.DQN
        self.agent: Any = make(
            self.environments,
            fleet=True,
            seed=seed,
            threads=threads,
            hidden_layer_sizes=hidden,
            density=density,
            evolution=evolution,
            **algorithm,
        )
        for learner in self.agent.learners.values():
            begin_alike(learner)
        self.exchange = None if exchange is None else Exchange(len(homes), exchange, neighbours)

    @property
    def fleet(self) -> Fleet:
        """The networks that act."""
        fleet: Fleet = self.agent.acting_network
        return fleet

    @property
    def done(self) -> int:
        """Hours that each agent has lived through."""
        return int(self.agent.num_timesteps) // len(self.homes)

    @property
    def hours_lived(self) -> float:
        """Hours of life so far."""
        return float(self.done)

    def advance(self) -> dict[str, float]:
        """One window, as an episode of all agents."""
        before = self.done
        self.agent.learn(self.windows.length * len(self.homes), reset_num_timesteps=False)
        episodes = list(self.agent.collector.last_returns)[-len(self.homes) :]
        cost = -float(np.mean(episodes)) / self.windows.length
        learners = self.agent.learners.values()
        if self.exchange is not None and self.exchange.due(before, self.done):
            self._exchange_models(self.exchange)
        learners = self.agent.learners.values()
        return {
            "cost": cost,
            "replaced": sum(int(learner.replaced) for learner in learners),
            "sent_bytes": 0 if self.exchange is None else int(self.exchange.bytes_sent.sum()),
        }

    def _exchange_models(self, exchange: Exchange) -> None:
        """Averages the acting networks; their targets take the topologies that come of it."""
        learner = self._acting
        exchange.run(learner.nets[0], learner.optimizer_state[0])
        for target in learner.targets[:1]:
            target.take_topology(learner.nets[0])

    @property
    def _acting(self) -> Learner:
        learner: Learner = self.agent.learners["actor" if self.kind == "td3" else "q"]
        return learner

    def parts(self) -> Parts:
        """What a run goes on from: networks, optimizer state, replay memories, counters."""
        parts: Parts = self.agent.to_parts(replay=True)
        if self.exchange is not None:
            parts.config["exchange.count"] = self.exchange.count
            parts.arrays["exchange.bytes_sent"] = self.exchange.bytes_sent
        return parts

    def restore(self, parts: Parts, threads: int) -> None:
        """Goes on from `parts` of a training with the same arguments."""
        self.agent = type(self.agent).from_parts(parts, threads, None)
        self.agent.set_env(self.environments)
        if self.exchange is not None:
            self.exchange.count = int(parts.config["exchange.count"])
            self.exchange.bytes_sent[:] = parts.arrays["exchange.bytes_sent"]


def begin_alike(learner: Learner) -> None:
    """Gives all agents of a learner's fleets the networks that the first one begins with, so that neurons of the same
    number mean the same and averages of agents make sense; optimizer state is still 0.

    Args:
        learner: before its first update.
    """
    for net in (*learner.nets, *learner.targets):
        alike = net[np.zeros(len(net), np.int64)]
        for own, layer in zip(net.layers, alike.layers, strict=True):
            own.connectivity, own.values, own.bias = layer.connectivity, layer.values, layer.bias
    for net, state in zip(learner.nets, learner.optimizer_state, strict=True):
        state[:] = [layer.new_state(learner.optimizer) for layer in net.layers]
    for net, target in zip(learner.nets, learner.targets, strict=False):
        target.take_topology(net)
