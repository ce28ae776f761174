"""What methods of selection share."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.unsupervised.selection.settings import epochs_for, hidden_sizes, number_to_keep


@pytest.mark.parametrize("given, sizes", [(7, (7,)), (np.int64(7), (7,)), ([3, 4], (3, 4)), (np.array([3]), (3,))])
def test_sizes_are_a_tuple(given, sizes):
    assert hidden_sizes(given) == sizes


@pytest.mark.parametrize("given", [0, True, "12", (), 1.5, [3, 0], None])
def test_other_sizes_are_refused(given):
    with pytest.raises(InputError, match="hidden_layer_sizes"):
        hidden_sizes(given)


@pytest.mark.parametrize("n, batch, wanted, epochs", [(2, 100, 2000, 100), (2000, 100, 2000, 100), (10**7, 100, 9, 1)])
def test_epochs_make_about_so_many_updates(n, batch, wanted, epochs):
    assert epochs_for(n, batch, wanted) == epochs


@pytest.mark.parametrize(
    "wanted, n, kept",
    [
        (3, 3, 3),
        (np.int32(1), 3, 1),
        (1.0, 7, 7),
        (0.5, 7, 3),
        (0.01, 7, 1),
        (None, 1, 1),
        (None, 7, 3),
        (None, 200, 50),
    ],
)
def test_numbers_and_shares_of_features(wanted, n, kept):
    assert number_to_keep(wanted, n) == kept


@pytest.mark.parametrize("wanted", [0, -1, 0.0, 1.5, -0.1, float("nan"), True, "half", 8, [3]])
def test_an_empty_selection_and_more_than_there_are_are_refused(wanted):
    with pytest.raises(InputError, match="n_features_to_select"):
        number_to_keep(wanted, 7)
