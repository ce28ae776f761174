"""Homes written as a folder that CityLearn reads, so that its results and ours can be compared on any data."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.files import write_whole
from trulysparse.errors import InputError
from trulysparse.grid.data import GridData

AHEAD = (6, 12, 24)  # hours of the layout's three forecasts
OF_WEATHER = (
    "outdoor_dry_bulb_temperature",
    "outdoor_relative_humidity",
    "diffuse_solar_irradiance",
    "direct_solar_irradiance",
)
INDOORS = (  # must be there; nothing is known of them
    "indoor_dry_bulb_temperature",
    "average_unmet_cooling_setpoint_difference",
    "indoor_relative_humidity",
)
OBSERVATIONS = (
    "month",
    "day_type",
    "hour",
    "outdoor_dry_bulb_temperature",
    "carbon_intensity",
    "non_shiftable_load",
    "solar_generation",
    "electrical_storage_soc",
    "net_electricity_consumption",
    "electricity_pricing",
)


def write_citylearn(data: GridData, folder: str | os.PathLike[str]) -> None:
    """Writes homes in the layout of CityLearn's 2022 challenge, which `read_citylearn` reads back.

    Args:
        data: the homes. Its forecasts are not written: the layout's are the true values 6, 12 and 24 hours ahead, from
            the beginning again at the end. Humidity and irradiance, which no one here knows, are 0.
        folder: is made; it must not be there, or be empty.

    Raises:
        InputError: the folder has something in it, or a home's name cannot be a file's.

    Source: CityLearn 3.0.2, its data set citylearn_challenge_2022_phase_all.

    Example:
        >>> from trulysparse.grid.readers.citylearn import read_citylearn
        >>> from trulysparse.grid.sample import sample_data
        >>> data = sample_data(2)
        >>> write_citylearn(data, "for_citylearn")
        >>> bool((read_citylearn("for_citylearn").load == data.load).all())
        True
    """
    folder = Path(folder)
    for name in data.names:
        if not name or name != Path(name).name or name in ("weather", "pricing", "carbon_intensity"):
            raise InputError(f"names must be those of files, and not those of the layout's own, which {name!r} is not")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"'{folder}' is there already and not an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    calendar = {"month": data.month, "hour": data.hour + 1, "day_type": data.weekday + 1}
    nothing = np.zeros(data.n_hours)
    indoors = dict.fromkeys(INDOORS, np.full(data.n_hours, np.nan))
    for home, name in enumerate(data.names):
        kw = data.pv_kw[home]
        per_kw = data.pv[:, home].astype(np.float64) / kw * 1000 if kw > 0 else nothing
        demands = dict.fromkeys(("dhw_demand", "cooling_demand", "heating_demand"), nothing)
        energy = {"non_shiftable_load": data.load[:, home], **demands, "solar_generation": per_kw}
        _write(folder / f"{name}.csv", calendar | {"daylight_savings_status": nothing} | indoors | energy)
    weather = {name: data.temperature if name == OF_WEATHER[0] else nothing for name in OF_WEATHER}
    _write(folder / "weather.csv", weather | _forecasts(weather))
    pricing = {"electricity_pricing": data.price}
    _write(folder / "pricing.csv", pricing | _forecasts(pricing))
    _write(folder / "carbon_intensity.csv", {"carbon_intensity": data.carbon})
    schema = {
        "random_seed": 0,
        "root_directory": None,
        "central_agent": False,
        "simulation_start_time_step": 0,
        "simulation_end_time_step": data.n_hours - 1,
        "episode_time_steps": None,
        "rolling_episode_split": False,
        "random_episode_split": False,
        "seconds_per_time_step": 3600,
        "observations": {name: {"active": True, "shared_in_central_agent": True} for name in OBSERVATIONS},
        "actions": {"electrical_storage": {"active": True}},
        "agent": {"type": "citylearn.agents.base.BaselineAgent", "attributes": {}},
        "reward_function": {"type": "citylearn.reward_function.RewardFunction", "attributes": {}},
        "buildings": {name: _building(data, home) for home, name in enumerate(data.names)},
    }
    text = json.dumps(schema, indent=2)
    write_whole(folder / "schema.json", lambda path: path.write_text(text, encoding="utf-8"))


def _building(data: GridData, home: int) -> dict[str, Any]:
    battery = {
        "capacity": float(data.battery_kwh[home]),
        "efficiency": 0.9,
        "capacity_loss_coefficient": 1e-5,
        "loss_coefficient": 0.0,
        "nominal_power": float(data.battery_kw[home]),
    }
    return {
        "include": True,
        "energy_simulation": f"{data.names[home]}.csv",
        "weather": "weather.csv",
        "carbon_intensity": "carbon_intensity.csv",
        "pricing": "pricing.csv",
        "inactive_observations": [],
        "inactive_actions": [] if data.battery_kwh[home] > 0 else ["electrical_storage"],
        "electrical_storage": {"type": "citylearn.energy_model.Battery", "autosize": False, "attributes": battery},
        "pv": {
            "type": "citylearn.energy_model.PV",
            "autosize": False,
            "attributes": {"nominal_power": float(data.pv_kw[home])},
        },
    }


def _forecasts(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {
        f"{name}_predicted_{number}": np.roll(values, -ahead)
        for name, values in columns.items()
        for number, ahead in enumerate(AHEAD, 1)
    }


def _write(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Numbers as they are: float32 with nine digits and float64 with seventeen come back as the same bits."""
    arrays = list(columns.values())
    forms = ["%d" if each.dtype.kind in "iu" else "%.9g" if each.dtype == np.float32 else "%.17g" for each in arrays]
    table = np.stack([each.astype(np.float64) for each in arrays], axis=1)
    write_whole(path, partial(np.savetxt, X=table, fmt=forms, delimiter=",", header=",".join(columns), comments=""))
