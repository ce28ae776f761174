"""What homes have besides a battery: vehicles and heat pumps, synthetic, and what they draw each hour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.grid.actions import HEAT_PUMP, VEHICLE, Actions
from trulysparse.grid.data import GridData
from trulysparse.grid.electric_vehicle import POWER_KW, UNMET_PRICE, ElectricVehicles
from trulysparse.grid.heat_pump import DISCOMFORT_PRICE, SET_POINT, HeatPumps
from trulysparse.grid.observation import INDOOR_SCALE, VEHICLE_ENERGY_SCALE, VEHICLE_HOURS_SCALE

Array = NDArray[np.float64]
Hours = int | NDArray[np.int64]


class Devices:
    """The vehicles and heat pumps of all homes.

    Args:
        data: temperatures, and the hour of day in which they begin.
        home: int (H,), which homes are copies of each other: their vehicles come and go alike.
        electric_vehicles: whether each home has one.
        heat_pumps: likewise.
        seed: of the vehicles' days.
    """

    def __init__(
        self, data: GridData, home: NDArray[np.int64], electric_vehicles: bool, heat_pumps: bool, seed: int
    ) -> None:
        self.data, self._home = data, home
        self.vehicles = self._new_vehicles(seed) if electric_vehicles else None
        self._full = {} if self.vehicles is None else self.vehicles.state()
        self.heat_pumps = HeatPumps(len(home)) if heat_pumps else None
        self._seed = seed

    def _new_vehicles(self, seed: int) -> ElectricVehicles:
        n_days = -(-(self.data.n_hours + int(self.data.hour[0])) // 24)
        return ElectricVehicles(len(self._home), n_days=n_days, seed=seed, home=self._home)

    def step(self, actions: Actions | None, row: Hours) -> Array:
        """What the devices draw in an hour.

        Args:
            actions: that were taken; None: vehicles charge at full power, set points do not move.
            row: of the data, one or one a home.

        Returns:
            kWh of each home, (H,).
        """
        drawn = np.zeros(len(self._home))
        if self.vehicles is not None:
            power = POWER_KW if actions is None else actions.share(VEHICLE) * POWER_KW
            drawn += self.vehicles.step(power, row + int(self.data.hour[0]))
        if self.heat_pumps is not None:
            shift = 0.0 if actions is None else actions.component(HEAT_PUMP)
            drawn += self.heat_pumps.step(shift, self.data.temperature[row])
        return drawn

    def cost(self) -> Array | float:
        """$ of each home in the last hour for what its vehicle lacked when it left, and for a room that is too cold."""
        cost: Array | float = 0.0 if self.vehicles is None else UNMET_PRICE * self.vehicles.unmet_kwh
        return cost if self.heat_pumps is None else cost + DISCOMFORT_PRICE * self.heat_pumps.discomfort

    def observe(self, row: Hours, vehicle: Floats, indoors: Floats) -> None:
        """Writes what homes know of their devices at the beginning of an hour.

        Args:
            row: of the data.
            vehicle: (3, H): whether it is there, hours until it leaves, kWh that it lacks, scaled.
            indoors: (1, H): temperature above the set point, scaled.
        """
        if self.vehicles is not None:
            there, hours, missing = self.vehicles.observe(row + int(self.data.hour[0]))
            vehicle[0] = there
            np.multiply(hours, 1 / VEHICLE_HOURS_SCALE, out=vehicle[1], casting="same_kind")
            np.multiply(missing, 1 / VEHICLE_ENERGY_SCALE, out=vehicle[2], casting="same_kind")
        if self.heat_pumps is not None:
            np.multiply(self.heat_pumps.inside - SET_POINT, 1 / INDOOR_SCALE, out=indoors[0], casting="same_kind")

    def reset(self, seed: int) -> None:
        """Full vehicles and warm rooms; other days where the seed is another one."""
        if self.vehicles is not None:
            if seed == self._seed:
                self.vehicles.restore(self._full)
            else:
                self.vehicles = self._new_vehicles(seed)
        if self.heat_pumps is not None:
            self.heat_pumps = HeatPumps(len(self._home))
        self._seed = seed

    @property
    def missing(self) -> Array | None:
        """kWh that vehicles lacked which left in the last hour, (H,)."""
        return None if self.vehicles is None else self.vehicles.unmet_kwh

    @property
    def discomfort(self) -> Array | None:
        """Kelvins by which each home is colder than its set point, (H,)."""
        return None if self.heat_pumps is None else self.heat_pumps.discomfort

    @property
    def indoors(self) -> Array | None:
        """Temperature in each home, degrees Celsius, (H,)."""
        return None if self.heat_pumps is None else self.heat_pumps.inside

    def state(self) -> dict[str, Any]:
        """All that changes, by device and name."""
        devices = {"vehicles": self.vehicles, "heat pumps": self.heat_pumps}
        states = {name: device.state() for name, device in devices.items() if device is not None}
        return {f"{device}.{name}": value for device, state in states.items() for name, value in state.items()}

    def restore(self, state: dict[str, Any], seed: int) -> None:
        """Goes on from a state() under a seed."""
        self.reset(seed)
        for name, device in (("vehicles", self.vehicles), ("heat pumps", self.heat_pumps)):
            if device is not None:
                own = {key.split(".")[1]: value for key, value in state.items() if key.startswith(f"{name}.")}
                device.restore(own)
