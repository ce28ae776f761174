"""Distinct places of a layer drawn with probability proportional to a weight of each input and of each output
neuron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Coordinates: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32]]
"""Rows by input neuron: row pointers (n_in + 1) and output neurons, ascending within a row."""


def sample_weighted(
    of_input: NDArray[Any],
    of_output: NDArray[Any],
    count: int,
    random: np.random.Generator,
    empty: Callable[[Coordinates], NDArray[np.bool_]],
    rest: Callable[[], Coordinates],
) -> Coordinates:
    """`count` distinct empty places, drawn one after the other with probability proportional to of_input[i] *
    of_output[j]; where that reaches too few places, uniform ones join them. Drawn in rounds, in time linear in count
    but for sorting. empty: which of some places are empty. rest: all empty places, asked for only where nearly all are
    wanted."""
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
    """Indices with probability proportional to the steps of `cumulative`, ascending: looked up in order, they cost a
    walk through memory and not a jump each."""
    where = np.sort(random.random(draws)) * cumulative[-1]
    found: NDArray[np.int64] = np.searchsorted(cumulative, where, side="right").astype(np.int64)
    np.minimum(found, len(cumulative) - 1, out=found)
    return found


def keys_of(places: Coordinates, n_out: int) -> NDArray[np.int64]:
    """Each place as input * n_out + output, ascending."""
    ptr, index = places
    return np.repeat(np.arange(len(ptr) - 1, dtype=np.int64) * n_out, np.diff(ptr)) + index


def coordinates_of(keys: NDArray[np.int64], n_in: int, n_out: int) -> Coordinates:
    """The rows of ascending keys."""
    rows, columns = np.divmod(keys, n_out)
    ptr = np.zeros(n_in + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=n_in), out=ptr[1:])
    return ptr, columns.astype(np.int32)
