"""Agents: networks that decide for homes, and how their outputs become actions."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.io import kept_models, models
from trulysparse.io.kept_models import Parts
from trulysparse.io.table_state import VERSIONS
from trulysparse.io.tensors import opened
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.fleet.passes import FleetPasses

REACH = 0.8
_KIND = "GridAgents"


class ActionMap:
    """From a network's outputs z to actions, with c = reach * start.

    Networks start with outputs about 0, so that homes start close to what they would do without an agent (under
    'follow': self-consumption, u = -1), and yet a small change of z either way changes the action: at u = -1 itself the
    cut would hide half of all changes.

    Args:
        start: of the environment, float32 (components,).
        reach: share of `start` at z = 0, in (0, 1].
        squashed: False: actions are c + z, cut to [-1, 1]. True: with a = tanh(z) they are c + (1 - c) a where a is
            positive, and c + (1 + c) a where it is negative, as in GridEnvironments.

    Example:
        >>> ActionMap([-1.0], reach=0.75)(np.float32([[0.0], [-0.5], [1.0]])).ravel().tolist()
        [-0.75, -1.0, 0.25]
        >>> ActionMap([-1.0], reach=0.75, squashed=True)(np.float32([[0.0], [-20.0], [20.0]])).ravel().tolist()
        [-0.75, -1.0, 1.0]
    """

    def __init__(self, start: ArrayLike, reach: float = REACH, squashed: bool = False) -> None:
        self.start: Floats = np.array(start, np.float32)
        self.reach = checks.real("reach", reach, low=0, high=1, low_open=True)
        self.squashed = checks.flag("squashed", squashed)
        self._center = np.float32(self.reach) * self.start

    def __call__(self, outputs: Floats) -> Floats:
        """Actions (..., components), from outputs of that shape, which are overwritten."""
        if self.squashed:
            np.tanh(outputs, out=outputs)
            outputs *= np.where(outputs > 0, 1 - self._center, 1 + self._center)
        outputs += self._center
        return np.clip(outputs, -1.0, 1.0, out=outputs)


class Agents:
    """The agents of some homes. Called with an environment they are a rule like any other.

    Args:
        fleet: the networks, from an observation to one output per component of an action; or, with `choices`, to the
            value of each of the choices.
        action_map: of outputs to actions.
        network_of: number of the network that decides for each home, (H,); None: of each home its own. One network may
            decide for many homes.
        choices: the battery's action of each output, (n_outputs,), where the agent takes that of the largest one, as
            DQN does; other components stay at their start.

    Attributes:
        fleet, action_map, network_of, choices: as given.

    Raises:
        InputError: where a home's network does not exist.

    Example:
        >>> import trulysparse as ts
        >>> fleet = ts.Fleet(2, (24, 16, 1), density=0.5, activation="tanh", output="identity", threads=1)
        >>> agents = Agents(fleet, ActionMap([-1.0]), network_of=[0, 1, 1])
        >>> agents.act(np.zeros((3, 24), np.float32)).shape
        (3, 1)
    """

    def __init__(
        self,
        fleet: Fleet,
        action_map: ActionMap,
        network_of: ArrayLike | None = None,
        *,
        choices: ArrayLike | None = None,
    ) -> None:
        numbers = np.arange(fleet.n_agents) if network_of is None else np.asarray(network_of)
        if numbers.ndim != 1 or not len(numbers) or numbers.dtype.kind not in "iu":
            raise InputError(f"network_of must be the number of a network for each home, not {network_of!r:.80}")
        if numbers.min() < 0 or numbers.max() >= fleet.n_agents:
            raise InputError(
                f"network_of must lie between 0 and {fleet.n_agents - 1}, not {numbers.min()} to {numbers.max()}"
            )
        self.choices: Floats | None = None if choices is None else np.array(choices, np.float32)
        wanted = len(action_map.start) if self.choices is None else len(self.choices)
        if fleet.layer_sizes[-1] != wanted:
            raise InputError(f"fleet must have {wanted} outputs, not {fleet.layer_sizes[-1]}")
        self.fleet, self.action_map = fleet, action_map
        self.network_of: NDArray[np.int64] = numbers.astype(np.int64)
        self._passes: FleetPasses | None = None

    @property
    def n_homes(self) -> int:
        """H."""
        return len(self.network_of)

    def act(self, observations: Floats) -> Floats:
        """What each home does.

        Args:
            observations: (H, n_observations).

        Returns:
            Actions, float32 (H, components).

        Raises:
            InputError: of another shape.
        """
        wanted = self.n_homes, self.fleet.layer_sizes[0]
        if np.shape(observations) != wanted:
            raise InputError(f"observations must be of shape {wanted}, not {np.shape(observations)}")
        if self._passes is None:
            self._passes, self._put, self._take = _prepared(self.fleet, self.network_of)
        self._put(self._passes.x, observations)
        outputs = self._take(self._passes.forward()[0])
        if self.choices is not None:
            actions = np.tile(self.action_map.start, (self.n_homes, 1))
            actions[:, 0] = self.choices[outputs.argmax(axis=1)]
            return actions
        return self.action_map(outputs)

    def __call__(self, environment: Any) -> Floats:
        """The actions of an environment's homes in the coming hour."""
        return self.act(environment.observations())

    def of_homes(self, homes: ArrayLike) -> Agents:
        """The agents of some homes, which may come more than once; the networks are the same objects."""
        numbers = self.network_of[np.asarray(homes)]
        return Agents(self.fleet, self.action_map, numbers, choices=self.choices)

    # ---- files ----

    def save(self, path: str | PathLike[str]) -> None:
        """Writes all agents into one safetensors file, whole or not at all; one that is there is replaced."""
        arrays: dict[str, NDArray[Any]] = {"network_of": self.network_of, "start": self.action_map.start}
        if self.choices is not None:
            arrays["choices"] = self.choices
        config = {"reach": self.action_map.reach, "squashed": self.action_map.squashed}
        parts = Parts({"fleet": self.fleet}, arrays, config)
        kept_models.write_parts(parts, _KIND, path, models.ENTRY, lambda *_: None)

    @classmethod
    def load(cls, path: str | PathLike[str], *, threads: int | None = None) -> Agents:
        """Reads what `save` wrote.

        Args:
            path: of the file.
            threads: of the kernels; None: as it was saved.

        Raises:
            InputError: where the file is missing, damaged or of another kind.
        """
        versions = (*VERSIONS, kept_models.VERSION)
        with opened(path, models.ENTRY, versions, "file of a grid's agents") as file:
            kind = file.config.get("kind", "network")
            if kind != _KIND:
                raise InputError(f"it holds a {kind!s:.40}, not a grid's agents")
            parts = kept_models.read_parts(file, threads, None)
        arrays, config = parts.arrays, parts.config
        action_map = ActionMap(arrays["start"], config["reach"], config["squashed"])
        fleet: Any = parts.networks["fleet"]
        return cls(fleet, action_map, arrays["network_of"], choices=arrays.get("choices"))


_Put = Callable[[Floats, Floats], None]
_Take = Callable[[Floats], Floats]


def _prepared(fleet: Fleet, network_of: NDArray[np.int64]) -> tuple[FleetPasses, _Put, _Take]:
    """Passes for one decision of each home; how observations get into them; how outputs, (H, n_outputs), come out."""
    n_homes, counts = len(network_of), np.bincount(network_of, minlength=fleet.n_agents)
    # Each network has a column for each of its homes; homes of one network follow each other in its columns.
    columns = int(counts.max())
    order = np.argsort(network_of, kind="stable")
    column = np.empty(n_homes, np.int64)
    column[order] = np.arange(n_homes) - np.repeat(np.cumsum(counts) - counts, counts)
    stride = 1
    while stride < columns:  # a power of two up to 16, or a multiple of 16
        stride = stride * 2 if stride < 16 else stride + 16
    passes = FleetPasses([fleet], stride, fleet.threads)

    def put(x: Floats, observations: Floats) -> None:
        x[network_of, :, column] = observations

    def take(outputs: Floats) -> Floats:
        taken: Floats = outputs[network_of, :, column]
        return taken

    return passes, put, take
