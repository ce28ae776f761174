"""Arrays by their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data.readers.named_arrays import as_rows, roles, table_of_arrays


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["X", "y"], {"X": "X", "y": "y"}),
        (["x", "Y", "note"], {"X": "x", "y": "Y"}),
        (["X", "x", "y"], {"X": "X", "y": "y"}),
        (["x_train", "Y_TEST"], {"X_train": "x_train", "y_test": "Y_TEST"}),
    ],
)
def test_a_role_is_taken_by_its_own_name_or_by_one_in_other_letters(names, found):
    assert roles(names) == found


def table(arrays, need_target=True, **options):
    return table_of_arrays(Path("f.npz"), "an .npz file", arrays, arrays.__getitem__, need_target, **options)


def test_names_of_keras_are_a_training_and_a_test_set():
    found = table({"x_train": 1, "y_train": 2, "x_test": 3, "y_test": 4})
    assert (found.X, found.y, found.X_test, found.y_test) == (1, 2, 3, 4)
    assert found.notes == ["arrays: X_train is 'x_train', X_test is 'x_test'"]
    assert table({"X": 1, "y": 2}).notes == []


def test_an_array_may_stand_in_for_x():
    assert table({"csr": 1, "y": 2}, x_name="csr").X == 1


@pytest.mark.parametrize(
    ("names", "match"),
    [(["X"], "has no array 'y'"), (["x", "y", "x_test"], "has X and X_test"), (["x_train"], "has no array 'y_train'")],
)
def test_what_is_missing_or_too_much_is_named(names, match):
    with pytest.raises(ts.InputError, match=match):
        table(dict.fromkeys(names, 0))


def test_without_a_need_for_labels_the_test_set_alone_will_do():
    found = table({"X_test": 3}, need_target=False)
    assert (found.X, found.y) == (3, None)


def test_images_become_rows():
    assert as_rows(np.ones((5, 2, 3))).shape == (5, 6)
    assert as_rows(np.ones((5, 2))).shape == (5, 2)
