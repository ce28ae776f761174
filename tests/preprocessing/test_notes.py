from __future__ import annotations

import numpy as np
import pytest

from trulysparse.preprocessing.notes import counts_rows, differs_in_every_row, is_free_text, listed


@pytest.mark.parametrize(
    "columns, text",
    [
        (["a"], "column 'a'"),
        (["a", "b"], "columns 'a' and 'b'"),
        (["a", "b", "c"], "columns 'a', 'b' and 'c'"),
        (list("abcdefg"), "columns 'a', 'b', 'c', 'd', 'e' and 2 more"),
    ],
)
def test_lists(columns, text):
    assert listed(columns) == text


def test_a_text_of_its_own_in_every_row():
    assert differs_in_every_row(20, 20)
    assert not differs_in_every_row(19, 20)
    assert not differs_in_every_row(19, 19)


def test_free_text():
    sentences = np.array([f"the patient number {i} came in with a cough" for i in range(30)], dtype=object)
    assert is_free_text(sentences, 40)
    assert is_free_text(np.array([f"{i}" * 70 for i in range(10, 40)], dtype=object), 40)
    assert not is_free_text(sentences, 400)  # each comes often: categories
    assert not is_free_text(np.array([f"city {i}" for i in range(30)], dtype=object), 40)


@pytest.mark.parametrize(
    "values, wanted",
    [
        (np.arange(20.0), True),
        (np.arange(1.0, 21.0), True),
        (np.arange(19.0), False),
        (np.arange(2.0, 30.0), False),
        (np.arange(0.0, 60.0, 2), False),
        (np.arange(30.0)[::-1], False),
    ],
)
def test_row_numbers(values, wanted):
    assert counts_rows(values) is wanted
