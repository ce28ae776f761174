"""What a power flow says of lines and buses without a home, computed from the voltages at homes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.grid.feeder import Feeder
from trulysparse.grid.power_flow.matrices import BranchMatrices, FeederMatrices

Complex = NDArray[np.complex128]
Float = NDArray[np.float64]


SURE = 0.999  # currents into the lines' capacitance are left out of the bound: less than a thousandth


@dataclass(frozen=True, eq=False)
class _Branch:
    """A branch's homes, its lines (numbers), and the currents at both ends of these lines as parts of the busbar's
    voltage (lines,) and of the currents of homes (homes, lines)."""

    matrices: BranchMatrices
    lines: slice
    of_busbar: tuple[Complex, Complex]
    of_homes: tuple[Complex, Complex]


def _of(feeder: Feeder, matrices: FeederMatrices, branch: BranchMatrices, dtype: Any) -> _Branch:
    first = branch.buses[0]
    lines = slice(int(first) - 1, int(branch.buses[-1]))
    series, shunt = matrices.series[lines], matrices.shunt[lines]
    above = np.maximum(feeder.parent[branch.buses] - first, 0)
    # Rows of z and a for the bus at which a line begins; the first begins at the busbar.
    z_above, a_above = branch.z[above], branch.a[above]
    z_above[0], a_above[0] = 0, 1
    to_v0 = series * (a_above - branch.a)
    to_i = series[:, None] * (branch.z - z_above)
    of_busbar = to_v0 + shunt * a_above, to_v0 - shunt * branch.a
    of_homes = to_i - shunt[:, None] * z_above, to_i + shunt[:, None] * branch.z
    return _Branch(
        branch,
        lines,
        (of_busbar[0].astype(dtype), of_busbar[1].astype(dtype)),
        (np.ascontiguousarray(of_homes[0].T, dtype), np.ascontiguousarray(of_homes[1].T, dtype)),
    )


class FlowModel:
    """Currents of lines and of the transformer, and voltages of all buses, of a feeder."""

    def __init__(self, feeder: Feeder, matrices: FeederMatrices, dtype: type[np.complexfloating[Any, Any]]) -> None:
        self.feeder = feeder
        self.transformer = matrices.transformer
        amperes = 1000 / (np.sqrt(3) * feeder.voltage_v)  # of 1 kVA at rated voltage
        self.limit = np.array([line.cable.i_max_a for line in feeder.lines]) / amperes
        self.bound = (feeder.behind / self.limit[:, None]).T.astype(np.float32)
        self.branches = [_of(feeder, matrices, branch, dtype) for branch in matrices.branches]

    def line_loadings(self, v_0: Complex, current: Complex) -> Float:
        """The larger of the currents at both ends of each line, as a share of what the line may carry.

        Args:
            v_0: (C,) voltages of busbars.
            current: (C, homes) drawn, in kVA at rated voltage.

        Returns:
            (C, lines).
        """
        squares = np.empty((len(v_0), len(self.limit)))
        for branch in self.branches:
            drawn = current[:, branch.matrices.homes].astype(branch.of_homes[0].dtype)
            ends = []
            for of_busbar, of_homes in zip(branch.of_busbar, branch.of_homes, strict=True):
                flowing = drawn @ of_homes
                flowing += v_0[:, None].astype(flowing.dtype) * of_busbar
                ends.append(flowing.real**2 + flowing.imag**2)
            np.maximum(ends[0], ends[1], out=squares[:, branch.lines])
        return np.asarray(np.sqrt(squares) / self.limit)

    def within(self, size: NDArray[Any]) -> bool:
        """Whether lines surely carry less than the operator lets them. Currents of homes (C, homes), added up without
        their phases, are an upper bound, in a fraction of the time."""
        return bool((size @ self.bound).max(initial=0) < SURE * self.feeder.loading_limit)

    def bus_voltages(self, v_0: Complex, current: Complex) -> Complex:
        """Voltages of all buses, (C, buses)."""
        v = np.empty((len(v_0), self.feeder.n_buses), complex)
        v[:, 0] = v_0
        for branch in self.branches:
            m = branch.matrices
            v[:, m.buses] = v_0[:, None] * m.a - current[:, m.homes] @ m.z.T
        return v

    def transformer_currents(self, v_0: Complex) -> tuple[Complex, Complex]:
        """What flows into the transformer from the medium voltage and out of it into the busbar, (C,) each, in kVA at
        rated voltage."""
        series, both = self.transformer.series, self.transformer.series + self.transformer.shunt
        source = self.feeder.source_pu
        return both * source - series * v_0, series * source - both * v_0
