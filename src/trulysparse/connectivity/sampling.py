"""Distinct coordinates of a layer drawn with probability proportional to a weight of each input and of each output
neuron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.connectivity.coordinates import Coordinates


def sample_weighted(
    of_input: NDArray[Any],
    of_output: NDArray[Any],
    count: int,
    random: np.random.Generator,
    empty: Callable[[Coordinates], NDArray[np.bool_]],
    rest: Callable[[], Coordinates],
) -> Coordinates:
    """Draws distinct empty coordinates one by one, with probability proportional to of_input[i] * of_output[j].

    Where that reaches too few, uniform ones join them. Drawn in rounds, in time linear in count but for sorting.

    Args:
        of_input: (n_in,) weights, at least 0.
        of_output: (n_out,) weights, at least 0.
        count: how many, at most as many as are empty.
        random: the stream that they are drawn from.
        empty: says which of some coordinates are empty.
        rest: all empty coordinates; asked for only where nearly all are wanted.

    Returns:
        `count` coordinates.
    """
    n_in, n_out = len(of_input), len(of_output)
    inputs, outputs = (np.cumsum(each, dtype=np.float64) for each in (of_input, of_output))
    held = np.empty(0, np.int64)
    for attempt in range(40):
        missing = count - len(held)
        if missing == 0:
            break
        draws = missing + missing // 4 + 16
        if attempt < 20 and inputs[-1] > 0 and outputs[-1] > 0:
            drawn = _draw(inputs, draws, random) * n_out + random.permutation(_draw(outputs, draws, random))
        else:
            drawn = random.integers(n_in, size=draws) * n_out + random.integers(n_out, size=draws)
        drawn, first = np.unique(random.permutation(drawn), return_index=True)
        fresh = empty(coordinates_of(drawn, n_in, n_out))
        if len(held):
            fresh &= ~np.isin(drawn, held, assume_unique=True)
        drawn, first = drawn[fresh], first[fresh]
        if len(drawn) > missing:  # those that were drawn first
            drawn = drawn[first <= np.partition(first, missing - 1)[missing - 1]]
        held = np.concatenate([held, drawn])
    if len(held) < count:
        left = keys_of(rest(), n_out)
        left = left[~np.isin(left, held, assume_unique=True)]
        held = np.concatenate([held, random.permutation(left)[: count - len(held)]])
    return coordinates_of(np.sort(held), n_in, n_out)


def _draw(cumulative: NDArray[np.float64], draws: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Indices with probability proportional to the steps of `cumulative`, ascending: looked up in order, they cost one
    pass through memory and not a random access each."""
    where = np.sort(random.random(draws)) * cumulative[-1]
    indices: NDArray[np.int64] = np.searchsorted(cumulative, where, side="right").astype(np.int64)
    np.minimum(indices, len(cumulative) - 1, out=indices)
    return indices


def even_degrees(n_neurons: int, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """How many of `count` connections each of some neurons has: the same, or one more of neurons drawn at random."""
    degrees = np.full(n_neurons, count // n_neurons, np.int64)
    degrees[random.permutation(n_neurons)[: count % n_neurons]] += 1
    return degrees


def keys_of(coordinates: Coordinates, n_out: int) -> NDArray[np.int64]:
    """Each coordinate as input * n_out + output, ascending."""
    ptr, index = coordinates
    return np.repeat(np.arange(len(ptr) - 1, dtype=np.int64) * n_out, np.diff(ptr)) + index


def merged_keys(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """What is in either, ascending and each once; ten times as fast for many keys as NumPy's union1d."""
    together = np.sort(np.concatenate([first, second]))
    different = np.ones(len(together), np.bool_)
    np.not_equal(together[1:], together[:-1], out=different[1:])
    return together[different]


def coordinates_of(keys: NDArray[np.int64], n_in: int, n_out: int) -> Coordinates:
    """The coordinates of ascending keys."""
    rows, columns = np.divmod(keys, n_out)
    ptr = np.zeros(n_in + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=n_in), out=ptr[1:])
    return ptr, columns.astype(np.int32)
