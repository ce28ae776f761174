"""Replay of a team's transitions: all agents' at once, drawn one by one or as sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks, memory
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.io.kept_models import LargeArray
from trulysparse.rl.team_environment import TeamSpaces

Slots = NDArray[np.int64]

_ARRAYS = ("observations", "states", "actions", "rewards", "bootstraps", "alive", "starts")


class TeamBatch(NamedTuple):
    """Transitions that were drawn, by agent: (n_agents, length, n_sequences); or of all: (length, n_sequences).

    Args:
        rewards: by agent.
        goes_on: by agent, whether its return goes on after the transition; see TeamReplay.bootstraps.
        alive: by agent, whether it took part.
        alive_next: by agent, whether it acts at the following moment.
        starts: of all, whether there is a transition.
        follows: of all, whether one starts at the following moment.
    """

    rewards: Floats
    goes_on: NDArray[np.bool_]
    alive: NDArray[np.bool_]
    alive_next: NDArray[np.bool_]
    starts: NDArray[np.bool_]
    follows: NDArray[np.bool_]


class TeamReplay:
    """A ring of moments. Each has the observations of all agents once: what a transition leads to is the next moment.
    The last observations of an episode have a moment of their own, from which no transition starts.

    Args:
        capacity: moments, at least 2.
        spaces: sizes.

    Attributes:
        observations: float32 (capacity, n_agents, width).
        states: float32 (capacity, n_states).
        actions: int32 (capacity, n_agents).
        rewards: float32 (capacity, n_agents).
        bootstraps: bool (capacity, n_agents); whether the agent's return goes on after the transition: it took part and
            has not terminated.
        alive: bool (capacity, n_agents); who acts at this moment.
        starts: bool (capacity,); whether a transition starts here.
        n_moments: in the ring, the newest among them, whose transition is still to come.
        n_transitions: in the ring.

    Raises:
        InputError: where capacity is out of range.
        NotEnoughMemoryError: where the arrays do not fit into memory; nothing is allocated then.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.team_environment import TeamSpaces
        >>> from trulysparse.rl.team_replay import TeamReplay
        >>> replay = TeamReplay(100, TeamSpaces(("left", "right"), (3, 3), (2, 2)))
        >>> both, zeros = np.ones(2, bool), np.zeros((2, 3), np.float32)
        >>> replay.begin(zeros, both)
        >>> for action in range(5):
        ...     replay.add([action, 1], np.ones(2), zeros + action, terminated=~both, alive=both)
        >>> slots = replay.sample(np.random.default_rng(0), 4, 2)
        >>> slots.shape, bool((np.diff(replay.actions[slots, 0], axis=0) == 1).all())
        ((2, 4), True)
    """

    def __init__(self, capacity: int, spaces: TeamSpaces) -> None:
        self.capacity = checks.integer("buffer_size", capacity, low=2)
        n, agents = self.capacity, spaces.n_agents
        floats = agents * (spaces.width + 2) + spaces.n_states
        memory.require(n * (4 * floats + 2 * agents + 1), f"a replay of {n:,} transitions", "lower buffer_size")
        self.observations: Floats = np.zeros((n, agents, spaces.width), np.float32)
        self.states: Floats = np.zeros((n, spaces.n_states), np.float32)
        self.actions = np.zeros((n, agents), np.int32)
        self.rewards: Floats = np.zeros((n, agents), np.float32)
        self.bootstraps = np.zeros((n, agents), np.bool_)
        self.alive = np.zeros((n, agents), np.bool_)
        self.starts = np.zeros(n, np.bool_)
        self._agents = np.arange(agents, dtype=np.int64)[:, None]
        self._rows = self.observations.reshape(n * agents, spaces.width)
        self._newest = -1
        self.n_moments = 0
        self.n_transitions = 0

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return sum(int(getattr(self, name).nbytes) for name in _ARRAYS)

    def begin(self, observations: Floats, alive: NDArray[np.bool_], state: Floats | None = None) -> None:
        """Stores the first moment of an episode.

        Args:
            observations: (n_agents, width).
            alive: (n_agents,), who acts.
            state: (n_states,); None where there is none.
        """
        self._newest = (self._newest + 1) % self.capacity
        self.n_moments = min(self.capacity, self.n_moments + 1)
        now = self._newest
        self.n_transitions -= int(self.starts[now])
        self.starts[now] = False
        self.observations[now] = observations
        self.alive[now] = alive
        if state is not None:
            self.states[now] = state

    def add(
        self,
        actions: Any,
        rewards: Any,
        next_observations: Floats,
        *,
        terminated: NDArray[np.bool_],
        alive: NDArray[np.bool_],
        next_state: Floats | None = None,
    ) -> None:
        """Stores a transition from the newest moment, and the moment that it leads to.

        Args:
            actions: (n_agents,).
            rewards: (n_agents,).
            next_observations: (n_agents, width).
            terminated: (n_agents,).
            alive: (n_agents,), who acts next; where nobody does, `begin` comes next.
            next_state: (n_states,); None where there is none.
        """
        now = self._newest
        self.actions[now] = actions
        self.rewards[now] = rewards
        self.bootstraps[now] = self.alive[now] & ~terminated
        self.starts[now] = True
        self.n_transitions += 1
        self.begin(next_observations, alive, next_state)

    def has(self, length: int) -> bool:
        """Whether there is a sequence of so many moments to draw."""
        possible = self.n_moments - length  # the newest has no transition yet
        oldest = self._newest + 1 - self.n_moments
        return possible > 0 and bool(self.starts[(oldest + np.arange(possible)) % self.capacity].any())

    def sample(self, rng: np.random.Generator, n_sequences: int, length: int = 1) -> Slots:
        """Draws sequences of moments that follow one another, uniformly among those whose first starts a transition.

        Args:
            rng: draws.
            n_sequences: how many, at least 1.
            length: moments of each, at least 1. A sequence may reach into the next episode, over a moment that starts
                no transition.

        Returns:
            (length, n_sequences) numbers of moments; of each the following moment is in the ring too.

        Raises:
            InputError: where there are not enough moments.
        """
        possible = self.n_moments - length  # the newest has no transition yet
        oldest = self._newest + 1 - self.n_moments
        first = (oldest + rng.integers(0, max(1, possible), n_sequences)) % self.capacity
        wrong = np.flatnonzero(~self.starts[first])
        if possible < 1 or (len(wrong) == n_sequences and not self.has(length)):
            raise InputError(
                f"replay must have a sequence of {length} moments; it has {self.n_transitions} transitions"
            )
        while len(wrong):
            first[wrong] = (oldest + rng.integers(0, possible, len(wrong))) % self.capacity
            wrong = wrong[~self.starts[first[wrong]]]
        slots: Slots = (first + np.arange(length, dtype=np.int64)[:, None]) % self.capacity
        return slots

    def following(self, slots: Slots) -> Slots:
        """The moments that transitions from `slots` lead to."""
        return (slots + 1) % self.capacity

    def batch(self, moments: Slots, following: Slots) -> TeamBatch:
        """What happened at moments, as `sample` draws them.

        Args:
            moments: (length, n_sequences).
            following: those that they lead to.
        """
        return TeamBatch(
            self.rewards[moments].transpose(2, 0, 1),
            self.bootstraps[moments].transpose(2, 0, 1),
            self.alive[moments].transpose(2, 0, 1),
            self.alive[following].transpose(2, 0, 1),
            self.starts[moments],
            self.starts[following],
        )

    def gather_observations(self, slots: Slots, out: Floats, threads: int, agent: int | None = None) -> None:
        """Lays observations out as a network's input, in one call of the kernels.

        Args:
            slots: moments, flat.
            out: (width, columns), written to: agent by agent, for each a column per moment; the rest zeros.
            threads: at least 1.
            agent: of one agent alone; None: of all.
        """
        n_agents = len(self._agents)
        agents = self._agents if agent is None else self._agents[agent : agent + 1]
        _kernels.load_dense(self._rows, (slots * n_agents + agents).ravel(), None, None, out, threads)

    def gather_states(self, slots: Slots, out: Floats, threads: int) -> None:
        """Lays states out as a network's input: (n_states, columns), a column per moment; the rest zeros."""
        _kernels.load_dense(self.states, slots, None, None, out, threads)

    # ---- files ----

    def state(self) -> dict[str, NDArray[Any]]:
        """What `restore` takes: views of the part that was written to, not copies.

        Returns:
            Arrays by name.
        """
        arrays = {name: getattr(self, name)[: self.n_moments] for name in _ARRAYS if getattr(self, name).size}
        return arrays | {"position": np.array([self._newest, self.n_moments])}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on where another replay, of the same arguments, was.

        Args:
            state: from `state`; arrays, or the LargeArrays of a file, which are read straight into the replay.

        Raises:
            InputError: where it is that of another replay, or damaged; nothing changes then.
        """
        newest, moments = (int(number) for number in state["position"])
        if not (-1 <= newest < max(1, moments) and 0 <= moments <= self.capacity):
            raise InputError(f"the replay's position must be within {self.capacity} moments, not {newest}, {moments}")
        own = {name: getattr(self, name) for name in _ARRAYS if getattr(self, name).size}
        for name, array in own.items():
            given = state[name]
            if given.dtype != array.dtype or given.shape != (moments, *array.shape[1:]):
                raise InputError(
                    f"the replay's {name} are {given.dtype} of shape {given.shape}, but this replay holds "
                    f"{array.dtype} of shape {array.shape}"
                )
        for name, array in own.items():
            if isinstance(state[name], LargeArray):
                state[name].read_into(array[:moments])
            else:
                array[:moments] = state[name]
            array[moments:] = 0
        self._newest, self.n_moments = newest, moments
        self.n_transitions = int(np.count_nonzero(self.starts))
