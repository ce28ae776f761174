"""Targets of any type."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from trulysparse.errors import InputError
from trulysparse.unsupervised.selection.targets import encoded_targets


@pytest.mark.parametrize(
    "y, labels",
    [
        (np.array(["b", "a", "c", "a"]), [1, 0, 2, 0]),
        (np.array(["b", "a", "c", "a"], object), [1, 0, 2, 0]),
        (np.array([-1, 1, -1, 5]), [0, 1, 0, 2]),
        (np.array([True, False, True, False]), [1, 0, 1, 0]),
        (np.array([2.0, 1.0, 2.0, 3.0]), [1, 0, 1, 2]),
    ],
)
def test_labels_are_numbers_from_0_on(y, labels):
    found = encoded_targets(y)
    assert found.tolist() == labels
    assert found.dtype == np.int64


def test_several_labels_may_be_a_sparse_matrix():
    y = np.array([[1, 0, 1], [0, 0, 1]])
    for form in (y, sp.csr_matrix(y), sp.csr_array(y)):
        found = encoded_targets(form)
        assert found.dtype == np.bool_
        assert found.tolist() == y.astype(bool).tolist()


def test_fractions_are_values_and_so_is_what_a_regression_gets():
    assert encoded_targets(np.array([0.5, 1.0])).dtype == np.float64
    assert encoded_targets(np.array([[0.5, 1.0], [1.0, 2.0]])).shape == (2, 2)
    assert encoded_targets(np.array([3, 1, 2]), "regression").tolist() == [3.0, 1.0, 2.0]


def test_several_labels_are_bool():
    found = encoded_targets(np.array([[0, 1], [1, 1], [0, 0]]))
    assert found.dtype == np.bool_
    assert found.tolist() == [[False, True], [True, True], [False, False]]


@pytest.mark.parametrize(
    "y, task, words",
    [
        (np.array([1, 1, 1]), "auto", "one class only, "),
        (np.array([0.5, 0.7]), "classification", "Unknown label type: continuous"),
        (np.array([[1, 2], [3, 1]]), "auto", "Unknown label type"),
        (np.array(["a", "b"]), "regression", "must hold numbers"),
    ],
)
def test_what_cannot_be_learned_is_refused(y, task, words):
    with pytest.raises(InputError, match=words):
        encoded_targets(y, task)
