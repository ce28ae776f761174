"""Anyone's own homes: a folder with one CSV file per home, of time, load and PV."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.checks import choice, flag, real
from trulysparse.errors import InputError
from trulysparse.grid.data import GridData, check_units
from trulysparse.grid.readers.table import Table
from trulysparse.grid.readers.times import calendar, read_times
from trulysparse.grid.sample import time_of_use_price

Array = NDArray[np.float64]
Sizes = float | Sequence[float] | Mapping[str, float] | Array

UNITS = {"kwh": 1.0, "kw": 1.0, "wh": 1e-3, "w": 1e-3}  # to kWh of an hour; power is the mean of the hour
TIME = ("time", "timestamp", "datetime", "date")
LOAD = ("load", "consumption", "demand")
PV = ("pv", "solar", "generation")
LEAST_MEAN_KWH = 0.005  # below, a load that was given in Wh or W is taken for one in kWh


def read_homes(
    folder: str | os.PathLike[str],
    *,
    unit: str | None = None,
    end_of_hour: bool = False,
    allow_no_pv: bool = False,
    battery_kwh: Sizes = 6.4,
    battery_kw: Sizes = 5.0,
    pv_kw: Sizes | None = None,
    price: float | Sequence[float] | Array | None = None,
    carbon: float | Sequence[float] | Array = 0.16,
    temperature: float | Sequence[float] | Array = 15.0,
) -> GridData:
    """Reads homes from a folder with one CSV file per home.

    Args:
        folder: its files *.csv are the homes, in the order of their names (numbers by size). Each has a header and one
            row per hour: `time` (ISO 8601), `load` (what the home uses, PV not subtracted) and `pv` (what the panels
            make, positive). A unit may stand in the header: `load_kWh`, `pv [W]`. Fields are separated by comma,
            semicolon or tab.
        unit: of load and PV where the header gives none: 'kWh' or 'Wh' of the hour, 'kW' or 'W' as the hour's mean.
            None is kWh. Whether it can be right is checked.
        end_of_hour: time stamps are the ends of hours rather than their beginnings.
        allow_no_pv: homes may have no panels: no column `pv`, or zeros alone.
        battery_kwh: capacity of the batteries: one number, one per home, or a dictionary by the files' names without
            .csv. 0 is no battery.
        battery_kw: power of the batteries, likewise.
        pv_kw: nominal power of the panels, likewise. None is the most that each made in an hour.
        price: $/kWh, one number or one per hour. None is the time-of-use tariff of `time_of_use_price`.
        carbon: kg CO2/kWh, one number or one per hour.
        temperature: outdoors, degrees Celsius, one number or one per hour.

    Returns:
        The hours that all files have: they must be the same.

    Raises:
        InputError: no files, columns or numbers; hours missing, doubled or different between files; negative load or
            PV; values that cannot be in their unit; a home without PV that was not announced.

    Example:
        >>> folder = Path("my_homes")
        >>> folder.mkdir()
        >>> rows = [f"2023-06-01 {hour:02}:00,400,{300 * (6 < hour < 18)}" for hour in range(24)]
        >>> _ = (folder / "a.csv").write_text("\\n".join(["time,load_Wh,pv_Wh", *rows]))
        >>> data = read_homes(folder, battery_kwh={"a": 10.0})
        >>> data.names, round(float(data.load.sum()), 3), float(data.price.max())
        (('a',), 9.6, 0.54)
    """
    if unit is not None:
        choice("unit", unit, ("kWh", "Wh", "kW", "W"))
    flag("end_of_hour", end_of_hour)
    flag("allow_no_pv", allow_no_pv)
    paths = _files(Path(folder))
    names = tuple(path.stem for path in paths)
    hours, loads, made = None, [], []
    for path in paths:
        table = Table(path)
        times = read_times(path, table.text(_column(table, "time", TIME)), end_of_hour=end_of_hour)
        hours = times if hours is None else _same_hours(path, times, paths[0], hours)
        loads.append(_energy(table, times, "load", LOAD, unit))
        made.append(_energy(table, times, "pv", PV, unit, optional=allow_no_pv))
        if not allow_no_pv and not made[-1].any():
            raise InputError(f"'{path}' has no PV, only zeros; say allow_no_pv=True where a home has no panels")
    assert hours is not None
    hour, weekday, month = calendar(hours)
    load, pv = np.stack(loads, axis=1), np.stack(made, axis=1)
    return GridData(
        names=names,
        hour=hour,
        weekday=weekday,
        month=month,
        load=load.astype(np.float32),
        pv=pv.astype(np.float32),
        price=time_of_use_price(hour, weekday, month) if price is None else _series("price", price, len(hours)),
        carbon=_series("carbon", carbon, len(hours)),
        temperature=_series("temperature", temperature, len(hours)).astype(np.float32),
        battery_kwh=_sizes("battery_kwh", battery_kwh, names),
        battery_kw=_sizes("battery_kw", battery_kw, names),
        pv_kw=pv.max(axis=0) if pv_kw is None else _sizes("pv_kw", pv_kw, names),
    )


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"there is no folder '{folder}'")
    found = [path for path in folder.iterdir() if path.suffix.lower() == ".csv" and not path.name.startswith(".")]
    if not found:
        raise InputError(f"'{folder}' has no file *.csv; one per home is read")
    return sorted(
        found, key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.stem)]
    )


def _column(table: Table, what: str, names: Sequence[str]) -> str:
    """The column of one of these names, with or without a unit after it."""
    unit = r"[\s_]*[\[(]?\s*(?:kwh|wh|kw|w)?\s*[\])]?$"
    found = [name for name in table.names if re.match(f"(?:{'|'.join(names)}){unit}", name, re.IGNORECASE)]
    if len(found) != 1:
        problem = f"the columns {', '.join(found)} for {what}; one is read" if found else f"no column {what!r}"
        raise InputError(f"'{table.path}' has {problem}; it has {', '.join(table.names)}, known are {', '.join(names)}")
    return found[0]


def _energy(
    table: Table,
    times: NDArray[np.datetime64],
    what: str,
    names: Sequence[str],
    unit: str | None,
    *,
    optional: bool = False,
) -> Array:
    """A column in kWh per hour, checked; zeros where there may be none and is none."""
    if what == "pv":
        try:
            column = _column(table, what, names)
        except InputError as error:
            if "no column" not in str(error):
                raise
            if optional:
                return np.zeros(len(table))
            raise InputError(f"{error}; say allow_no_pv=True where a home has no panels") from None
    else:
        column = _column(table, what, names)
    written = re.search(r"(?:^|[\s_\[(])(kwh|wh|kw|w)\s*[\])]?$", column, re.IGNORECASE)
    used = (written.group(1) if written else unit or "kWh").lower()
    values = table.numbers(column) * UNITS[used]
    if (wrong := np.flatnonzero(values < 0)).size:
        row = int(wrong[0])
        hint = {
            "load": "load is what the home uses, PV not subtracted",
            "pv": "PV is what the panels make, as a positive number",
        }[what]
        time = str(times[row].astype("datetime64[m]")).replace("T", " ")
        n_hours = f"{wrong.size} hour{'s are' if wrong.size > 1 else ' is'} negative"
        raise InputError(f"'{table.path}': {what} at {time} is {values[row]:g} kWh ({n_hours}); {hint}")
    small = {"kwh": "Wh", "kw": "W"}.get(used)
    say = f"give unit={small!r}, or name the column {what}_{small}" if small else "it is too much in that unit too"
    check_units(what, values[:, None], (f"'{table.path}'",), say)
    mean = float(values.mean())
    if what == "load" and used in ("wh", "w") and 0 < mean < LEAST_MEAN_KWH:
        given, now = mean / UNITS[used], used.capitalize()
        raise InputError(
            f"load of '{table.path}' has a mean of {given:.4g} {now}, which is {mean * 8760:.3g} kWh a year, too "
            f"little for a home, so it is probably in k{now}: give unit='k{now}'"
        )
    return values


def _same_hours(
    path: Path, times: NDArray[np.datetime64], first: Path, hours: NDArray[np.datetime64]
) -> NDArray[np.datetime64]:
    if len(times) != len(hours) or times[0] != hours[0]:
        mine, theirs = (
            f"{each[0]}:00 to {each[-1]}:00 ({len(each)} rows)".replace("T", " ") for each in (times, hours)
        )
        raise InputError(f"'{path}' has {mine} where '{first.name}' has {theirs}; all homes must have the same hours")
    return hours


def _series(name: str, given: Any, n_hours: int) -> Array:
    """One number per hour, from that or from one number."""
    if isinstance(given, str | bytes | Mapping):
        raise InputError(f"{name} must be a number or one per hour, not {given!r:.60}")
    values = np.asarray(given, np.float64)
    if values.shape not in ((), (n_hours,)):
        raise InputError(f"{name} must be one number or {n_hours}, one per hour, not of shape {values.shape}")
    return np.array(np.broadcast_to(values, n_hours))


def _sizes(name: str, given: Any, names: tuple[str, ...]) -> Array:
    """One number per home, from that, from one number or from a dictionary by name."""
    if isinstance(given, Mapping):
        if set(given) != set(names):
            unknown = sorted(set(given) - set(names)) or sorted(set(names) - set(given))
            which = "no file has" if set(given) - set(names) else "it lacks"
            raise InputError(f"{name} must have an entry per home: {which} {unknown[0]!r}")
        given = [given[each] for each in names]
    if np.ndim(given) == 0:
        given = [given] * len(names)
    if len(given) != len(names):
        raise InputError(f"{name} must be one number or {len(names)}, one per home, not {len(given)}")
    return np.array([real(f"{name} of {each}", value, low=0.0) for each, value in zip(names, given, strict=True)])
