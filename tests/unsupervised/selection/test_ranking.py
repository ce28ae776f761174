"""Rankings, and the agreement of choices."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.unsupervised.selection.ranking import best_of_columns, ranked, selection_stability


def test_of_equal_scores_the_first_comes_first_and_constant_features_last():
    scores = np.array([1.0, 0.0, 3.0, 0.0, 3.0])
    constant = np.array([False, True, False, False, False])
    assert ranked(scores, constant).tolist() == [2, 4, 0, 3, 1]


def test_a_column_has_the_score_of_its_best_input_and_one_without_inputs_the_lowest():
    scores, sources = np.array([3.0, 1.0, 2.0, -1.0]), np.array([0, 2, 2, 3])
    assert best_of_columns(scores, sources, 5).tolist() == [3.0, -1.0, 2.0, -1.0, -1.0]


def test_stability_is_that_of_the_paper():
    chosen = np.random.default_rng(0).random((5, 12)) < 0.3
    n, d = chosen.shape
    total = 0.0
    for f in range(d):  # equation (4) of the paper, term by term
        p = sum(bool(chosen[m, f]) for m in range(n)) / n
        total += n / (n - 1) * p * (1 - p)
    k = sum(int(row.sum()) for row in chosen) / n
    assert selection_stability(chosen) == pytest.approx(1 - (total / d) / (k / d * (1 - k / d)))


def test_choices_at_random_have_no_stability():
    rng = np.random.default_rng(1)
    chosen = np.zeros((40, 200), bool)
    for row in chosen:
        row[rng.permutation(200)[:20]] = True
    assert abs(selection_stability(chosen)) < 0.02


@pytest.mark.parametrize("value", [0, 1])
def test_all_or_none_agree(value):
    assert selection_stability(np.full((3, 4), value)) == 1.0


@pytest.mark.parametrize("wrong", [[[1, 0]], [1, 0], [[1, 2], [0, 1]], np.zeros((2, 0))])
def test_what_is_no_choice_is_refused(wrong):
    with pytest.raises(InputError, match="selected"):
        selection_stability(wrong)
