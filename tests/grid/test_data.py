"""Data that cannot be homes' is refused with a sentence that says where and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.sample import sample_data

DATA = sample_data(3)


def changed(name, where, value):
    values = np.array(getattr(DATA, name))
    values[where] = value
    return {name: values}


@pytest.mark.parametrize(
    "change, message",
    [
        (changed("load", (5, 1), np.nan), "load must hold finite numbers: row 5, home_2, is nan"),
        (changed("price", 7, np.inf), "price must hold finite numbers: row 7 is inf"),
        (
            changed("load", (9, 2), -0.5),
            "load must not be negative: row 9, home_3, is -0.5; load is what the home uses",
        ),
        (changed("pv", (9, 0), -0.5), "pv must not be negative: row 9, home_1, is -0.5; PV is what the panels make"),
        (changed("battery_kw", 1, -1.0), "battery_kw must not be negative: that of home_2 is -1"),
        ({"load": DATA.load * 1000}, "load must be in kWh per hour: that of home_1 has a mean of .* probably in Wh"),
        ({"pv": DATA.pv * 1000}, "pv must be in kWh per hour: that of home_1"),
        ({"price": DATA.price * 100}, r"price must be in \$/kWh: row 0 has 21"),
        (
            changed("battery_kwh", 2, 6400.0),
            "battery of home_3 is too large for its inverter: 6400 kWh at 5 kW means 1280 h",
        ),
        (
            {"battery_kwh": DATA.battery_kwh * 1000, "battery_kw": DATA.battery_kw * 1000},
            "battery_kwh must be in kWh: that of home_1 is 6400, too much for a home, so it is probably in Wh",
        ),
        ({"pv_kw": DATA.pv_kw * 1000}, "pv_kw must be in kW: that of home_1 is .* probably in W"),
        ({"carbon": DATA.carbon * 1000}, "carbon must be in kg CO2/kWh: row 0 has .* divide by 1000 where it is in g"),
        ({"temperature": DATA.temperature + np.float32(273.15)}, "temperature must be in degrees Celsius, -90 to 65"),
        (
            changed("battery_kw", 0, 0.0),
            "battery of home_1 is too large for its inverter: 6.4 kWh at 0 kW means no power",
        ),
        (changed("pv_kw", 1, 0.5), "pv of home_2 reaches .* which panels of pv_kw = 0.5 kW cannot make"),
        (
            changed("hour", slice(30, 31), 7),
            "hours must follow each other: row 30 begins at 7:00 .* so 1 hour is missing",
        ),
        (changed("hour", 30, 5), "row 30 begins at 5:00 after one that begins at 5:00, so the hour is doubled"),
        (changed("hour", 3, 24), r"hour must lie in \[0, 23\]: row 3 has 24"),
        (changed("weekday", slice(48, None), 0), "weekday must go on by one at midnight .* row 48"),
        (changed("month", 0, 0), r"month must lie in \[1, 12\]: row 0 has 0"),
        ({"names": ("a", "b")}, "names must hold one name per home: load has 3 homes, names has 2"),
        ({"names": ("a", "b", "a")}, "names must differ: 'a' is there twice"),
        ({"price": DATA.price[:-1]}, r"price must be of shape \(8760,\) where load is \(8760, 3\), not \(8759,\)"),
        ({"pv": DATA.pv[:, :2]}, r"pv must be of shape \(8760, 3\)"),
        ({"predicted": {"rain": np.zeros(5)}}, r"predicted\['rain'\] must be of shape \(8760,\)"),
        ({"load": DATA.load[:, 0]}, r"load must be an array \(hours, homes\)"),
        ({"load": DATA.load[:0]}, "at least one of each"),
    ],
)
def test_bad_data_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(DATA, **change)


def test_a_home_may_have_neither_battery_nor_panels():
    none = changed("battery_kwh", 0, 0.0) | changed("battery_kw", 0, 0.0) | changed("pv_kw", 1, 0.0)
    pv = DATA.pv.copy()
    pv[:, 1] = 0
    data = replace(DATA, **none, pv=pv)
    assert (data.n_hours, data.n_homes) == (8760, 3)


def test_any_number_of_hours_may_be_there():
    for rows in (slice(5, 6), slice(100, 117), slice(0, 24)):
        names = ("hour", "weekday", "month", "load", "pv", "price", "carbon", "temperature")
        part = replace(DATA, **{name: getattr(DATA, name)[rows] for name in names})
        assert part.n_hours == rows.stop - rows.start
