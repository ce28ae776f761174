"""Learning-rate schedules against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.optim.schedules import ContinuedRate, make_schedule, rate_at, scaled


@pytest.mark.parametrize("epoch", [0.0, 0.5, 7.25])
def test_constant_rate_never_changes(epoch):
    assert ts.ConstantRate(0.3).at(epoch, 10) == 0.3


@pytest.mark.parametrize(("epoch", "falls"), [(0, 0), (2.99, 0), (3, 1), (5.5, 1), (6, 2), (30, 10)])
def test_step_rate_falls_every_so_many_epochs(epoch, falls):
    assert ts.StepRate(0.8, every=3, factor=0.2).at(epoch, None) == pytest.approx(0.8 * 0.2**falls)


@pytest.mark.parametrize("epoch", [0.0, 0.4, 1.99, 2.0, 3.7, 9.0, 10.0])
def test_cosine_rate_rises_along_a_line_and_falls_along_half_a_cosine(epoch):
    peak, final, warmup, epochs = 0.5, 0.02, 2.0, 10
    if epoch < warmup:
        wanted = peak * epoch / warmup
    else:
        wanted = final + (peak - final) * 0.5 * (1 + math.cos(math.pi * (epoch - warmup) / (epochs - warmup)))
    assert ts.CosineRate(peak, warmup, final).at(epoch, epochs) == pytest.approx(wanted, rel=1e-12)
    assert ts.CosineRate(peak, warmup, final, epochs).at(epoch, None) == pytest.approx(wanted, rel=1e-12)


def test_cosine_rate_stays_at_its_end():
    assert ts.CosineRate(0.5, final=0.1, epochs=4).at(9.0, None) == pytest.approx(0.1)


def test_cosine_rate_of_unknown_length_is_refused():
    with pytest.raises(ts.InputError, match="outside fit"):
        ts.CosineRate(0.5).at(0.0, None)


@pytest.mark.parametrize(("epoch", "factor"), [(0, 1.0), (1, 1.75), (4, 4.0), (9, 4.0)])
def test_scaled_rate_reaches_its_factor_along_a_line(epoch, factor):
    base = ts.StepRate(0.1, every=2, factor=0.5)
    assert ts.ScaledRate(base, 4.0, warmup=4).at(epoch, None) == pytest.approx(factor * base.at(epoch, None))


def test_scaled_rate_without_warmup_is_there_at_once():
    assert ts.ScaledRate(ts.ConstantRate(0.1), 3.0, warmup=0).at(0.0, None) == pytest.approx(0.3)


def test_continued_rate_goes_on_where_it_was():
    whole = ts.CosineRate(0.5, warmup=1)
    second = ContinuedRate(whole, done=4, epochs=10)
    assert second.at(1.5, 6) == whole.at(5.5, 10)
    later = scaled(second, 2.0, warmup=3)
    assert later.at(1.5, 6) == pytest.approx(2 * whole.at(5.5, 10))  # its warm-up is over


def test_make_schedule_takes_numbers_and_schedules():
    assert make_schedule(0.2) == ts.ConstantRate(0.2) == make_schedule(ts.ConstantRate(0.2))
    assert make_schedule(1).at(0, None) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ts.ConstantRate(0), "learning_rate must lie"),
        (lambda: ts.StepRate(0.1, every=0), "every must be at least 1"),
        (lambda: ts.StepRate(0.1, every=1, factor=0), "factor must lie"),
        (lambda: ts.CosineRate(0.1, warmup=-1), "warmup must lie"),
        (lambda: ts.CosineRate(0.1, final=-1), "final must lie"),
        (lambda: ts.ScaledRate(ts.ConstantRate(0.1), -2.0), "factor must lie"),
        (lambda: make_schedule("fast"), "learning_rate must be a number"),
    ],
)
def test_schedule_out_of_range_is_refused(make, message):
    with pytest.raises(ts.InputError, match=message):
        make()


class InverseRoot:
    """A schedule of a user's own."""

    def at(self, epoch, epochs):
        return 0.1 / math.sqrt(1 + epoch)


@pytest.mark.parametrize("optimizer", [ts.SGD, ts.Adam])
def test_users_schedule_sets_the_rate_of_each_step(optimizer):
    rates = [optimizer(InverseRoot()).rule(0, epoch, 10).learning_rate for epoch in (0.0, 3.0, 8.0)]
    assert rates == [0.1, 0.05, 0.1 / 3]


def test_users_schedule_can_be_scaled_and_continued():
    assert ts.ScaledRate(InverseRoot(), 2.0, warmup=0).at(3.0, 10) == pytest.approx(0.1)
    assert ContinuedRate(InverseRoot(), 3, 10).at(0.0, 1) == 0.05
    assert make_schedule(own := InverseRoot()) is own


def test_users_schedule_trains_as_the_built_in_one_of_the_same_rates(rng):
    class Steps:
        def at(self, epoch, epochs):
            return 0.1 * 0.5 ** math.floor(epoch / 2)

    X, y = rng.normal(size=(64, 6)), rng.integers(0, 3, 64)
    nets = []
    for rate in (Steps(), ts.StepRate(0.1, every=2, factor=0.5)):
        net = ts.SparseMLP((6, 16, 3), epsilon=3, seed=0)
        history = ts.Trainer(net, optimizer=ts.Adam(rate), batch_size=16).fit(X, y, epochs=4)
        assert history["learning_rate"] == [0.1, 0.1, 0.05, 0.05]
        nets.append(net)
    for a, b in zip(*(net.layers for net in nets), strict=True):
        assert a.values.tobytes() == b.values.tobytes()


class Returning:
    def __init__(self, value):
        self.value = value

    def at(self, epoch, epochs):
        return self.value

    def __repr__(self):
        return f"Returning({self.value!r})"


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, "fast", None, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_schedule_returning_no_rate_is_refused_with_the_epoch(value, wrapped):
    rate = ts.ScaledRate(Returning(value), 2.0) if wrapped else Returning(value)
    for optimizer in (ts.SGD(rate), ts.Adam(rate)):
        with pytest.raises(
            ts.InputError, match=r"Returning\(.*\)\.at\(epoch=1\.5, epochs=4\) returns must .*not "
        ) as error:
            optimizer.rule(3, 1.5, 4)
        assert str(value) in str(error.value)


@pytest.mark.parametrize("value", [0, 0.0, 1, np.float32(0.5), np.float64(0.25), np.int64(2)])
def test_schedule_returning_any_number_gives_a_float(value):
    rate = rate_at(Returning(value), 0.0, None)
    assert type(rate) is float
    assert rate == float(value)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        ("fast", "learning_rate must be a number or a schedule, an object with a method at"),
        (None, "learning_rate must be a number or a schedule"),
        (InverseRoot, r"not a class of schedules: make one, InverseRoot\("),
        (ts.CosineRate, r"make one, CosineRate\("),
        (True, "learning_rate must be a number, not True"),
        (0, "learning_rate must lie"),
        (math.inf, "learning_rate must lie"),
    ],
)
def test_neither_rate_nor_schedule_is_refused(rate, message):
    for make in (ts.SGD, ts.Adam, make_schedule):
        with pytest.raises(ts.InputError, match=message):
            make(rate)
    with pytest.raises(ts.InputError, match="base must be"):
        ts.ScaledRate("fast", 2.0)
