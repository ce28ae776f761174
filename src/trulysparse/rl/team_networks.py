"""The networks of a team's agents: one that all share, or one of each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import Adam
from trulysparse.rl.joint_passes import JointPasses
from trulysparse.rl.learner import Learner
from trulysparse.rl.team_environment import TeamSpaces
from trulysparse.rl.team_replay import Slots, TeamReplay
from trulysparse.rl.team_settings import TeamSettings


class AgentNetworks:
    """Values of each agent's choices, from its own observation. Where agents share parameters, those of all agents in
    a batch are one pass of one network: a column per agent and sample.

    Args:
        spaces: sizes.
        settings: of the team.
        seed: of topologies and weights.
        threads: at least 1.

    Attributes:
        learners: by name: 'agents', which all share, or one of each agent.
        n_samples: of a batch.

    Source:
        Gupta, Egorov and Kochenderfer, "Cooperative multi-agent control using deep reinforcement learning" (2017), for
        shared parameters; Sunehag et al. (2018), section 3.2, for the agent's number as an input.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.team_environment import TeamSpaces
        >>> from trulysparse.rl.team_networks import AgentNetworks
        >>> from trulysparse.rl.team_settings import TeamSettings
        >>> networks = AgentNetworks(TeamSpaces(("left", "right"), (3, 3), (2, 2)), TeamSettings(batch_size=8))
        >>> networks.act(np.zeros((2, 3), np.float32)).shape  # (choices, agents)
        (2, 2)
        >>> networks.values().shape  # (choices, agents, samples)
        (2, 2, 8)
    """

    def __init__(self, spaces: TeamSpaces, settings: TeamSettings, seed: int = 0, threads: int = 1) -> None:
        self.spaces, self.n_samples, self.threads = spaces, settings.batch_size, threads
        self.shared, s = settings.share_parameters, settings
        n_agents = spaces.n_agents
        names = ["agents"] if self.shared else [str(agent) for agent in spaces.agents]
        self.learners = {
            name: Learner(
                (spaces.width + (n_agents if self.shared else 0), *s.hidden_layer_sizes, spaces.n_choices),
                batch_size=s.batch_size * (n_agents if self.shared else 1),
                density=s.density,
                epsilon=s.epsilon,
                densities=s.densities,
                activation=s.activation,
                optimizer=Adam(s.learning_rate, weight_decay=s.weight_decay, weight_decay_mode="l2"),
                evolution=s.evolution,
                evolving=s.evolving,
                max_grad_norm=s.max_grad_norm,
                seed=stream_key(seed, "agents", number) >> 1,
                threads=threads,
            )
            for number, name in enumerate(names)
        }
        self._learners = list(self.learners.values())
        columns = int(_kernels.padded_batch(n_agents if self.shared else 1))
        self._acting = [JointPasses(learner.nets, columns, threads) for learner in self._learners]
        if self.shared:
            learner = self._learners[0]
            for inputs in (learner.x, learner.target_x):
                _number_agents(inputs[spaces.width :], n_agents, self.n_samples)
            _number_agents(self._acting[0].x[spaces.width :], n_agents, 1)
        missing = spaces.missing
        self._missing = None if missing is None else np.where(missing, np.float32(-np.inf), np.float32(0))

    def act(self, observations: Floats) -> Floats:
        """Values of the choices of each agent.

        Args:
            observations: (n_agents, width).

        Returns:
            (n_choices, n_agents), which the next call may overwrite; -inf of choices that an agent does not have.
        """
        width, n_agents = self.spaces.width, self.spaces.n_agents
        if self.shared:
            acting = self._acting[0]
            acting.x[:width, :n_agents] = observations.T
            values = acting.forward()[0][:, :n_agents]
        else:
            values = np.empty((self.spaces.n_choices, n_agents), np.float32)
            for number, acting in enumerate(self._acting):
                acting.x[:, 0] = observations[number]
                values[:, number] = acting.forward()[0][:, 0]
        return values if self._missing is None else values + self._missing

    def load(self, replay: TeamReplay, slots: Slots) -> None:
        """Lays the observations of moments, flat, out for `values`."""
        self._load(replay, slots, [learner.x for learner in self._learners])

    def load_targets(self, replay: TeamReplay, slots: Slots) -> None:
        """Lays the observations of moments, flat, out for `target_values`."""
        self._load(replay, slots, [learner.target_x for learner in self._learners])

    def _load(self, replay: TeamReplay, slots: Slots, inputs: list[Floats]) -> None:
        if self.shared:
            replay.gather_observations(slots, inputs[0][: self.spaces.width], self.threads)
        else:
            for number, x in enumerate(inputs):
                replay.gather_observations(slots, x, self.threads, number)

    def values(self) -> Floats:
        """Values of all choices at the observations that were laid out.

        Returns:
            (n_choices, n_agents, n_samples), which the next pass may overwrite; -inf of choices that an agent does not
            have.
        """
        return self._by_agent([learner.forward()[0] for learner in self._learners])

    def target_values(self) -> Floats:
        """As `values`, of the target networks."""
        return self._by_agent([learner.forward_targets()[0] for learner in self._learners])

    def _by_agent(self, outputs: list[Floats]) -> Floats:
        if self.shared:
            shape = self.spaces.n_choices, self.spaces.n_agents, self.n_samples
            values = outputs[0][:, : shape[1] * shape[2]].reshape(shape)
        else:
            values = np.stack([output[:, : self.n_samples] for output in outputs], axis=1)
        return values if self._missing is None else values + self._missing[..., None]

    def update(self, actions: NDArray[np.integer[Any]], gradient: Floats) -> None:
        """An update of all networks after `values`.

        Args:
            actions: (n_agents, n_samples) that were taken.
            gradient: (n_agents, n_samples) of the loss at their values; other choices have none.
        """
        if self.shared:
            dy = self._learners[0].dy[0]
            dy.fill(0)
            dy[actions.ravel(), np.arange(actions.size)] = gradient.ravel()
        else:
            for learner, chosen, each in zip(self._learners, actions, gradient, strict=True):
                learner.dy[0].fill(0)
                learner.dy[0][chosen, np.arange(chosen.size)] = each
        for learner in self._learners:
            learner.update()

    def network_of(self, number: int) -> SparseMLP:
        """A copy of the network of one agent, by its number, which takes the agent's own observation alone: what a
        shared network gets by the agent's number goes into the biases of the first layer."""
        net = self._learners[0 if self.shared else number].nets[0]
        n_inputs = self.spaces.n_observations[number]
        matrices, biases = [layer.weight for layer in net.layers], [layer.bias.copy() for layer in net.layers]
        first = matrices[0].tocsc()
        matrices[0] = first[:, :n_inputs]
        if self.shared:
            biases[0] += first[:, [self.spaces.width + number]].toarray()[:, 0]
        return SparseMLP.from_matrices(
            matrices, biases, activation=net.activation, output="identity", threads=self.threads
        )


def taken(values: Floats, actions: NDArray[np.integer[Any]]) -> Floats:
    """Values of the choices that were made.

    Args:
        values: (n_choices, n_agents, n_samples).
        actions: (n_agents, n_samples).

    Returns:
        (n_agents, n_samples), a copy.
    """
    chosen: Floats = values.reshape(len(values), -1)[actions.ravel(), np.arange(actions.size)]
    return chosen.reshape(actions.shape)


def _number_agents(rows: Floats, n_agents: int, n_samples: int) -> None:
    """Writes the agents' numbers as one-hot columns, agent by agent."""
    rows[:] = 0
    for agent in range(n_agents):
        rows[agent, agent * n_samples : (agent + 1) * n_samples] = 1
