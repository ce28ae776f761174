"""A rule in the setting of CityLearn 3.0.2: its batteries, timing and indicators, without its seconds per step."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core.checks import integer
from trulysparse.errors import InputError
from trulysparse.grid.battery import Batteries
from trulysparse.grid.indicators import citylearn_indicators
from trulysparse.grid.readers.citylearn import read_citylearn

Array = NDArray[np.float64]
Rule = Callable[[int, Array, Array, Array], ArrayLike]


def simulate_citylearn(folder: str | os.PathLike[str], rule: Rule, hours: int | None = None) -> dict[str, float]:
    """Runs a rule on a data set as CityLearn 3.0.2 does, and gives its indicators.

    Timing is CityLearn's: the rule sees the load and the sun of the hour that it acts in. Batteries have the curves of
    CityLearn's version 1, where version 3 draws them at random unless the schema has some.

    Args:
        folder: a data set that `read_citylearn` reads.
        rule: called as rule(t, load, pv, charge) in each hour, t from 0; load and pv are the homes' kWh of that hour,
            charge is 0 to 1, each of shape (H,). Its actions, one per home, are shares of the battery's power, positive
            = charging; they are cut to [-1, 1].
        hours: how many hours, from 1 to one less than the data has, which is the default: CityLearn's last row is
            only looked at.

    Returns:
        cost, carbon, consumption, zne, ramping, load_factor_daily, load_factor_monthly, daily_peak, peak: of the
        district over no control, as `citylearn_indicators` describes them.

    Raises:
        InputError: the data set cannot be read, hours is too large, or the rule gave something else than one finite
            number per home.

    Source: CityLearn 3.0.2.

    Example:
        >>> from trulysparse.grid.sample import sample_data
        >>> from trulysparse.grid.citylearn_files import write_citylearn
        >>> write_citylearn(sample_data(2), "two_homes")
        >>> def follow(t, load, pv, charge):
        ...     return (pv - load) / 5.0
        >>> ratios = simulate_citylearn("two_homes", follow, hours=240)
        >>> ratios["cost"] < 0.9, ratios["peak"] <= 1.0
        (True, True)
    """
    data = read_citylearn(folder)
    if data.n_hours < 2:
        raise InputError(f"'{folder}' has one hour, and CityLearn only looks at the last one")
    n_hours = data.n_hours - 1 if hours is None else integer("hours", hours, low=1, high=data.n_hours - 1)
    load, pv = data.load[:n_hours].astype(np.float64), data.pv[:n_hours].astype(np.float64)
    batteries = Batteries(data.battery_kwh, data.battery_kw)
    balance = np.empty_like(load)
    for t in range(n_hours):
        # Copies: what a rule does with its arrays changes nothing here.
        actions = _actions(rule(t, load[t].copy(), pv[t].copy(), batteries.charge), t, data.n_homes)
        balance[t] = batteries.step(np.clip(actions, -1.0, 1.0) * data.battery_kw)
        # CityLearn keeps the charge in single precision, which moves single hours by up to 2e-5 kWh.
        np.multiply(batteries.charge.astype(np.float32), data.battery_kwh, out=batteries.energy_kwh)
    # CityLearn keeps these in single precision too, which shows where a sum is nearly 0.
    stored = balance.astype(np.float32)
    net = data.load[:n_hours] + stored - data.pv[:n_hours]
    return citylearn_indicators(net, net - stored, data.price[:n_hours], data.carbon[:n_hours])


def _actions(given: ArrayLike, t: int, n_homes: int) -> Array:
    try:
        actions = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"rule must give {n_homes} numbers; in hour {t} it gave {given!r:.80}") from None
    if actions.shape != (n_homes,):
        raise InputError(f"rule must give one action per home, shape ({n_homes},); in hour {t} it gave {actions.shape}")
    if not np.isfinite(actions).all():
        home = int(np.flatnonzero(~np.isfinite(actions))[0])
        raise InputError(f"rule must give finite actions; in hour {t} it gave {actions[home]} for home {home}")
    return actions
