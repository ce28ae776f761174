"""Batteries of many homes: power falls near full, efficiency depends on power, capacity wears."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.errors import InputError

Array = NDArray[np.float64]

CAPACITY_LOSS = 1e-5  # of the capacity, per full cycle
LEAST_DIVISOR = 1e-6  # kWh; a battery that is worn out wears no more


def efficiency(share: ArrayLike) -> Array:
    """Efficiency of charging and discharging together, at a share of the battery's power.

    Args:
        share: power through nominal power, 0 to 1, any shape.

    Returns:
        The line through .83 at 0 and at .3, .9 at .7 and at .8, .85 at 1. Each way costs its square root.

    Source: CityLearn (Vazquez-Canteli et al., 2019), the default `power_efficiency_curve` of `Battery`.

    Example:
        >>> efficiency([0.0, 0.5, 0.7, 1.0]).round(3).tolist()
        [0.83, 0.865, 0.9, 0.85]
    """
    x = np.asarray(share, np.float64)
    return 0.9775 + 0.175 * np.clip(x, 0.3, 0.7) - 0.25 * np.clip(x, 0.8, 1.0)


def power_limit(charge: ArrayLike) -> Array:
    """The share of its power that a battery can give or take at a charge.

    Args:
        charge: stored energy through nominal capacity, 0 to 1, any shape.

    Returns:
        1 up to a charge of .8, then a line down to .2 at 1.

    Source: CityLearn, the default `capacity_power_curve` of `Battery`.

    Example:
        >>> power_limit([0.5, 0.8, 0.9, 1.0]).round(3).tolist()
        [1.0, 1.0, 0.6, 0.2]
    """
    return 1.0 - 4.0 * (np.clip(np.asarray(charge, np.float64), 0.8, 1.0) - 0.8)


class Batteries:
    """The batteries of many homes, stepped by the hour together.

    A request r (kWh at the meter, positive = charging) becomes the balance b that the meter sees:
    q = min(|r|, P limit(E / C), what there is room for or what is stored, through the efficiency of one way), where the
    efficiency is that of q itself, found by two rounds. Then E rises by q e or falls by q / e, and the capacity that is
    left falls by 1e-5 C |b| / (2 capacity left). A home without battery has capacity 0.

    Args:
        capacity_kwh: nominal capacity C of each battery, kWh, at least 0, of any shape.
        power_kw: nominal power P of each, kW, of the same shape, or one number for all.
        charge: charge at the start, 0 to 1, of each or one for all.

    Raises:
        InputError: a negative or infinite size, shapes that differ, a capacity without power, or a charge
            outside 0 to 1.

    Source: CityLearn 3.0.2, `Battery.charge` with its curves fixed to the defaults of version 1.

    Example:
        >>> batteries = Batteries([6.4, 6.4, 0.0], [5.0, 5.0, 0.0])
        >>> batteries.step([5.0, -5.0, 5.0]).round(3).tolist()
        [5.0, 0.0, 0.0]
        >>> batteries.charge.round(3).tolist()
        [0.72, 0.0, 0.0]
        >>> batteries.step([-1.0, 2.0, 0.0]).round(3).tolist()
        [-1.0, 2.0, 0.0]
    """

    def __init__(self, capacity_kwh: ArrayLike, power_kw: ArrayLike, charge: ArrayLike = 0.0) -> None:
        self.capacity_kwh = _sizes("capacity_kwh", capacity_kwh)
        power = _sizes("power_kw", power_kw)
        if power.shape not in ((), self.capacity_kwh.shape):
            raise InputError(
                f"power_kw must be one number or of capacity_kwh's shape {self.capacity_kwh.shape}, not {power.shape}"
            )
        self.power_kw = np.array(np.broadcast_to(power, self.capacity_kwh.shape))
        idle = (self.capacity_kwh > 0) & (self.power_kw == 0)
        if idle.any():
            where = int(np.flatnonzero(idle)[0])
            raise InputError(
                f"battery {where} has {self.capacity_kwh.flat[where]:g} kWh and an inverter of 0 kW: power_kw must be "
                "above 0 where capacity_kwh is"
            )
        self._per_kwh = np.divide(1.0, self.capacity_kwh, where=self.capacity_kwh > 0, out=np.zeros(self.shape))
        self._per_kw = np.divide(1.0, self.power_kw, where=self.power_kw > 0, out=np.zeros(self.shape))
        self._fall = 4.0 * self.power_kw
        self._wear = CAPACITY_LOSS / 2 * self.capacity_kwh
        self._limit, self._want, self._q, self._x, self._way = (np.empty(self.shape) for _ in range(5))
        self.energy_kwh = np.empty(self.shape)
        self.degraded_kwh = np.empty(self.shape)
        self.reset(charge)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all arrays: one entry per battery."""
        return self.capacity_kwh.shape

    @property
    def charge(self) -> Array:
        """Stored energy through nominal capacity, 0 to 1; 0 where there is no battery."""
        return self.energy_kwh * self._per_kwh

    def reset(self, charge: ArrayLike = 0.0) -> None:
        """New batteries with this charge, 0 to 1, of each or one for all."""
        share = np.asarray(charge, np.float64)
        if share.shape not in ((), self.shape) or not ((share >= 0) & (share <= 1)).all():
            raise InputError(
                f"charge must be numbers between 0 and 1, one or of shape {self.shape}, not {charge!r:.80}"
            )
        np.multiply(self.capacity_kwh, share, out=self.energy_kwh)
        np.copyto(self.degraded_kwh, self.capacity_kwh)

    def step(self, requested_kwh: ArrayLike) -> Array:
        """Charges or discharges for one hour.

        Args:
            requested_kwh: energy wanted at the meter, positive = charging, as the batteries are shaped, or one for all.

        Returns:
            The balance at the meter in kWh, positive = charging: the request, cut to what power, charge and efficiency
            allow. A new array.
        """
        requested = np.asarray(requested_kwh, np.float64)
        charging = requested >= 0
        self._settle(np.abs(requested), charging)
        before = self._limit  # no longer needed
        np.copyto(before, self.energy_kwh)
        change = np.divide(self._q, self._way, out=self._q)
        sign = np.subtract(charging, 0.5, out=self._x)
        sign *= 2.0
        change *= sign
        energy = np.add(self.energy_kwh, change, out=self.energy_kwh)
        np.maximum(energy, 0.0, out=energy)
        np.minimum(energy, self.capacity_kwh, out=energy)
        balance: Array = np.subtract(energy, before)
        balance *= self._way
        worn = np.abs(balance, out=self._x)
        worn *= self._wear
        worn /= np.maximum(self.degraded_kwh, LEAST_DIVISOR, out=self._want)
        np.subtract(self.degraded_kwh, worn, out=self.degraded_kwh)
        np.maximum(self.degraded_kwh, 0.0, out=self.degraded_kwh)
        return balance

    def most_charge(self) -> Array:
        """The most that each battery could take from the meter in the coming hour, kWh."""
        self._settle(self.power_kw, np.True_)
        return self._q.copy()

    def most_discharge(self) -> Array:
        """The most that each battery could give to the meter in the coming hour, kWh, as a positive number."""
        self._settle(self.power_kw, np.False_)
        return self._q.copy()

    def _settle(self, wanted: Array, charging: NDArray[np.bool_] | np.bool_) -> None:
        """Sets _q, energy at the meter, and _way, what stored energy is worth there: 1/e when charging, else e."""
        # Masked ufuncs (where=) take ten times as long as np.where, which is why there are none here.
        limit, q, x = self._limit, self._q, self._x
        np.multiply(self.energy_kwh, self._per_kwh, out=limit)
        limit -= 0.8
        np.maximum(limit, 0.0, out=limit)
        limit *= self._fall
        np.subtract(self.power_kw, limit, out=limit)
        want = np.minimum(wanted, limit, out=self._want)
        np.subtract(self.degraded_kwh, self.energy_kwh, out=x)
        np.maximum(x, 0.0, out=x)
        room = np.where(charging, x, self.energy_kwh)
        np.copyto(q, want)
        for _ in range(2):
            q *= self._per_kw
            np.maximum(q, 0.8, out=x)  # efficiency(q), in place
            x *= -0.25
            np.clip(q, 0.3, 0.7, out=q)
            q *= 0.175
            x += q
            x += 0.9775
            e = np.sqrt(x, out=x)
            self._way = np.where(charging, np.reciprocal(e, out=q), e)
            np.multiply(room, self._way, out=q)
            np.minimum(q, want, out=q)

    def state(self) -> dict[str, Array]:
        """All that changes: copies of the stored energy and of the capacity that is left, both in kWh."""
        return {"energy_kwh": self.energy_kwh.copy(), "degraded_kwh": self.degraded_kwh.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state() of batteries of these sizes."""
        arrays = [np.asarray(state[name], np.float64) for name in ("energy_kwh", "degraded_kwh")]
        for array in arrays:
            if array.shape != self.shape:
                raise InputError(f"state is of batteries of shape {array.shape}, these are of shape {self.shape}")
        np.copyto(self.energy_kwh, arrays[0])
        np.copyto(self.degraded_kwh, arrays[1])


def _sizes(name: str, values: ArrayLike) -> Array:
    sizes = np.array(values, np.float64)
    if not (np.isfinite(sizes) & (sizes >= 0)).all():
        raise InputError(
            f"{name} must be finite numbers of at least 0, not {sizes[~(sizes >= 0) | np.isinf(sizes)].flat[0]}"
        )
    return sizes
