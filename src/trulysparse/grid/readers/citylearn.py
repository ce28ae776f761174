"""A folder in the layout of CityLearn's 2022 data set: schema.json, and CSV files of homes, weather, prices, carbon."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError
from trulysparse.grid.data import GridData
from trulysparse.grid.readers.table import Table, same_length

Object = dict[str, Any]

# What a battery's entry in the schema may say besides its sizes: one value each, that of grid/battery.py.
BATTERY = {
    "capacity_loss_coefficient": 1e-5,
    "loss_coefficient": 0.0,
    "initial_soc": 0.0,
    "depth_of_discharge": 1.0,
    "power_efficiency_curve": [[0, 0.83], [0.3, 0.83], [0.7, 0.9], [0.8, 0.9], [1, 0.85]],
    "capacity_power_curve": [[0.0, 1], [0.8, 1], [1.0, 0.2]],
}
# Devices that CityLearn knows and that are not modelled; the 2022 set has none of them.
DEVICES = tuple(f"{kind}_{what}" for kind in ("cooling", "heating", "dhw") for what in ("device", "storage"))
DEVICES += ("chargers",)
DEMANDS = ("cooling_demand", "heating_demand", "dhw_demand")
CALENDAR = ("month", "hour", "day_type")
MOST_KW_PER_KW = 1.5


def read_citylearn(folder: str | os.PathLike[str]) -> GridData:
    """Reads homes from a folder in the layout of CityLearn's 2022 challenge.

    Args:
        folder: holds schema.json and the files that it names: per home `month, hour, day_type`,
            `non_shiftable_load` (kWh) and `solar_generation` (W per kW of panels); `outdoor_dry_bulb_temperature`
            (degrees Celsius); `electricity_pricing` ($/kWh); `carbon_intensity` (kg CO2/kWh). Homes with
            "include": false are left out; hours are those from `simulation_start_time_step` to
            `simulation_end_time_step`.

    Returns:
        The homes in the schema's order. A row's `hour` is the file's label less one: the label 24 is the hour that
        begins at 23. `predicted` has the files' own forecasts, which are the true values 6, 12 and 24 hours ahead.

    Raises:
        InputError: a file or column is missing, is not numbers, or has other hours than the rest; a home has heating,
            cooling or hot water of its own, or a battery that is not the one modelled.

    Source: CityLearn 3.0.2, and the data of its 2022 challenge.

    Example:
        >>> import json, pathlib
        >>> folder = pathlib.Path("homes")
        >>> folder.mkdir()
        >>> home = {"energy_simulation": "a.csv", "weather": "w.csv", "pricing": "p.csv", "carbon_intensity": "c.csv"}
        >>> home["pv"] = {"attributes": {"nominal_power": 4.0}}
        >>> _ = (folder / "schema.json").write_text(json.dumps({"buildings": {"a": home}}))
        >>> rows = "month,hour,day_type,non_shiftable_load,solar_generation\\n7,24,7,0.5,0\\n8,1,1,0.4,250\\n"
        >>> _ = (folder / "a.csv").write_text(rows)
        >>> _ = (folder / "w.csv").write_text("outdoor_dry_bulb_temperature\\n20\\n19\\n")
        >>> _ = (folder / "p.csv").write_text("electricity_pricing\\n0.22\\n0.22\\n")
        >>> _ = (folder / "c.csv").write_text("carbon_intensity\\n0.15\\n0.15\\n")
        >>> data = read_citylearn(folder)
        >>> data.hour.tolist(), data.pv.ravel().tolist()
        ([23, 0], [0.0, 1.0])
    """
    folder = Path(folder)
    schema = _schema(folder)
    homes = {name: home for name, home in schema["buildings"].items() if _object(home, name).get("include", True)}
    if not homes:
        raise InputError(f"'{folder / 'schema.json'}' includes no building")
    tables: dict[str, Table] = {}

    def table(home: str, key: str) -> Table:
        file = homes[home].get(key)
        if not isinstance(file, str):
            raise InputError(f"'{folder / 'schema.json'}' names no file for {key} of {home}")
        if file not in tables:
            tables[file] = Table(folder / file)
        return tables[file]

    names = tuple(homes)
    energy = [table(name, "energy_simulation") for name in names]
    shared = {}
    for key in ("weather", "pricing", "carbon_intensity"):
        of_homes = [table(name, key) for name in names]
        if any(each is not of_homes[0] for each in of_homes):
            raise InputError(f"'{folder / 'schema.json'}' gives homes several files for {key}; one for all is modelled")
        shared[key] = of_homes[0]
    for each in energy:
        _check_calendar(each, energy[0])
        _check_meter(each)
    same_length([*energy, *shared.values()])
    rows = _rows(schema, len(energy[0]), folder)
    sizes = [_sizes(name, homes[name]) for name in names]
    pv_kw = np.array([size[2] for size in sizes])
    load = np.stack([each.numbers("non_shiftable_load") for each in energy], axis=1)
    sun = np.stack([each.numbers("solar_generation") for each in energy], axis=1)
    for name, most in zip(names, sun.max(axis=0), strict=True):
        if 0 < most <= MOST_KW_PER_KW:
            raise InputError(
                f"solar_generation of {name} reaches {most:.3g} W per kW of panels, so it is probably in kW per kW: "
                "multiply by 1000"
            )
    predicted = {
        name: shared[key].numbers(name)[rows]
        for key in ("weather", "pricing")
        for name in shared[key].names
        if "predict" in name.casefold()
    }
    return GridData(
        names=names,
        hour=_whole(energy[0], "hour", 1, 24)[rows] - np.int8(1),
        weekday=_weekday(energy[0])[rows],
        month=_whole(energy[0], "month", 1, 12)[rows],
        load=load[rows].astype(np.float32),
        pv=pv_kw.astype(np.float32) * sun[rows].astype(np.float32) / np.float32(1000),
        price=shared["pricing"].numbers("electricity_pricing")[rows],
        carbon=shared["carbon_intensity"].numbers("carbon_intensity")[rows],
        temperature=shared["weather"].numbers("outdoor_dry_bulb_temperature")[rows].astype(np.float32),
        battery_kwh=np.array([size[0] for size in sizes]),
        battery_kw=np.array([size[1] for size in sizes]),
        pv_kw=pv_kw,
        predicted=predicted,
    )


def _schema(folder: Path) -> Object:
    path = folder / "schema.json"
    if not folder.is_dir():
        raise InputError(f"there is no folder '{folder}'")
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"'{folder}' has no schema.json: it is not in the layout of CityLearn's 2022 set") from None
    except ValueError as error:
        raise InputError(f"'{path}' is not JSON: {error}") from None
    if not isinstance(schema, dict) or not isinstance(schema.get("buildings"), dict):
        raise InputError(f"'{path}' must be an object with an object 'buildings', one entry per home")
    if schema.get("seconds_per_time_step", 3600) != 3600:
        seconds = schema["seconds_per_time_step"]
        raise InputError(f"'{path}' has seconds_per_time_step {seconds!r}; steps of 3600 s are modelled")
    return schema


def _object(value: Any, name: str) -> Object:
    if not isinstance(value, dict):
        raise InputError(f"schema.json: {name} must be an object, not {value!r:.60}")
    return value


def _rows(schema: Object, n_rows: int, folder: Path) -> slice:
    """The rows from the schema's first to its last time step."""
    first, last = (
        default if schema.get(key) is None else schema[key]
        for key, default in (("simulation_start_time_step", 0), ("simulation_end_time_step", n_rows - 1))
    )
    if not (isinstance(first, int) and isinstance(last, int) and 0 <= first <= last < n_rows):
        raise InputError(
            f"'{folder / 'schema.json'}' simulates the steps {first!r} to {last!r}, but its files have the rows 0 to "
            f"{n_rows - 1}; a file may be truncated"
        )
    return slice(first, last + 1)


def _sizes(name: str, home: Object) -> tuple[float, float, float]:
    """Battery kWh and kW, PV kW of one home."""
    for device in DEVICES:
        if home.get(device):
            raise InputError(f"schema.json: {name} has a {device}, which is not modelled; battery and panels are")
    battery = _object((home.get("electrical_storage") or {}).get("attributes") or {}, f"electrical_storage of {name}")
    panels = _object((home.get("pv") or {}).get("attributes") or {}, f"pv of {name}")
    for key, value in BATTERY.items():
        if battery.get(key) is not None and battery[key] != value:
            raise InputError(f"schema.json: the battery of {name} has {key} {battery[key]!r}; {value!r} is modelled")
    found = (battery.get("capacity") or 0, battery.get("nominal_power") or 0, panels.get("nominal_power") or 0)
    for what, value in zip(("the battery's capacity", "the battery's power", "the panels' power"), found, strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < np.inf:
            raise InputError(f"schema.json: {what} of {name} must be a number of at least 0, not {value!r}")
    return float(found[0]), float(found[1]), float(found[2])


def _check_meter(table: Table) -> None:
    """Load is the whole meter: heating, cooling and hot water are in it, or else would be left out silently."""
    for name in DEMANDS:
        if name in table.names and not set(table.text(name)) <= {"", "0", "0.0"}:
            values = table.numbers(name)
            if values.any():
                row = int(np.flatnonzero(values)[0])
                raise InputError(
                    f"'{table.path}' line {row + 2}: {name} is {values[row]:g}; homes are modelled by their meter "
                    "alone, so all of their demand must be in non_shiftable_load"
                )


def _check_calendar(table: Table, first: Table) -> None:
    """All homes have the hours of the first one, which follow each other."""
    columns = {name: (table.text(name), first.text(name)) for name in CALENDAR}
    if table is not first and all(mine == theirs for mine, theirs in columns.values()):
        return
    labels = _whole(table, "hour", 1, 24).astype(np.int64)
    if (wrong := np.flatnonzero((labels[1:] - labels[:-1]) % 24 != 1)).size:
        row = int(wrong[0]) + 1
        gap = int(labels[row] - labels[row - 1] - 1) % 24
        what = "is doubled" if labels[row] == labels[row - 1] else f"follows {labels[row - 1]}: {gap} missing"
        raise InputError(f"'{table.path}' line {row + 2}: hour {labels[row]} {what}, or rows are out of order")
    for name, (mine, theirs) in columns.items():
        differ = (row for row, texts in enumerate(zip(mine, theirs, strict=False)) if len(set(texts)) == 2)
        for row in differ:
            raise InputError(
                f"'{table.path}' line {row + 2}: {name} is {mine[row]!r} where '{first.path.name}' has "
                f"{theirs[row]!r}; both must have the same hours"
            )


def _weekday(table: Table) -> NDArray[np.int8]:
    """0 = Monday to 6. A holiday, day_type 8, is the day between those before and after it."""
    day_type = _whole(table, "day_type", 1, 8)
    known = np.flatnonzero(day_type < 8)
    if not known.size:
        raise InputError(f"'{table.path}' has holidays alone (day_type 8): no weekday is known")
    day = np.cumsum(_whole(table, "hour", 1, 24) == 1)
    ahead = day - day[known[0]] + day_type[known[0]] - 1
    return np.where(day_type == 8, ahead % 7, day_type - 1).astype(np.int8)


def _whole(table: Table, name: str, low: int, high: int) -> NDArray[np.int8]:
    values = table.numbers(name)
    if (wrong := np.flatnonzero((values != np.floor(values)) | (values < low) | (values > high))).size:
        row = int(wrong[0])
        raise InputError(
            f"'{table.path}' line {row + 2}: {name} must be a whole number from {low} to {high}, not {values[row]:g}"
        )
    return values.astype(np.int8)
