"""Checks of what a GridEnvironment is given."""

from __future__ import annotations

import os
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.grid.data import GridData
from trulysparse.grid.readers.citylearn import read_citylearn
from trulysparse.grid.sample import sample_data
from trulysparse.grid.scenario import Scenario, scenario_of

Array = NDArray[np.float64]
Hours = int | NDArray[np.int64]

BROADCASTS = ("community", "feeder")


AnyScenario: TypeAlias = "Scenario | GridData | str | os.PathLike[str] | None"
"""Which homes live through which hours: a Scenario; GridData, whose homes are taken as they are; a folder in
CityLearn's layout; or None, for the sample."""


def scenario_from(given: AnyScenario, copies: int) -> Scenario:
    """The scenario, of so many copies one after the other."""
    if given is None:
        given = sample_data()
    elif isinstance(given, str | os.PathLike):
        given = read_citylearn(given)
    if isinstance(given, GridData):
        given = scenario_of(given)
    if not isinstance(given, Scenario):
        raise InputError(
            "scenario must be a Scenario, GridData, a folder in CityLearn's layout, or None for the sample, not "
            + f"{given!r:.80}"
        )
    return given if copies == 1 else given.select(np.tile(np.arange(given.n_homes), copies))


def first_hours(first_hour: ArrayLike, n_homes: int, available: int) -> Hours:
    """Where episodes begin: one number where that is the same for all homes.

    Args:
        first_hour: one row of the data, or one a home.
        n_homes: H.
        available: rows of the data.

    Raises:
        InputError: of another shape, or not rows of the data.
    """
    if np.ndim(first_hour) == 0:
        return checks.integer("first_hour", first_hour, low=0, high=available - 1)
    given = np.asarray(first_hour)
    if given.shape != (n_homes,) or not np.issubdtype(given.dtype, np.integer):
        raise InputError(f"first_hour must be a whole number, or one of each of the {n_homes} homes, not {given!r:.80}")
    low, high = int(given.min()), int(given.max())
    if low < 0 or high >= available:
        raise InputError(f"first_hour must lie between 0 and {available - 1}, not {low} to {high}")
    return low if low == high else given.astype(np.int64)


def episode_length(n_hours: int | None, first_hour: Hours, available: int) -> int:
    """Hours of an episode that lies within the data; `n_hours` None: as many as there are."""
    most = available - int(np.max(first_hour))
    if n_hours is None:
        return most
    n_hours = checks.integer("n_hours", n_hours, low=1)
    if n_hours > most:
        raise InputError(
            f"n_hours must be at most {most} where the episode begins in hour {available - most} of {available}, not "
            f"{n_hours}"
        )
    return n_hours


def require_same_hours(first_hour: Hours, groups: int, what: str) -> None:
    """InputError where homes of one of so many equal groups live in different hours."""
    if isinstance(first_hour, int):
        return
    hours = first_hour.reshape(groups, -1)
    if (hours != hours[:, :1]).any():
        raise InputError(f"first_hour must be the same for all homes of {what}")


def broadcast_of(broadcast: bool | str) -> str | None:
    """'community', 'feeder' or None."""
    if isinstance(broadcast, bool | np.bool_):
        return "community" if broadcast else None
    return checks.choice("broadcast", broadcast, BROADCASTS)


def of_homes(
    name: str, values: ArrayLike, n_homes: int, low: float = -np.inf, high: float = np.inf, copies: int = 1
) -> Array:
    """One number a home, from one for all, one each, or one for each home of a copy.

    Args:
        name: of the argument.
        values: the numbers.
        n_homes: H, of all copies.
        low: the smallest allowed.
        high: the largest allowed.
        copies: how many copies of the homes there are.

    Raises:
        InputError: of another shape, or not numbers between low and high.
    """
    try:
        given = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers, one or one a home, not {values!r:.80}") from None
    if copies > 1 and given.shape == (n_homes // copies,):
        given = np.tile(given, copies)
    if given.shape not in ((), (n_homes,)):
        raise InputError(f"{name} must be one number or of shape ({n_homes},), not {given.shape}")
    if not (np.isfinite(given) & (given >= low) & (given <= high)).all():
        allowed: Any = "finite numbers" if low == -np.inf else f"numbers between {low:g} and {high:g}"
        raise InputError(f"{name} must be {allowed}, not {checks.plain(given)!r:.80}")
    return np.array(np.broadcast_to(given, (n_homes,)))
