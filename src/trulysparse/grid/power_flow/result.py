"""What a power flow gave."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trulysparse.grid.feeder import Feeder
from trulysparse.grid.power_flow.blas_threads import one_blas_thread
from trulysparse.grid.power_flow.details import Complex, Float, FlowModel
from trulysparse.grid.power_flow.solver import droop_kvar


class Columns(NamedTuple):
    """Feeders that were solved: voltages of homes (C, homes), real and imaginary, and their size; the busbar's (C,);
    which converged; the home whose voltage the loads move most, -1 where it converged."""

    v_r: NDArray[Any]
    v_i: NDArray[Any]
    size: NDArray[Any]
    v_0: Complex
    done: NDArray[np.bool_]
    worst: NDArray[np.int64]
    steps: int

    @staticmethod
    def join(parts: Sequence[Columns]) -> Columns:
        """The columns of all parts, one part after another."""
        if len(parts) == 1:
            return parts[0]
        steps = max(part.steps for part in parts)
        arrays = zip(*(part[:-1] for part in parts), strict=True)
        return Columns._make([*map(np.concatenate, arrays), steps])


class Flow:
    """What a power flow gave. Feeders that did not converge have NaN everywhere, and False in `converged`.

    Attributes:
        voltage: (..., homes) at each home, as a share of the rated voltage.
        transformer_loading: (..., feeders) the larger of the transformer's two currents, as a share of the rated one.
        transformer_kw: (..., feeders) active power into the busbar, + where the feeder draws.
        converged: (..., feeders) whether the equations are solved.
        iterations: steps of the fixed point, the most that any feeder took.

    Example:
        >>> import numpy as np
        >>> from trulysparse.grid.feeder import Feeder
        >>> from trulysparse.grid.power_flow.flow import Feeders
        >>> flow = Feeders(Feeder.named("dorf")).flow(np.full(57, 4.0))
        >>> flow.voltage.shape, bool(flow.converged[0]), round(float(flow.voltage.min()), 4)
        ((57,), True, 0.9629)
        >>> flow.line_loadings.shape, round(float(flow.losses_kw[0]), 1)
        ((1, 114), 5.2)
    """

    def __init__(
        self,
        model: FlowModel,
        lead: tuple[int, ...],
        columns: Columns,
        p: NDArray[Any],
        q: NDArray[Any],
        droop: NDArray[Any] | None,
    ) -> None:
        if not columns.done.all():
            for values in (columns.v_r, columns.v_i, columns.size, columns.v_0):
                values[~columns.done] = np.nan
        self._model = model
        self._columns = columns
        self._powers = p, q, droop
        self._homes = (*lead, -1)
        self._feeders = (*lead, p.shape[0] // max(1, int(np.prod(lead))))
        self.iterations = columns.steps
        self.converged: NDArray[np.bool_] = columns.done.reshape(self._feeders)
        self.voltage: NDArray[Any] = columns.size.reshape(self._homes)
        high, low = model.transformer_currents(columns.v_0)
        loading = np.maximum(np.abs(high), np.abs(low)) / model.feeder.transformer.kva
        self.transformer_loading: Float = loading.reshape(self._feeders)
        self.transformer_kw: Float = (columns.v_0 * low.conj()).real.reshape(self._feeders)

    @property
    def feeder(self) -> Feeder:
        """The feeder that all are copies of."""
        return self._model.feeder

    @cached_property
    def phasors(self) -> NDArray[Any]:
        """(..., homes) voltages as complex numbers. As `start` of the next flow they continue this one; a flow gives
        the same bits whether it starts with them or with the Flow."""
        columns = self._columns
        v = np.empty(columns.v_r.shape, np.result_type(columns.v_r, np.complex64))
        v.real, v.imag = columns.v_r, columns.v_i
        return v.reshape(self._homes)

    @cached_property
    def line_loadings(self) -> Float:
        """(..., feeders, lines) currents as shares of what each line may carry; the larger of its two ends. Line k is
        `feeder.lines[k]`."""
        with one_blas_thread(), np.errstate(invalid="ignore"):
            found = self._model.line_loadings(self._columns.v_0, self._currents)
        return found.reshape(*self._feeders, -1)

    @cached_property
    def lines_within(self) -> bool:
        """Whether no line carries more than the operator lets it."""
        p, q, droop = self._powers
        if droop is None and self._columns.done.all():
            with one_blas_thread():
                if self._model.within(np.sqrt(p * p + q * q) / self._columns.size):
                    return True
        return not bool((self.line_loadings > self.feeder.loading_limit).any())

    @property
    def line_loading(self) -> Float:
        """(..., feeders) of the line that is loaded most."""
        worst: Float = self.line_loadings.max(axis=-1, initial=0.0)
        return worst

    @cached_property
    def bus_voltages(self) -> Float:
        """(..., feeders, buses) at all buses, in the order of `feeder.buses`."""
        with one_blas_thread(), np.errstate(invalid="ignore"):
            found = self._model.bus_voltages(self._columns.v_0, self._currents)
        return np.abs(found).reshape(*self._feeders, -1)

    @property
    def losses_kw(self) -> Float:
        """(..., feeders) active power lost in lines and transformer."""
        high, _ = self._model.transformer_currents(self._columns.v_0)
        source = self._model.feeder.source_pu * high.real
        lost = source - self._powers[0].sum(axis=1, dtype=np.float64)
        return np.asarray(np.where(self._columns.done, lost, np.nan)).reshape(self._feeders)

    def divergence(self, hour: int) -> str | None:
        """A sentence about the first feeder that did not converge, or None where all did.

        Args:
            hour: the number of the hour, for the sentence. Where the flow is of several hours, that of the first.

        Example:
            >>> import numpy as np
            >>> from trulysparse.grid.feeder import Feeder
            >>> from trulysparse.grid.power_flow.flow import Feeders
            >>> Feeders(Feeder.named("landnetz")).flow(np.full(17, 60.0)).divergence(hour=7)
            "hour 7: ... of feeder 0 has no solution: homes draw 1020 kW, and the voltage at bus 'home 1-12' breaks
            down"
        """
        failed = np.flatnonzero(~self._columns.done)
        if len(failed) == 0:
            return None
        column, feeder = int(failed[0]), self._model.feeder
        bus = feeder.buses[feeder.home_bus[self._columns.worst[column]]]
        later, copy = divmod(column, self._feeders[-1])
        drawn = float(self._powers[0][column].sum())
        does = "draw" if drawn >= 0 else "feed in"
        return (
            f"hour {hour + later}: the power flow of feeder {copy} has no solution: homes {does} {abs(drawn):.0f} kW, "
            f"and the voltage at bus {bus!r} breaks down"
        )

    @cached_property
    def _currents(self) -> Complex:
        """(C, homes) drawn, in kVA at rated voltage."""
        p, q, droop = self._powers
        power = p + 1j * (q if droop is None else q + droop_kvar(droop, self._columns.size))
        v = self._columns.v_r.astype(complex) + 1j * self._columns.v_i
        with np.errstate(invalid="ignore"):  # NaN where a feeder has no solution
            return np.asarray(np.conj(power / v))
