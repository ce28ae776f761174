"""A loss of anyone's own, as training works with it."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.data.targets import Targets, as_targets, check_values
from trulysparse.errors import InputError
from trulysparse.nn.losses.base import OUTPUTS, AnyLoss

FORMS = ("value_and_gradient", "gradient")


class CustomLoss:
    """Makes a whole Loss of an object with one method, and checks what that returns.

    Args:
        loss: an object with `value_and_gradient` or `gradient`, and maybe with `name`, `outputs` and `check_targets`;
            see Loss.

    Attributes:
        loss: as given.
        name: as given, or the name of its class.
        outputs: as given, or all.

    Raises:
        InputError: where it has neither method, or both, or another attribute cannot be used.

    Example:
        >>> class AbsoluteError:
        ...     def value_and_gradient(self, z, targets, weight):
        ...         return (weight * np.abs(z - targets)).sum(), weight * np.sign(z - targets)
        >>> z = np.array([[3.0, 0.0]])  # one output, two samples
        >>> CustomLoss(AbsoluteError()).gradient(z, np.array([[1.0, 1.0]]), np.array([0.5, 0.5]), threads=1)
        1.5
        >>> z.tolist()
        [[0.5, -0.5]]
    """

    def __init__(self, loss: AnyLoss) -> None:
        kind = type(loss).__name__
        methods = [name for name in FORMS if callable(getattr(loss, name, None))]
        if len(methods) != 1:
            raise InputError(
                f"loss {kind} must have one of the methods value_and_gradient(z, targets, weight) and "
                f"gradient(z, targets, weight, threads), not {'both' if methods else 'neither'}"
            )
        self.loss = loss
        self.name = str(getattr(loss, "name", kind))
        self.outputs = _checked_outputs(self.name, getattr(loss, "outputs", OUTPUTS))
        self._check: Callable[..., Any] | None = getattr(loss, "check_targets", None)
        self._call: Callable[..., Any] = getattr(loss, methods[0])
        self._simple = methods[0] == "value_and_gradient"
        if self._check is not None and not callable(self._check):
            raise InputError(f"loss {self.name}: check_targets must be a method, not {self._check!r:.80}")

    def __repr__(self) -> str:
        return f"CustomLoss({self.loss!r})"

    def check_targets(self, y: Any, n_outputs: int, dtype: Any = np.float64) -> Targets:
        """See Loss.check_targets; without a method of its own, finite values of the outputs' shape."""
        if self._check is None:
            return check_values(y, n_outputs, dtype)
        return as_targets(self._check(y, n_outputs, dtype), n_outputs, dtype)

    def gradient(self, z: Floats, targets: NDArray[Any], weight: Floats, threads: int) -> float:
        """See InPlaceLoss.gradient. Samples behind the last one with a weight, as padding is, do not reach
        `value_and_gradient`.

        Raises:
            InputError: where what comes back is not a number, or not a gradient of the shape of z.
        """
        if not self._simple:
            value = self._number(self._call(z, targets, weight, threads))
            self._require_finite(value, z)
            return value
        weighted = np.flatnonzero(weight)
        n = int(weighted[-1]) + 1 if len(weighted) else 0
        z[:, n:] = 0
        if n == 0:
            return 0.0
        returned = self._call(z[:, :n], targets[..., :n], weight[:n])
        if not isinstance(returned, tuple | list) or len(returned) != 2:
            raise InputError(
                f"loss {self.name}: value_and_gradient must return a pair (value, gradient), not {returned!r:.80}"
            )
        value, gradient = self._number(returned[0]), returned[1]
        if not isinstance(gradient, np.ndarray) or gradient.shape != (len(z), n) or gradient.dtype.kind not in "iuf":
            found = f"{gradient.dtype} {gradient.shape}" if isinstance(gradient, np.ndarray) else f"{gradient!r:.80}"
            raise InputError(
                f"loss {self.name}: the gradient must be an array of numbers of shape {(len(z), n)}, as z, not {found}"
            )
        with np.errstate(over="ignore"):  # what is beyond z's range is found below
            z[:, :n] = gradient
        self._require_finite(value, z)
        return value

    def _number(self, value: Any) -> float:
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise InputError(f"loss {self.name}: its value must be a number, not {checks.plain(value)!r:.80}")
        return float(value)

    def _require_finite(self, value: float, gradient: Floats) -> None:
        """InputError where a finite loss has a gradient that is not; where the loss is not, training has diverged."""
        if np.isfinite(value) and not (usable := np.isfinite(gradient)).all():
            output, sample = (int(i) for i in np.argwhere(~usable)[0])
            raise InputError(
                f"loss {self.name}: its value is {value:g}, but its gradient at output {output} of sample {sample} of "
                f"the batch is {gradient[output, sample]}"
            )


def _checked_outputs(name: str, outputs: Any) -> Sequence[str]:
    listed = (outputs,) if isinstance(outputs, str) else tuple(checks.listed("outputs", outputs, "names"))
    for output in listed:
        checks.choice(f"loss {name}: outputs", output, OUTPUTS)
    return listed
