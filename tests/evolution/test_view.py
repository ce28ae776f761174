"""What a LayerView says of its layer, and what it refuses of rules."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import coordinates
from evolution.views import existing, pairs, pruned, view_of
from trulysparse.connectivity.coordinates import Uniform
from trulysparse.evolution import LayerView, grow
from trulysparse.evolution.view import check_keep_mask, check_new_connections
from trulysparse.optim import OptimizerState


def test_counts_of_a_pruned_view_are_those_of_the_mask():
    view = view_of((30, 40), 3.0)
    assert (view.removed, view.n_empty) == (0, 1200 - view.layer.n_connections)
    pruned(view)
    assert view.removed == int((view.keep_mask == 0).sum()) > 0
    assert view.n_empty == 1200 - int(view.keep_mask.sum())


def test_stream_differs_by_purpose_layer_and_key():
    layer = ts.SparseMLP((4, 5, 2), epsilon=1).layers[0]
    views = [LayerView(layer, OptimizerState([], []), number, 0.3, key, 1) for number in (0, 1) for key in (0, 1)]
    keys = [view.stream(purpose) for view in views for purpose in ("prune", "grow")]
    assert len(set(keys)) == 8
    assert views[0].stream("grow") == views[0].stream("grow")


def test_gradient_at_any_coordinates_equals_dense_gradient():
    view = pruned(view_of())
    dense = view.x.astype(float) @ view.dy.T.astype(float)
    ptr, index = grow.uniform(view)
    rows = np.repeat(np.arange(view.layer.n_in), np.diff(ptr))
    np.testing.assert_allclose(view.gradient_at((ptr, index)), dense[rows, index], rtol=1e-4, atol=1e-4)


def test_gradient_without_batch_is_refused():
    view = view_of()
    view.x = None
    with pytest.raises(ts.InputError, match="this rule needs gradients"):
        view.gradient()


@pytest.mark.parametrize("columns", [1, 3, 8, 25, 130])
def test_batch_of_any_number_of_samples_gives_the_gradient(columns, rng):
    view = view_of()
    x, dy = rng.standard_normal((30, columns)), np.asfortranarray(rng.standard_normal((40, columns)))
    view.set_batch(x.astype(np.float32), dy.astype(np.float32))
    rows = np.array([pair[0] for pair in coordinates(view.layer)])
    expected = (x @ dy.T)[rows, view.layer.connectivity.by_input.index]
    np.testing.assert_allclose(view.gradient(), expected, rtol=1e-3, atol=1e-4)


def test_batch_as_the_kernels_take_it_is_not_copied():
    view = view_of()
    x, dy = view.x, view.dy
    view.set_batch(x, dy)
    assert view.x is x
    assert view.dy is dy


@pytest.mark.parametrize(
    "x, dy, message",
    [
        (np.ones((30, 4)), np.ones((40, 4), np.float32), r"x must be float32 of shape \(30, samples\)"),
        (np.ones((30, 4), np.float32), np.ones((40, 4)), r"dy must be float32 of shape \(40, samples\)"),
        (np.ones((4, 30), np.float32), np.ones((40, 4), np.float32), "x must be float32 of shape"),
        (np.ones((30, 4), np.float32), np.ones((40, 5), np.float32), "dy must be float32 of shape"),
        (np.ones((30, 0), np.float32), np.ones((40, 0), np.float32), "x must be float32 of shape"),
        (np.ones(30, np.float32), np.ones(40, np.float32), "x must be float32 of shape"),
        ([[1.0]] * 30, np.ones((40, 1), np.float32), "x must be float32 of shape"),
    ],
)
def test_batch_of_another_kind_is_refused(x, dy, message):
    view = view_of()
    before = view.x, view.dy
    with pytest.raises(ts.InputError, match=message):
        view.set_batch(x, dy)
    assert view.x is before[0]
    assert view.dy is before[1]


def test_restore_regrown_keeps_what_was_removed_and_chosen_again():
    view = pruned(view_of((6, 5), 1.5, 1.0))
    before = existing(view)
    view.new_connections = grow.uniform(view)
    chosen = pairs(*view.new_connections)
    view.restore_regrown()
    assert existing(view, kept_only=True) == before & chosen
    assert pairs(*view.new_connections) == chosen - before
    assert view.count == len(chosen - before)


@pytest.mark.parametrize("mask", [None, np.ones(3, np.uint8), [1, 0]])
def test_keep_mask_of_another_kind_is_refused(mask):
    view = view_of()
    view.keep_mask = mask
    with pytest.raises(ts.InputError, match="must return a uint8 keep mask"):
        check_keep_mask(view, grow.uniform)


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda ptr, index: [ptr, index], "must return coordinates"),
        (lambda ptr, index: (ptr.astype(np.int32), index), "coordinates: row pointers, int64"),
        (lambda ptr, index: (ptr, index[:-1]), "coordinates: row pointers, int64"),
        (lambda ptr, index: (ptr, index + 40), "must return outputs from 0 to 39"),
        (lambda ptr, index: Uniform(len(index)), "must return coordinates"),
    ],
)
def test_new_connections_of_another_kind_are_refused(spoil, message):
    view = pruned(view_of())
    view.new_connections = spoil(*grow.uniform(view))
    with pytest.raises(ts.InputError, match=message):
        check_new_connections(view, lambda view: None)
