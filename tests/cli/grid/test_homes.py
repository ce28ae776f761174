"""The homes that a run's settings ask for."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.cli.grid._homes import as_options, make_homes
from trulysparse.cli.grid._settings import GridSettings
from trulysparse.errors import InputError, NotEnoughMemoryError
from trulysparse.grid import sample


def test_homes_are_those_of_the_data(short_sample):
    homes = make_homes(GridSettings(tariff="peakfee", broadcast="community", curtailment=True))
    assert (homes.n_homes, homes.names, homes.drawn) == (3, short_sample.names, False)
    assert (len(homes.split.train_homes), len(homes.split.test_homes)) == (2, 1)
    environment = homes.environment()
    assert environment.tariff.name == "peakfee"
    assert (environment.broadcast, environment.curtails) == ("community", True)
    load, _ = environment.scenario.load_pv(5)
    np.testing.assert_array_equal(load, short_sample.load[5])


def test_fewer_homes_are_the_first_ones(short_sample):
    homes = make_homes(GridSettings(homes=2, train_homes=1))
    assert homes.names == short_sample.names[:2]
    assert homes.split.test_homes.tolist() == [1]


def test_more_homes_are_drawn_again_and_none_is_unseen(monkeypatch, short_sample):
    monkeypatch.setattr(sample, "MOST_HOMES", 3)
    homes = make_homes(GridSettings(homes=7, seed=1))
    assert (homes.n_homes, homes.drawn, homes.names[6]) == (7, True, "home 7")
    assert len(homes.split.train_homes) == 7
    assert homes.scenario.data is short_sample


def test_a_feeder_is_there_as_often_as_homes_fill_it(monkeypatch):
    monkeypatch.setattr(sample, "MOST_HOMES", 3)
    homes = make_homes(GridSettings(homes=34, feeder="landnetz", grid_limits="curtail"))
    assert homes.feeder.n_homes == 17
    assert homes.options["grid_limits"] == "curtail"
    with pytest.raises(InputError, match="--feeder landnetz has 17 homes"):
        make_homes(GridSettings(homes=18, feeder="landnetz"))


def test_a_folder_of_ones_own_files_is_read(tmp_path):
    stamps = np.datetime64("2024-06-01T00:00") + np.arange(28 * 24).astype("timedelta64[h]")
    for name in ("b", "a"):
        rows = [f"{stamp},{0.5 + 0.1 * (k % 24)},{max(0, 10 - abs(k % 24 - 12)) / 8}" for k, stamp in enumerate(stamps)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["time,load_kWh,pv_kWh", *rows]))
    homes = make_homes(GridSettings(csv=str(tmp_path)))
    assert homes.names == ("a", "b")
    assert homes.scenario.n_hours == 28 * 24


def test_errors_of_the_grid_name_options():
    for kind in (InputError, NotEnoughMemoryError):
        with pytest.raises(kind, match=r"^--train-homes must be at most 3"), as_options():
            raise kind("n_train must be at most 3")
    with pytest.raises(InputError, match=r"^load must not be negative"), as_options():
        raise InputError("load must not be negative: row 5")
