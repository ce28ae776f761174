"""Few homes and hours for the commands of the grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trulysparse.grid import sample

HOURS = 5 * 168


@pytest.fixture(autouse=True)
def short_sample(monkeypatch):
    """A sample of 3 homes and 5 weeks in summer."""
    whole = _CACHE.setdefault("whole", sample.sample_data(3))
    rows = slice(4000, 4000 + HOURS)
    hourly = ("hour", "weekday", "month", "load", "pv", "price", "carbon", "temperature")
    short = replace(whole, **{name: np.ascontiguousarray(getattr(whole, name)[rows]) for name in hourly})
    monkeypatch.setattr(sample, "sample_data", lambda n_homes=3, seed=0: short)
    return short


_CACHE: dict[str, object] = {}


@pytest.fixture
def quick():
    """Options of a run that takes a second: agents of 8 neurons, two generations, no references."""
    return ["--agents", "es", "--hidden", "8", "--density", "0.3", "--length", "2", "--no-references"]
