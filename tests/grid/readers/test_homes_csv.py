"""Anyone's own homes: units, columns, sizes and what is refused."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.readers.homes_csv import read_homes

N = 72
FIRST = datetime(2023, 6, 2)


def home(folder, name, *, load=0.8, pv=1.5, header="time,load,pv", first=FIRST, n=N):
    folder.mkdir(exist_ok=True)
    rows = [header]
    for hour in range(n):
        time = first + timedelta(hours=hour)
        sun = pv * max(0, 1 - abs(time.hour - 12) / 6) if pv is not None else None
        values = [f"{load * (1 + (time.hour > 16)):.6g}", *([] if sun is None else [f"{sun:.6g}"])]
        rows.append(",".join([time.isoformat(" "), *values]))
    (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")


def test_homes_are_read_in_the_order_of_their_numbers(tmp_path):
    for number in (1, 2, 10):
        home(tmp_path, f"home_{number}", load=0.1 * number)
    (tmp_path / "notes.txt").write_text("not a home")
    (tmp_path / ".hidden.csv").write_text("")
    data = read_homes(tmp_path)
    assert data.names == ("home_1", "home_2", "home_10")
    assert data.load.shape == (N, 3)
    np.testing.assert_allclose(data.load[0], [0.1, 0.2, 1.0], rtol=1e-6)
    assert (data.hour[:3].tolist(), data.weekday[0], data.month[0]) == ([0, 1, 2], 4, 6)
    np.testing.assert_array_equal(data.pv_kw, np.full(3, 1.5))
    assert sorted(set(data.price[:24])) == [0.22, 0.54]
    assert set(data.price[24:48]) == {0.22, 0.4}  # a Saturday


@pytest.mark.parametrize(
    "header, factor, arguments",
    [
        ("time,load,pv", 1, {}),
        ("time,load,pv", 1, {"unit": "kW"}),
        ("timestamp,load,pv", 1000, {"unit": "Wh"}),
        ("datetime,consumption,solar", 1000, {"unit": "W"}),
        ("date,load_Wh,pv_wh", 1000, {}),
        ("Time,Load [W],PV (W)", 1000, {}),
        ("time,demand kWh,generation_kw", 1, {"unit": "Wh"}),  # what the header says counts
    ],
)
def test_units_are_those_of_the_header_or_of_the_argument(tmp_path, header, factor, arguments):
    home(tmp_path, "a", load=0.8 * factor, pv=1.5 * factor, header=header)
    data = read_homes(tmp_path, **arguments)
    assert data.load.max() == pytest.approx(1.6)
    assert data.pv.max() == pytest.approx(1.5)


@pytest.mark.parametrize(
    "written, arguments, message",
    [
        (
            dict(load=800),
            {},
            "load must be in kWh .* a mean of 1033 .* probably in Wh: give unit='Wh', or name the column load_Wh",
        ),
        (dict(pv=4000), {}, "pv must be in kWh .* probably in Wh: give unit='Wh'"),
        (dict(load=800), {"unit": "kW"}, "give unit='W', or name the column load_W"),
        (
            dict(load=0.8),
            {"unit": "Wh"},
            "has a mean of 1.033 Wh, which is 9.05 kWh a year, too .* in kWh: give unit='kWh'",
        ),
        (dict(load=0.8, header="time,load_W,pv"), {}, "probably in kW: give unit='kW'"),
        (dict(load=8e5), {"unit": "Wh"}, "it is too much in that unit too"),
    ],
)
def test_units_that_cannot_be_right_are_refused(tmp_path, written, arguments, message):
    home(tmp_path, "a", **written)
    with pytest.raises(InputError, match=message) as error:
        read_homes(tmp_path, **arguments)
    assert "a.csv" in str(error.value)


def test_a_home_without_pv_is_refused_or_allowed(tmp_path):
    home(tmp_path / "none", "a", pv=None, header="time,load")
    home(tmp_path / "zeros", "a", pv=0)
    for folder, message in (("none", "no column 'pv'"), ("zeros", "has no PV, only zeros")):
        with pytest.raises(InputError, match=f"{message}.*say allow_no_pv=True"):
            read_homes(tmp_path / folder)
        data = read_homes(tmp_path / folder, allow_no_pv=True)
        assert not data.pv.any()
        assert data.pv_kw.tolist() == [0]


def edited(folder, name, find, replacement):
    path = folder / f"{name}.csv"
    text = path.read_text()
    assert find in text
    path.write_text(text.replace(find, replacement, 1))


@pytest.mark.parametrize(
    "find, replacement, message",
    [
        (
            "2023-06-02 05:00:00,0.8",
            "2023-06-02 05:00:00,-0.8",
            "load at 2023-06-02 05:00 is -0.8 kWh .* PV not subtracted",
        ),
        (
            "05:00:00,0.8,0",
            "05:00:00,0.8,-0.1",
            r"pv at 2023-06-02 05:00 is -0.1 kWh \(1 hour is negative\); PV is what",
        ),
        ("05:00:00,0.8,0", "05:00:00,,0", "line 7, column 'load': nothing is not a finite number"),
        ("05:00:00,0.8,0", "05:00:00,nan,0", "line 7, column 'load': 'nan' is not a finite number"),
        ("2023-06-02 05:00:00,0.8,0\n", "", r"misses 1 hour \(2023-06-02 05:00\)"),
        ("2023-06-02 05:00:00", "2023-06-02 04:00:00", r"misses 1 hour .* and has 1 hour \(2023-06-02 04:00\) twice"),
        (
            "time,load",
            "time,power",
            "has no column 'load'; it has time, power, pv, known are load, consumption, demand",
        ),
        ("time,load,pv", "time,load,demand", "has the columns load, demand for load; one is read"),
        ("2023-06-04 23:00:00,1.6,0", "2023-06-04 23", "has 1 fields where the header has 3; the file is truncated"),
    ],
)
def test_bad_files_are_named(tmp_path, find, replacement, message):
    home(tmp_path, "a")
    edited(tmp_path, "a", find, replacement)
    with pytest.raises(InputError, match=message) as error:
        read_homes(tmp_path)
    assert "a.csv" in str(error.value)


def test_homes_must_have_the_same_hours(tmp_path):
    home(tmp_path, "a")
    home(tmp_path, "b", n=N - 1)
    with pytest.raises(
        InputError, match=r"b.csv' has 2023-06-02 00:00 to 2023-06-04 22:00 \(71 rows\) where 'a.csv' has"
    ):
        read_homes(tmp_path)
    home(tmp_path, "b", first=FIRST + timedelta(hours=5))
    with pytest.raises(InputError, match="all homes must have the same hours"):
        read_homes(tmp_path)


def test_sizes_and_prices_are_those_given(tmp_path):
    for name in "ab":
        home(tmp_path, name)
    data = read_homes(
        tmp_path,
        battery_kwh={"b": 10, "a": 0},
        battery_kw=[0, 4],
        pv_kw=3,
        price=0.3,
        carbon=np.full(N, 0.2),
        temperature=9,
    )
    assert (data.battery_kwh.tolist(), data.battery_kw.tolist(), data.pv_kw.tolist()) == ([0, 10], [0, 4], [3, 3])
    assert set(data.price) == {0.3}
    assert data.carbon.tolist() == [0.2] * N
    assert data.temperature.dtype == np.float32


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(unit="MWh"), "unit must be one of kWh, Wh, kW, W, not 'MWh'"),
        (dict(battery_kwh={"a": 1.0}), "battery_kwh must have an entry per home: it lacks 'b'"),
        (dict(battery_kwh={"a": 1, "b": 1, "c": 1}), "battery_kwh must have an entry per home: no file has 'c'"),
        (dict(battery_kw=[5.0]), "battery_kw must be one number or 2, one per home, not 1"),
        (dict(battery_kwh=-1.0), r"battery_kwh of a must lie in \[0, inf\), not -1"),
        (dict(battery_kwh=6400), "the battery of a is too large for its inverter"),
        (dict(pv_kw=0.2), "pv of a reaches 1.5 kWh"),
        (dict(price=[0.3, 0.4]), "price must be one number or 72, one per hour"),
        (dict(price="tou"), "price must be a number or one per hour, not 'tou'"),
        (dict(price=30.0), "divide by 100 where it is in cents"),
        (dict(end_of_hour=1), "end_of_hour must be True or False"),
    ],
)
def test_impossible_arguments_are_refused(tmp_path, arguments, message):
    for name in "ab":
        home(tmp_path, name)
    with pytest.raises(InputError, match=message):
        read_homes(tmp_path, **arguments)


def test_folders_without_homes(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        read_homes(tmp_path / "none")
    with pytest.raises(InputError, match=re.escape("has no file *.csv")):
        read_homes(tmp_path)
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(InputError, match="is empty"):
        read_homes(tmp_path)
