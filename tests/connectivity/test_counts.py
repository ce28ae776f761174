"""How many connections each layer gets."""

from __future__ import annotations

import pytest

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
