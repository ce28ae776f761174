"""Kernels of soft updates against NumPy: on every instruction set, whatever the thread count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from conftest import check_invariants, narrowed
from trulysparse import _kernels
from trulysparse._core.arrays import widened
from trulysparse.connectivity import Connectivity

# (rows, columns): a row of many connections; rows of few; several chunks, which threads share.
SHAPES = [(1, 3000), (400, 5), (60, 60), (700, 300)]
DENSITIES = [(0.3, 0.3), (0.05, 0.4), (0.4, 0.05), (1.0, 0.5), (0.5, 1.0), (0.0, 0.2), (0.2, 0.0)]


THREADS = 1, 3


@dataclass
class Side:
    """One of the two sets: its connections as numbers row * columns + column, and their values."""

    con: Connectivity
    place: np.ndarray
    values: np.ndarray

    @property
    def rows(self):
        return self.con.by_input.ptr, self.con.by_input.index


def connected(shape, place) -> Connectivity:
    row, column = np.divmod(place, shape[1])
    ptr = np.append(0, np.cumsum(np.bincount(row, minlength=shape[0])))
    return Connectivity.from_inputs(*shape, ptr, column.astype(np.int32), 1)


def numbers(rng, size, dtype=np.float32) -> np.ndarray:
    """Multiples of 1/16, so that mixing with tau = 1/4 is exact in every type but bfloat16."""
    return (rng.integers(-(1 << 16), 1 << 16, size) / 16).astype(dtype)


def drawn(rng, shape, density, dtype=np.float32) -> Side:
    place = np.flatnonzero(rng.permutation(shape[0] * shape[1]) < round(shape[0] * shape[1] * density))
    return Side(connected(shape, place), place, numbers(rng, len(place), dtype))


def evolved(rng, side: Side, shape, fraction: float) -> Side:
    """A few connections elsewhere, and other values."""
    gone = rng.random(len(side.place)) < fraction
    free = np.delete(np.arange(shape[0] * shape[1]), side.place)
    new = rng.choice(free, min(int(gone.sum()), len(free)), replace=False)
    place = np.sort(np.concatenate([side.place[~gone], new]))
    return Side(connected(shape, place), place, numbers(rng, len(place), side.values.dtype))


def mixed_by_numpy(t: Side, s: Side, tau) -> tuple[np.ndarray, np.ndarray]:
    """Places and values of the result: the largest of the union, of equal ones the last."""
    place = np.union1d(t.place, s.place)
    a, b = np.zeros(len(place), t.values.dtype), np.zeros(len(place), t.values.dtype)
    a[np.searchsorted(place, t.place)] = t.values
    b[np.searchsorted(place, s.place)] = s.values
    w = a + t.values.dtype.type(tau) * (b - a)
    kept = np.sort(np.argsort(np.abs(w), kind="stable")[len(place) - len(s.place) :])
    return place[kept], w[kept]


def compared(t: Side, s: Side, threads) -> _kernels.Difference:
    return _kernels.Difference(*t.rows, *s.rows, threads)


def updated(t: Side, s: Side, tau, threads, expected=-1.0, difference=None, key=0):
    """The choice, and the result as a Side."""
    difference = difference or compared(t, s, threads)
    pointers = t.rows[0], s.rows[0]
    choice = _kernels.choose_largest(difference, *pointers, t.values, s.values, tau, expected, threads)
    mixed = t.values, s.values, tau, key, threads
    ptr, index, values = _kernels.merge_chosen(difference, choice, *t.rows, *s.rows, *mixed)
    shape = t.con.n_in, t.con.n_out
    place = np.repeat(np.arange(shape[0]), np.diff(ptr)) * shape[1] + index
    np.testing.assert_array_equal(_kernels.merge_chosen_values(difference, choice, *pointers, *mixed), values)
    return choice, Side(Connectivity.from_inputs(*shape, ptr, index, 1), place, values)


@pytest.mark.parametrize(("shape", "dtype"), [*((shape, np.float32) for shape in SHAPES), (SHAPES[2], np.float64)])
@pytest.mark.parametrize("densities", DENSITIES)
def test_largest_of_the_union_are_kept(rng, isa, dtype, shape, densities):
    t, s = (drawn(rng, shape, density, dtype) for density in densities)
    place, values = mixed_by_numpy(t, s, 0.25)
    for threads in THREADS:
        difference = compared(t, s, threads)
        assert difference.first_only == len(np.setdiff1d(t.place, s.place, assume_unique=True))
        assert difference.second_only == len(np.setdiff1d(s.place, t.place, assume_unique=True))
        choice, after = updated(t, s, 0.25, threads, difference=difference)
        np.testing.assert_array_equal(after.place, place)
        np.testing.assert_array_equal(after.values, values)
        assert choice.removed == len(np.setdiff1d(t.place, place, assume_unique=True))
        assert choice.added == len(np.setdiff1d(place, t.place, assume_unique=True))
        assert choice.changes == (choice.removed + choice.added > 0)


@pytest.mark.parametrize(("shape", "threads"), [((60, 60), 1), ((700, 300), 3), ((3000, 20), 1)])
@pytest.mark.parametrize("fraction", [0.001, 0.03, 0.3])
def test_updates_of_evolved_networks_one_after_the_other(rng, isa, threads, shape, fraction):
    s = drawn(rng, shape, 0.4)
    t = evolved(rng, s, shape, fraction)
    difference, expected = compared(t, s, threads), -1.0
    for _ in range(4):
        place, values = mixed_by_numpy(t, s, 0.25)
        choice, after = updated(t, s, 0.25, threads, expected, difference)
        np.testing.assert_array_equal(after.place, place)
        np.testing.assert_array_equal(after.values, values)
        expected = choice.threshold
        if not choice.changes:
            assert choice.difference is None
            continue
        # What the update says of the difference from then on is what a comparison finds.
        fresh = compared(after, s, threads)
        difference = choice.difference
        assert (difference.first_only, difference.second_only) == (fresh.first_only, fresh.second_only)
        again = [updated(after, s, 0.25, threads, -1.0, each)[1] for each in (difference, fresh)]
        np.testing.assert_array_equal(again[0].place, again[1].place)
        np.testing.assert_array_equal(again[0].values, again[1].values)
        # The second index from that of before is the one that is made anew.
        old = t.con.by_output.ptr, t.con.by_output.index, t.con.position
        outputs = _kernels.reindex(choice, *t.rows, *s.rows, *after.rows, *old, threads)
        check_invariants(Connectivity.trusted(*shape, *after.rows, threads, outputs))
        t = Side(after.con, after.place, np.round(after.values * 16) / 16)  # mixing stays exact


@pytest.mark.parametrize("shape", [(1, 3000), (700, 300)])
@pytest.mark.parametrize("levels", [1, 2, 5])
def test_of_equal_magnitudes_the_first_go(rng, shape, levels):
    t, s = drawn(rng, shape, 0.3), drawn(rng, shape, 0.2)
    for side in (t, s):
        side.values[:] = rng.integers(0, levels, len(side.values)) * rng.choice([-4, 4], len(side.values))
    place, values = mixed_by_numpy(t, s, 0.25)
    for threads in THREADS:
        _, after = updated(t, s, 0.25, threads)
        np.testing.assert_array_equal(after.place, place)
        np.testing.assert_array_equal(np.abs(after.values), np.abs(values))


@pytest.mark.parametrize("expected", [0.0, 1e-3, 30.0, 1e4, 1e30, np.inf, np.nan, -1.0])
def test_expected_threshold_changes_no_result(rng, expected):
    t, s = drawn(rng, (700, 300), 0.2), drawn(rng, (700, 300), 0.2)
    place, values = mixed_by_numpy(t, s, 0.25)
    choice, after = updated(t, s, 0.25, 1, expected)
    np.testing.assert_array_equal(after.place, place)
    np.testing.assert_array_equal(after.values, values)
    _, again = updated(t, s, 0.25, 1, choice.threshold)
    np.testing.assert_array_equal(again.place, place)


def test_not_a_number_counts_as_the_largest(rng):
    t, s = drawn(rng, (60, 60), 0.2), drawn(rng, (60, 60), 0.2)
    alone = np.setdiff1d(t.place, s.place)[:3]
    t.values[np.searchsorted(t.place, alone)] = np.nan, np.inf, -np.inf
    _, after = updated(t, s, 0.25, 1)
    assert set(alone) <= set(after.place)
    assert len(after.place) == len(s.place)


@pytest.mark.parametrize("fraction", [0.01, 0.2, 1.0])
@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 3000), np.float32), ((700, 300), np.float32), ((60, 60), np.float64)]
)
def test_mix_where_kept_mixes_what_the_target_has(rng, isa, dtype, shape, fraction):
    s = drawn(rng, shape, 0.4, dtype)
    t = evolved(rng, s, shape, fraction)
    aligned = np.zeros(len(t.place), dtype)
    _, in_t, in_s = np.intersect1d(t.place, s.place, assume_unique=True, return_indices=True)
    aligned[in_t] = s.values[in_s]
    wanted = t.values + dtype(0.25) * (aligned - t.values)
    for threads in THREADS:
        difference, values = compared(t, s, threads), t.values.copy()
        _kernels.mix_where_kept(difference, t.rows[0], s.rows[0], values, s.values, 0.25, 0, threads)
        np.testing.assert_array_equal(values, wanted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mix_draws_arrays_towards_others(rng, isa, dtype):
    sizes, threads = (0, 1, 17, 100_003), 3
    t, s = ([rng.normal(size=n).astype(dtype) for n in sizes] for _ in range(2))
    wanted = [a.astype(np.float64) + 0.005 * (b.astype(np.float64) - a) for a, b in zip(t, s, strict=True)]
    _kernels.mix(t, s, 0.005, [0] * len(sizes), threads)
    for array, want in zip(t, wanted, strict=True):
        np.testing.assert_allclose(array, want, rtol=1e-6 if dtype is np.float32 else 1e-14, atol=1e-7)
    before = [a.copy() for a in t]
    _kernels.mix(t, before, 0.3, [0] * len(sizes), threads)  # what is equal stays
    for array, same in zip(t, before, strict=True):
        np.testing.assert_array_equal(array, same)


def test_bfloat16_is_rounded_without_bias(rng, isa):
    n = 200_000
    t, s = (narrowed(np.full(n, value, np.float32)) for value in (1.0, 1.5))
    results = []
    for threads in THREADS:
        out = t.copy()
        _kernels.mix([out], [s], 0.005, [7], threads)
        results.append(out)
    np.testing.assert_array_equal(*results)
    values = widened(results[0])
    assert set(np.unique(values)) == {1.0, 1.0078125}  # neighbours: to the nearest, all would stay at 1
    spread = 0.0078125 * np.sqrt(0.32 * 0.68 / n)
    assert abs(values.mean() - 1.0025) < 5 * spread
    other = t.copy()
    _kernels.mix([other], [s], 0.005, [8], 1)
    assert (other != results[0]).mean() > 0.3
    _kernels.mix([other], [other.copy()], 0.3, [9], 1)  # what is equal stays
    assert set(np.unique(widened(other))) == {1.0, 1.0078125}


@pytest.mark.parametrize("shape", [(60, 60), (700, 300)])
def test_bfloat16_differing_topologies_keep_the_largest(rng, isa, shape):
    t, s = drawn(rng, shape, 0.2), drawn(rng, shape, 0.2)
    t.values, s.values = narrowed(t.values), narrowed(s.values)
    wide = [Side(each.con, each.place, widened(each.values)) for each in (t, s)]
    place, values = mixed_by_numpy(*wide, 0.25)
    results = [updated(t, s, 0.25, threads, key=5)[1] for threads in THREADS]
    np.testing.assert_array_equal(results[0].values, results[1].values)
    np.testing.assert_array_equal(results[0].place, place)
    rounded = widened(results[0].values)
    assert (np.abs(rounded - values) <= np.abs(values) / 128).all()
    assert 0.3 < (np.abs(rounded) > np.abs(values)).mean() / (rounded != values).mean() < 0.7


def test_packed_coordinates_beyond_31_bits_are_in_order(rng, isa):
    threads = 1
    places = [rng.integers(1 << 32, size=5000, dtype=np.uint32) for _ in range(2)]
    places[1][::2] = places[0][::2]
    t_index, s_index = (np.unique(each) for each in places)
    t_ptr, s_ptr = (np.array([0, len(each)]) for each in (t_index, s_index))
    t, s = numbers(rng, len(t_index)), numbers(rng, len(s_index))
    difference = _kernels.Difference(t_ptr, t_index, s_ptr, s_index, threads)
    choice = _kernels.choose_largest(difference, t_ptr, s_ptr, t, s, 0.25, -1.0, threads)
    ptr, index, values = _kernels.merge_chosen(
        difference, choice, t_ptr, t_index, s_ptr, s_index, t, s, 0.25, 0, threads
    )
    sides = [Side(None, index.astype(np.int64), values) for index, values in ((t_index, t), (s_index, s))]
    place, wanted = mixed_by_numpy(*sides, 0.25)
    assert index.dtype == np.uint32
    assert ptr.tolist() == [0, len(s_index)]
    np.testing.assert_array_equal(index, place)
    np.testing.assert_array_equal(values, wanted)


def test_arrays_of_other_connections_are_refused(rng):
    t, s = drawn(rng, (60, 60), 0.2), drawn(rng, (60, 60), 0.3)
    difference = compared(t, s, 1)
    with pytest.raises(ValueError, match="difference is that of other connections"):
        _kernels.choose_largest(difference, s.rows[0], t.rows[0], t.values, s.values, 0.5, -1.0, 1)
    with pytest.raises(ValueError, match="s has 719 values, not 1080, one per connection"):
        _kernels.choose_largest(difference, t.rows[0], s.rows[0], t.values, s.values[1:720], 0.5, -1.0, 1)
    with pytest.raises(ValueError, match="indices are int32 or uint32"):
        _kernels.Difference(t.rows[0], t.rows[1].astype(np.int64), *s.rows, 1)
