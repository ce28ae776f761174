"""A few real kills of the resume matrix; `python tests/resume_matrix.py` spreads as many as wanted over all of it."""

from __future__ import annotations

import pytest

from resume_matrix import Combination, combinations, run_matrix

CHOSEN = [
    Combination(1, patience=True, streamed=True),
    Combination(1, storage="on-disk"),
    Combination(2, patience=True, streamed=True),
]


def test_matrix_has_all_that_goes_together():
    found = combinations()
    assert len(found) == len(set(found)) == 24
    assert {(each.workers, each.storage) for each in found} == {
        (1, "indexed"), (1, "compact"), (1, "on-disk"), (2, "indexed")
    }  # fmt: skip
    assert sum(each.report for each in found) == 8


@pytest.mark.slow
@pytest.mark.parametrize("chosen", CHOSEN, ids=lambda each: each.name)
def test_trainings_that_are_killed_and_resumed_end_with_the_same_bits(tmp_path, chosen):
    kills, failures = run_matrix([chosen], 4, 0, tmp_path)
    assert failures == []
    assert kills == 4
