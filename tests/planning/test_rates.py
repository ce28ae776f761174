"""Rates of this machine, from layers small enough for a quick test."""

from __future__ import annotations

import pytest

from trulysparse.planning import rates


@pytest.fixture
def small_layers(monkeypatch):
    monkeypatch.setattr(rates, "MIN_NEURONS", 1 << 12)
    monkeypatch.setattr(rates, "MIN_BYTES", 1 << 12)
    rates.measured_rates.cache_clear()
    yield
    rates.measured_rates.cache_clear()


def test_measured_rates_solve_time_of_both_layers(small_layers, monkeypatch):
    """Seconds 3 n + 2 connections forward, 5 n + 4 connections backward, 6 connections of evolution."""

    def seconds(n, count, *_):
        return 3.0 * n + 2.0 * count, 5.0 * n + 4.0 * count, 6.0 * count

    monkeypatch.setattr(rates, "_time_layer", seconds)
    measured = rates.measured_rates(8, "float32", "float32", 0, 1)
    assert measured.forward == pytest.approx((2, 3))
    assert measured.backward == pytest.approx((4, 5))
    assert measured.evolution == pytest.approx(6)


@pytest.mark.parametrize("kind, n_slots", [("float32", 0), ("float32", 1), ("bfloat16", 0), ("bfloat16", 1)])
def test_measured_rates_each_type_are_positive(small_layers, kind, n_slots):
    measured = rates.measured_rates(8, kind, kind, n_slots, 1)
    assert 0 < sum(measured.forward) < 1e-3
    assert 0 < sum(measured.backward) < 1e-3
    assert 0 < measured.evolution < 1e-3


def test_measured_rates_same_arguments_are_measured_once(small_layers):
    assert rates.measured_rates(8, "float32", "float32", 0, 1) is rates.measured_rates(8, "float32", "float32", 0, 1)
