"""How many connections each layer gets."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse import connectivity as tc


def test_erk_counts():
    sizes = (784, 1000, 1000, 1000, 10)
    counts = tc.erk_counts(sizes, 0.05)
    assert sum(counts) == pytest.approx(0.05 * 2_794_000, abs=3)
    assert counts[3] == 10_000
    assert counts[0] / counts[1] == pytest.approx(1784 / 2000, rel=1e-3)
    assert tc.erk_counts(sizes, 1.0) == [784_000, 1_000_000, 1_000_000, 10_000]
    assert tc.uniform_counts((10, 20, 5), 0.1) == [20, 10]
    assert tc.epsilon_counts((784, 1000, 10), 20) == [35_680, 10_000]


def test_epsilon_counts_are_at_most_all():
    assert tc.epsilon_counts((4, 5, 2), 100) == [20, 10]


@pytest.mark.parametrize("counts", [tc.erk_counts, tc.uniform_counts])
@pytest.mark.parametrize("density", [0, -0.1, 1.5])
def test_density_out_of_range_is_refused(counts, density):
    with pytest.raises(ts.InputError, match="density must lie"):
        counts((10, 20, 5), density)


SIZES = (784, 1568, 1568, 1568, 10)


def test_layer_counts_in_every_way_of_saying_it():
    assert tc.layer_counts(SIZES) == tc.epsilon_counts(SIZES, 20)
    assert tc.layer_counts(SIZES, epsilon=2) == tc.epsilon_counts(SIZES, 2)
    assert tc.layer_counts(SIZES, density=0.01) == tc.erk_counts(SIZES, 0.01)
    assert tc.layer_counts(SIZES, density=0.01, densities="uniform") == tc.uniform_counts(SIZES, 0.01)
    hidden = [12_293, 24_586, 24_586]
    published = tc.layer_counts(SIZES, density=0.01, densities="uniform", output_density=1.0)
    assert published == [*hidden, 15_680]
    assert sum(published) == 77_145
    assert tc.layer_counts(SIZES, density=[0.01, 0.01, 0.01, 1]) == published
    assert tc.layer_counts(SIZES, density=0.01, output_density=0.5) == [*tc.erk_counts(SIZES[:-1], 0.01), 7_840]
    assert tc.layer_counts(SIZES, epsilon=2, output_density=1.0) == [*tc.epsilon_counts(SIZES[:-1], 2), 15_680]
    assert tc.layer_counts((4, 2), density=0.5, output_density=1.0) == [8]
    assert tc.layer_counts(SIZES, epsilon=[20] * 4) == tc.epsilon_counts(SIZES, 20)
    # The networks of dynamic sparse training for TD3, whose output layer has fewer places than 64 * (256 + 6).
    assert tc.layer_counts((17, 256, 256, 6), epsilon=(7, 64, 64)) == [7 * 273, 64 * 512, 256 * 6]
    assert tc.layer_counts((4, 2), epsilon=(0.01,)) == [1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"density": 2}, r"density must lie in \(0, 1\]"),
        ({"density": 0.1, "epsilon": 3}, "epsilon cannot be combined with density"),
        ({"density": [0.1, 0.1]}, "density must be one number or have one per layer, 4, not 2"),
        ({"density": [0.1, 0.1, 0, 1]}, r"density\[2\] must lie"),
        ({"density": "0.1"}, "density must be a sequence of numbers"),
        ({"density": 0.1, "densities": "even"}, "densities must be one of erk, uniform"),
        ({"densities": "uniform"}, "needs a density to divide"),
        ({"density": [0.1] * 4, "densities": "uniform"}, "densities cannot be combined"),
        ({"density": [0.1] * 4, "output_density": 1.0}, "output_density cannot be combined"),
        ({"density": 0.1, "output_density": 0}, "output_density must lie"),
        ({"epsilon": 0}, "epsilon must lie"),
        ({"epsilon": [7, 64, 64]}, "epsilon must be one number or have one per layer, 4, not 3"),
        ({"epsilon": [7, 64, -1, 64]}, r"epsilon\[2\] must lie"),
        ({"epsilon": "7"}, "epsilon must be a number"),
        ({"epsilon": [7] * 4, "densities": "uniform"}, "needs a density to divide"),
        ({"epsilon": [7] * 4, "output_density": 1.0}, "output_density cannot be combined with an epsilon per layer"),
        ({"epsilon": [7] * 4, "density": 0.1}, "epsilon cannot be combined with density"),
    ],
)
def test_layer_counts_that_do_not_go_together(given, message):
    with pytest.raises(ts.InputError, match=message):
        tc.layer_counts(SIZES, **given)
    with pytest.raises(ts.InputError, match=message):
        ts.SparseMLP(SIZES, **given)
