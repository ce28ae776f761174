"""Branches of a feeder packed into groups of about equal size, so that one product of small matrices does all of them
for many feeders at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.grid.feeder import Feeder
from trulysparse.grid.power_flow.matrices import BranchMatrices, FeederMatrices

Real = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Groups:
    """The equations in real numbers. A column holds one feeder's currents: of each group M real parts, M imaginary
    parts, then the busbar's voltage (real, imaginary).

    `home` (G, M): which home stands in each place. Places that are left repeat the first home of their group: they have
    its voltage, and their current counts nowhere.
    `place` (homes,): where each home is, as an index into G x M.
    `voltage` (G, 2M, 2M + 2): from a column to the voltages of homes.
    `busbar` (2, G (2M + 2)): from all of a column to what the busbar's voltage loses.
    `v_n` (2, 1): the busbar's voltage without load.
    """

    home: NDArray[np.int64]
    place: NDArray[np.int64]
    voltage: Real
    busbar: Real
    v_n: Real

    def cast(self, dtype: Any) -> Groups:
        """The same in another precision."""
        return Groups(self.home, self.place, *(a.astype(dtype) for a in (self.voltage, self.busbar, self.v_n)))


def pack(sizes: list[int]) -> list[list[int]]:
    """Numbers of branches, grouped: no group has more homes than the largest branch, and few places stay empty (first
    fit, the largest first).

    Example:
        >>> pack([14, 10, 4, 20, 0])
        [[3], [0, 2], [1]]
    """
    most = max(sizes, default=0)
    groups: list[list[int]] = []
    filled: list[int] = []
    for branch in sorted(range(len(sizes)), key=lambda b: -sizes[b]):
        if sizes[branch] == 0:
            continue
        fits = (g for g, n in enumerate(filled) if n + sizes[branch] <= most)
        group = next(fits, len(groups))
        if group == len(groups):
            groups.append([])
            filled.append(0)
        groups[group].append(branch)
        filled[group] += sizes[branch]
    return groups


def real_rows(matrix: NDArray[np.complex128]) -> Real:
    """A complex matrix as the real one that maps real above imaginary parts to the same."""
    return np.block([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]])


def make_groups(feeder: Feeder, matrices: FeederMatrices) -> Groups:
    """The groups of a feeder, in double precision."""
    branches = list(matrices.branches)
    if len(matrices.busbar_homes):  # homes at the busbar: a branch without impedance
        n = len(matrices.busbar_homes)
        bus = np.zeros(n, np.int64)
        branches.append(BranchMatrices(bus, matrices.busbar_homes, np.ones(n, complex), np.zeros((n, n), complex)))
    groups = pack([len(branch.homes) for branch in branches])
    rows = max(sum(len(branches[b].homes) for b in group) for group in groups)
    home = np.zeros((len(groups), rows), np.int64)
    place = np.zeros(feeder.n_homes, np.int64)
    voltage = np.zeros((len(groups), 2 * rows, 2 * rows + 2))
    busbar = np.zeros((2, len(groups), 2 * rows + 2))
    for g, group in enumerate(groups):
        z, a = np.zeros((rows, rows), complex), np.ones(rows, complex)
        drawn = np.zeros(rows, bool)
        at = 0
        for branch in (branches[b] for b in group):
            here = slice(at, at + len(branch.homes))
            own = _own_rows(feeder, branch)
            home[g, here] = branch.homes
            place[branch.homes] = g * rows + np.arange(here.start, here.stop)
            z[here, here] = branch.z[own]
            a[here] = branch.a[own]
            drawn[here] = True
            at = here.stop
        home[g, at:], z[at:], a[at:] = home[g, 0], z[0], a[0]
        voltage[g, :, : 2 * rows] = -real_rows(z)
        voltage[g, :, 2 * rows :] = np.block([[a.real[:, None], -a.imag[:, None]], [a.imag[:, None], a.real[:, None]]])
        busbar[:, g, : 2 * rows] = real_rows((matrices.z_0 * a * drawn)[None, :])
    v_n = np.array([[matrices.v_n.real], [matrices.v_n.imag]])
    return Groups(home, place, voltage, busbar.reshape(2, -1), v_n)


def _own_rows(feeder: Feeder, branch: BranchMatrices) -> NDArray[np.int64]:
    """Which rows of the branch's matrices are its homes' buses."""
    if branch.buses[0] == 0:
        return np.arange(len(branch.homes))
    return np.asarray(feeder.home_bus[branch.homes] - branch.buses[0])
