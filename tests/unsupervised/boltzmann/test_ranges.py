from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from trulysparse.data import as_matrix
from trulysparse.errors import InputError
from trulysparse.unsupervised.boltzmann.ranges import check_shares, problem_of


def test_entries_of_one_place_are_added_up():
    def made(first, second):
        return as_matrix(sp.csr_array((np.array([first, second, 0.2]), np.array([1, 1, 0]), np.array([0, 2, 3]))))

    assert problem_of(made(1.6, -0.9)) is None
    assert problem_of(made(0.75, 0.5)).startswith("X[0, 1] is 1.25;")


@pytest.mark.parametrize("wrap", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("value", [-0.01, 1.01, 7.0])
def test_the_first_value_out_of_range_is_named(wrap, value):
    X = np.eye(5)
    X[3, 2] = X[4, 0] = value
    with pytest.raises(InputError, match=rf"X\[3, 2\] is {value}; Bernoulli visible units take values from 0 to 1"):
        check_shares(as_matrix(wrap(X)))


@pytest.mark.parametrize("wrap", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_named(wrap, value):
    X = np.eye(5)
    X[3, 2] = value
    with pytest.raises(InputError, match=r"X\[3, 2\] is (nan|inf); features must be finite"):
        check_shares(as_matrix(wrap(X)))


@pytest.mark.parametrize("X", [np.eye(3), np.eye(3, dtype=bool), np.eye(3, dtype=np.uint8), sp.csr_array((3, 3))])
def test_shares_pass(X):
    check_shares(as_matrix(X))
