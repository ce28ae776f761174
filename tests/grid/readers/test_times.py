"""Time stamps: what is missing, doubled or shifted is named."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.readers.times import calendar, read_times

PATH = Path("home.csv")


def stamps(start, n, minutes=60):
    first = datetime.fromisoformat(start)
    return [(first + timedelta(minutes=minutes * each)).isoformat(" ", "minutes") for each in range(n)]


@pytest.mark.parametrize("form", ["{}", "{}:00", "{}Z"])
def test_forms_of_one_time(form):
    texts = [form.format(text) for text in stamps("2024-02-28 22:00", 30)]
    np.testing.assert_array_equal(read_times(PATH, texts), np.datetime64("2024-02-28T22", "h") + np.arange(30))
    ends = read_times(PATH, texts, end_of_hour=True)
    assert str(ends[0]) == "2024-02-28T21"


def test_calendar_is_that_of_python():
    hours = np.datetime64("2019-12-30T05", "h") + np.arange(24 * 430)
    hour, weekday, month = calendar(hours)
    days = [each.astype("datetime64[s]").item() for each in hours]
    np.testing.assert_array_equal(hour, [day.hour for day in days])
    np.testing.assert_array_equal(weekday, [day.weekday() for day in days])
    np.testing.assert_array_equal(month, [day.month for day in days])


def local_year(offset):
    """A year of Berlin's clocks, with the hour that spring skips and the one that autumn has twice."""
    first = datetime(2023, 1, 1, tzinfo=ZoneInfo("UTC"))
    every = ((first + timedelta(hours=hour)).astimezone(ZoneInfo("Europe/Berlin")) for hour in range(8759))
    return [each.isoformat() if offset else each.replace(tzinfo=None).isoformat(" ") for each in every]


def test_clocks_that_change_are_recognised_and_offsets_resolve_them():
    pytest.importorskip("zoneinfo")
    with pytest.raises(
        InputError, match=r"misses 1 hour \(2023-03-26 02:00\) and has 1 hour \(2023-10-29 02:00\) twice"
    ) as error:
        read_times(PATH, local_year(offset=False))
    assert "clocks change there" in str(error.value)
    hours = read_times(PATH, local_year(offset=True))
    np.testing.assert_array_equal(hours, np.datetime64("2023-01-01T01", "h") + np.arange(8759))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t[:5] + t[6:], r"misses 1 hour \(2023-05-01 05:00\)$"),
        (
            lambda t: t[:5] + t[9:],
            r"misses 4 hours \(2023-05-01 05:00, 2023-05-01 06:00, 2023-05-01 07:00 and 1 more\)$",
        ),
        (lambda t: t[:5] + t[4:], r"has 1 hour \(2023-05-01 04:00\) twice$"),
        (lambda t: t[:5] + t[5:7][::-1] + t[7:], "is out of order: 2023-05-01 05:00 comes after 2023-05-01 06:00"),
        (lambda t: [*t[:5], "01.05.2023 05:00", *t[6:]], "line 7: '01.05.2023 05:00' is no time; times are written as"),
        (lambda t: [*t[:5], "", *t[6:]], "line 7: '' is no time"),
        (lambda t: [*t[:5], t[5] + "+02:00", *t[6:]], "line 2: .* has no offset from UTC where other rows have one"),
        (lambda t: stamps("2023-05-01", 40, minutes=15), "rows 15 minutes apart; hourly rows are read"),
        (lambda t: stamps("2023-05-01", 40, minutes=1440), "rows 24 hours apart; one row per hour"),
        (lambda t: stamps("2023-05-01 00:30", 40), "line 2: '2023-05-01 00:30' is not a full hour"),
    ],
)
def test_hours_that_do_not_follow_each_other_are_named(change, message):
    with pytest.raises(InputError, match=message) as error:
        read_times(PATH, change(stamps("2023-05-01", 48)))
    assert "home.csv" in str(error.value)
