"""The temperature of SAC: what an entropy of the policy is worth beside the return."""

from __future__ import annotations

import math

from trulysparse._core import checks
from trulysparse.errors import InputError


class Temperature:
    """A weight of the entropy, fixed or learned so that the entropy stays near a target.

    The logarithm is learned, by Adam, on -log_alpha * (log pi + target_entropy), as the authors' code does; equation 18
    of the paper has alpha itself there, which shares its fixed point.

    Args:
        ent_coef: a number of at least 0 for a fixed temperature, 'auto' for a learned one that starts at 1, or
            'auto_0.1' for one that starts at 0.1.
        target_entropy: 'auto' for -n_actions, or a number.
        n_actions: components of an action.

    Attributes:
        value: the temperature.
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
    ) -> None:
        start, self.learned = ent_coef, isinstance(ent_coef, str)
        if isinstance(ent_coef, str):
            start = _start(ent_coef)
        self.value = checks.real("ent_coef", start, low=0, low_open=self.learned)
        if isinstance(target_entropy, str):
            checks.choice("target_entropy", target_entropy, ("auto",))
            target_entropy = -float(n_actions)
        self.target_entropy = checks.real("target_entropy", target_entropy)
        self._log = math.log(self.value) if self.learned else 0.0
        self._first = self._second = 0.0  # Adam's moments
        self._updates = 0

    def update(self, mean_log_probability: float, learning_rate: float) -> None:
        """One step of Adam; nothing where the temperature is fixed.

        Args:
            mean_log_probability: of the policy's actions over a batch.
            learning_rate: of the step.
        """
        if not self.learned:
            return
        gradient = -(mean_log_probability + self.target_entropy)
        self._updates += 1
        self._first += 0.1 * (gradient - self._first)
        self._second += 0.001 * (gradient * gradient - self._second)
        first = self._first / (1 - 0.9**self._updates)
        second = self._second / (1 - 0.999**self._updates)
        self._log -= learning_rate * first / (math.sqrt(second) + 1e-8)
        self.value = math.exp(self._log)

    def state(self) -> dict[str, float]:
        """What a file keeps; nothing of a fixed temperature."""
        if not self.learned:
            return {}
        return {"log": self._log, "first": self._first, "second": self._second, "updates": self._updates}

    def restore(self, state: dict[str, float]) -> None:
        """Takes what `state` gave. A fixed temperature stays; one that is learned starts anew after a fixed one.

        Args:
            state: that.
        """
        if self.learned and state:
            self._log, self._first, self._second = state["log"], state["first"], state["second"]
            self._updates, self.value = int(state["updates"]), math.exp(self._log)


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
