"""OffPolicyAgent: what agents that learn from a replay buffer have in common."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from os import PathLike
from typing import Any, ClassVar, Generic, Self, TypeVar

from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.random import stream_key
from trulysparse.errors import InputError
from trulysparse.optim import Adam
from trulysparse.rl import presets
from trulysparse.rl.acting import ActingAgent
from trulysparse.rl.checkpoint import KeptAgent
from trulysparse.rl.environment_interface import Environments
from trulysparse.rl.environments import open_environments
from trulysparse.rl.fleet_normalization import FleetNormalization
from trulysparse.rl.fleet_replay import FleetReplay
from trulysparse.rl.learner import Learner
from trulysparse.rl.loop import Collector, collect_and_learn
from trulysparse.rl.normalization import RunningNormalization
from trulysparse.rl.notes import NotesLosses
from trulysparse.rl.replay import ReplayBuffer
from trulysparse.rl.settings import Settings
from trulysparse.rl.spaces import Spaces, check_actions

SettingsType = TypeVar("SettingsType", bound=Settings)

MOST_RANDOM_STEPS = 25_000
"""At the start, where learning_starts is not given. In HalfCheetah 25,000 such steps of 100,000 are worth more than the
updates in whose place they are (docs/rl.md)."""


class OffPolicyAgent(ActingAgent, KeptAgent, NotesLosses, Generic[SettingsType]):
    """Base of TD3, SAC and DQN: everything but what their papers say.

    Args:
        env: id of a Gymnasium environment, an environment, or a vector of them; or the Spaces of one, for an agent that
            only acts until it is given an environment.
        preset: of the settings; see rl.presets.
        fleet: whether each environment of a vector has an agent of its own, with networks, replay buffer and random
            batches of its own, all of which learn in one call. Settings are those of one agent. With Spaces in place of
            environments: how many agents.
        replay_folder: where the replay buffer lies in memory-mapped files; None: in memory.
        seed: of topologies, weights, batches, exploration and environments, at least 0.
        threads: of the kernels, at least 1; the same bits for any number.
        settings: those that take the place of the preset's, by name.

    Attributes:
        settings: of the algorithm, all of them.
        spaces: what the environment shows and takes.
        environments: that it learns in; None where it has none.
        n_agents: of a fleet; None: one agent.
        learning_starts: as in `settings`, or what `learn` has made of it; of a fleet, times its agents.
        train_freq, gradient_steps: as in `settings`.
        learners: by name, such as 'actor' and 'critic'.
        replay: the transitions; None before the first call of `learn`.
        num_timesteps: environment steps so far.
        total_timesteps: of the present call of `learn`, those before it among them.
        n_updates: so far.
        metrics: the latest losses, by the names that Stable-Baselines3 logs.
        collector: the episodes that it has lived through; None before the first.
        rng: see ActingAgent.
    """

    name: ClassVar[str]
    """As on the command line."""
    learners: dict[str, Learner]
    settings: SettingsType

    def __init__(
        self,
        env: Any,
        *,
        preset: str = "default",
        fleet: bool | int = False,
        replay_folder: str | PathLike[str] | None = None,
        seed: int = 0,
        threads: int = 1,
        **settings: Any,
    ) -> None:
        super().__init__(checks.integer("seed", seed, low=0))
        self.threads = checks.thread_count(threads)
        self.replay_folder = replay_folder
        self.environments: Environments | None = None
        if isinstance(env, Spaces):
            self.spaces, self.env_id = env, None
            check_actions(env.discrete, self.name)
        else:
            self.environments = open_environments(env, self.name)
            self.spaces, self.env_id = self.environments.spaces, self.environments.id
        self.n_agents = self._fleet_size(fleet)
        kept = {} if self.n_agents is None else {"fleet": self.n_agents}
        self.parameters = {"preset": preset, **settings, **kept, "seed": seed, "threads": threads}
        n_observations, n_actions = self.spaces.n_observations, self.spaces.n_actions
        chosen = presets.settings(self.name, preset, n_observations, n_actions, self.env_id, settings)
        self.settings = presets.checked(self.name, chosen)  # type: ignore[assignment]
        self.learning_starts = (self.settings.learning_starts or 0) * (self.n_agents or 1)
        self.train_freq, self.gradient_steps = self.settings.train_freq, self.settings.gradient_steps
        self.normalization = self._new_normalization() if self.settings.normalize_observations else None
        self.replay: ReplayBuffer | None = None
        self.num_timesteps = self.total_timesteps = self.n_updates = 0
        self.metrics = {}
        self.collector: Collector | None = None
        self.learners = self.make_learners()

    def _fleet_size(self, fleet: bool | int) -> int | None:
        """How many agents learn apart from each other, or None; InputError where there are not so many environments."""
        if fleet is False:
            return None
        if self.environments is None:
            return checks.integer("fleet", fleet, low=1)
        n_envs = self.environments.n_envs
        if fleet is not True and fleet != n_envs:
            raise InputError(f"fleet must be True, or the number of environments, {n_envs}, not {fleet!r:.40}")
        return n_envs

    def _new_normalization(self) -> RunningNormalization:
        n_observations = self.spaces.n_observations
        if self.n_agents is None:
            return RunningNormalization(n_observations)
        return FleetNormalization(self.n_agents, n_observations)

    def new_learner(self, n_inputs: int, n_outputs: int, which: str, **options: Any) -> Learner:
        """A learner by the agent's settings.

        Args:
            n_inputs: of its networks.
            n_outputs: likewise.
            which: 'actor' or 'critic', whose settings count; '' for settings without such a prefix.
            options: of the Learner.
        """
        s, prefix = self.settings, f"{which}_" if which else ""
        return Learner(
            (n_inputs, *s.hidden_layer_sizes, n_outputs),
            batch_size=s.batch_size,
            density=getattr(s, f"{prefix}density"),
            epsilon=getattr(s, f"{prefix}epsilon"),
            densities=s.densities,
            activation=s.activation,
            optimizer=Adam(s.learning_rate, weight_decay=s.weight_decay, weight_decay_mode="l2"),
            evolution=getattr(s, f"{prefix}evolution"),
            evolving=s.evolving,
            n_agents=self.n_agents,
            seed=stream_key(self.seed, f"learner {which}") >> 1,
            threads=self.threads,
            **options,
        )

    # ---- what an algorithm says ----

    @abstractmethod
    def make_learners(self) -> dict[str, Learner]:
        """Makes what the algorithm works with, by its settings and spaces, and returns its learners by name."""

    @abstractmethod
    def update(self) -> None:
        """One update of all networks from one batch."""

    def updates_of(self, name: str, updates: int) -> int:
        """How many of the agent's updates are updates of the learner of this name."""
        return updates

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
            total_timesteps: environment steps, at least 1; those of all environments count.
            callbacks: one, or a list; see rl.callbacks.
            log: folder for progress.csv; None: nothing is written.
            progress_bar: whether to draw one.
            reset_num_timesteps: whether steps count from 0 again; False: they go on.

        Returns:
            The agent.

        Raises:
            InputError: where an argument is out of range, or the environment gives numbers that are not finite.
            NotEnoughMemoryError: where the replay buffer would not fit, before it is allocated.
            DivergenceError: where training has diverged.
        """
        total = checks.integer("total_timesteps", total_timesteps, low=1)
        if self.environments is None:
            raise InputError("the agent has no environment to learn from: give it one with set_env")
        if self.replay is None:
            self.replay = self.new_replay()

        def prepare() -> None:
            self._look_ahead(0 if reset_num_timesteps else self.num_timesteps, total)

        collect_and_learn(
            self, total, callbacks, log, progress_bar, reset_num_timesteps=reset_num_timesteps, prepare=prepare
        )
        return self

    @property
    def n_connections(self) -> int:
        """Of all networks that learn; targets are not counted."""
        return sum(learner.n_connections for learner in self.learners.values())

    def set_env(self, env: Any) -> None:
        """Gives the agent another environment of the same spaces.

        Args:
            env: see the constructor.

        Raises:
            InputError: where its spaces or the number of environments are others; the agent keeps what it has then.
        """
        found = open_environments(env, self.name)
        try:
            self.spaces.require_same(found.spaces)
            if self.n_agents is not None and self.n_agents != found.n_envs:
                raise InputError(f"env must be an environment for each of {self.n_agents} agents, not {found.n_envs}")
            if self.replay is not None and self.replay.n_envs != found.n_envs:
                raise InputError(
                    f"env must be {self.replay.n_envs} environments, as the replay buffer has, not {found.n_envs}"
                )
        except InputError:
            found.close()
            raise
        if self.environments is not None:
            self.environments.close()
        self.environments, self.env_id = found, found.id

    # ---- files ----

    def own_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """See KeptAgent."""
        numbers: dict[str, Any] = {"env_id": self.env_id, "learning_starts": self.learning_starts}
        if self.collector is not None:
            numbers["collector"] = self.collector.state()
        arrays = {} if self.normalization is None else self.normalization.state()
        return numbers, {f"normalization.{name}": array for name, array in arrays.items()}

    def restore_own_state(self, numbers: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """See KeptAgent."""
        self.env_id = numbers["env_id"]
        if self.settings.learning_starts is None:
            self.learning_starts = numbers["learning_starts"]
        if "collector" in numbers:
            self.collector = Collector()
            self.collector.restore(numbers["collector"])
        if self.normalization is not None:
            prefix = "normalization."
            self.normalization.restore({name.removeprefix(prefix): array for name, array in arrays.items()})

    def restore_replay(self, state: dict[str, Any]) -> None:
        """See KeptAgent."""
        if self.n_agents is not None and len(state["newest"]) != self.n_agents:
            raise InputError(f"the replay buffer is of {len(state['newest'])} agents, not {self.n_agents}")
        replay = self.new_replay(len(state["newest"]))
        replay.restore(state)
        self.replay = replay

    # ---- what the loop and the algorithms call ----

    def new_replay(self, n_envs: int | None = None) -> ReplayBuffer:
        """An empty replay buffer.

        Args:
            n_envs: environments that it is for; None: those that the agent has.
        """
        spaces, s = self.spaces, self.settings
        if n_envs is None:
            n_envs = 1 if self.environments is None else self.environments.n_envs
        n_agents = self.n_agents or 1
        checks.integer("buffer_size", s.buffer_size, low=3 * n_envs // n_agents)
        kind: Any = ReplayBuffer if self.n_agents is None else partial(FleetReplay, threads=self.threads)
        replay: ReplayBuffer = kind(
            s.buffer_size * n_agents,
            spaces.n_observations,
            n_actions=0 if spaces.discrete else spaces.n_actions,
            n_envs=n_envs,
            boolean=spaces.boolean,
            n_steps=s.n_steps,
            gamma=s.gamma,
            folder=self.replay_folder,
        )
        return replay

    def _look_ahead(self, before: int, total: int) -> None:
        """Notes how long a call of `learn` will be, which begins with `before` steps."""
        self.total_timesteps = before + total
        if self.settings.learning_starts is None and before == 0:
            n_agents = self.n_agents or 1
            self.learning_starts = min(MOST_RANDOM_STEPS, total // n_agents // 4) * n_agents
        updates = self.n_updates + self._updates_from(before)
        for name, learner in self.learners.items():
            learner.set_total_updates(max(1, self.updates_of(name, updates)))

    def _updates_from(self, timesteps: int) -> int:
        """Updates in the present call of `learn`, which begins with so many steps."""
        assert self.environments is not None
        per_round = self.train_freq * self.environments.n_envs
        steps, waiting = self.total_timesteps - timesteps, max(0, self.learning_starts - timesteps)
        rounds = max(0, steps // per_round - waiting // per_round)
        return rounds * (per_round // (self.n_agents or 1) if self.gradient_steps < 0 else self.gradient_steps)
