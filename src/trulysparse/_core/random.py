"""Keys of random streams. Each use of random numbers has its own key, a pure function of the seed and of what it is
for, so that no stream depends on how often another was drawn from."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1


def _mix(z: int) -> int:
    """The next output of SplitMix64 in state z (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014)."""
    z = (z + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def stream_key(seed: int, purpose: str, *counters: int) -> int:
    """The 64-bit key of a random stream.

    Args:
        seed: any integer; its lowest 64 bits count.
        purpose: what the stream is for, such as 'dropout'.
        *counters: tell streams of one purpose apart, such as the numbers of layer and step.

    Returns:
        The key, 0 to 2^64 - 1.

    Example:
        >>> stream_key(0, "dropout", 1) == stream_key(0, "dropout", 1) != stream_key(0, "dropout", 2)
        True
    """
    key = _purpose_key(seed, purpose)
    for part in counters:
        key = _mix(key ^ (int(part) & _MASK))
    return key


def stream_keys(seeds: NDArray[np.uint64], purpose: str, *counters: int | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`stream_key` of many seeds at once.

    Args:
        seeds: one per stream, of any shape.
        purpose: what the streams are for.
        *counters: see `stream_key`; the same for all, or an array of one per seed.

    Returns:
        One key per seed.

    Example:
        >>> keys = stream_keys(np.array([7, 8], np.uint64), "grow", 1)
        >>> keys.tolist() == [stream_key(7, "grow", 1), stream_key(8, "grow", 1)]
        True
    """
    keys = _mix_all(_mix_all(seeds) ^ np.uint64(zlib.crc32(purpose.encode())))
    for part in counters:
        keys = _mix_all(keys ^ (part if isinstance(part, np.ndarray) else np.uint64(int(part) & _MASK)))
    return keys


def _mix_all(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`_mix` of each element; arrays of uint64 wrap around."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@lru_cache(maxsize=256)  # the same few are needed at every step
def _purpose_key(seed: int, purpose: str) -> int:
    return _mix(_mix(int(seed) & _MASK) ^ zlib.crc32(purpose.encode()))


def generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A NumPy generator on the stream for `purpose`."""
    return np.random.Generator(np.random.Philox(key=stream_key(seed, purpose, *counters)))
