"""Samples and targets as methods of selection see them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from trulysparse.errors import DivergenceError, InputError
from trulysparse.unsupervised.selection import SelectionData

X = np.array([[1.0, 5.0, 0.0], [3.0, 5.0, 4.0], [5.0, 5.0, 0.0], [7.0, 5.0, 4.0]])


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, sp.csc_array])
def test_features_are_standardised_and_constant_ones_found(form):
    data = SelectionData.of(form(X))
    assert data.constant.tolist() == [False, True, False]
    scaled = (X - data.scaling.offset) * data.scaling.factor
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 0, 1])
    assert (data.n_samples, data.n_features, data.output) == (4, 3, "")


@pytest.mark.parametrize("unit", [2.0**1020, 2.0**-1020])
def test_targets_of_any_unit_are_standardised_alike(unit):
    y = np.array([[0.5, 0.0], [2.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    found = SelectionData.of(X, y * unit).targets
    np.testing.assert_array_equal(found, SelectionData.of(X, y).targets)
    np.testing.assert_allclose(found.std(axis=0), [1, 0])


def test_inputs_of_categories_stay_as_they_are():
    data = SelectionData.of(X, scaled=np.array([True, False, False]))
    assert data.scaling.offset.tolist() == [4.0, 0.0, 0.0]
    assert data.scaling.factor.tolist()[1:] == [1.0, 1.0]
    assert data.constant.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "y, output, n_outputs",
    [
        (np.array([0, 2, 1, 2]), "softmax", 3),
        (np.array([0.5, 1.0, 2.0, 3.0]), "identity", 1),
        (np.array([[0.5, 1.0], [2.0, 3.0], [0.0, 0.0], [1.0, 0.0]]), "identity", 2),
        (np.array([[True, False], [False, True], [True, True], [False, False]]), "sigmoid", 2),
    ],
)
def test_targets_say_what_the_network_gives_out(y, output, n_outputs):
    data = SelectionData.of(X, y)
    assert (data.output, data.n_outputs) == (output, n_outputs)
    assert len(data.targets) == 4
    if output == "identity":
        np.testing.assert_allclose(data.targets.std(axis=0), 1)
        np.testing.assert_allclose(data.targets.mean(axis=0), 0, atol=1e-12)


def test_constant_targets_become_zero():
    assert SelectionData.of(X, np.full(4, 2.5)).targets.ravel().tolist() == [0.0] * 4


@pytest.mark.parametrize(
    "y, words",
    [
        (np.array([0, 1]), "X has 4 samples, but y has 2"),
        (np.array([0, -1, 0, 1]), "labels from 0 on, not -1"),
        (np.array([0.0, np.nan, 0.0, 1.0]), "finite"),
        (np.array(["a", "b", "a", "b"]), "labels or values"),
    ],
)
def test_targets_of_another_form_are_refused(y, words):
    with pytest.raises(InputError, match=words):
        SelectionData.of(X, y)


def test_nan_is_refused_by_its_place():
    bad = X.copy()
    bad[2, 1] = np.nan
    with pytest.raises(InputError, match=r"X\[2, 1\] is nan"):
        SelectionData.of(bad)


def test_constant_features_get_the_lowest_score():
    data = SelectionData.of(X)
    assert data.finished(np.array([2.0, 9.0, 1.0])).tolist() == [2.0, 0.0, 1.0]
    assert data.finished(np.array([2.0, np.nan, -1.0])).tolist() == [2.0, -1.0, -1.0]


def test_a_score_that_is_not_finite_is_a_divergence():
    with pytest.raises(DivergenceError, match="lower the learning rate"):
        SelectionData.of(X).finished(np.array([2.0, 1.0, np.inf]))
