"""Few homes and hours for the commands of the grid."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from command import run
from trulysparse.cli.grid import _controls
from trulysparse.grid import sample

HOURS = 4 * 168
STREET = {
    "transformer": {"kva": 10, "vk_percent": 4, "vkr_percent": 1.2},
    "cables": {"A": {"r_ohm_per_km": 0.2, "x_ohm_per_km": 0.08, "c_nf_per_km": 0, "i_max_a": 275}},
    "lines": [["busbar", "a", 100, "A"], ["a", "b", 50, "A"]],
    "homes": ["a", "b", "b"],
}
"""A feeder of three homes."""
QUICK = ["--agents", "es", "--hidden", "8", "--density", "0.3", "--length", "2", "--no-references"]
"""Of a run that takes a second: agents of 8 neurons, two generations, nothing to compare with."""


@pytest.fixture(scope="session")
def short_data() -> Any:
    """3 homes of the sample in 4 weeks of summer."""
    whole = sample.sample_data(3)
    rows = slice(4000, 4000 + HOURS)
    hourly = ("hour", "weekday", "month", "load", "pv", "price", "carbon", "temperature")
    return replace(whole, **{name: np.ascontiguousarray(getattr(whole, name)[rows]) for name in hourly})


@contextmanager
def short(data: Any) -> Iterator[None]:
    """Homes in place of the sample; control by forecast, which is slow, and foresight, where nobody asks for it, are
    left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "sample_data", lambda n_homes=3, seed=0: data)
        patch.setattr(_controls, "MOST_BOUNDED", 2)
        yield


@pytest.fixture(autouse=True)
def short_sample(short_data: Any) -> Iterator[Any]:
    """All tests here take the short sample."""
    with short(short_data):
        yield short_data


@pytest.fixture
def quick() -> list[str]:
    """Options of a run that takes a second."""
    return [*QUICK]


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory, short_data: Any) -> Any:
    """(folder, what was printed) of a finished run; not to be changed."""
    out = tmp_path_factory.mktemp("grid") / "r"
    with short(short_data):
        return out, run("grid", "run", "--out", out, *QUICK, "--bounds", "--json")


@pytest.fixture
def finished(tmp_path: Any, whole_run: Any) -> Any:
    """A copy of the folder of a finished run."""
    shutil.copytree(whole_run[0], tmp_path / "r")
    return tmp_path / "r"


@pytest.fixture
def street(tmp_path: Any) -> Any:
    """A file with a feeder of three homes."""
    path = tmp_path / "street.json"
    path.write_text(json.dumps(STREET))
    return path
