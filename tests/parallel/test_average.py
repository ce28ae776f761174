"""The average of networks against dictionaries and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from conftest import check_invariants, random_connectivity
from parallel_helpers import (
    coordinates,
    values_by_coordinates,
)
from trulysparse import _kernels
from trulysparse.parallel.average import average, keep_within_signs


@pytest.mark.parametrize("threads", [1, 3])
def test_carry_and_add_equal_scipy(rng, threads):
    for n_in, n_out in ((1, 1), (40, 30), (300, 500)):
        a, b = (random_connectivity(rng, n_in, n_out, density) for density in (0.3, 0.2))
        u, v = rng.standard_normal(a.n_connections), rng.standard_normal(b.n_connections)
        A, B = (sp.csr_array((w, c.by_input.index, c.by_input.ptr), shape=(n_in, n_out)) for w, c in ((u, a), (v, b)))
        rows = (a.by_input.ptr, a.by_input.index), (b.by_input.ptr, b.by_input.index)
        out = np.empty_like(v)
        n_carried = _kernels.carry(*rows[0], u, *rows[1], out, threads)
        np.testing.assert_array_equal(out, np.array([A[i, j] for i, j in coordinates(b)]))
        assert n_carried == len(set(coordinates(a)) & set(coordinates(b)))
        ptr, index, values = _kernels.add(*rows[0], u, *rows[1], v, threads)
        expected = sp.csr_array((values, index, ptr), shape=(n_in, n_out))
        np.testing.assert_allclose(expected.toarray(), (A + B).toarray(), rtol=1e-14)
        assert _kernels.first_invalid(ptr, index, n_out) == -1
        assert len(index) == len(set(coordinates(a)) | set(coordinates(b)))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_average_equals_a_dictionary_version(count):
    """Union of connections, absent ones 0, pruned back by magnitude within each sign, counts restored exactly."""
    nets = []
    for seed in range(count):
        net = ts.SparseMLP((20, 30, 25, 5), epsilon=3, seed=seed, dtype="float64")
        for layer in net.layers:
            layer.bias[:] = np.random.default_rng(seed).standard_normal(layer.n_out)
        nets.append(net)
    counts = [layer.n_connections for layer in nets[0].layers]
    mean = average(nets, counts, threads=2)
    for number, (layer, wanted) in enumerate(zip(mean.layers, counts, strict=True)):
        union: dict[tuple[int, int], float] = {}
        for net in nets:
            for pair, value in values_by_coordinates(
                net.layers[number].connectivity, net.layers[number].values
            ).items():
                union[pair] = union.get(pair, 0.0) + value / count
        surplus = len(union) - wanted
        negative = sorted((p for p in union if union[p] < 0), key=lambda p: -union[p])
        positive = sorted((p for p in union if union[p] >= 0), key=lambda p: union[p])
        from_negative = round(surplus * len(negative) / len(union))
        for pair in negative[:from_negative] + positive[: surplus - from_negative]:
            del union[pair]
        assert layer.n_connections == wanted == len(union)
        averaged = values_by_coordinates(layer.connectivity, layer.values)
        assert set(averaged) == set(union)
        np.testing.assert_allclose([averaged[p] for p in union], list(union.values()), rtol=1e-12)
        np.testing.assert_allclose(layer.bias, np.mean([net.layers[number].bias for net in nets], axis=0), rtol=1e-12)
        check_invariants(layer.connectivity)


def test_keep_within_signs_with_one_sign_only_keeps_the_largest():
    for values in (np.arange(1.0, 9.0), -np.arange(1.0, 9.0)):
        np.testing.assert_array_equal(keep_within_signs(values, 3, 1), [0] * 5 + [1] * 3)
    assert keep_within_signs(np.array([-5.0, 1, 2, 3]), 0, 1).sum() == 0


def test_average_of_different_shapes_is_refused():
    nets = [ts.SparseMLP((5, n, 2), epsilon=1) for n in (6, 7)]
    with pytest.raises(ts.InputError, match=r"same layers; networks 0 and 1 have 5-6-2 and 5-7-2"):
        average(nets, [5, 5], 1)
