"""Folders in CityLearn's layout: what is read, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from grid_files import real_folder, some_days
from trulysparse.errors import InputError
from trulysparse.grid.citylearn_files import write_citylearn
from trulysparse.grid.readers.citylearn import read_citylearn

DATA = some_days(3, 23, 60)


@pytest.fixture
def folder(tmp_path):
    write_citylearn(DATA, tmp_path / "set")
    return tmp_path / "set"


def change_schema(folder, change):
    path = folder / "schema.json"
    schema = json.loads(path.read_text())
    change(schema)
    path.write_text(json.dumps(schema))


def test_homes_hours_and_sizes_are_those_of_the_files(folder):
    data = read_citylearn(folder)
    assert data.names == DATA.names
    for name in (
        "hour",
        "weekday",
        "month",
        "load",
        "price",
        "carbon",
        "temperature",
        "battery_kwh",
        "battery_kw",
        "pv_kw",
    ):
        np.testing.assert_array_equal(getattr(data, name), getattr(DATA, name), err_msg=name)
    np.testing.assert_allclose(data.pv, DATA.pv, rtol=1e-6)
    np.testing.assert_array_equal(data.predicted["electricity_pricing_predicted_2"][:-12], DATA.price[12:])
    assert "direct_solar_irradiance_predicted_3" in data.predicted


def test_homes_that_are_not_included_and_hours_that_are_not_simulated_are_left_out(folder):
    def change(schema):
        schema["buildings"]["home_2"]["include"] = False
        schema |= {"simulation_start_time_step": 5, "simulation_end_time_step": 30}
        del schema["buildings"]["home_3"]["electrical_storage"], schema["buildings"]["home_3"]["pv"]

    change_schema(folder, change)
    data = read_citylearn(folder)
    assert data.names == ("home_1", "home_3")
    np.testing.assert_array_equal(data.load, DATA.load[5:31, [0, 2]])
    assert (data.battery_kwh.tolist(), data.battery_kw.tolist(), data.pv_kw.tolist()) == (
        [6.4, 0],
        [5, 0],
        [DATA.pv_kw[0], 0],
    )
    assert not data.pv[:, 1].any()


def battery(**attributes):
    return lambda schema: schema["buildings"]["home_2"]["electrical_storage"]["attributes"].update(attributes)


@pytest.mark.parametrize(
    "change, message",
    [
        (battery(depth_of_discharge=0.8), "battery of home_2 has depth_of_discharge 0.8; 1.0 is modelled"),
        (battery(loss_coefficient=0.01), "battery of home_2 has loss_coefficient 0.01"),
        (battery(capacity="large"), "the battery's capacity of home_2 must be a number of at least 0, not 'large'"),
        (battery(nominal_power=-5), "the battery's power of home_2 must be a number of at least 0, not -5"),
        (battery(capacity=6400), "battery of home_2 is too large for its inverter"),
        (
            lambda s: s["buildings"]["home_2"].update(heating_device={"type": "x"}),
            "home_2 has a heating_device, which is not",
        ),
        (lambda s: s["buildings"]["home_2"].pop("energy_simulation"), "names no file for energy_simulation of home_2"),
        (lambda s: s["buildings"]["home_2"].update(pricing="other.csv"), "there is no file .*other.csv"),
        (
            lambda s: s["buildings"]["home_2"].update(weather="carbon_intensity.csv"),
            "gives homes several files for weather",
        ),
        (lambda s: s.update(seconds_per_time_step=900), "has seconds_per_time_step 900; steps of 3600 s"),
        (
            lambda s: s.update(simulation_end_time_step=60),
            "simulates the steps 0 to 60, but its files have the rows 0 to 59",
        ),
        (lambda s: s.update(buildings={}), "includes no building"),
        (lambda s: s.pop("buildings"), "must be an object with an object 'buildings'"),
    ],
)
def test_schemas_that_say_something_else_are_refused(folder, change, message):
    change_schema(folder, change)
    with pytest.raises(InputError, match=message):
        read_citylearn(folder)


def change_cell(folder, file, line, column, text):
    path = folder / file
    rows = [row.split(",") for row in path.read_text().splitlines()]
    rows[line - 1][rows[0].index(column)] = text
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")


@pytest.mark.parametrize(
    "file, column, text, message",
    [
        (
            "home_2.csv",
            "non_shiftable_load",
            "",
            "home_2.csv' line 9, column 'non_shiftable_load': nothing is not a finite",
        ),
        ("home_2.csv", "non_shiftable_load", "-1", "load must not be negative: row 7, home_2, is -1"),
        ("home_2.csv", "non_shiftable_load", "9e5", "load must be in kWh per hour: that of home_2"),
        ("home_2.csv", "solar_generation", "9000", "pv of home_2 reaches"),
        (
            "home_2.csv",
            "cooling_demand",
            "1.5",
            "home_2.csv' line 9: cooling_demand is 1.5; homes are modelled by their meter",
        ),
        ("home_2.csv", "hour", "9", "home_2.csv' line 9: hour 9 follows 6: 2 missing, or rows are out of order"),
        ("home_2.csv", "hour", "6", "home_2.csv' line 9: hour 6 is doubled"),
        (
            "home_2.csv",
            "day_type",
            "5",
            "home_2.csv' line 9: day_type is '5' where 'home_1.csv' has '2'; both must have",
        ),
        ("weather.csv", "outdoor_dry_bulb_temperature", "warm", "weather.csv' line 9.*'warm' is not a finite number"),
        ("pricing.csv", "electricity_pricing", "22", "price must be in"),
        ("carbon_intensity.csv", "carbon_intensity", "-0.1", "carbon must not be negative: row 7 is -0.1"),
    ],
)
def test_bad_cells_are_named(folder, file, column, text, message):
    change_cell(folder, file, 9, column, text)
    with pytest.raises(InputError, match=message):
        read_citylearn(folder)


@pytest.mark.parametrize(
    "text, message", [("25", "hour must be a whole number from 1 to 24, not 25"), ("8", "hour 8 follows 6: 1 missing")]
)
def test_hours_that_no_clock_shows_are_refused(folder, text, message):
    for name in DATA.names:
        change_cell(folder, f"{name}.csv", 9, "hour", text)
    with pytest.raises(InputError, match=message):
        read_citylearn(folder)


@pytest.mark.parametrize("names", [("home_2",), DATA.names])
@pytest.mark.parametrize(
    "change, message",
    [
        (lambda rows: rows[:20] + rows[21:], "line 21: hour 20 follows 18: 1 missing"),
        (lambda rows: rows[:21] + rows[20:], "line 22: hour 19 is doubled"),
    ],
)
def test_missing_and_doubled_hours_are_named(folder, names, change, message):
    for name in names:
        path = folder / f"{name}.csv"
        path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(InputError, match=rf"{names[0]}.csv' {message}"):
        read_citylearn(folder)


def test_sun_in_kilowatts_is_noticed(folder):
    path = folder / "home_2.csv"
    header, *rows = (row.split(",") for row in path.read_text().splitlines())
    column = header.index("solar_generation")
    for row in rows:
        row[column] = str(float(row[column]) / 1000)
    path.write_text("\n".join(",".join(row) for row in (header, *rows)))
    with pytest.raises(InputError, match=r"solar_generation of home_2 reaches .* probably in kW per kW"):
        read_citylearn(folder)


def test_files_that_are_short_or_missing_are_named(folder, tmp_path):
    path = folder / "home_3.csv"
    rows = path.read_text().splitlines()
    path.write_text("\n".join(rows[:40]))
    with pytest.raises(InputError, match=r"home_3.csv' has 39 rows and 'home_1.csv' has 60"):
        read_citylearn(folder)
    path.write_text("\n".join(rows)[:-30])
    with pytest.raises(InputError, match=r"home_3.csv' line 61 .* the file is truncated there"):
        read_citylearn(folder)
    path.unlink()
    with pytest.raises(InputError, match=r"there is no file .*home_3.csv"):
        read_citylearn(folder)
    (folder / "schema.json").write_text('{"buildings": ')
    with pytest.raises(InputError, match="is not JSON"):
        read_citylearn(folder)
    (folder / "schema.json").unlink()
    with pytest.raises(InputError, match=r"has no schema.json"):
        read_citylearn(folder)
    with pytest.raises(InputError, match="there is no folder"):
        read_citylearn(tmp_path / "none")


@pytest.mark.slow
def test_the_real_set_has_its_known_sums():
    data = read_citylearn(real_folder())
    assert (data.n_homes, data.n_hours) == (17, 8760)
    assert data.load.sum(dtype=np.float64) == pytest.approx(169_644, abs=1)
    assert data.pv.sum(dtype=np.float64) == pytest.approx(103_425, abs=1)
    assert (data.hour[0], data.weekday[0], data.month[0]) == (23, 6, 7)
    assert set(data.hour[data.price > 0.3]) == set(range(15, 20))


def test_holidays_are_the_days_that_they_are(folder):
    for path in folder.glob("home_*.csv"):
        lines = path.read_text().splitlines()
        place = lines[0].split(",").index("day_type")
        rows = [line.split(",") for line in lines]
        for row, day in zip(rows[1:], DATA.weekday, strict=True):
            row[place] = "8" if day == 1 else row[place]
        path.write_text("\n".join(",".join(row) for row in rows))
    assert (DATA.weekday == 1).any()
    np.testing.assert_array_equal(read_citylearn(folder).weekday, DATA.weekday)
