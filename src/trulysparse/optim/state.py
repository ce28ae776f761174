"""Optimizer state: values that lie along a layer's connections and biases and move with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, Stored

FRESH = ("zero", "median")


@dataclass
class OptimizerState:
    """Optimizer state of one layer.

    Args:
        weight: arrays (n_connections,), of the library's optimizers up to two: momentum, or Adam's m and v.
        bias: as many arrays (n_out,).
        fresh: what new connections get in each array of `weight`: 'zero'; the 'median' over the connections that
            remain; a number; or 'weight', the weight that they start with. () is zero in all.

    Example:
        >>> import numpy as np
        >>> from trulysparse.optim import OptimizerState
        >>> m, v = np.array([0.5, 0.1, -0.2]), np.array([4.0, 3.0, 1.0])
        >>> state = OptimizerState([m, v], [np.zeros(2), np.zeros(2)], ("zero", "median"))
        >>> state.fresh_values(np.array([0, 1, 1], np.uint8))  # the first connection is removed
        [0.0, 2.0]
    """

    weight: list[Stored]
    bias: list[Stored]
    fresh: tuple[str | float, ...] = ()

    @property
    def momentum(self) -> Stored | None:
        """The running mean of gradients along the connections, of an optimizer that has one."""
        return self.weight[0] if self.weight else None

    def known_gradient(self) -> Floats | None:
        """The loss gradient along the connections where it is at hand, as in PyTorch; else rules compute it."""
        return None

    def copy(self) -> OptimizerState:
        """The same values in new arrays, in memory."""

        def copies(arrays: Iterable[Stored]) -> list[Stored]:
            return [np.array(values) for values in arrays]

        return OptimizerState(copies(self.weight), copies(self.bias), self.fresh)

    def padded(self) -> tuple[Floats | None, Floats | None, Floats | None, Floats | None]:
        """(weight slot 0, weight slot 1, bias slot 0, bias slot 1), None where there is none."""
        w0, w1 = (*self.weight, None, None)[:2]
        b0, b1 = (*self.bias, None, None)[:2]
        return w0, w1, b0, b1

    def fresh_values(self, keep_mask: NDArray[np.uint8], threads: int = 1) -> list[float | None]:
        """What new connections get, in time linear in connections.

        Args:
            keep_mask: (n_connections,) uint8; 0: the connection goes.
            threads: how many; the values are the same for any number.

        Returns:
            One value for each array of `weight`; None: each connection's weight. The median of no connections is 0.
        """

        def start(values: Stored, kind: str | float) -> float | None:
            if isinstance(kind, str):
                named = {"zero": 0.0, "weight": None}
                return _kernels.kept_median(values, keep_mask, threads) if kind == "median" else named[kind]
            return float(kind)

        fresh = self.fresh or ("zero",) * len(self.weight)
        return [start(values, kind) for values, kind in zip(self.weight, fresh, strict=True)]


def fresh_slots(optimizer: Any) -> tuple[str, ...]:
    """What new connections get in each array of an optimizer's state; see OptimizerState."""
    return tuple(getattr(optimizer, "fresh_slots", ()))


NO_STATE = OptimizerState([], [])
"""Of layers whose parameters stay."""
