"""What a home observes: calendar, prices, its own past, forecasts from it, and what it was told. Scaling is fixed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.grid.data import GridData
from trulysparse.grid.hours import Distinct, HourBlocks, Means
from trulysparse.grid.tariff import Tariff

Array = NDArray[np.float64]

CALENDAR = (
    "hour sin",
    "hour cos",
    "half-day sin",
    "half-day cos",
    "weekend",
    "month sin",
    "month cos",
)
PRICES = (
    "price now",
    "price in 6 h",
    "price in 12 h",
    "export price now",
    "hours to next peak price",
    "carbon last hour",
)
OWN = (
    "net load last hour",
    "PV last hour",
    "load mean of 24 h",
    "PV mean of 24 h",
    "forecast net load next hour",
    "forecast net load next 6 h",
)
STATE = ("battery charge", "voltage last hour", "highest import of the month")
TOLD = ("community net last hour", "feeder loading last hour")
VEHICLE = ("vehicle present", "vehicle hours to departure", "vehicle energy missing")
HEAT_PUMP = ("indoor temperature above set point", "outdoor temperature")
NAMES = CALENDAR + PRICES + OWN + STATE + TOLD

LOAD_SCALE, PV_SCALE, PRICE_SCALE, CARBON_SCALE = 3.0, 2.0, 0.5, 0.3  # kW, kW, $/kWh, kg/kWh
VOLTAGE_SCALE, IMPORT_SCALE, TEMPERATURE_SCALE = 0.05, 10.0, 20.0  # p.u. from 1, kW, degrees Celsius
VEHICLE_HOURS_SCALE, VEHICLE_ENERGY_SCALE, INDOOR_SCALE = 24.0, 10.0, 2.0  # h, kWh, K
_OF_ALL = len(CALENDAR) + len(PRICES)
_TILE_BYTES = 1 << 20
_ORACLE_SCALES = {
    "temperature": 20.0,
    "humidity": 100.0,
    "irradiance": 1000.0,
    "pric": PRICE_SCALE,
    "carbon": CARBON_SCALE,
}


def observation_names(data: GridData, oracle: bool, electric_vehicles: bool, heat_pumps: bool) -> tuple[str, ...]:
    """Names of an observation's numbers, in their order.

    Args:
        data: whose perfect predictions an oracle sees.
        oracle: whether it does.
        electric_vehicles: whether homes have them.
        heat_pumps: likewise.

    Returns:
        24 names, and those of the options; what comes from the future begins with 'oracle: '.

    Example:
        >>> from trulysparse.grid.sample import sample_data
        >>> len(observation_names(sample_data(), False, False, False))
        24
    """
    names = NAMES + VEHICLE * electric_vehicles + HEAT_PUMP * heat_pumps
    return names + tuple(f"oracle: {name}" for name in data.predicted) * oracle


def calendar_table(data: GridData, tariff: Tariff) -> Floats:
    """The numbers that all homes with the same prices share, at the beginning of each hour.

    Args:
        data: hours, and carbon intensities of hours that have passed.
        tariff: prices, known ahead.

    Returns:
        float32 (13, T + 1, kinds of customers); the last hour is for the end of the data.
    """
    n_hours = len(data.hour)
    at = np.minimum(np.arange(n_hours + 1), n_hours - 1)
    hour, month = data.hour[at].astype(np.float64), data.month[at].astype(np.float64)
    if n_hours > 0:
        hour[-1] = (hour[-2] + 1) % 24 if n_hours > 1 else hour[-1]
    table = np.zeros((n_hours + 1, tariff.n_kinds, _OF_ALL), np.float32)
    shared = [wave(2 * np.pi * hour / period) for period in (24, 12) for wave in (np.sin, np.cos)]
    shared.append((data.weekday[at] >= 5).astype(np.float64))
    shared += [wave(2 * np.pi * (month - 1) / 12) for wave in (np.sin, np.cos)]
    table[:, :, : len(CALENDAR)] = np.stack(shared, axis=1)[:, None, :]
    for column, ahead in enumerate((0, 6, 12), len(CALENDAR)):
        table[:, :, column] = tariff.import_price[np.minimum(at + ahead, n_hours - 1)] / PRICE_SCALE
    table[:, :, len(CALENDAR) + 3] = tariff.export_price[at] / PRICE_SCALE
    table[:, :, len(CALENDAR) + 4] = hours_to_next_peak(tariff)[at] / 24
    table[1:, :, len(CALENDAR) + 5] = data.carbon[:, None] / CARBON_SCALE
    return np.ascontiguousarray(table.transpose(2, 0, 1))


def hours_to_next_peak(tariff: Tariff) -> Array:
    """Hours until the next hour with a peak price, 0 in one, at most 24; (T, kinds).

    Args:
        tariff: see Tariff.peak_hours.

    Example:
        >>> prices = np.tile(np.repeat([0.2, 0.5, 0.2], 8), 2)
        >>> hours_to_next_peak(Tariff("day", prices, 0 * prices))[:10, 0].tolist()
        [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0, 0.0]
    """
    peak = tariff.peak_hours()
    hours = np.full(peak.shape, 24.0)
    ahead = np.full(peak.shape[1], 24.0)
    for hour in range(len(peak) - 1, -1, -1):
        ahead = np.where(peak[hour], 0.0, np.minimum(ahead + 1, 24))
        hours[hour] = ahead
    return hours


class Observer:
    """Writes observations; what does not depend on actions is written for many hours at once.

    Args:
        data: calendar, carbon and predictions.
        tariff: prices.
        blocks: load and PV.
        oracle: whether the data's perfect predictions are shown.
        electric_vehicles: whether homes have them.
        heat_pumps: likewise.

    Attributes:
        names: of the numbers of an observation.
    """

    def __init__(
        self,
        data: GridData,
        tariff: Tariff,
        blocks: HourBlocks,
        oracle: bool = False,
        electric_vehicles: bool = False,
        heat_pumps: bool = False,
    ) -> None:
        self.names = observation_names(data, oracle, electric_vehicles, heat_pumps)
        self.blocks, self.kind = blocks, tariff.kind
        self._table = calendar_table(data, tariff)
        self._temperature = _last_temperature(data) if heat_pumps else None
        self._oracle = _oracle_table(data) if oracle else None
        n_homes, width = blocks.n_homes, len(self.names)
        self.rows = max(1, min(blocks.length, _TILE_BYTES // (4 * n_homes * width)))
        self._tiles = [np.zeros((self.rows, width, n_homes), np.float32) for _ in range(2)]
        self._tile, self._tile_start = 0, -1
        self.begin_at(blocks.first_hour)
        self.outdoor = self.names.index(HEAT_PUMP[1]) if heat_pumps else 0

    def begin_at(self, first_hour: int | NDArray[np.int64]) -> None:
        """The episode begins in another hour, as the blocks know: what was written is not valid any more."""
        self._block_start = -1
        self._distinct, self._hour = Distinct(first_hour, self.kind), Distinct(first_hour, None)

    def at(self, step: int) -> Floats:
        """The observations at the beginning of a step, float32 (numbers, H), but for the rows of STATE, TOLD, VEHICLE
        and the indoor temperature, which are zero. They are overwritten two steps later.

        Args:
            step: of the episode, 0 to its length; the block of HourBlocks is the one that holds it.
        """
        blocks = self.blocks
        blocks.at(step)
        if blocks.start != self._block_start:
            self._means = Means(blocks)
            self._block_start, self._tile_start = blocks.start, -1
        row = step - blocks.start
        start = row // self.rows * self.rows
        if start != self._tile_start:
            self._tile = 1 - self._tile
            self._fill(start)
            self._tile_start = start
        observations: Floats = self._tiles[self._tile][row - start]
        return observations

    def _fill(self, start: int) -> None:
        """Writes the hours of the block from row `start` on into the tile."""
        blocks, means = self.blocks, self._means
        end = min(start + self.rows, blocks.length)
        tile = self._tiles[self._tile][: end - start]
        steps = blocks.start + np.arange(start, end)
        for column, table in enumerate(self._table):
            tile[:, column] = self._distinct.of(table, steps)
        last = slice(blocks.history + start - 1, blocks.history + end - 1)
        rows = slice(start, end)
        own = (
            (blocks.net[last], LOAD_SCALE),
            (blocks.pv[last], PV_SCALE),
            (means.load[rows], LOAD_SCALE),
            (means.pv[rows], PV_SCALE),
            (means.next_hour[rows], LOAD_SCALE),
            (means.next_six[rows], LOAD_SCALE),
        )
        for column, (values, scale) in enumerate(own, _OF_ALL):
            np.multiply(values, 1 / scale, out=tile[:, column], casting="same_kind")
        tile[:, _OF_ALL + len(own) :] = 0
        if self._temperature is not None:  # that of the last hour
            tile[:, self.outdoor] = self._hour.of(self._temperature, steps)
        if self._oracle is not None:
            for column, values in enumerate(self._oracle, len(self.names) - len(self._oracle)):
                tile[:, column] = self._hour.of(values[:, None], steps)


def _last_temperature(data: GridData) -> Floats:
    """Outdoors in the hour before each, (T + 1, 1), scaled; in the first hour that of itself."""
    before = np.concatenate([data.temperature[:1], data.temperature])
    table: Floats = (before / TEMPERATURE_SCALE).astype(np.float32)[:, None]
    return table


def _oracle_table(data: GridData) -> Floats:
    """The data's predictions, (numbers, T + 1), scaled."""
    columns = []
    for name, values in data.predicted.items():
        scale = next((scale for part, scale in _ORACLE_SCALES.items() if part in name), 1.0)
        columns.append(np.append(values, values[-1:]) / scale)
    return np.stack(columns).astype(np.float32) if columns else np.zeros((0, len(data.hour) + 1), np.float32)
