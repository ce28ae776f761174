"""Exact AC power flow of many radial feeders at once: each is a column of one product."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import memory
from trulysparse._core.checks import choice, integer, plain, real
from trulysparse.errors import InputError
from trulysparse.grid.feeder import Feeder
from trulysparse.grid.power_flow.blas_threads import one_blas_thread
from trulysparse.grid.power_flow.details import FlowModel
from trulysparse.grid.power_flow.groups import make_groups
from trulysparse.grid.power_flow.matrices import feeder_matrices
from trulysparse.grid.power_flow.result import Columns, Flow
from trulysparse.grid.power_flow.solver import Solution, Solver

TAN_PHI = 0.25  # reactive over active power of homes that draw: cos phi .97
TOGETHER = 128  # feeders solved together: what they need stays in cache
LARGE = 1 << 24  # bytes of powers from which on free memory is looked at
FEW, MANY = 12, 500  # steps in the precision asked for; steps in double precision where those were not enough


Real = NDArray[Any]


class Feeders:
    """Several feeders of one kind, whose power flows are solved together. They are for one thread at a time.

    Args:
        feeder: the Feeder.
        n_copies: how many of it. Home h is home h % feeder.n_homes of copy h // feeder.n_homes.
        tan_phi: reactive over active power of homes that draw, where `flow` is given no reactive power.
        droop_kvar: (homes,) reactive power that each home's inverter can give or take. It gives all of it at .95 of the
            rated voltage, takes all at 1.05, and is linear between (Q(V) droop). None: inverters do nothing of the
            kind.
        precision: 'single' (errors below 1e-6 of the rated voltage) or 'double'.
        tolerance: estimated error at which a flow is solved, as a share of the rated voltage.

    Raises:
        InputError: for an argument out of its range.
        NotEnoughMemoryError: where the matrices would not fit.

    Example:
        >>> feeders = Feeders(Feeder.named("vorstadt"), n_copies=7)
        >>> feeders.n_homes
        1022
        >>> flow = feeders.flow(np.full(1022, 3.0))  # kWh in this hour
        >>> flow.transformer_loading.shape, bool((flow.voltage > 0.95).all())
        ((7,), True)
    """

    def __init__(
        self,
        feeder: Feeder,
        n_copies: int = 1,
        *,
        tan_phi: float = TAN_PHI,
        droop_kvar: ArrayLike | None = None,
        precision: str = "single",
        tolerance: float = 2e-7,
    ) -> None:
        if not isinstance(feeder, Feeder):
            raise InputError(f"feeder must be a Feeder, not {feeder!r:.80}")
        self.feeder = feeder
        self.n_copies = integer("n_copies", n_copies, low=1)
        self.n_homes = self.n_copies * feeder.n_homes
        self.tan_phi = real("tan_phi", tan_phi, low=0)
        self.precision = choice("precision", precision, ("single", "double"))
        tolerance = real("tolerance", tolerance, low=1e-12, high=1e-2)
        self.droop_kvar = None if droop_kvar is None else self._droop(droop_kvar)
        matrices = feeder_matrices(feeder)
        self._model = FlowModel(feeder, matrices, np.complex64 if self.precision == "single" else np.complex128)
        groups = make_groups(feeder, matrices)
        dtype = np.float32 if self.precision == "single" else np.float64
        self._solver = Solver(groups, dtype, tolerance)
        self._exact = Solver(groups, np.float64, min(tolerance, 1e-9))
        self._order = groups.home.ravel()
        self._place = groups.place

    def flow(
        self, import_kwh: ArrayLike, reactive_kvarh: ArrayLike | None = None, start: Flow | ArrayLike | None = None
    ) -> Flow:
        """Solves the power flow of all feeders.

        Args:
            import_kwh: (homes,) or (n, homes) energy that each home draws from the grid in the hour, - where it feeds
                in: its mean over the hour is the power (kW).
            reactive_kvarh: reactive energy drawn, of the same shape. None: `tan_phi` times what a home draws, none
                where it feeds in.
            start: voltages to begin with: a Flow of the same shape, or its `phasors`. None: those without load.
                Neighbouring hours converge in fewer steps.

        Returns:
            A Flow. Feeders that carry more than they can, where no solution is found, are marked in `converged`.

        Raises:
            InputError: for another shape, or a value that is not finite.
            NotEnoughMemoryError: where the results would not fit.

        Source:
            The implicit Z-bus method; see `solver.py`. Lines are pi circuits, the transformer is a T circuit with
            iron losses, loads are constant power, and the three phases are alike.

        Example:
            >>> feeders = Feeders(Feeder.named("landnetz"))
            >>> evening = feeders.flow(np.full(17, 2.0))
            >>> later = feeders.flow(np.full(17, 2.1), start=evening)
            >>> later.iterations <= evening.iterations
            True
        """
        p = self._energies("import_kwh", import_kwh)
        lead = p.shape[:-1]
        n = self.feeder.n_homes
        columns = p.size // n
        if p.nbytes > LARGE:
            memory.require(10 * p.nbytes, f"the power flow of {columns} feeders", "hand in fewer hours at once")
        q = (
            self.tan_phi * np.maximum(p, 0)
            if reactive_kvarh is None
            else self._energies("reactive_kvarh", reactive_kvarh)
        )
        if q.shape != p.shape:
            raise InputError(f"reactive_kvarh must have the shape of import_kwh, {p.shape}, not {q.shape}")
        v = self._phasors(start, p.shape)
        droop = None if self.droop_kvar is None else np.broadcast_to(self.droop_kvar, p.shape).reshape(-1, n)
        p, q = p.reshape(-1, n), q.reshape(-1, n)
        with one_blas_thread():
            chunks = [slice(at, at + TOGETHER) for at in range(0, columns, TOGETHER)]
            parts = [self._solve(p[c], q[c], _some(droop, c), _some(v, c)) for c in chunks]
        return Flow(self._model, lead, Columns.join(parts), p, q, droop)

    def some(self, copies: ArrayLike) -> Feeders:
        """Some of these feeders, whose equations are not prepared again.

        Args:
            copies: numbers of feeders, 0 to n_copies - 1.

        Returns:
            Feeders, with the inverters of those.
        """
        which = np.asarray(copies)
        other = copy(self)
        other.n_copies = len(which)
        other.n_homes = len(which) * self.feeder.n_homes
        if self.droop_kvar is not None:
            other.droop_kvar = self.droop_kvar.reshape(self.n_copies, -1)[which].ravel()
        return other

    def _solve(self, p: Real, q: Real, droop: Real | None, start: Real | None) -> Columns:
        """The flow of some columns; those that do not converge are tried once more, from the voltages without load and
        in double precision."""
        v = self._solver.flat(len(p))
        if start is not None:
            rows, known = self._solver.rows, np.isfinite(start).all(axis=1)
            v_start = self._to_groups(start)
            np.copyto(v[:, :rows], v_start.real, where=known)
            np.copyto(v[:, rows:], v_start.imag, where=known)
        part = self._columns(self._run(self._solver, p, q, droop, v, FEW))
        if part.done.all():
            return part
        left = np.flatnonzero(~part.done)
        hard = p[left], q[left], None if droop is None else droop[left]
        flat = self._exact.flat(len(left))
        again = self._columns(self._run(self._exact, *hard, flat, MANY, damped=droop is not None))
        first = self._columns(self._run(self._exact, *hard, flat, 1))  # what loads do to voltages, linearly
        again.worst[:] = np.where(again.done, -1, np.abs(first.size - 1).argmax(axis=1))
        for old, new in zip(part[:-1], again[:-1], strict=True):
            old[left] = new
        return part._replace(steps=part.steps + again.steps)

    def _run(
        self, solver: Solver, p: Real, q: Real, droop: Real | None, v: Real, most: int, damped: bool = False
    ) -> Solution:
        gathered = [self._to_groups(a).astype(solver.dtype, copy=False) for a in (p, q)]
        limit = None if droop is None else self._to_groups(droop).astype(solver.dtype, copy=False)
        return solver.solve(gathered[0], gathered[1], v, limit, most, damped)

    def _columns(self, found: Solution) -> Columns:
        rows = self._solver.rows
        v_r, v_i = (self._to_homes(a) for a in (found.v[:, :rows], found.v[:, rows:]))
        return Columns(
            v_r=v_r,
            v_i=v_i,
            size=np.sqrt(v_r * v_r + v_i * v_i),
            v_0=found.v_0[0] + 1j * found.v_0[1],
            done=found.done,
            worst=np.full(len(v_r), -1),
            steps=found.steps,
        )

    def _droop(self, values: ArrayLike) -> NDArray[np.float64]:
        droop = np.array(values, np.float64)
        if droop.shape != (self.n_homes,) or not (np.isfinite(droop).all() and (droop >= 0).all()):
            raise InputError(f"droop_kvar must be {self.n_homes} numbers of at least 0, not {plain(values)!r:.80}")
        return droop

    def _energies(self, name: str, values: ArrayLike) -> NDArray[Any]:
        """`values` in the precision of the flow, checked."""
        try:
            a = np.array(values, self._solver.dtype)  # a copy: results are computed from it when they are asked for
        except (TypeError, ValueError):
            raise InputError(f"{name} must be numbers of shape (..., {self.n_homes}), not {values!r:.80}") from None
        if a.ndim not in (1, 2) or a.shape[-1] != self.n_homes or a.size == 0:
            raise InputError(f"{name} must have shape ({self.n_homes},) or (n, {self.n_homes}), not {a.shape}")
        if not np.isfinite(a.sum()):
            wrong = np.argwhere(~np.isfinite(a))
            if len(wrong):
                raise InputError(f"{name} must be finite, not {a[tuple(wrong[0])]} of home {wrong[0][-1]}")
        return a

    def _phasors(self, start: Flow | ArrayLike | None, shape: tuple[int, ...]) -> NDArray[Any] | None:
        if start is None:
            return None
        v = np.asarray(start.phasors if isinstance(start, Flow) else start)
        if v.shape != shape or not np.issubdtype(v.dtype, np.number):
            raise InputError(f"start must hold voltages of shape {shape}, like import_kwh, not {v.shape}")
        return v.reshape(-1, self.feeder.n_homes)

    def _to_groups(self, a: NDArray[Any]) -> NDArray[Any]:
        """(C, homes) as (G, M, C)."""
        return a.T[self._order].reshape(len(self._solver.groups.home), self._solver.rows, len(a))

    def _to_homes(self, a: NDArray[Any]) -> NDArray[Any]:
        """(G, M, C) as (C, homes)."""
        return np.ascontiguousarray(a.reshape(-1, a.shape[-1])[self._place].T)


def _some(rows: Real | None, here: slice) -> Real | None:
    return None if rows is None else rows[here]
