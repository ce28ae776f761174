"""What targets are taken for, and how they become what a network learns."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.task.task import make_task


@pytest.mark.parametrize(
    ("y", "kind", "n_outputs"),
    [
        (np.array(["a", "b", "a"]), "classification", 2),
        (np.array([True, False]), "classification", 2),
        (np.array([1.0, 2.0, 3.0]), "classification", 3),
        (np.array([1, 5, 900]), "classification", 3),
        (np.array([1.5, 2.0, 3.0]), "regression", 1),
        (np.repeat(np.arange(100), 10), "classification", 100),  # they count, with ten samples each
        (np.array([[0, 1], [1, 1], [0, 0]]), "multilabel", 2),
        (np.array([[0, 1.5], [1, 1], [0, 0]]), "regression", 2),
        (sp.csr_array(np.eye(4)), "multilabel", 4),
        (np.array([1, 2.5, 3], object), "regression", 1),
    ],
)
def test_the_kind_is_seen_in_the_targets(y, kind, n_outputs):
    task = make_task(y)
    assert (task.kind, task.n_outputs) == (kind, n_outputs)


def test_many_whole_numbers_are_a_question():
    prices = np.arange(100, 5000, 50)
    with pytest.raises(ts.InputError, match="target 'price' holds 98 different whole numbers: give --task regression"):
        make_task(prices, targets=["price"])
    assert make_task(prices, "regression").kind == "regression"
    assert make_task(prices, "classification").n_outputs == 98
    with pytest.raises(ts.InputError, match="25 different whole numbers"):
        make_task(np.arange(25) * 10)
    assert make_task(np.arange(25) // 2).kind == "classification"
    with pytest.raises(ts.InputError, match="31 different whole numbers"):
        make_task(np.arange(31.0))  # they count, but have a sample each
    assert make_task(np.arange(60) // 2).kind == "classification"


def test_a_question_of_gaps_is_left_to_the_labels():
    task = make_task(np.array([1.0, 2.0, 1.0]))
    with pytest.raises(ts.InputError, match=r"y\[1\] is missing"):
        task.encode(np.array([1.0, np.nan]), "y")


def test_targets_are_coded():
    np.testing.assert_array_equal(make_task(["b", "a", "b"]).encode(["b", "b", "a"], "y"), [1, 1, 0])
    values = make_task([0.5, 2.0]).encode([1, 2.5], "y")
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [[1], [2.5]])
    both = make_task(np.array([[0, 1], [1, 1]]), targets=["x", "z"])
    assert both.labels.tolist() == ["x", "z"]
    np.testing.assert_array_equal(both.encode(np.array([[1, 0]]), "y"), [[1, 0]])


def test_labels_of_another_file_find_their_place():
    task = make_task(sp.csr_array(np.eye(3)), labels=["p", "q", "r"])
    other = task.encode(sp.csr_array(np.array([[1, 0], [1, 1]])), "y", ["r", "p"])
    np.testing.assert_array_equal(other.toarray(), [[0, 0, 1], [1, 0, 1]])
    with pytest.raises(ts.InputError, match=r"y\[1\] has the label 'new', which is not one of the training labels"):
        task.encode(sp.csr_array(np.array([[1, 0], [1, 1]])), "y", ["r", "new"])


@pytest.mark.parametrize(
    ("y", "kind", "match"),
    [
        (None, "auto", "y is missing"),
        (np.array(["a", "a"]), "auto", "one class only"),
        (np.array([[0, 1], [2, 1]]), "classification", "is for one target, but there are 2"),
        (np.array(["a", "b"]), "regression", r"must hold numbers.*y\[0\] is 'a'"),
        (np.array([1.5, np.nan]), "regression", r"y\[1\] is missing; every"),
        (np.array([1.5, np.nan, 2, np.nan, np.nan]), "auto", r"y\[1\] is missing, and 2 more; every"),
        (np.array(["a", None, "b", None], object), "auto", r"y\[1\] is missing, and 1 more; every"),
        (np.array([1.5, np.inf]), "regression", r"y\[1\] is inf"),
        (np.array([1.5, np.inf]), "auto", r"y\[1\] is inf"),
        (np.array([["a", "b"], ["b", "a"]]), "auto", r"several targets .* or, of 0 and 1 .*y\[0, 0\] is 'a'"),
        (np.array([["a", "b"], ["b", "a"]]), "multilabel", r"0 and 1, or booleans; y\[0, 0\] is 'a'"),
        (np.array([[0.5, 2], [1, 1e305]]), "regression", r"y\[1, 1\] is 1e\+305"),
        (np.array([[0, 1], [1, 2]]), "multilabel", "must hold 0 and 1 alone"),
        (np.array([1, 2]), "clustering", "--task must be"),
        (sp.csr_array(np.eye(3)), "regression", "not sets of labels"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused(y, kind, match):
    with pytest.raises(ts.InputError, match=match):
        make_task(y, kind).encode(y, "y")


def test_a_text_among_several_targets_is_named_by_its_column():
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    y = pd.DataFrame({"price": [1.5, 2.5], "town": ["Rome", "Oslo"]})
    with pytest.raises(ts.InputError, match=r"y\[0, 'town'\] is 'Rome'"):
        make_task(y, targets=["price", "town"])


def test_another_number_of_targets_is_refused():
    with pytest.raises(ts.InputError, match="y has 3 targets, but the network has 2 outputs"):
        make_task(np.array([[0.5, 1], [1, 2]])).encode(np.ones((4, 3)), "y")
