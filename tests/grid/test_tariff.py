"""Tariffs: prices from the data, and one's own, checked."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.sample import sample_data
from trulysparse.grid.tariff import NAMES, Tariff, make_tariff

DATA = sample_data(3)


def test_named_tariffs():
    made = {name: make_tariff(name, DATA, 3) for name in NAMES}
    for name in ("tou", "tou+feed-in", "peakfee", "community"):
        np.testing.assert_array_equal(made[name].import_price[:, 0], DATA.price)
    np.testing.assert_allclose(made["carbon"].import_price[:, 0], 0.1 + DATA.carbon)
    assert {name: float(tariff.export_price.max()) for name, tariff in made.items()} == {
        "tou": 0.0,
        "tou+feed-in": 0.08,
        "carbon": 0.0,
        "peakfee": 0.0,
        "community": 0.0,
    }
    assert [name for name in NAMES if made[name].peak_fee] == ["peakfee"]


def test_own_prices_and_kinds_of_customers_reach_the_bills():
    prices = np.linspace(0.1, 0.5, 8760)
    kinds = np.stack([prices, prices[::-1]], axis=1)
    own = Tariff("two kinds", kinds, kinds / 2, kind=np.array([0, 1, 1]))
    environment = GridEnvironment(DATA, tariff=own, first_hour=5000, n_hours=1)
    environment.reset()
    step = environment.step(None)
    paid = kinds[5000, [0, 1, 1]]
    np.testing.assert_allclose(step.cost, np.where(step.net > 0, step.net * paid, step.net * paid / 2))
    assert environment.price.shape == (8760, 3)
    flat = GridEnvironment(DATA, tariff=prices, n_hours=1)
    assert flat.price.shape == (8760,)
    assert flat.tariff.name == "own"
    with pytest.raises(InputError, match="market needs one tariff"):
        GridEnvironment(DATA, tariff=own, market="netting")


def test_peak_hours():
    prices = np.array([0.2, 0.4, 0.31, 0.3, 0.2])
    assert Tariff("t", prices, 0 * prices).peak_hours()[:, 0].tolist() == [False, True, True, False, False]
    assert not Tariff("flat", np.ones(5), np.zeros(5)).peak_hours().any()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([0.1, np.nan], [0, 0]), "import_price must be finite, not .* in hour 1"),
        (([0.1, 0.2], [0, 0.3]), "export_price must not be above import_price, as it is in hour 1"),
        (([0.1, 0.2], [0.0]), "export_price must have the shape"),
        (("cheap", [0]), "import_price must be prices"),
        (([], []), "import_price must be of shape"),
        (([[0.1, 0.2]], [[0, 0]]), "kind must say which of the 2 kinds"),
        (([[0.1, 0.2]], [[0, 0]], 0.0, np.array([0, 2])), "kind must be whole numbers between 0 and 1"),
        (([0.1], [0.0], -1), "peak_fee must lie in"),
    ],
)
def test_bad_tariffs(arguments, message):
    with pytest.raises(InputError, match=message):
        Tariff("bad", *arguments)


def test_a_tariff_of_other_homes_or_hours():
    with pytest.raises(InputError, match="of the 3 homes, not of 2"):
        make_tariff(Tariff("t", DATA.price, 0 * DATA.price, kind=np.array([0, 0])), DATA, 3)
    with pytest.raises(InputError, match="each of the 8760 hours, not 24"):
        make_tariff(np.ones(24), DATA, 3)
