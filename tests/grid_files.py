"""Data of homes for tests: a few days of the sample, and the real set of CityLearn's 2022 challenge where it is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trulysparse.grid.data import GridData
from trulysparse.grid.sample import sample_data

REAL = "TRULYSPARSE_GRID_DATA"  # names the folder of the real set
HOURLY = ("hour", "weekday", "month", "load", "pv", "price", "carbon", "temperature")


def some_days(n_homes: int, first: int, n_hours: int, seed: int = 0) -> GridData:
    """Some hours of the sample."""
    data = sample_data(n_homes, seed)
    rows = slice(first, first + n_hours)
    return replace(data, **{name: getattr(data, name)[rows] for name in HOURLY})


def other_future(data: GridData, cut: int, seed: int = 0) -> GridData:
    """The same homes, whose load, PV, carbon and weather are others from row `cut` on; prices, which are known ahead,
    stay."""
    rng, changed = np.random.default_rng(seed), {}
    for name in ("load", "pv", "carbon", "temperature"):
        values = np.array(getattr(data, name))
        values[cut:] = np.abs(values[cut:] * rng.uniform(0.3, 1.3, values[cut:].shape))
        changed[name] = values
    return replace(data, **changed)


def real_folder() -> Path:
    """The real set; skips the test where there is none."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "smart_grid_2022"
    folder = Path(os.environ.get(REAL, beside))
    if not (folder / "schema.json").is_file():
        pytest.skip(f"no data set in '{folder}'; {REAL} names the folder of CityLearn's 2022 challenge")
    return folder
