"""Team: what algorithms have in common whose agents learn together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from os import PathLike
from typing import Any, ClassVar, Generic, Self

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key
from trulysparse.errors import InputError
from trulysparse.io.parameters import allow
from trulysparse.rl.checkpoint import KeptAgent
from trulysparse.rl.learner import Learner
from trulysparse.rl.loop import Collector, collect_and_learn
from trulysparse.rl.notes import NotesLosses
from trulysparse.rl.policy import Policy
from trulysparse.rl.targets import SoftMellowmax
from trulysparse.rl.team_environment import TeamEnvironment, TeamSpaces
from trulysparse.rl.team_loop import run_team
from trulysparse.rl.team_networks import AgentNetworks
from trulysparse.rl.team_replay import TeamReplay
from trulysparse.rl.team_settings import SettingsType, make_settings

allow(TeamSpaces, SoftMellowmax)


class Team(KeptAgent, NotesLosses, ABC, Generic[SettingsType]):
    """Base of IQL, VDN and QMIX: everything but what their papers say.

    Args:
        env: a PettingZoo parallel environment; or the TeamSpaces of one, for a team that only acts until it is given an
            environment.
        settings: in place of the defaults, by name.
        seed: of topologies, weights, batches, exploration and environment, at least 0.
        threads: of the kernels, at least 1; the same bits for any number.

    Attributes:
        settings: all of them.
        spaces: what the agents see and choose among.
        environment: that the team learns in; None where it has none.
        networks: the agents' networks.
        learners: by name: 'agents' or one of each agent, and those of the mixer.
        replay: the transitions; None before the first call of `learn`.
        num_timesteps: steps of the environment so far; one moves all agents.
        total_timesteps: of the present call of `learn`, those before it among them.
        n_updates: so far.
        metrics: the latest losses, by the names that Stable-Baselines3 logs.
        collector: the episodes that it has lived through; None before the first.
        rng: source of all random numbers in learning, but those of the environment and of topologies. `predict` has a
            source of its own, so that looking at a team does not change what it learns.
        parameters: what the constructor was given, without the environment.
    """

    name: ClassVar[str]
    """As in files."""
    settings_class: Any
    """What its settings are kept in."""
    with_state: ClassVar[bool] = False
    """Whether the algorithm looks at the state of the whole environment."""

    def __init__(self, env: Any, *, settings: dict[str, Any], seed: int = 0, threads: int = 1) -> None:
        self.parameters: dict[str, Any] = {**settings, "seed": seed, "threads": threads}
        self.seed = checks.integer("seed", seed, low=0)
        self.threads = checks.thread_count(threads)
        self.settings: SettingsType = make_settings(self.settings_class, settings)
        self.environment = None if isinstance(env, TeamSpaces) else TeamEnvironment(env, with_state=self.with_state)
        self.spaces: TeamSpaces = env if self.environment is None else self.environment.spaces
        self.networks = AgentNetworks(self.spaces, self.settings, stream_key(self.seed, "team") >> 1, self.threads)
        self.learners: dict[str, Learner] = dict(self.networks.learners)
        self.rng = np.random.default_rng(self.seed)
        self._predicting = np.random.default_rng(stream_key(self.seed, "predict"))
        self.replay: TeamReplay | None = None
        self.num_timesteps = self.total_timesteps = self.n_updates = 0
        self.metrics = {}
        self.collector: Collector | None = None
        self._choices = np.array(self.spaces.n_actions)

    @abstractmethod
    def update(self) -> None:
        """One update of all networks from one batch."""

    # ---- what users call ----

    def learn(
        self,
        total_timesteps: int,
        *,
        callbacks: Any = (),
        log: str | PathLike[str] | None = None,
        progress_bar: bool = False,
        reset_num_timesteps: bool = True,
    ) -> Self:
        """Learns from the environment.

        Args:
            total_timesteps: steps of the environment, at least 1; one moves all agents.
            callbacks: one, or a list; see rl.callbacks.
            log: folder for progress.csv; None: nothing is written.
            progress_bar: whether to draw one.
            reset_num_timesteps: whether steps count from 0 again; False: they go on.

        Returns:
            The team.

        Raises:
            InputError: where an argument is out of range, or the environment gives numbers that are not finite.
            NotEnoughMemoryError: where the replay would not fit, before it is allocated.
            DivergenceError: where training has diverged.
        """
        total = checks.integer("total_timesteps", total_timesteps, low=1)
        restart = checks.flag("reset_num_timesteps", reset_num_timesteps)
        if self.environment is None:
            raise InputError("the team has no environment to learn from: give it one with set_env")
        if self.replay is None:
            self.replay = self.new_replay()

        def prepare() -> None:
            self._look_ahead(0 if restart else self.num_timesteps, total)

        collect_and_learn(
            self,  # type: ignore[arg-type]
            total,
            callbacks,
            log,
            progress_bar,
            reset_num_timesteps=restart,
            prepare=prepare,
            run=run_team,
        )
        return self

    def predict(
        self,
        observations: Mapping[str, Any],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[dict[str, int], None]:
        """Actions of the agents that have observations.

        Args:
            observations: of each agent by name, as the environment gives them; agents that are out are not in it.
            state: of recurrent policies, which there are none of; ignored.
            episode_start: likewise.
            deterministic: whether each agent takes what it finds best; False: as while training, some are random.

        Returns:
            Actions by agent; and None.

        Raises:
            InputError: where an agent is not known, or an observation has another shape or is not finite.
        """
        if not isinstance(observations, Mapping):
            raise InputError(f"observations must be a dict of observations by agent, not {observations!r:.80}")
        rows, there = self.spaces.rows(observations)
        actions = self.networks.act(rows).argmax(axis=0)
        if not deterministic:
            actions = self._explored(actions, self._predicting)
        return {self.spaces.agents[i]: int(actions[i]) for i in np.flatnonzero(there)}, None

    def freeze(self) -> dict[str, Policy]:
        """The policy of each agent as it is now, for acting only: it takes the agent's own observation, answers in
        microseconds, and its file needs no PettingZoo. Mixers are not part of it: they serve learning alone.

        Returns:
            Policies by agent. Later updates do not reach them.
        """
        return {
            agent: Policy(self.networks.network_of(number), head="argmax", n_actions=self.spaces.n_actions[number])
            for number, agent in enumerate(self.spaces.agents)
        }

    @property
    def n_connections(self) -> int:
        """Of all networks that learn; targets are not counted."""
        return sum(learner.n_connections for learner in self.learners.values())

    def set_env(self, env: Any) -> None:
        """Gives the team another environment of the same spaces.

        Args:
            env: see the constructor.

        Raises:
            InputError: where its spaces are others; the team keeps what it has then.
        """
        found = TeamEnvironment(env, with_state=self.with_state)
        if found.spaces != self.spaces:
            raise InputError(f"env must have the spaces of the team's own, {self.spaces}, not {found.spaces}")
        self.environment = found

    # ---- files ----

    def own_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """See KeptAgent."""
        return ({} if self.collector is None else {"collector": self.collector.state()}), {}

    def restore_own_state(self, numbers: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """See KeptAgent."""
        if "collector" in numbers:
            self.collector = Collector()
            self.collector.restore(numbers["collector"])

    def restore_replay(self, state: dict[str, Any]) -> None:
        """See KeptAgent."""
        replay = self.new_replay()
        replay.restore(state)
        self.replay = replay

    @property
    def replay_folder(self) -> None:
        """Of a team there is none: its replay lies in memory."""

    @replay_folder.setter
    def replay_folder(self, folder: str | PathLike[str] | None) -> None:
        if folder is not None:
            raise InputError("replay_folder must be None: the replay of a team lies in memory")

    # ---- what the loop and the algorithms call ----

    def new_replay(self) -> TeamReplay:
        """An empty replay."""
        return TeamReplay(self.settings.buffer_size, self.spaces)

    @property
    def updates_per_round(self) -> int:
        """Updates after each `train_freq` steps."""
        s = self.settings
        return s.train_freq if s.gradient_steps < 0 else s.gradient_steps

    @property
    def target_update_every(self) -> int:
        """Updates from one of the targets to the next: target_update_interval counts steps."""
        s = self.settings
        return max(1, round(s.target_update_interval * self.updates_per_round / s.train_freq))

    @property
    def exploration_rate(self) -> float:
        """Share of random actions at this step."""
        s = self.settings
        span = s.exploration_fraction * self.total_timesteps
        done = 1.0 if self.num_timesteps >= span else self.num_timesteps / span
        return s.exploration_initial_eps + done * (s.exploration_final_eps - s.exploration_initial_eps)

    def random_actions(self) -> NDArray[np.int64]:
        """(n_agents,) uniformly random choices."""
        return self.rng.integers(self._choices)

    def _explored(self, actions: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Actions of which some, at the exploration rate and each for itself, give way to random ones."""
        at_random = rng.random(len(actions)) < self.exploration_rate
        return np.where(at_random, rng.integers(self._choices), actions)

    def explore(self, observations: Floats) -> NDArray[np.int64]:
        """Each agent's best choice, or, at the exploration rate and each for itself, a random one.

        Args:
            observations: (n_agents, width).

        Returns:
            (n_agents,).
        """
        return self._explored(self.networks.act(observations).argmax(axis=0), self.rng)

    def _look_ahead(self, timesteps: int, total: int) -> None:
        """Says how many steps and updates there will be in the present call of `learn`, which begins with so many."""
        s = self.settings
        self.total_timesteps = timesteps + total
        steps = max(0, self.total_timesteps - max(timesteps, s.learning_starts))
        updates = self.n_updates + steps // s.train_freq * self.updates_per_round
        for learner in self.learners.values():
            learner.set_total_updates(max(1, updates))
