"""Data sets by name."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data.files import read
from trulysparse.data.synthetic import MadelonLike


def test_a_set_of_any_size_by_name(tmp_path):
    table = read("madelon-like:300x40")
    assert table.X.shape == (300, 40)
    task = MadelonLike(300, 40)
    np.testing.assert_array_equal(table.X.chunk(0, 300), task.arrays()[0])
    np.testing.assert_array_equal(table.y, task.y)
    with pytest.raises(ts.InputError, match="DATA must be one of"):
        read("madelon-like:300x")


@pytest.mark.parametrize(
    ("name", "shape", "n_classes"),
    [("digits", (1797, 64), 10), ("breast_cancer", (569, 30), 2), ("madelon-like", (2600, 500), 2)],
)
def test_builtin_set_has_its_shape_and_is_the_same_each_time(name, shape, n_classes):
    first, second = read(name), read(name)
    assert first.X.shape == shape
    assert len(np.unique(first.y)) == n_classes
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.y, second.y)
