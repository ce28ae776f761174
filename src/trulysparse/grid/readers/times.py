"""Time stamps of consecutive hours: read, checked, and what hour of day, weekday and month they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError

HOUR = timedelta(hours=1)
NAMED = 3  # time stamps that a message names before it counts the rest


def read_times(path: Path, texts: Sequence[str], *, end_of_hour: bool = False) -> NDArray[np.datetime64]:
    """The beginnings of a file's hours, in one time for all rows.

    Args:
        path: the file, for messages.
        texts: its time stamps, ISO 8601: 2023-01-31 23:00, also with seconds, T, Z or an offset from UTC. Stamps with
            offsets become standard time, which is the smallest offset that the file has.
        end_of_hour: stamps are the ends of the hours rather than their beginnings.

    Returns:
        datetime64[h], each an hour after the one before.

    Raises:
        InputError: a stamp that is none, that is not a full hour, or hours that are missing, doubled or out of order;
            clocks that change are recognised.

    Example:
        >>> read_times(Path("a.csv"), ["2023-03-26T01:00+01:00", "2023-03-26T03:00+02:00"]).astype(str).tolist()
        ['2023-03-26T01', '2023-03-26T02']
    """
    stamps = [_stamp(path, line, text) for line, text in enumerate(texts, 2)]
    aware = [stamp.tzinfo is not None for stamp in stamps]
    if any(aware):
        if not all(aware):
            line = aware.index(False) + 2
            raise InputError(
                f"'{path}' line {line}: {texts[line - 2]!r} has no offset from UTC where other rows have one"
            )
        standard = timezone(min(stamp.utcoffset() or timedelta() for stamp in stamps))
        stamps = [stamp.astimezone(standard).replace(tzinfo=None) for stamp in stamps]
    times = np.array(stamps, "datetime64[s]")
    if end_of_hour:
        times = times - np.timedelta64(3600, "s")
    _check_steps(path, times)
    hours: NDArray[np.datetime64] = times.astype("datetime64[h]")
    uneven = np.flatnonzero(hours != times)
    if uneven.size:
        row = int(uneven[0])
        raise InputError(f"'{path}' line {row + 2}: {texts[row]!r} is not a full hour")
    return hours


def calendar(hours: NDArray[np.datetime64]) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
    """Hour of day 0 to 23, weekday 0 = Monday to 6, and month 1 to 12.

    Example:
        >>> [each.tolist() for each in calendar(np.array(["2023-12-31T23", "2024-01-01T00"], "datetime64[h]"))]
        [[23, 0], [6, 0], [12, 1]]
    """
    since = hours.astype(np.int64)
    days = since // 24
    months = hours.astype("datetime64[M]").astype(np.int64)
    # 1 January 1970 was a Thursday.
    return (since % 24).astype(np.int8), ((days + 3) % 7).astype(np.int8), (months % 12 + 1).astype(np.int8)


def _stamp(path: Path, line: int, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f"'{path}' line {line}: {text!r} is no time; times are written as 2023-01-31 23:00, or with an offset as "
            "2023-01-31T23:00+01:00"
        ) from None


def _check_steps(path: Path, times: NDArray[np.datetime64]) -> None:
    steps = np.diff(times).astype(np.int64)
    if not steps.size or (steps == 3600).all():
        return
    usual = int(np.median(steps))
    if 0 < usual < 3600:
        raise InputError(
            f"'{path}' has rows {usual // 60} minutes apart; hourly rows are read, so add up the energy, or average "
            "the power, of each hour"
        )
    if usual > 3600:
        raise InputError(f"'{path}' has rows {usual / 3600:g} hours apart; one row per hour is needed")
    order = np.flatnonzero(steps < 0)
    doubled = _repeated(times)
    if order.size and not doubled.size:
        row = int(order[0])
        raise InputError(f"'{path}' is out of order: {_show(times[row + 1])} comes after {_show(times[row])}")
    first, last = times.min(), times.max()
    every = np.arange(first, last + np.timedelta64(1, "s"), np.timedelta64(3600, "s"))
    missing = np.setdiff1d(every, times)
    parts = []
    if missing.size:
        parts.append(f"misses {_listed(missing)}")
    if doubled.size:
        parts.append(f"has {_listed(doubled)} twice")
    if not parts:
        row = int(np.flatnonzero(steps != 3600)[0])
        raise InputError(
            f"'{path}' has {_show(times[row + 1])} after {_show(times[row])}; each row must be an hour later"
        )
    hint = ""
    if _clocks_change(missing) or _clocks_change(doubled):
        hint = "; clocks change there: write times in standard time all year, or with their offset from UTC"
    raise InputError(f"'{path}' {' and '.join(parts)}{hint}")


def _repeated(times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    values, counts = np.unique(times, return_counts=True)
    return values[counts > 1]


def _clocks_change(times: NDArray[np.datetime64]) -> bool:
    """Whether one of the hours is alone, at night on a Sunday, as those are that daylight saving skips or repeats."""
    hour, weekday, month = calendar(times.astype("datetime64[h]"))
    lonely = np.ones(len(times), bool)
    lonely[1:] &= np.diff(times).astype(np.int64) > 3600
    lonely[:-1] &= np.diff(times).astype(np.int64) > 3600
    return bool((lonely & (hour <= 3) & (weekday == 6) & np.isin(month, (3, 4, 9, 10, 11))).any())


def _listed(times: NDArray[np.datetime64]) -> str:
    """'2 hours (2023-01-01 02:00, 2023-01-01 03:00)', at most a few of them."""
    shown = ", ".join(_show(time) for time in times[:NAMED])
    more = f" and {len(times) - NAMED} more" if len(times) > NAMED else ""
    return f"{len(times)} hour{'s' if len(times) > 1 else ''} ({shown}{more})"


def _show(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")
