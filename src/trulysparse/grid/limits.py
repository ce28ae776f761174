"""What happens where a feeder's limits are passed: homes pay, or the network operator turns batteries and PV down."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trulysparse.grid.power_flow.flow import Feeders
from trulysparse.grid.power_flow.result import Flow

Array = NDArray[np.float64]
PER_VOLT = 0.05 / 0.01  # $ per hour and share of the rated voltage beyond the band: 5 cents per .01
PER_OVERLOAD = 50.0  # $ per hour and share of the rated current beyond it
SEARCHES = 4  # flows between "nothing" and "all" for how far batteries, and then PV, are turned down
INSIDE = 0.002  # how far inside the limits the search aims


def penalties(flow: Flow, net_kwh: NDArray[Any]) -> Array:
    """What homes pay in an hour for passing limits.

    Limits are those of the feeder: by default 1 +- .05 p.u. and the rated currents. A home pays 5 cents per .01 p.u.
    that its own voltage is beyond. An overloaded transformer costs 50 $ per hour and share of overload (at 110 %: 5 $),
    which homes share in proportion to what they draw where the feeder draws, to what they feed in where it feeds in.
    An overloaded line likewise, shared by the homes behind it.

    Args:
        flow: the power flow of one hour.
        net_kwh: (homes,) what each home drew, - where it fed in.

    Returns:
        (homes,) $, NaN at feeders that did not converge.

    Example:
        >>> from trulysparse.grid.feeder import Feeder
        >>> feeders = Feeders(Feeder.named("vorstadt"))
        >>> net = np.full(146, 4.5)  # the transformer carries more than it may
        >>> paid = penalties(feeders.flow(net), net)
        >>> bool((paid > 0).all()), round(float(paid.sum()), 1)
        (True, 6.7)
    """
    feeder = flow.feeder
    net = np.asarray(net_kwh, np.float64).reshape(-1, feeder.n_homes)
    paid: Array = np.abs(flow.voltage.astype(np.float64) - 1).reshape(net.shape)
    paid -= feeder.voltage_band
    np.maximum(paid, 0, out=paid)
    paid *= PER_VOLT
    over = np.maximum(flow.transformer_loading.reshape(-1, 1) - feeder.loading_limit, 0)
    if over.any():
        paid += _split(PER_OVERLOAD * over, np.ones((1, feeder.n_homes)), net)
    if not flow.lines_within:
        over = np.maximum(flow.line_loadings.reshape(len(net), -1) - feeder.loading_limit, 0)
        lines = np.flatnonzero(over.any(axis=0))
        paid += _split(PER_OVERLOAD * over[:, lines], feeder.behind[lines], net)
    return paid.reshape(flow.voltage.shape)


def _split(cost: Array, behind: NDArray[Any], net: Array) -> Array:
    """What homes pay of (feeders, parts) costs: each part's homes (parts, homes) share its cost in proportion to what
    they draw, or feed in, in the direction of the sum."""
    inwards = net @ behind.T >= 0
    paid = np.zeros(net.shape)
    for direction, towards in ((1, inwards), (-1, ~inwards)):
        part = np.maximum(direction * net, 0)
        total = part @ behind.T
        rate = np.divide(cost * towards, total, out=np.zeros(total.shape), where=total > 0)
        paid += part * (rate @ behind)
    return paid


class Curtailed(NamedTuple):
    """What was left after the network operator had turned down what it had to.

    `balance` (homes,): kWh at the battery's meter, no larger in size than asked for. `pv` (homes,): kWh that PV was let
    make. `flow`: the power flow of that. `flows`: how many were solved.
    """

    balance: Array
    pv: Array
    flow: Flow
    flows: int


def curtail(
    feeders: Feeders,
    need_kwh: NDArray[Any],
    balance_kwh: NDArray[Any],
    pv_kwh: NDArray[Any],
    start: Flow | NDArray[Any] | None = None,
) -> Curtailed:
    """Turns batteries, and then PV, down as far as a feeder's limits ask for.

    Where a voltage is too low or a line or the transformer carries too much of what is drawn, all charging batteries
    of that feeder are scaled down alike; where a voltage is too high or too much is fed in, all discharging ones, and
    where that is not enough, PV. How far is found by bracketing, with four flows of the feeders concerned. Load is
    never shed, so a feeder may stay beyond its limits.

    Args:
        feeders: the Feeders.
        need_kwh: (homes,) load less PV of the hour.
        balance_kwh: (homes,) what batteries would take at the meter, - where they give.
        pv_kwh: (homes,) what PV could make.
        start: voltages to begin with, as in Feeders.flow.

    Returns:
        A Curtailed. Hours within limits cost one flow and are left as they are.

    Example:
        >>> from trulysparse.grid.feeder import Feeder
        >>> feeders = Feeders(Feeder.named("vorstadt"))
        >>> done = curtail(feeders, np.full(146, 1.0), np.full(146, 5.0), np.zeros(146))
        >>> bool(done.flow.transformer_loading[0] <= 1), bool(done.flow.voltage.min() >= 0.95)
        (True, True)
        >>> bool(0 < done.balance[0] < 5)
        True
    """
    shape = (feeders.n_copies, feeders.feeder.n_homes)
    need, balance, pv = (np.array(a, np.float64).reshape(shape) for a in (need_kwh, balance_kwh, pv_kwh))
    flow = feeders.flow((need + balance).ravel(), start=start)
    excess = _excess(flow, need + balance)
    wrong = np.flatnonzero((excess > 0).any(axis=0))
    if len(wrong) == 0:
        return Curtailed(balance.ravel(), pv.ravel(), flow, 1)
    some = _Some(feeders, flow, wrong, need[wrong], balance[wrong], pv[wrong])
    keep = np.ones((3, len(wrong)))  # of charging, discharging, PV
    keep[:2], left = some.search(keep, [0, 1], excess[:, wrong])
    keep[2:], _ = some.search(keep, [2], left[1:])
    balance[wrong], pv[wrong] = some.kept(keep)
    net = need + balance
    net[wrong] = some.net(keep)
    return Curtailed(balance.ravel(), pv.ravel(), feeders.flow(net.ravel(), start=flow), some.flows + 2)


def _excess(flow: Flow, net: Array) -> Array:
    """How far each feeder is beyond its limits, (2, feeders): by what is drawn, by what is fed in; 0 or below:
    within."""
    voltage = flow.voltage.reshape(net.shape).astype(np.float64)
    limit, band = flow.feeder.loading_limit, flow.feeder.voltage_band
    beyond = np.stack([1 - voltage.min(axis=1), voltage.max(axis=1) - 1]) / band - 1
    inwards = net.sum(axis=1) >= 0
    over = flow.transformer_loading - limit
    if not flow.lines_within:
        lines = flow.line_loadings - limit
        line_inwards = net @ flow.feeder.behind.T >= 0
        for row, there in enumerate((line_inwards, ~line_inwards)):
            np.maximum(beyond[row], np.where(there, lines, -1.0).max(axis=1), out=beyond[row])
    for row, there in enumerate((inwards, ~inwards)):
        np.maximum(beyond[row], np.where(there, over, -1.0), out=beyond[row])
        beyond[row, ~flow.converged] = np.where(there, np.inf, -1.0)[~flow.converged]
    return beyond


class _Some:
    """The feeders that are beyond their limits, with what can be turned down there."""

    def __init__(self, feeders: Feeders, flow: Flow, which: NDArray[np.int64], need: Array, balance: Array, pv: Array):
        self.feeders = feeders.some(which)
        self.start = flow.phasors.reshape(feeders.n_copies, -1)[which].ravel()
        self.need, self.pv = need, pv
        self.charging, self.discharging = np.maximum(balance, 0), np.minimum(balance, 0)
        self.flows = 0

    def kept(self, keep: Array) -> tuple[Array, Array]:
        """Batteries' balance and PV where the shares `keep` (3, feeders) of charging, discharging and PV are left."""
        charging, discharging, pv = keep[:, :, None]
        return charging * self.charging + discharging * self.discharging, pv * self.pv

    def net(self, keep: Array) -> Array:
        """What homes draw then."""
        balance, pv = self.kept(keep)
        return self.need + balance + (self.pv - pv)

    def excess(self, keep: Array) -> Array:
        """By how much the feeders are beyond their limits then."""
        net = self.net(keep)
        self.flows += 1
        return _excess(self.feeders.flow(net.ravel(), start=self.start), net)

    def search(self, keep: Array, parts: list[int], beyond: Array) -> tuple[Array, Array]:
        """The largest shares of `parts` (rows of keep) at which the excess is gone, where now it is `beyond`; and the
        excess at share 0, where even that is too much."""
        wrong = beyond > 0
        low, high = np.where(wrong, 0.0, 1.0), np.ones(beyond.shape)
        if not wrong.any():
            return high, beyond
        rows = [-1] if parts == [2] else [0, 1]
        at = keep.copy()
        at[parts] = low
        f_low, f_high = self.excess(at)[rows], beyond.copy()
        left = np.where(wrong, f_low, beyond)
        open_ = wrong & (f_low <= 0)
        for _ in range(SEARCHES if open_.any() else 0):
            with np.errstate(invalid="ignore", divide="ignore"):
                share = (-INSIDE - f_low) / (f_high - f_low)
            share = np.where(np.isfinite(share), np.clip(share, 0.05, 0.95), 0.5)
            at[parts] = np.where(open_, low + (high - low) * share, low)
            f = self.excess(at)[rows]
            fits = f <= 0
            low, high = np.where(open_ & fits, at[parts], low), np.where(open_ & ~fits, at[parts], high)
            # Illinois: the end that stays counts half, so that both ends close in
            f_low, f_high = np.where(fits, f, f_low / 2), np.where(fits, f_high / 2, f)
        return low, left
