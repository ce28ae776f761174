"""Optimizer state: values that lie along a layer's connections and biases and move with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trulysparse._core.arrays import Floats, Stored


@dataclass
class OptimizerState:
    """Optimizer state of one layer.

    Args:
        weight: up to two arrays (n_connections,): momentum, or Adam's m and v.
        bias: as many arrays (n_out,).
    """

    weight: list[Stored]
    bias: list[Stored]

    def copy(self) -> OptimizerState:
        """The same values in new arrays, in memory."""
        return OptimizerState([np.array(values) for values in self.weight], [np.array(values) for values in self.bias])

    def padded(self) -> tuple[Floats | None, Floats | None, Floats | None, Floats | None]:
        """(weight slot 0, weight slot 1, bias slot 0, bias slot 1), None where there is none."""
        w0, w1 = (*self.weight, None, None)[:2]
        b0, b1 = (*self.bias, None, None)[:2]
        return w0, w1, b0, b1


NO_STATE = OptimizerState([], [])
"""Of layers whose parameters stay."""
