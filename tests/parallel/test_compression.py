"""Compressed gradients: bytes, and what arrives."""

from __future__ import annotations

import numpy as np

from trulysparse.parallel import Half, TopK
from trulysparse.parallel.compression import unpack


def test_packed_gradients_unpack_to_what_was_sent(rng):
    gradient = rng.standard_normal(1000)
    half = Half().pack(gradient.copy())
    assert half.nbytes < 0.3 * gradient.nbytes
    np.testing.assert_allclose(unpack(half, gradient.dtype), gradient, rtol=1e-3, atol=1e-4)
    left = gradient.copy()
    largest = TopK(0.1).pack(left)
    sent = unpack(largest, gradient.dtype)
    assert np.count_nonzero(sent) == 100
    assert np.abs(sent[sent != 0]).min() >= np.abs(left).max()
    np.testing.assert_array_equal(sent + left, gradient)
    for empty in (Half().pack(np.zeros(0)), TopK().pack(np.zeros(0))):
        assert len(unpack(empty, gradient.dtype)) == 0
