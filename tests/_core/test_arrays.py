"""Arrays: bfloat16 in uint16, values that are not finite, what kernels can read."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import narrowed
from trulysparse._core.arrays import (
    as_doubles,
    bytes_of,
    empty,
    kernel_readable,
    not_finite,
    type_name,
    widened,
    zeros,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16])
@pytest.mark.parametrize("at", [0, 77_777, 99_999])
def test_not_finite_finds_one_value_among_many(dtype, at):
    values = np.random.default_rng(0).normal(size=100_000).astype(np.float32) * 1e37
    array = (values.view(np.uint32) >> 16).astype(np.uint16) if dtype == np.uint16 else values.astype(dtype)
    assert not_finite(array) is None
    for value, bits, what in [(np.nan, 0x7FC1, "NaN"), (np.inf, 0x7F80, "infinity"), (-np.inf, 0xFF80, "infinity")]:
        bad = array.copy()
        bad[at] = bits if dtype == np.uint16 else value
        assert not_finite(bad) == what
    assert not_finite(array[:0]) is None


def bits(values):
    return np.asarray(values, np.float32).view(np.uint32)


def to_nearest_even(values):
    """float32 to bfloat16 by the definition, on integers."""
    u = bits(values).astype(np.uint64)
    return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype(np.uint16)


def test_every_bfloat16_widened_and_narrowed_is_itself():
    every = np.arange(1 << 16, dtype=np.uint16)
    numbers = every[(every & 0x7F80) != 0x7F80]
    np.testing.assert_array_equal(bits(widened(numbers)), numbers.astype(np.uint32) << 16)
    np.testing.assert_array_equal(narrowed(widened(numbers)), numbers)


def test_narrowed_rounds_to_the_nearest_ties_to_even(rng):
    values = np.concatenate(
        [rng.standard_normal(10_000), rng.standard_normal(1000) * 1e-38, [1 + 2**-8, 1 + 3 * 2**-8]]
    )
    values = values.astype(np.float32)
    np.testing.assert_array_equal(narrowed(values), to_nearest_even(values))
    np.testing.assert_array_equal(widened(narrowed(np.float32([1 + 2**-8, 1 + 3 * 2**-8]))), [1, 1 + 2**-6])


def test_narrowed_keeps_the_shape():
    assert narrowed(np.ones((3, 4), np.float32)).shape == (3, 4)
    assert widened(np.full((3, 4), 0x3F80, np.uint16)).tolist() == np.ones((3, 4)).tolist()


def test_widened_float_array_is_the_same_object():
    array = np.ones(3)
    assert widened(array) is array


def test_empty_and_zeros_have_size_and_type():
    for dtype in map(np.dtype, (np.uint16, np.float32, np.int64)):
        assert (empty(5, dtype).shape, empty(5, dtype).dtype) == ((5,), dtype)
        assert zeros(1 << 18, dtype).tolist() == [0] * (1 << 18)
    assert zeros(0, np.dtype(np.float32)).shape == (0,)


def test_bytes_of_shares_memory():
    array = np.zeros(3, np.float32)
    bytes_of(array)[4:8] = np.float32(1).tobytes()
    assert array.tolist() == [0, 1, 0]


@pytest.mark.parametrize(("dtype", "name"), [(np.uint16, "bfloat16"), (np.float32, "float32"), (np.int32, "int32")])
def test_type_name_of_uint16_is_bfloat16(dtype, name):
    assert type_name(np.zeros(1, dtype)) == name


@pytest.mark.parametrize(
    ("array", "readable"),
    [
        (np.zeros((4, 6), np.float32), True),
        (np.zeros((4, 6), np.float32)[::2, ::3], True),
        (np.zeros((4, 6), np.uint8).T, True),
        (np.zeros((4, 6), ">f4"), False),
        (np.zeros((4, 6), np.float16), False),
        (np.zeros((4, 6), bool), False),
        (np.frombuffer(bytes(17), np.uint8)[1:].view(np.float32), False),
        (np.zeros(4, [("a", "f4"), ("b", "u1")])["a"], False),
    ],
)
def test_kernel_readable_arrays_are_native_aligned_and_of_known_types(array, readable):
    assert kernel_readable(array) is readable


def test_as_doubles_beyond_the_range_is_infinite():
    assert as_doubles(np.array([1, 2], np.int8)).tolist() == [1.0, 2.0]
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        assert as_doubles(np.array([np.longdouble(10) ** 400])).tolist() == [np.inf]
