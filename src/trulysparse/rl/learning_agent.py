"""What the loop asks of an agent."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats


class LearningAgent(Protocol):
    """What the loop asks of an agent.

    Attributes:
        environments: where it acts.
        replay: its transitions.
        normalization: of observations, told all that the agent acts on; or None.
        rng: what all its random numbers come from.
        seed: of the run.
        num_timesteps: steps in environments so far.
        n_updates: gradient steps so far.
        n_agents: of a fleet; None: one agent, or a team.
        learning_starts: steps of random actions before the first update.
        train_freq: steps (of all environments together) between two rounds of updates.
        gradient_steps: updates in a round; -1 for as many as there were steps.
        metrics: figures of the last updates by name, such as 'train/critic_loss'.
        learners: its networks, by name.
        collector: what became of its episodes; None before the first step.
    """

    environments: Any
    replay: Any
    normalization: Any
    rng: np.random.Generator
    seed: int
    n_agents: int | None
    num_timesteps: int
    learning_starts: int
    train_freq: int
    gradient_steps: int
    metrics: dict[str, float]
    learners: Any
    collector: Any

    @property
    def n_updates(self) -> int:
        """Gradient steps so far."""

    def explore(self, observations: Floats) -> NDArray[Any]:
        """Actions with noise, as the replay memory keeps them."""

    def update(self) -> None:
        """One gradient step."""
