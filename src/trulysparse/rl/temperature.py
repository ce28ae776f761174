"""The temperature of SAC: what an entropy of the policy is worth beside the return."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError

Doubles = NDArray[np.float64]


class Temperature:
    """A weight of the entropy, fixed or learned so that the entropy stays near a target.

    The logarithm is learned, by Adam, on -log_alpha * (log pi + target_entropy), as the authors' code does; equation 18
    of the paper has alpha itself there, which shares its fixed point.

    Args:
        ent_coef: a number of at least 0 for a fixed temperature, 'auto' for a learned one that starts at 1, or
            'auto_0.1' for one that starts at 0.1.
        target_entropy: 'auto' for -n_actions, or a number.
        n_actions: components of an action.
        n_agents: of a fleet, each with a temperature of its own; None: one agent.

    Attributes:
        value: the temperature; of a fleet those of all agents, float64 (n_agents,).
        learned: whether `update` changes it.
        target_entropy: as a number.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Haarnoja et al., "Soft actor-critic algorithms and applications" (2018), section 5;
        target entropies of appendix D.

    Example:
        >>> from trulysparse.rl.temperature import Temperature
        >>> temperature = Temperature("auto", n_actions=6)
        >>> temperature.update(-8.0, 0.01)  # the entropy, 8, is above its target, -6: it is worth less from now on
        >>> round(temperature.value, 4)
        0.99
    """

    def __init__(
        self,
        ent_coef: float | str = "auto",
        target_entropy: float | str = "auto",
        *,
        n_actions: int,
        n_agents: int | None = None,
    ) -> None:
        start, self.learned = ent_coef, isinstance(ent_coef, str)
        if isinstance(ent_coef, str):
            start = _start(ent_coef)
        self.n_agents = n_agents
        value = checks.real("ent_coef", start, low=0, low_open=self.learned)
        self.value: float | Doubles = value if n_agents is None else np.full(n_agents, value)
        if isinstance(target_entropy, str):
            checks.choice("target_entropy", target_entropy, ("auto",))
            target_entropy = -float(n_actions)
        self.target_entropy = checks.real("target_entropy", target_entropy)
        none: float | Doubles = 0.0 if n_agents is None else np.zeros(n_agents)
        self._log = none + math.log(value) if self.learned else none
        self._first = self._second = none  # Adam's moments
        self._updates = 0

    @property
    def per_sample(self) -> float | Floats:
        """The temperature beside an array of one value per sample, (columns,) or (n_agents, columns)."""
        return self.value if isinstance(self.value, float) else self.value.astype(np.float32)[:, None]

    @property
    def per_component(self) -> float | Floats:
        """The temperature beside an array of actions, (n_actions, columns) or (n_agents, n_actions, columns)."""
        return self.value if isinstance(self.value, float) else self.value.astype(np.float32)[:, None, None]

    def update(self, mean_log_probability: Any, learning_rate: float) -> None:
        """One step of Adam; nothing where the temperature is fixed.

        Args:
            mean_log_probability: of the policy's actions over a batch; of a fleet (n_agents,).
            learning_rate: of the step.
        """
        if not self.learned:
            return
        mean = float(mean_log_probability) if self.n_agents is None else np.asarray(mean_log_probability, np.float64)
        gradient = -(mean + self.target_entropy)
        self._updates += 1
        self._first = self._first + 0.1 * (gradient - self._first)
        self._second = self._second + 0.001 * (gradient * gradient - self._second)
        first = self._first / (1 - 0.9**self._updates)
        second = self._second / (1 - 0.999**self._updates)
        self._log = self._log - learning_rate * first / (np.sqrt(second) + 1e-8)
        self._follow()

    def _follow(self) -> None:
        self.value = math.exp(self._log) if isinstance(self._log, float) else np.exp(self._log)

    def state(self) -> dict[str, Any]:
        """What a file keeps, as JSON can hold it; nothing of a fixed temperature."""
        if not self.learned:
            return {}
        kept = {"log": self._log, "first": self._first, "second": self._second}
        return {name: np.asarray(each).tolist() for name, each in kept.items()} | {"updates": self._updates}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes what `state` gave. A fixed temperature stays; one that is learned starts anew after a fixed one.

        Args:
            state: that.

        Raises:
            InputError: where it is that of another number of agents.
        """
        if not self.learned or not state:
            return
        kept = [np.array(state[name], np.float64) for name in ("log", "first", "second")]
        shape = () if self.n_agents is None else (self.n_agents,)
        if any(each.shape != shape for each in kept):
            raise InputError(f"the temperatures are of shape {kept[0].shape}, not {shape}")
        self._log, self._first, self._second = (each if shape else float(each) for each in kept)
        self._updates = int(state["updates"])
        self._follow()


def _start(ent_coef: str) -> float:
    """Where a learned temperature starts."""
    name, _, start = ent_coef.partition("_")
    try:
        if name == "auto":
            return float(start or 1.0)
    except ValueError:
        pass
    raise InputError(
        f"ent_coef must be a number, 'auto', or 'auto_' and a number, such as 'auto_0.1', not {ent_coef!r}"
    )
