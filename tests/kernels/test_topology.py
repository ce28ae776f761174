"""Kernels on sets of connections against SciPy and NumPy, whatever the thread count."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from conftest import narrowed
from trulysparse import _kernels
from trulysparse._core.arrays import widened

N_ROWS, N_COLUMNS = 70, 90
LARGE = 1200  # this many rows and columns give every thread work


@pytest.fixture(params=[1, 3])
def threads(request):
    return request.param


@pytest.fixture(params=[np.float32, np.float64])
def dtype(request):
    return request.param


def drawn(rng, density=0.2, rows=N_ROWS, columns=N_COLUMNS) -> sp.csr_array:
    """A matrix of numbers, with an empty row, a full row and an empty column."""
    matrix = sp.random_array((rows, columns), density=density, format="lil", rng=rng)
    matrix[3], matrix[5] = 0, rng.random(columns) + 1
    matrix[:, 4] = 0
    csr = matrix.tocsr()
    csr.eliminate_zeros()
    csr.sort_indices()
    csr.data = rng.normal(size=csr.nnz)
    return csr


def parts(matrix) -> tuple[np.ndarray, np.ndarray]:
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)


def places(ptr, index) -> list[tuple[int, int]]:
    return list(zip(np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)).tolist(), index.tolist(), strict=True))


@pytest.mark.parametrize("size", [(N_ROWS, N_COLUMNS), (LARGE, LARGE), (40, 200_000)])
def test_transpose_is_that_of_scipy(rng, threads, size):
    matrix = drawn(rng, 0.02 if size[1] > LARGE else 0.2, *size)
    ptr, index, position = _kernels.transpose(*parts(matrix), size[1], threads)
    numbered = sp.csr_array((np.arange(matrix.nnz), matrix.indices, matrix.indptr), shape=size)
    wanted = numbered.T.tocsr()
    wanted.sort_indices()
    np.testing.assert_array_equal(ptr, wanted.indptr)
    np.testing.assert_array_equal(index, wanted.indices)
    np.testing.assert_array_equal(position, wanted.data)


@pytest.mark.parametrize("with_keep", [False, True])
def test_sample_empty_draws_distinct_empty_places_in_order(rng, with_keep):
    matrix = drawn(rng)
    keep = (rng.random(matrix.nnz) < 0.5).astype(np.uint8) if with_keep else None
    taken = {place for k, place in enumerate(places(*parts(matrix))) if keep is None or keep[k]}
    for count in (0, 1, 500, N_ROWS * N_COLUMNS - len(taken)):
        draws = [_kernels.sample_empty(*parts(matrix), N_COLUMNS, keep, count, 7, threads) for threads in (1, 3)]
        np.testing.assert_array_equal(draws[0][1], draws[1][1])
        sampled = places(*draws[0])
        assert sampled == sorted(set(sampled))
        assert len(sampled) == count
        assert not taken & set(sampled)
    with pytest.raises(ValueError, match="more connections requested than there are empty places"):
        _kernels.sample_empty(*parts(matrix), N_COLUMNS, keep, N_ROWS * N_COLUMNS - len(taken) + 1, 7, 1)


def test_sample_empty_draws_every_subset_equally_often():
    ptr, index = np.array([0, 1, 2], np.int64), np.array([1, 0], np.int32)
    empty = [(0, 0), (0, 2), (1, 1), (1, 2)]
    counts = dict.fromkeys(itertools.combinations(empty, 2), 0)
    for key in range(3000):
        counts[tuple(places(*_kernels.sample_empty(ptr, index, 3, None, 2, key, 1)))] += 1
    observed = np.array(list(counts.values()))
    assert ((observed - 500) ** 2 / 500).sum() < 20.5  # chi-squared with 5 degrees of freedom, one in a thousand


def smallest(values: np.ndarray, among: np.ndarray, count: int) -> np.ndarray:
    """Positions of the `count` smallest magnitudes among the positions `among`; of equal ones the first."""
    return among[np.argsort(np.abs(values[among]), kind="stable")[:count]]


@pytest.mark.parametrize("n", [1, 1000, 200_000])
@pytest.mark.parametrize("zeta", [0.0, 0.3, 1.0])
def test_keep_by_sign_magnitude_removes_the_least_of_each_sign(rng, threads, dtype, zeta, n):
    values = rng.normal(size=n).astype(dtype)
    values[rng.random(n) < 0.1] = 0.25  # ties
    values[:: 1 + n // 7] = -0.0
    keep = np.full(n, 9, np.uint8)
    removed = _kernels.keep_by_sign_magnitude(values, zeta, keep, threads)
    wanted = np.ones(n, np.uint8)
    for among in (np.flatnonzero(~np.signbit(values)), np.flatnonzero(np.signbit(values))):
        wanted[smallest(values, among, int(zeta * len(among)))] = 0
    np.testing.assert_array_equal(keep, wanted)
    assert removed == n - wanted.sum()


@pytest.mark.parametrize("remove", [0, 1, 700, 1500])
def test_keep_by_magnitude_removes_the_least_of_all_layers(rng, threads, dtype, remove):
    values = [rng.normal(size=n).astype(dtype) for n in (400, 1000, 100)]
    values[1][::3] = values[0][7]
    keeps = [np.full(len(layer), 9, np.uint8) for layer in values]
    _kernels.keep_by_magnitude(values, remove, keeps, threads)
    together = np.concatenate(values)
    wanted = np.ones(len(together), np.uint8)
    wanted[smallest(together, np.arange(len(together)), remove)] = 0
    np.testing.assert_array_equal(np.concatenate(keeps), wanted)


@pytest.mark.parametrize("with_keep", [False, True])
def test_grow_by_gradient_takes_the_largest_of_the_dense_gradient(rng, isa, threads, dtype, with_keep):
    matrix = drawn(rng)
    keep = (rng.random(matrix.nnz) < 0.5).astype(np.uint8) if with_keep else None
    x, dy = rng.normal(size=(N_ROWS, 16)).astype(dtype), rng.normal(size=(N_COLUMNS, 16)).astype(dtype)
    magnitude = np.abs(x.astype(np.float64) @ dy.astype(np.float64).T)
    for k, place in enumerate(places(*parts(matrix))):
        if keep is None or keep[k]:
            magnitude[place] = -1
    for count in (0, 1, 300):
        grown = places(*_kernels.grow_by_gradient(*parts(matrix), keep, x, dy, count, threads))
        largest = np.argsort(-magnitude.ravel(), kind="stable")[:count]
        assert grown == sorted(zip(*(i.tolist() for i in np.divmod(largest, N_COLUMNS)), strict=True))


@pytest.mark.parametrize("with_keep", [False, True])
def test_mark_empty_marks_candidates_without_a_connection(rng, threads, with_keep):
    matrix, candidates = drawn(rng), drawn(rng, 0.3)
    keep = (rng.random(matrix.nnz) < 0.5).astype(np.uint8) if with_keep else None
    mark = np.full(candidates.nnz, 9, np.uint8)
    _kernels.mark_empty(*parts(matrix), keep, *parts(candidates), mark, threads)
    taken = {place for k, place in enumerate(places(*parts(matrix))) if keep is None or keep[k]}
    np.testing.assert_array_equal(mark, [place not in taken for place in places(*parts(candidates))])


@pytest.mark.parametrize("size", [N_ROWS, LARGE])
@pytest.mark.parametrize("with_fresh", [False, True])
@pytest.mark.parametrize("fill", [None, (0.0, -0.5, 0.25)])
def test_rewire_merges_kept_and_new_connections_with_their_values(rng, threads, dtype, with_fresh, size, fill):
    matrix = drawn(rng, 0.1, size, size)
    keep = (rng.random(matrix.nnz) < 0.6).astype(np.uint8)
    new_ptr, new_index = _kernels.sample_empty(*parts(matrix), size, keep, matrix.nnz // 4, 3, threads)
    values = [rng.normal(size=matrix.nnz).astype(dtype) for _ in range(3)]
    fresh = rng.normal(size=len(new_index)).astype(dtype) if with_fresh else None
    more = () if fill is None else (fill,)
    ptr, index, moved = _kernels.rewire(*parts(matrix), keep, new_ptr, new_index, values, fresh, threads, *more)
    old_rows = np.repeat(np.arange(size), np.diff(matrix.indptr))
    new_rows = np.repeat(np.arange(size), np.diff(new_ptr))
    rows = np.concatenate([old_rows[keep > 0], new_rows])
    columns = np.concatenate([matrix.indices[keep > 0], new_index])
    order = np.lexsort((columns, rows))
    np.testing.assert_array_equal(ptr, np.append(0, np.cumsum(np.bincount(rows, minlength=size))))
    np.testing.assert_array_equal(index, columns[order])
    for number, (before, after) in enumerate(zip(values, moved, strict=True)):
        start = np.full(len(new_index), 0 if fill is None else fill[number], dtype)
        if fresh is not None and number == 0:
            start = fresh
        np.testing.assert_array_equal(after, np.concatenate([before[keep > 0], start])[order])


@pytest.mark.parametrize("size", [N_ROWS, LARGE])
def test_carry_and_add_are_those_of_sparse_matrices(rng, threads, dtype, size):
    a, b = (drawn(rng, 0.2, size, size).astype(dtype) for _ in range(2))
    out = np.full(b.nnz, np.nan, dtype)
    shared = _kernels.carry(*parts(a), a.data, *parts(b), out, threads)
    dense = a.toarray()
    rows = np.repeat(np.arange(size), np.diff(b.indptr))
    np.testing.assert_array_equal(out, dense[rows, b.indices])
    assert shared == np.count_nonzero(dense[rows, b.indices])
    ptr, index, value = _kernels.add(*parts(a), a.data, *parts(b), b.data, threads)
    assert _kernels.first_invalid(ptr, index, size) == -1
    assert len(index) == a.nnz + b.nnz - shared
    total = sp.csr_array((value, index, ptr), shape=(size, size)).toarray()
    np.testing.assert_array_equal(total, dense + b.toarray())


def test_mark_between_keeps_connections_with_both_ends_kept(rng, threads):
    matrix = drawn(rng)
    keep_row, keep_column = ((rng.random(n) < 0.7).astype(np.uint8) for n in (N_ROWS, N_COLUMNS))
    keep = np.full(matrix.nnz, 9, np.uint8)
    _kernels.mark_between(*parts(matrix), keep_row, keep_column, keep, threads)
    np.testing.assert_array_equal(keep, [keep_row[r] & keep_column[c] for r, c in places(*parts(matrix))])


def test_renumber_replaces_each_index_by_its_number(rng, threads):
    index = rng.integers(0, 50, 400_000).astype(np.int32)
    number = rng.permutation(50).astype(np.int32)
    wanted = number[index]
    _kernels.renumber(index, number, threads)
    np.testing.assert_array_equal(index, wanted)


def test_count_marked_counts_connections_to_marked_columns(rng, threads):
    matrix = drawn(rng)
    mark = (rng.random(N_COLUMNS) < 0.4).astype(np.uint8)
    count = np.full(N_ROWS, -1, np.int64)
    _kernels.count_marked(*parts(matrix), mark, count, threads)
    np.testing.assert_array_equal(count, (matrix.toarray() != 0) @ mark.astype(np.int64))


@pytest.mark.parametrize("by_position", [False, True])
def test_strength_is_the_sum_of_magnitudes_of_each_row(rng, threads, dtype, by_position):
    matrix = drawn(rng).astype(dtype)
    position = rng.permutation(matrix.nnz).astype(np.uint32) if by_position else None
    weight = np.empty_like(matrix.data)
    weight[slice(None) if position is None else position] = matrix.data
    out = np.full(N_ROWS, np.nan)
    _kernels.strength(*parts(matrix), position, weight, out, threads)
    np.testing.assert_allclose(out, np.abs(matrix.toarray().astype(np.float64)).sum(axis=1), rtol=1e-12)


def test_fold_constants_adds_what_constant_inputs_contribute(rng, dtype):
    matrix = drawn(rng).astype(dtype)
    constant = rng.normal(size=N_ROWS) * (rng.random(N_ROWS) < 0.3)
    bias = rng.normal(size=N_COLUMNS).astype(dtype)
    wanted = bias.astype(np.float64) + constant @ matrix.toarray().astype(np.float64)
    _kernels.fold_constants(*parts(matrix), matrix.data, constant, bias)
    np.testing.assert_allclose(bias, wanted, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-6)


@pytest.mark.parametrize(
    ("ptr", "index", "wanted"),
    [
        ([0, 2, 3], [0, 2, 1], -1),
        ([0, 2, 3], [2, 0, 1], 1),  # not ascending
        ([0, 2, 3], [1, 1, 0], 1),  # twice the same
        ([0, 2, 3], [0, 1, 3], 2),  # beyond the last column
        ([0, 2, 3], [-1, 1, 0], 0),
        ([0, 3, 2, 3], [0, 1, 2], 0),  # pointers that fall
    ],
)
def test_first_invalid_is_the_first_connection_against_the_rules(ptr, index, wanted):
    assert _kernels.first_invalid(np.array(ptr, np.int64), np.array(index, np.int32), 3) == wanted


def test_draw_weights_have_their_distribution_and_depend_on_the_key_alone(dtype):
    n, scale = 100_001, 0.5
    for kind, deviation in ((_kernels.Draw.UNIFORM, scale / np.sqrt(3)), (_kernels.Draw.NORMAL, scale)):
        one, two, other = (np.empty(n, dtype) for _ in range(3))
        _kernels.draw_weights(one, kind, scale, 5, 1)
        _kernels.draw_weights(two, kind, scale, 5, 3)
        _kernels.draw_weights(other, kind, scale, 6, 3)
        np.testing.assert_array_equal(one, two)
        assert (one != other).mean() > 0.99
        assert abs(one.mean()) < 5 * deviation / np.sqrt(n)
        assert one.std() == pytest.approx(deviation, rel=0.02)
    assert np.abs(one).max() > scale


def test_draw_weights_scales_by_the_inputs_of_the_neuron(rng, threads, dtype):
    n, fan_in = 10_001, rng.integers(0, 30, 50)
    output, out, unit = rng.integers(0, 50, n).astype(np.int32), np.empty(n, dtype), np.empty(n)
    scale = _kernels.WeightScale(2.0, by_fan_in=True, added=1.5, most=1.0)
    _kernels.draw_weights(out, _kernels.Draw.NORMAL, scale, 5, threads, output, fan_in)
    _kernels.draw_weights(unit, _kernels.Draw.NORMAL, 1.0, 5, 1)
    wanted = unit * np.minimum(1.0, 2 / np.sqrt(np.maximum(fan_in, 1) + 1.5))[output]
    np.testing.assert_allclose(out, wanted, rtol=1e-6)
    assert scale.of(4) == pytest.approx(2 / np.sqrt(5.5))
    assert scale.of(0) == scale.of(1) == 1.0
    with pytest.raises(ValueError, match="needs output and fan_in"):
        _kernels.draw_weights(out, _kernels.Draw.NORMAL, scale, 5, threads)
    with pytest.raises(ValueError, match="numbers of neurons"):
        _kernels.draw_weights(out, _kernels.Draw.NORMAL, scale, 5, threads, output + 1, fan_in[:49])


@pytest.mark.parametrize("size", [1, 2, 3, 10, 11, 65_536, 65_537, 400_000])
@pytest.mark.parametrize("kind", ["squares", "normal", "ties", "constant"])
def test_kept_median_is_that_of_numpy(rng, threads, dtype, size, kind):
    values = rng.normal(size=size)
    values = {"squares": values**2 * 1e-12, "normal": values, "ties": np.round(values), "constant": values * 0 + 3}[
        kind
    ]
    values, keep = values.astype(dtype), (rng.random(size) < 0.7).astype(np.uint8)
    keep[size // 2] = 1
    wanted = np.median(values[keep > 0])
    assert dtype(_kernels.kept_median(values, keep, threads)) == wanted


def test_kept_median_of_bfloat16_and_of_nothing(rng, threads):
    values, order = narrowed(rng.normal(size=1000)), rng.permutation(1000)
    for n_kept in (1, 2, 699, 700, 1000):
        keep = np.zeros(1000, np.uint8)
        keep[order[:n_kept]] = 1
        wanted = np.median(widened(values)[keep > 0].astype(np.float64))
        assert _kernels.kept_median(values, keep, threads) == wanted
    assert _kernels.kept_median(values, np.zeros(1000, np.uint8), threads) == 0
    assert _kernels.kept_median(np.zeros(0, np.float32), np.zeros(0, np.uint8), threads) == 0
