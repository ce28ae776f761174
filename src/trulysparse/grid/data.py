"""What homes use and make, hour by hour, with prices, carbon and weather: the data that all of `grid` starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError

Array = NDArray[np.float64]

# What uses or makes more than these in an hour, or on average, is not a home, or its units are mistaken.
MOST_KWH = 1000.0
MOST_MEAN_KWH = 20.0
MOST_SIZE = 500.0  # kWh or kW of a home's battery, kW of its panels
MOST_HOURS_TO_FILL = 48.0
MOST_PRICE = 10.0  # $/kWh
MOST_CARBON = 5.0  # kg/kWh; coal makes about 1
COLDEST, HOTTEST = -90.0, 65.0  # degrees Celsius


@dataclass(frozen=True, eq=False)
class GridData:
    """T consecutive hours of H homes.

    Args:
        names: the homes' names.
        hour: (T,) int8, the hour of day in which the row's hour begins, 0 to 23.
        weekday: (T,) int8, 0 = Monday to 6 = Sunday.
        month: (T,) int8, 1 to 12.
        load: (T, H) float32, what each home uses in the hour, kWh, at least 0.
        pv: (T, H) float32, what each home's photovoltaic panels make in the hour, kWh, at least 0.
        price: (T,) price of energy from the grid, $/kWh.
        carbon: (T,) carbon intensity of energy from the grid, kg CO2/kWh.
        temperature: (T,) float32, outdoors, degrees Celsius.
        battery_kwh: (H,) capacity of each home's battery, kWh; 0 = none.
        battery_kw: (H,) power of each home's battery, kW.
        pv_kw: (H,) nominal power of each home's panels, kW; 0 = none.
        predicted: forecasts that came with the data, each (T,), by name. Those of CityLearn's sets are the true future:
            nothing but an oracle may see them.

    Raises:
        InputError: lengths that differ, an hour missing or doubled, a number that is negative or not finite where it
            must not be, or a battery that its inverter cannot serve. Units: means that no home has.

    Example:
        >>> from trulysparse.grid.sample import sample_data
        >>> data = sample_data()
        >>> data.n_homes, data.n_hours
        (6, 8760)
        >>> net = data.load - data.pv
        >>> net.shape
        (8760, 6)
    """

    names: tuple[str, ...]
    hour: NDArray[np.int8]
    weekday: NDArray[np.int8]
    month: NDArray[np.int8]
    load: NDArray[np.float32]
    pv: NDArray[np.float32]
    price: Array
    carbon: Array
    temperature: NDArray[np.float32]
    battery_kwh: Array
    battery_kw: Array
    pv_kw: Array
    predicted: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_calendar(self)
        _check_numbers(self)
        _check_sizes(self)

    @property
    def n_homes(self) -> int:
        """How many homes there are, H."""
        return int(self.load.shape[1])

    @property
    def n_hours(self) -> int:
        """How many hours there are, T."""
        return int(self.load.shape[0])


def _check_shapes(data: GridData) -> None:
    if data.load.ndim != 2 or 0 in data.load.shape:
        raise InputError(
            f"load must be an array (hours, homes) with at least one of each, not of shape {data.load.shape}"
        )
    n_hours, n_homes = data.load.shape
    if len(data.names) != n_homes:
        raise InputError(f"names must hold one name per home: load has {n_homes} homes, names has {len(data.names)}")
    doubled = [name for number, name in enumerate(data.names) if name in data.names[:number]]
    if doubled:
        raise InputError(f"names must differ: {doubled[0]!r} is there twice")
    expected: dict[str, tuple[int, ...]] = dict.fromkeys(
        ("hour", "weekday", "month", "price", "carbon", "temperature"), (n_hours,)
    )
    expected |= dict.fromkeys(("battery_kwh", "battery_kw", "pv_kw"), (n_homes,)) | {"pv": (n_hours, n_homes)}
    shapes = {name: np.shape(getattr(data, name)) for name in expected}
    shapes |= {f"predicted[{name!r}]": np.shape(values) for name, values in data.predicted.items()}
    for name, shape in shapes.items():
        if shape != expected.get(name, (n_hours,)):
            raise InputError(
                f"{name} must be of shape {expected.get(name, (n_hours,))} where load is {data.load.shape}, not {shape}"
            )


def _check_calendar(data: GridData) -> None:
    for name, low, high in (("hour", 0, 23), ("weekday", 0, 6), ("month", 1, 12)):
        values = np.asarray(getattr(data, name))
        wrong = np.flatnonzero((values < low) | (values > high))
        if len(wrong):
            raise InputError(f"{name} must lie in [{low}, {high}]: row {wrong[0]} has {values[wrong[0]]}")
    hour = np.asarray(data.hour, np.int64)
    step = (hour[1:] - hour[:-1]) % 24
    if (wrong := np.flatnonzero(step != 1)).size:
        row = int(wrong[0]) + 1
        gap = int(step[row - 1] - 1) % 24
        what = f"{gap} hour{'s are' if gap > 1 else ' is'} missing" if step[row - 1] else "the hour is doubled"
        raise InputError(
            f"hours must follow each other: row {row} begins at {hour[row]}:00 after one that begins at "
            f"{hour[row - 1]}:00, so {what} (or rows are out of order)"
        )
    days = (np.asarray(data.weekday[1:], np.int64) - data.weekday[:-1]) % 7
    if (wrong := np.flatnonzero(days != (hour[1:] == 0))).size:
        row = int(wrong[0]) + 1
        raise InputError(
            f"weekday must go on by one at midnight and nowhere else: row {row} (hour {hour[row]}) has weekday "
            f"{data.weekday[row]} after {data.weekday[row - 1]}, so a day is missing or doubled there"
        )


def _check_numbers(data: GridData) -> None:
    for name in ("load", "pv", "price", "carbon", "temperature", "battery_kwh", "battery_kw", "pv_kw"):
        values = np.asarray(getattr(data, name))
        if (wrong := np.flatnonzero(~np.isfinite(values))).size:
            raise InputError(
                f"{name} must hold finite numbers: {_place(data, values, wrong[0])} is {values.flat[wrong[0]]}"
            )
        if name not in ("price", "temperature") and (wrong := np.flatnonzero(values < 0)).size:
            hint = {
                "load": "; load is what the home uses, PV not subtracted",
                "pv": "; PV is what the panels make, as a positive number",
            }.get(name, "")
            place = _place(data, values, wrong[0])
            raise InputError(f"{name} must not be negative: {place} is {values.flat[wrong[0]]:g}{hint}")
    dear = np.flatnonzero(np.abs(data.price) > MOST_PRICE)
    if dear.size:
        raise InputError(
            f"price must be in $/kWh: row {dear[0]} has {data.price[dear[0]]:g}, which is more than {MOST_PRICE:g}; "
            "divide by 100 where it is in cents, by 1000 where it is per MWh"
        )
    dirty = np.flatnonzero(data.carbon > MOST_CARBON)
    if dirty.size:
        raise InputError(
            f"carbon must be in kg CO2/kWh: row {dirty[0]} has {data.carbon[dirty[0]]:g}, which is more than "
            f"{MOST_CARBON:g}; divide by 1000 where it is in g"
        )
    odd = np.flatnonzero((data.temperature < COLDEST) | (data.temperature > HOTTEST))
    if odd.size:
        raise InputError(
            f"temperature must be in degrees Celsius, {COLDEST:g} to {HOTTEST:g}: row {odd[0]} has "
            f"{data.temperature[odd[0]]:g}; subtract 273.15 where it is in kelvin"
        )
    for name, values in (("load", data.load), ("pv", data.pv)):
        check_units(name, values, data.names)


def check_units(name: str, values: NDArray[Any], homes: tuple[str, ...], advice: str = "divide by 1000") -> None:
    """InputError where a mean or a maximum over (hours, homes) cannot be a home's kWh; `advice`: what to do instead."""
    mean, most = values.mean(axis=0, dtype=np.float64), values.max(axis=0)
    wrong = np.flatnonzero((mean > MOST_MEAN_KWH) | (most > MOST_KWH))
    if wrong.size:
        home = int(wrong[0])
        raise InputError(
            f"{name} must be in kWh per hour: that of {homes[home]} has a mean of {mean[home]:.4g} and a maximum of "
            f"{most[home]:.4g}, too much for a home, so it is probably in Wh: {advice}"
        )


def _check_sizes(data: GridData) -> None:
    for name, capacity, power in zip(data.names, data.battery_kwh, data.battery_kw, strict=True):
        if capacity > MOST_HOURS_TO_FILL * power:
            hours = f"{capacity / power:.0f} hours to fill" if power else "no power at all"
            raise InputError(
                f"the battery of {name} is too large for its inverter: {capacity:g} kWh at {power:g} kW means {hours}, "
                f"allowed are {MOST_HOURS_TO_FILL:g}; battery_kwh is in kWh, battery_kw in kW"
            )
    for name, unit in (("battery_kwh", "kWh"), ("battery_kw", "kW"), ("pv_kw", "kW")):
        sizes = np.asarray(getattr(data, name))
        large = np.flatnonzero(sizes > MOST_SIZE)
        if large.size:
            raise InputError(
                f"{name} must be in {unit}: that of {data.names[large[0]]} is {sizes[large[0]]:g}, too much for a "
                f"home, so it is probably in {unit[1:]}: divide by 1000"
            )
    made = data.pv.max(axis=0)
    beyond = np.flatnonzero((made > 1e-3) & (made > 1.5 * np.asarray(data.pv_kw)))
    if beyond.size:
        home = int(beyond[0])
        raise InputError(
            f"pv of {data.names[home]} reaches {made[home]:.4g} kWh in an hour, which panels of pv_kw = "
            f"{data.pv_kw[home]:g} kW cannot make; give pv in kWh, and pv_kw in kW"
        )


def _place(data: GridData, values: NDArray[Any], flat: int) -> str:
    """'row 5, home_2', or the row or home alone."""
    if values.ndim == 2:
        row, home = np.unravel_index(flat, values.shape)
        return f"row {row}, {data.names[home]},"
    return f"row {flat}" if len(values) == data.n_hours else f"that of {data.names[flat]}"
