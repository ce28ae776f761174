"""FleetPolicy: the policies of many agents, which answer in one call."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.io.kept_models import Parts
from trulysparse.nn.activations import Activation
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.fleet.passes import FleetPasses
from trulysparse.rl.observations import finite_row, observation_array
from trulysparse.rl.policy import HEADS, Head, Policy
from trulysparse.rl.policy_file import PolicyFile


class FleetPolicy(PolicyFile):
    """A fleet with all that makes actions of observations: one policy per agent; see Policy.

    The policy answers with the weights that its fleet has at that moment. `agent.freeze()` gives one with a fleet of
    its own.

    Args:
        fleet: maps observations to what the head takes.
        head: 'tanh', 'argmax' or 'identity', see Policy.
        n_actions: components of an action, or choices; 1 to the number of outputs.
        low: (n_actions,), least actions of all agents, for 'tanh' alone; None: -1.
        high: (n_actions,), largest actions, likewise; None: 1.
        offset: (n_agents, n_observations); networks get (observation - offset) * factor. None: the observation.
        factor: (n_agents, n_observations), given with offset.

    Attributes:
        fleet, head, n_actions, low, high: as given.
        n_agents: how many.
        n_observations: numbers in an observation of one agent.

    Raises:
        InputError: where an argument is out of range, or shapes do not fit.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.rl.fleet_policy import FleetPolicy
        >>> policy = FleetPolicy(ts.Fleet(5, (3, 16, 2), density=0.5, seed=0), head="tanh", n_actions=2)
        >>> actions, _ = policy.predict(np.ones((5, 3)))
        >>> actions.shape, bool(np.allclose(policy[3](np.ones(3)), actions[3], atol=1e-6))
        ((5, 2), True)
    """

    described = "the policies of a fleet"

    def __init__(
        self,
        fleet: Fleet,
        *,
        head: Head,
        n_actions: int,
        low: ArrayLike | None = None,
        high: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        factor: ArrayLike | None = None,
    ) -> None:
        if not isinstance(fleet, Fleet):
            raise InputError(f"fleet must be a Fleet, not {type(fleet).__name__}")
        self.fleet, self.n_agents = fleet, fleet.n_agents
        self.head: Head = checks.choice("head", head, tuple(HEADS))  # type: ignore[assignment]
        self.n_observations = fleet.layer_sizes[0]
        self.n_actions = checks.integer("n_actions", n_actions, low=1, high=fleet.layer_sizes[-1])
        if head != "tanh" and (low is not None or high is not None):
            raise InputError(f"low and high are for head='tanh', not {head!r}")
        self.low = np.full(n_actions, -1.0) if low is None else finite_row("low", low, n_actions)
        self.high = np.full(n_actions, 1.0) if high is None else finite_row("high", high, n_actions)
        self._passes = FleetPasses([fleet], 1, fleet.threads)
        self.rescale(offset, factor)

    def rescale(self, offset: ArrayLike | None, factor: ArrayLike | None) -> None:
        """Takes another normalisation.

        Args:
            offset: see the class.
            factor: likewise.

        Raises:
            InputError: where they do not fit; nothing has changed then.
        """
        if (offset is None) != (factor is None):
            raise InputError("offset and factor must be given together")
        shape = (self.n_agents, self.n_observations)
        given = [None if each is None else np.asarray(each, np.float64) for each in (offset, factor)]
        for name, array in zip(("offset", "factor"), given, strict=True):
            if array is not None and (array.shape != shape or not np.isfinite(array).all()):
                raise InputError(f"{name} must be {shape} finite numbers, not of shape {array.shape}")
        self.offset, self.factor = given

    def outputs(self, observations: ArrayLike) -> Floats:
        """The outputs of the networks, before the head.

        Args:
            observations: (n_agents, n_observations), of any type of numbers, finite; row i is for agent i.

        Returns:
            (n_agents, n_outputs).

        Raises:
            InputError: where they have another shape, or a value is not finite.
        """
        array = observation_array(observations)
        if array.shape != (self.n_agents, self.n_observations):
            raise InputError(
                f"observation must have shape ({self.n_agents}, {self.n_observations}), a row for each agent, not "
                f"{array.shape}"
            )
        x = self._passes.x[:, :, 0]
        if self.offset is None or self.factor is None:
            x[:] = array
        else:
            np.multiply(array - self.offset, self.factor, out=x, casting="same_kind")
        if not np.isfinite(x).all():
            agent, number = np.argwhere(~np.isfinite(x))[0]
            raise InputError(f"observation[{agent}, {number}] is {array[agent, number]}; observations must be finite")
        return self._passes.forward()[0][:, :, 0].copy()

    def predict(
        self,
        observation: ArrayLike,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], None]:
        """The action of each agent, as Stable-Baselines3's policies give them.

        Args:
            observation: (n_agents, n_observations).
            state: of recurrent policies, which there are none of; ignored.
            episode_start: likewise.
            deterministic: a policy has no noise, so True and False are the same.

        Returns:
            (n_agents, n_actions), or (n_agents,) choices; and None.

        Raises:
            InputError: see `outputs`.
        """
        z = self.outputs(observation)[:, : self.n_actions]
        if self.head == "argmax":
            return z.argmax(axis=1), None
        if self.head == "tanh":
            actions = self.low + (np.tanh(z, dtype=np.float64) + 1) * 0.5 * (self.high - self.low)
            z = np.clip(actions, self.low, self.high).astype(z.dtype)
        return z, None

    def __len__(self) -> int:
        return self.n_agents

    def __getitem__(self, agent: int) -> Policy:
        """The policy of one agent, which stands alone."""
        net = self.fleet[agent]
        bounds = {"low": self.low, "high": self.high} if self.head == "tanh" else {}
        offset, factor = (None if each is None else each[agent] for each in (self.offset, self.factor))
        return Policy(net, head=self.head, n_actions=self.n_actions, offset=offset, factor=factor, **bounds)

    @property
    def n_connections(self) -> int:
        """Stored weights of all agents."""
        return self.fleet.n_connections

    # ---- files ----

    def to_parts(self) -> Parts:
        """What a file keeps of it; see io.kept_models."""
        arrays = {"low": self.low, "high": self.high, "offset": self.offset, "factor": self.factor}
        kept = {name: array for name, array in arrays.items() if array is not None}
        return Parts({"fleet": self.fleet}, kept, {"head": self.head, "n_actions": self.n_actions})

    @classmethod
    def from_parts(cls, parts: Parts, threads: int | None = None, activation: Activation | None = None) -> Self:
        """The policies that gave these parts; InputError where they do not hold together.

        Args:
            parts: what the file holds.
            threads: of the kernels, which the fleet knows.
            activation: as the fleet has it.
        """
        if list(parts.networks) != ["fleet"]:
            raise InputError(f"policies of a fleet have one, not {list(parts.networks)!r:.80}")
        arrays, head = parts.arrays, parts.config["head"]
        bounds = {name: arrays[name] for name in ("low", "high")} if head == "tanh" else {}
        return cls(
            parts.networks["fleet"],
            head=head,
            n_actions=parts.config["n_actions"],
            offset=arrays.get("offset"),
            factor=arrays.get("factor"),
            **bounds,
        )

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.fleet.layer_sizes))
        return f"FleetPolicy({self.n_agents} agents of {sizes}, {self.n_connections} connections, head={self.head!r})"
