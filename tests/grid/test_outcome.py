"""Figures of a run, against sums written out hour by hour."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.outcome import Outcome

T, H = 96, 3


def outcome(seed: int = 0, **changes: Any) -> Outcome:
    rng = np.random.default_rng(seed)
    load, pv = rng.uniform(0, 3, (T, H)).astype(np.float32), rng.uniform(0, 4, (T, H)).astype(np.float32)
    values: dict[str, Any] = dict(
        label="drawn", information="follow", tariff="tou", net=load - pv, load=load, pv=pv,
        price=rng.uniform(0.2, 0.5, T), export_price=rng.uniform(0, 0.1, T), carbon=rng.uniform(0, 0.3, T),
        hour=np.arange(T) % 24, month=np.repeat([1, 2], T // 2), first_hour=24,
    )  # fmt: skip
    return Outcome(**(values | changes))


def naive_cost(run: Outcome, homes: list[int], hours: list[int]) -> float:
    total = 0.0
    for home in homes:
        highest = 0.0
        for t in range(T):
            if t and run.month[t] != run.month[t - 1]:
                highest = 0.0
            net = float(run.net[t, home])
            kind = 0 if run.kind is None else run.kind[home]
            price, export = (p.reshape(T, -1)[t, kind] for p in (run.price, run.export_price))
            if t in hours:
                total += net * price if net > 0 else net * export
                total += run.peak_fee * max(0.0, net - highest)
            highest = max(highest, net, 0.0)
    return total


def test_costs_are_sums_over_homes_and_hours() -> None:
    rng = np.random.default_rng(3)
    kinds = dict(
        price=rng.uniform(0.2, 0.5, (T, 2)), export_price=rng.uniform(0, 0.1, (T, 2)), kind=np.array([0, 1, 1]),
        peak_fee=7.0,
    )  # fmt: skip
    for run in (outcome(), outcome(peak_fee=10.0), outcome(**kinds)):
        assert run.cost() == pytest.approx(naive_cost(run, [0, 1, 2], list(range(T))))
        some = list(range(30, 60))
        assert run.cost([2, 0], some) == pytest.approx(naive_cost(run, [2, 0], some))
        mask = np.isin(np.arange(T), some)
        assert run.cost(np.array([True, False, True]), mask) == run.cost([0, 2], some)
        assert run.home_costs().sum() == pytest.approx(run.cost())


def test_a_peak_fee_is_paid_for_each_months_highest_import() -> None:
    run, free = outcome(peak_fee=10.0), outcome()
    peaks = [run.net[run.month == month].max(0).sum() for month in (1, 2)]
    assert run.cost() - free.cost() == pytest.approx(10 * sum(peaks))


def test_a_community_nets_before_it_pays() -> None:
    run = outcome()
    expected = 0.0
    for t in range(T):
        together = float(run.net[t].astype(np.float64).sum())
        expected += together * (run.price[t] if together > 0 else run.export_price[t])
    assert run.community_cost() == pytest.approx(expected)
    assert run.community_cost() < run.cost()
    assert run.community_cost([1]) == pytest.approx(run.cost([1]))
    prices = np.stack([run.price, run.price + 1], 1)
    two = outcome(price=prices, export_price=np.zeros((T, 2)), kind=np.array([0, 0, 1]))
    with pytest.raises(InputError, match="one tariff"):
        two.community_cost()
    assert two.community_cost([0, 1]) > 0


def test_saving_share_is_0_without_control_and_1_at_the_bound() -> None:
    none, bound = outcome(), replace(outcome(), net=outcome().net - 1)
    half = replace(none, net=none.net - np.float32(0.4))
    assert none.saving_share(none, bound) == 0
    assert bound.saving_share(none, bound) == 1
    expected = (none.cost([1]) - half.cost([1])) / (none.cost([1]) - bound.cost([1]))
    assert half.saving_share(none, bound, [1]) == pytest.approx(expected)
    assert half.community_saving_share(none, bound) == pytest.approx(
        (none.community_cost() - half.community_cost()) / (none.community_cost() - bound.community_cost())
    )
    assert np.isnan(none.saving_share(none, none))
    pooled = replace(bound, net=bound.net.sum(1, keepdims=True), load=None, pv=None)
    assert half.community_saving_share(none, pooled) == pytest.approx(
        half.community_saving_share(none, bound), rel=1e-6
    )
    with pytest.raises(InputError, match="bound must be of the same hours, homes and tariff"):
        half.saving_share(none, pooled)
    with pytest.raises(InputError, match="'carbon'"):
        half.saving_share(replace(none, tariff="carbon"), bound)


def test_modes_and_prices_are_not_mixed() -> None:
    follow, fixed = outcome(), outcome(information="setpoint")
    bound = replace(outcome(), net=outcome().net - 1, information="foresight")
    assert follow.saving_share(follow, bound) == fixed.saving_share(fixed, bound) == 0
    for share in (fixed.saving_share, fixed.community_saving_share):
        with pytest.raises(InputError, match="no_control is of information 'follow', this of 'setpoint'"):
            share(follow, bound)
    with pytest.raises(InputError, match="bound is of information 'follow'"):
        fixed.saving_share(fixed, follow)
    dear = replace(bound, price=bound.price * 2)
    with pytest.raises(InputError, match="bound must be of the same prices: both tariffs are called 'tou'"):
        follow.saving_share(follow, dear)


def test_little_is_copied_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = outcome(peak_fee=3.0), outcome(5)
    figures = [
        lambda run: run.home_costs([0, 2]), lambda run: run.community_cost(), lambda run: run.emissions([1]),
        lambda run: run.self_consumption(hours=np.arange(7, 90)), lambda run: list(run.peaks().values()),
    ]  # fmt: skip
    whole = [[figure(run) for figure in figures] for run in runs]
    monkeypatch.setattr("trulysparse.grid.rows.AT_ONCE", 7)
    for run, expected in zip(runs, whole, strict=True):
        for figure, value in zip(figures, expected, strict=True):
            np.testing.assert_allclose(figure(run), value, rtol=1e-12)


def test_energy_carbon_and_peaks() -> None:
    run = outcome()
    assert run.pv is not None
    assert run.load is not None
    net = run.net.astype(np.float64)
    own, enough = run.self_consumption()
    assert own == pytest.approx(1 + net[net < 0].sum() / run.pv.sum(dtype=np.float64))
    assert enough == pytest.approx(1 - net[net > 0].sum() / run.load.sum(dtype=np.float64))
    assert run.emissions() == pytest.approx(sum(float(np.maximum(net[t], 0).sum()) * run.carbon[t] for t in range(T)))
    together = net.sum(1)
    peaks = run.peaks()
    assert peaks["import"] == pytest.approx(together.max(), rel=1e-6)
    assert peaks["export"] == pytest.approx(-together.min(), rel=1e-6)
    assert peaks["daily_import"] == pytest.approx(np.mean([max(together[d : d + 24]) for d in range(0, T, 24)]))
    with pytest.raises(InputError, match="details=True"):
        replace(run, pv=None).self_consumption()


def test_hours_outside_the_voltage_band() -> None:
    voltage = np.ones((2, T), np.float32)
    voltage[0, :6], voltage[1, 90:] = 0.94, 1.06
    assert outcome(voltage=voltage).voltage_share() == pytest.approx(12 / T)
    with pytest.raises(InputError, match="feeder"):
        outcome().voltage_share()


def test_a_file_gives_back_all_of_it(tmp_path: Path) -> None:
    run = outcome(
        names=("a", "b", "c"), clipped_kwh=np.arange(3.0), details={"note": "x"}, market="netting", peak_fee=2.5,
        voltage=np.full((2, T), np.nan, np.float32), kind=np.zeros(H, np.int64),
    )  # fmt: skip
    run.save(tmp_path / "run")
    again = Outcome.from_file(tmp_path / "run")
    for name, value in vars(run).items():
        if isinstance(value, np.ndarray):
            assert getattr(again, name).dtype == value.dtype
            np.testing.assert_array_equal(getattr(again, name), value)
        else:
            assert getattr(again, name) == value
    data = (tmp_path / "run").read_bytes()
    (tmp_path / "run").write_bytes(data[:-4])
    with pytest.raises(InputError, match="truncated"):
        Outcome.from_file(tmp_path / "run")
    (tmp_path / "run").write_bytes(data[:-4] + b"abcd")
    with pytest.raises(InputError, match="changed since"):
        Outcome.from_file(tmp_path / "run")


@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(net=np.zeros(4, np.float32)), "net must be of shape"),
        (dict(price=np.zeros(5)), "price must be of shape"),
        (dict(pv=np.zeros((T, 1), np.float32)), "pv must be of shape"),
        (dict(names=("a",)), "names must be of 3 homes"),
        (dict(stored_kwh=np.zeros(3)), "stored_kwh must be"),
    ],
)
def test_arrays_that_do_not_fit(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        outcome(**wrong)


@pytest.mark.parametrize("homes", [[3], [], "all", [0.5], [[0]], np.array([True, False])])
def test_homes_that_are_not_there(homes: Any) -> None:
    with pytest.raises(InputError, match="homes must"):
        outcome().cost(homes)
