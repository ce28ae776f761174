"""What a home decides each hour, as numbers between -1 and 1, and what they ask of its battery."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError

Array = NDArray[np.float64]

MODES = ("follow", "setpoint")
BATTERY, EXCHANGE, CURTAILMENT, VEHICLE, HEAT_PUMP = (
    "battery",
    "exchange",
    "PV curtailment",
    "vehicle charging",
    "heat-pump shift",
)


class Actions:
    """The components of an action, and the request to the battery that they make.

    Under 'follow' PV that is not used is stored; battery u < 0 gives |u| of what the home lacks, u > 0 draws u times
    the battery's power besides; exchange v draws (v > 0) or gives (v < 0) |v| of the battery's power beyond the home's
    own need, for the community. Under 'setpoint' the battery takes its share of its power, whatever the hour brings.
    Curtailment is the share of PV that is turned off, vehicle charging that of the charger's power, both where
    positive; the heat pump's set point moves by up to 2 K.

    Args:
        information: 'follow' or 'setpoint'.
        n_homes: H.
        power_kw: of the batteries, (H,).
        exchange: whether there is a component for the exchange; under 'follow' alone.
        curtailment: whether there is one for PV.
        electric_vehicles: whether there is one for them.
        heat_pumps: likewise.

    Attributes:
        names: of the components, in their order.
        start: float32, an action to begin with: self-consumption under 'follow', an idle battery under 'setpoint', no
            exchange, no curtailment, vehicles at full power, no shift.

    Example:
        >>> actions = Actions("follow", 2, np.array([5.0, 5.0]))
        >>> actions.names, actions.start.tolist()
        (('battery',), [-1.0])
        >>> actions.take(np.float32([[-0.5], [0.2]]))
        >>> net = np.array([2.0, -1.0])  # a home that lacks 2 kWh, one with 1 kWh too much
        >>> actions.request(net).round(3).tolist()
        [-1.0, 2.0]
    """

    def __init__(
        self,
        information: str,
        n_homes: int,
        power_kw: Array,
        exchange: bool = False,
        curtailment: bool = False,
        electric_vehicles: bool = False,
        heat_pumps: bool = False,
    ) -> None:
        self.information, self.power_kw = information, power_kw
        components = [(BATTERY, -1.0 if information == "follow" else 0.0)]
        components += [(EXCHANGE, 0.0)] * exchange + [(CURTAILMENT, 0.0)] * curtailment
        components += [(VEHICLE, 1.0)] * electric_vehicles + [(HEAT_PUMP, 0.0)] * heat_pumps
        self.names = tuple(name for name, _ in components)
        self.start: Floats = np.array([value for _, value in components], np.float32)
        self.shape = (n_homes, len(self.names))
        self.values: Array = np.zeros((len(self.names), n_homes))  # by component
        self.exchange = self.names.index(EXCHANGE) if exchange else 0
        self._column = {name: column for column, name in enumerate(self.names)}
        self._request, self._part, self._need = np.zeros(n_homes), np.zeros(n_homes), np.zeros(n_homes)

    def take(self, actions: Floats) -> None:
        """Keeps actions, cut to [-1, 1].

        Args:
            actions: (H, components).

        Raises:
            InputError: of another shape, or not numbers.
        """
        given = np.asarray(actions)
        if given.shape != self.shape:
            raise InputError(
                f"actions must be of shape {self.shape} (homes, components {', '.join(self.names)}), not {given.shape}"
            )
        try:
            np.maximum(given.T, -1.0, out=self.values)
        except (TypeError, ValueError):
            raise InputError(f"actions must be numbers, not {given.dtype}") from None
        np.minimum(self.values, 1.0, out=self.values)

    def is_finite(self) -> bool:
        """Whether each action that was taken is a number."""
        total = float(np.add.reduce(self.values, axis=None))
        return not np.isnan(total)

    def share(self, name: str) -> Array:
        """What was decided on a component as a share, 0 to 1, (H,)."""
        share: Array = np.maximum(self.values[self._column[name]], 0.0)
        return share

    def component(self, name: str) -> Array:
        """What was decided on a component, -1 to 1, (H,)."""
        decided: Array = self.values[self._column[name]]
        return decided

    def request(self, net: Array) -> Array:
        """What is asked of the batteries, in kWh at the meter, + = charging, (H,); overwritten by the next call.

        Args:
            net: load - PV of the hour in kWh, (H,).
        """
        request, part, need, u = self._request, self._part, self._need, self.values[0]
        if self.information == "setpoint":
            np.multiply(u, self.power_kw, out=request)
            return request
        np.maximum(net, 0.0, out=need)
        np.minimum(u, 0.0, out=part)
        np.multiply(part, need, out=request)
        np.subtract(u, part, out=part)
        part *= self.power_kw
        request += part
        need -= net  # what the home has too much
        request += need
        if self.exchange:
            np.multiply(self.values[self.exchange], self.power_kw, out=part)
            request += part
        return request
