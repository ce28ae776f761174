"""Sizes of hidden layers."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.estimators._sizes import hidden_sizes


@pytest.mark.parametrize("given", [3, np.int64(3), (3,), [3], np.array([3])])
def test_one_size_in_any_form(given):
    assert hidden_sizes(given) == (3,)


@pytest.mark.parametrize("wrong", ["3", None, 3.5, [[3]], np.ones((1, 1), int), {3}])
def test_what_is_no_size_is_refused(wrong):
    with pytest.raises(ts.InputError, match="hidden_layer_sizes"):
        hidden_sizes(wrong)


def test_sizes_are_at_least_one():
    with pytest.raises(ts.InputError, match=r"hidden_layer_sizes\[1\] must be at least 1, not 0"):
        hidden_sizes((3, 0))
