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
