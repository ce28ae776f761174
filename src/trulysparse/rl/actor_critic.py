"""ActorCritic: what agents of an actor and two critics have in common."""

from __future__ import annotations

from typing import Any, TypeVar

from numpy.typing import NDArray

from trulysparse.errors import InputError
from trulysparse.rl.agent import OffPolicyAgent
from trulysparse.rl.dynamic_capacity import DynamicCapacity
from trulysparse.rl.learner import Learner
from trulysparse.rl.settings import ActorCriticSettings

SettingsType = TypeVar("SettingsType", bound=ActorCriticSettings)


class ActorCritic(OffPolicyAgent[SettingsType]):
    """Base of TD3 and SAC. Two critics learn from the same batches; both are one learner.

    Args:
        env: see OffPolicyAgent, as all others.

    Attributes:
        actor, critic: the learners.
        dynamic_capacity: what lets the replay buffer forget; None: nothing does.
    """

    def actor_and_critic(self, n_outputs: int, *, target: bool = True) -> dict[str, Learner]:
        """Makes the learners, for `make_learners`.

        Args:
            n_outputs: of the actor.
            target: whether the actor has a target network.

        Returns:
            Both, by name.
        """
        n_observations, n_actions = self.spaces.n_observations, self.spaces.n_actions
        self.actor = self.new_learner(n_observations, n_outputs, "actor", target=target)
        self.critic = self.new_learner(n_observations + n_actions, 1, "critic", n_networks=2)
        if self.settings.dynamic_capacity and self.n_agents is not None:
            raise InputError("dynamic_capacity cannot be combined with fleet: its agents forget alike")
        self.dynamic_capacity = DynamicCapacity() if self.settings.dynamic_capacity else None
        return {"actor": self.actor, "critic": self.critic}

    @property
    def acting_learner(self) -> Learner:
        """The actor."""
        return self.actor

    def forget(self) -> None:
        """Drops old transitions where that is wanted and time."""
        if self.dynamic_capacity is not None:
            self.dynamic_capacity.after_step(self)

    def own_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """See KeptAgent."""
        numbers, arrays = super().own_state()
        if self.dynamic_capacity is not None:
            numbers["compared"] = self.dynamic_capacity.compared
        return numbers, arrays

    def restore_own_state(self, numbers: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """See KeptAgent."""
        super().restore_own_state(numbers, arrays)
        if self.dynamic_capacity is not None:
            self.dynamic_capacity.compared = int(numbers.get("compared", 0))
