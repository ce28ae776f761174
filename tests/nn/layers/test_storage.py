"""How a network is stored: settings that go together, and those that do not."""

from __future__ import annotations

import pytest

import trulysparse as ts


@pytest.mark.parametrize(
    "settings, match",
    [
        (dict(storage="dense"), "storage must be one of indexed, compact"),
        (dict(storage="indexed", weights="bfloat16"), "weights='bfloat16' needs storage='compact'"),
        (dict(storage="indexed", signals="bfloat16"), "signals='bfloat16' needs storage='compact'"),
        (dict(storage="indexed", folder="layers"), "folder needs storage='compact'"),
        (dict(weights="float16"), "weights must be one of float32, bfloat16"),
        (dict(dtype="float64"), "dtype must be 'float32' where storage='compact'"),
        (dict(connectivity="small_world"), "connectivity must be 'erdos_renyi' where storage='compact'"),
    ],
)
def test_settings_that_do_not_go_together(settings, match):
    with pytest.raises(ts.InputError, match=match):
        ts.SparseMLP((20, 300, 3), **dict(storage="compact") | settings)
