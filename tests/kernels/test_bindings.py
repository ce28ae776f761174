import copy
import pickle
import re

import numpy as np
import pytest

from conftest import random_connectivity
from trulysparse import _kernels
from trulysparse.connectivity import TiledConnectivity


@pytest.mark.parametrize("kind", [_kernels.Activation.LEAKY, _kernels.Update.ADAM, _kernels.Loss.MEAN_SQUARED_ERROR])
def test_kernel_enum_pickled_is_the_same_member(kind):
    assert pickle.loads(pickle.dumps(kind)) is kind
    assert copy.deepcopy(kind) is kind


def test_rule_unknown_kind_is_refused():
    rule = _kernels.UpdateRule()
    with pytest.raises(TypeError):
        rule.kind = max(_kernels.Update) + 1


def test_rule_updates_only_with_an_optimizers_kind():
    rule, found = _kernels.UpdateRule(), {}
    for kind in _kernels.Update:
        rule.kind = kind
        found[kind.name] = rule.updates
    assert found == {"NONE": False, "GRADIENT": False, "SGD": True, "NESTEROV": True, "ADAM": True}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1.0), (40, 30, 0.2), (3, 40_000, 0.9)])  # rows of 36,000 come in segments
def test_gradient_at_places_matches_numpy(isa, rng, dtype, shape):
    n_in, n_out, density = shape
    places = random_connectivity(rng, n_in, n_out, density).by_input
    x, dy = rng.standard_normal((n_in, 16)).astype(dtype), rng.standard_normal((n_out, 16)).astype(dtype)
    out = np.full(len(places.index), np.nan, dtype)
    _kernels.gradient_at(places.ptr, places.index, x, dy, out, 2)
    rows = np.repeat(np.arange(n_in), np.diff(places.ptr))
    wanted = (x[rows].astype(np.float64) * dy[places.index]).sum(axis=1)
    np.testing.assert_allclose(out, wanted, rtol=1e-4, atol=1e-4 if dtype is np.float32 else 1e-11)


def test_wrong_shapes_are_named_as_passed(rng):
    places = random_connectivity(rng, 4, 3, 0.5).by_input
    x, dy, out = np.zeros((4, 8)), np.zeros((3, 8)), np.zeros(len(places.index))
    for arguments, message in (
        ((x[:3], dy, out), "x is 3 x 8, not 4 x 8, inputs x stride"),
        ((x, np.zeros((3, 4)), out), "dy is 3 x 4, not 3 x 8, outputs x stride"),
        ((x, dy, np.zeros(1)), f"out has 1 values, not {len(out)}, one per position"),
        ((np.zeros((4, 9)), np.zeros((3, 9)), out), "the stride, 9, is not a padded batch size"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            _kernels.gradient_at(places.ptr, places.index, *arguments, 1)


def test_tiled_connectivity_copied_after_use_works():
    con = TiledConnectivity.draw(50, 40, 100, seed=0, threads=1)
    con.check()
    for other in (pickle.loads(pickle.dumps(con)), copy.deepcopy(con)):
        other.check()
        assert other.tiles is not con.tiles
        np.testing.assert_array_equal(other.packed, con.packed)


def test_tiles_too_large_for_their_numbers_are_refused():
    with pytest.raises(ValueError, match=r"2\^17"):
        _kernels.draw_tiles(10, 10, _kernels.MAX_TILE_SHIFT + 1, 5, 0, 1)
