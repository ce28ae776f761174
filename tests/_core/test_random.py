"""Keys of random streams: SplitMix64, and independence of streams."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from trulysparse._core.random import _mix, generator, stream_key, stream_keys


def test_mix_gives_the_published_values_of_splitmix64():
    """The first outputs of the reference implementation (Vigna, splitmix64.c) for seeds 0 and 1234567."""
    assert _mix(0) == 0xE220A8397B1DCDAF
    outputs = [_mix(1234567 + n * 0x9E3779B97F4A7C15 & (1 << 64) - 1) for n in range(5)]
    assert outputs == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_keys_of_other_seeds_purposes_and_counters_differ():
    names = [(seed, purpose, *counters) for seed in range(20) for purpose in ("step", "dropout", "shuffle")
             for counters in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))]  # fmt: skip
    keys = [stream_key(*name) for name in names]
    assert len(set(keys)) == len(keys)
    assert all(0 <= key < 1 << 64 for key in keys)


def test_key_is_a_function_of_its_arguments_alone():
    first = stream_key(3, "step", 7)
    for number in range(300):  # more than the cache holds
        stream_key(number, f"purpose {number}")
    assert stream_key(3, "step", 7) == first


@pytest.mark.parametrize("seed", [-1, 1 << 64, 1 << 70])
def test_key_of_seeds_beyond_64_bits_is_64_bits(seed):
    assert 0 <= stream_key(seed, "step", -1) < 1 << 64


def test_keys_of_consecutive_counters_differ_in_about_half_of_the_bits():
    keys = [stream_key(0, "step", number) for number in range(2000)]
    flipped = [(a ^ b).bit_count() for a, b in pairwise(keys)]
    assert abs(np.mean(flipped) - 32) < 6 * 4 / np.sqrt(len(flipped))  # 64 fair coins: mean 32, deviation 4


def test_generators_of_a_key_draw_the_same_and_of_another_are_uncorrelated():
    draws = generator(1, "shuffle", 5).random(10_000)
    np.testing.assert_array_equal(draws, generator(1, "shuffle", 5).random(10_000))
    others = [generator(1, "shuffle", 6), generator(2, "shuffle", 5), generator(1, "step", 5)]
    for other in others:
        assert abs(np.corrcoef(draws, other.random(10_000))[0, 1]) < 0.05


def test_stream_keys_are_the_keys_of_each_seed():
    seeds = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    for counters in ((), (3,), (0, 2**40)):
        expected = [stream_key(seed, "grow", *counters) for seed in seeds.tolist()]
        assert stream_keys(seeds, "grow", *counters).tolist() == expected
