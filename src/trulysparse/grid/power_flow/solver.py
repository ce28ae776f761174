"""The fixed point V <- V_n - Z conj(S / V) for groups of branches, many feeders side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trulysparse.grid.power_flow.groups import Groups

Real = NDArray[Any]
DROOP_PU = 0.05  # deviation from the rated voltage at which an inverter gives or takes all its reactive power


class Solution(NamedTuple):
    """`v` (G, 2M, C): voltages of homes, real above imaginary parts; `v_0` (2, C): of the busbar; `done` (C,): whether
    the error is below the tolerance; `change` (G, 2M, C): of the last step; `steps` taken."""

    v: Real
    v_0: Real
    done: NDArray[np.bool_]
    steps: int


def droop_kvar(most: Real, voltage: Real) -> Real:
    """Reactive power (kvar) that inverters draw at a voltage, of the most that they can."""
    share: Real = np.clip((voltage - 1) / DROOP_PU, -1, 1)
    return most * share


class Solver:
    """Solves the equations of `groups` in their precision, to an estimated error of `tolerance` (share of the rated
    voltage)."""

    def __init__(self, groups: Groups, dtype: Any, tolerance: float) -> None:
        self.groups = groups.cast(dtype)
        self.dtype = np.dtype(dtype)
        self.tolerance = tolerance
        self._nothing = max(tolerance, 4 * np.finfo(dtype).eps)  # changes below are rounding
        self.rows = groups.home.shape[1]
        self._buffers: dict[int, tuple[Real, ...]] = {}

    def flat(self, columns: int) -> Real:
        """Voltages to start from where nothing is known: those without load."""
        v = np.empty((len(self.groups.home), 2 * self.rows, columns), self.dtype)
        v[:, : self.rows], v[:, self.rows :] = self.groups.v_n[0], self.groups.v_n[1]
        return v

    def solve(self, p: Real, q: Real, start: Real, droop: Real | None, most: int, damped: bool = False) -> Solution:
        """Steps until all columns are done, or `most` of them.

        Args:
            p, q: (G, M, C) active (kW) and reactive power (kvar) drawn.
            start: (G, 2M, C) voltages to begin with; left as they are.
            droop: (G, M, C) reactive power (kvar) that inverters can give or take, or None.
            most: steps to take at most.
            damped: go half of each step: a steep droop makes the fixed point swing.

        Source:
            T.-H. Chen, M.-S. Chen, K.-J. Hwang, P. Kotas, E. A. Chebli, Distribution system power flow analysis - a
            rigid approach, IEEE Transactions on Power Delivery 6(3), 1991 (implicit Z-bus). The error is estimated from
            the last two changes, whose ratio is the rate at which the fixed point contracts.
        """
        groups, rows, columns = self.groups, self.rows, p.shape[-1]
        pairs = (len(p), 2, rows, columns)  # real, imaginary
        x, size, turned, drop = self._work(columns)
        x_flat, x_0 = x.reshape(-1, columns), x[:, 2 * rows :]
        x_homes = x[:, : 2 * rows].reshape(pairs)
        p, q_turned = p[:, None], np.stack([q, -q], axis=1)
        v = start
        turns = np.empty_like(start), np.empty_like(start)
        change = np.empty_like(start)
        before = np.zeros(columns)  # nothing is known of the rate yet
        done = np.zeros(columns, bool)
        steps = 0
        with np.errstate(all="ignore"):  # a feeder beyond what it can carry: reported, not warned of
            for steps in range(1, most + 1):
                new, both = turns[steps % 2], v.reshape(pairs)
                np.multiply(both, both, out=turned)
                np.add(turned[:, 0], turned[:, 1], out=size)
                if droop is not None:
                    q_now = q + droop_kvar(droop, np.sqrt(size))
                    np.stack([q_now, -q_now], axis=1, out=q_turned)
                np.reciprocal(size, out=size)
                # conj((p + jq) / v) = (p v_r + q v_i + j (p v_i - q v_r)) / |v|^2
                np.multiply(both, p, out=x_homes)
                np.multiply(both[:, ::-1], q_turned, out=turned)
                np.add(x_homes, turned, out=x_homes)
                np.multiply(x_homes, size[:, None], out=x_homes)
                np.matmul(groups.busbar, x_flat, out=drop)
                np.subtract(groups.v_n, drop, out=x_0)
                np.matmul(groups.voltage, x, out=new)
                np.subtract(new, v, out=change)
                np.abs(change, out=turned.reshape(change.shape))
                moved = turned.reshape(-1, columns).max(axis=0).astype(np.float64)
                error = moved * moved / (before - moved)
                done = (moved <= self._nothing) | ((moved < before) & (error <= self.tolerance))
                if damped:
                    new += (v - new) / 2
                v = new
                if done.all():
                    break
                before = moved
        return Solution(v, x_0[0].astype(np.float64), done, steps)

    def _work(self, columns: int) -> tuple[Real, ...]:
        """Memory that is used again for as many columns."""
        if columns not in self._buffers:
            n = len(self.groups.home)
            if len(self._buffers) > 3:
                self._buffers.clear()
            x = np.zeros((n, 2 * self.rows + 2, columns), self.dtype)
            size, drop = np.empty((n, self.rows, columns), self.dtype), np.empty((2, columns), self.dtype)
            self._buffers[columns] = (x, size, np.empty((n, 2, self.rows, columns), self.dtype), drop)
        return self._buffers[columns]
