"""Samples laid out: in tiles, scaled, from any form; and those laid out by somebody else."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.columns import Columns
from trulysparse.nn.passes import tile_columns


@pytest.mark.parametrize("n", [1, 128, 129, 1000])
def test_tiles_hold_all_samples_and_zeros(rng, n):
    net, X = ts.SparseMLP((7, 2000, 3), epsilon=1), rng.standard_normal((n, 7)).astype(np.float32)
    assert tile_columns(net.layer_sizes) == 128
    net.scaling = ts.data.Scaling("standard", X.mean(axis=0, dtype=np.float64), np.full(7, 0.5))
    columns = net.lay_out(X)
    assert [span.stop - span.start for span in columns.spans()] == [128] * (n // 128) + [n % 128] * (n % 128 > 0)
    widths = [span.stop - span.start for span in columns.spans()]
    joined = np.hstack([x.values[:, :width] for x, width in zip(columns.inputs, widths, strict=True)])
    np.testing.assert_allclose(joined.T, (X - X.mean(axis=0)) * 0.5, rtol=1e-4, atol=1e-5)
    assert not columns.inputs[-1].values[:, widths[-1] :].any()


def test_networks_take_the_same_columns(rng):
    X = rng.standard_normal((300, 7)).astype(np.float32)
    wide, narrow = ts.SparseMLP((7, 2000, 3), epsilon=1), ts.SparseMLP((7, 20, 3), epsilon=1)
    for source in (wide, narrow):
        columns = source.lay_out(X)
        for net in (wide, narrow):
            tape = net.forward(columns)
            assert tape.columns is columns
            np.testing.assert_allclose(tape.output, net.decision_function(X), rtol=1e-5, atol=1e-6)


def test_an_array_that_is_laid_out_is_read_in_place(rng):
    net, values = ts.SparseMLP((7, 20, 3), epsilon=1), np.zeros((7, 16), np.float32)
    values[:, :11] = rng.standard_normal((7, 11))
    columns = Columns.of(values, 11)
    assert columns.inputs[0].values is values
    tape = net.forward(columns)
    np.testing.assert_array_equal(tape.output, net.forward(values[:, :11].T).output)
    before = values.copy()
    tape.gradients(np.ones((11, 3)), input_gradient=True)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize(
    ("values", "n", "message"),
    [
        (np.zeros((3, 17), np.float32), 3, "its columns a power of two up to 16 or a multiple of 16, not 17"),
        (np.zeros((16, 3), np.float32).T, 3, "^values must be contiguous"),
        (np.zeros((3, 16), np.int64), 3, "^values must be an array"),
        (np.zeros(16, np.float32), 3, "^values must be an array"),
        (np.zeros((3, 16), np.float32), 17, "^n_samples must be between 1 and 16, not 17"),
        (np.zeros((3, 16), np.float32), 0, "^n_samples must be between 1 and 16, not 0"),
    ],
)
def test_an_array_of_another_form_is_refused(values, n, message):
    with pytest.raises(ts.InputError, match=message):
        Columns.of(values, n)


def test_columns_of_another_type_or_width_are_refused():
    net = ts.SparseMLP((3, 8, 2), epsilon=1)
    with pytest.raises(ts.InputError, match=r"^X must be float32 as the network, not float64"):
        net.forward(Columns.of(np.zeros((3, 16)), 2))
    with pytest.raises(ts.InputError, match=r"^X has 4 features, but the network has 3 inputs"):
        net.forward(Columns.of(np.zeros((4, 16), np.float32), 2))
    with pytest.raises(ts.InputError, match=r"^dY must be laid out in the tiles"):
        net.forward(np.ones((2, 3))).gradients(Columns.of(np.zeros((2, 16), np.float32), 2))
