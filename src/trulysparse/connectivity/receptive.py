"""Bipartite receptive fields: neurons are connected to those that lie near them, more or less strictly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.random import generator
from trulysparse.connectivity.indexed import Connectivity, check_count
from trulysparse.connectivity.sampling import coordinates_of, even_degrees

DEGREES = ("fixed", "uniform")
_BLOCK = 1 << 20  # arrival times held at once


def receptive_fields(
    n_in: int,
    n_out: int,
    count: int,
    *,
    r: float = 0.25,
    degrees: str = "fixed",
    seed: int = 0,
    threads: int | None = None,
) -> Connectivity:
    """The bipartite receptive field model: connections are the likelier, the nearer their ends lie to each other.

    The neurons of both sides lie on a ring. Each neuron of the smaller side (the outputs, where both are equal) draws
    its partners on the other side without replacement, with probability proportional to (1 + d)^(-(1 - r) / r), d their
    distance in neurons. Time and memory are linear in the connections and the neurons.

    Args:
        n_in: inputs, 1 to 2^31 - 1.
        n_out: outputs, 1 to 2^31 - 1.
        count: connections, 0 to n_in * n_out.
        r: in (0, 1]: 1 is uniformly random, near 0 the nearest neurons are taken.
        degrees: of the smaller side's neurons: 'fixed', all the same or one more, or 'uniform', at least one each and
            the others given to neurons at random.
        seed: at least 0; the same connections for a seed, whatever `threads`.
        threads: at least 1; None: all of this machine's.

    Returns:
        A Connectivity with exactly `count` connections.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Zhang et al., "Brain network science modelling of sparse neural networks enables transformers and LLMs to
        perform as fully connected" (2025), the BRF model, with centers spread evenly also where one side is not a
        multiple of the other.

    Example:
        >>> import numpy as np
        >>> from trulysparse.connectivity import receptive_fields
        >>> rows, columns = receptive_fields(1000, 1000, 5000).pattern().nonzero()
        >>> distance = np.abs((rows - columns + 500) % 1000 - 500)
        >>> bool(np.median(distance) < 3), bool(distance.max() > 10)
        (True, True)
    """
    threads = check_count(n_in, n_out, count, threads)
    checks.real("r", r, low=0, high=1, low_open=True)
    checks.choice("degrees", degrees, DEGREES)
    random = generator(seed, "receptive fields")
    by_output = n_out <= n_in
    small, large = (n_out, n_in) if by_output else (n_in, n_out)
    fan = _degrees(small, large, count, degrees, random)
    partners = _partners(fan, large, (1 - r) / r, random)
    rows = np.repeat(np.arange(small, dtype=np.int64), fan)
    keys = np.sort(rows * large + partners)
    coordinates = coordinates_of(keys, small, large)
    if not by_output:
        return Connectivity.trusted(n_in, n_out, *coordinates, threads)
    con, _ = Connectivity.from_outputs(n_in, n_out, *coordinates, threads)
    return con


def _degrees(small: int, large: int, count: int, kind: str, random: np.random.Generator) -> NDArray[np.int64]:
    """How many of `count` connections each of `small` neurons has, at most `large`."""
    if kind == "fixed" or count < small:
        return even_degrees(small, count, random)
    fan, left = np.ones(small, np.int64), count - small
    while left:
        room = np.flatnonzero(fan < large)
        fan[room] += random.multinomial(left, np.full(len(room), 1 / len(room)))
        left = int(np.maximum(fan - large, 0).sum())
        np.minimum(fan, large, out=fan)
    return fan


def _partners(fan: NDArray[np.int64], large: int, exponent: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Partners of each neuron, fan[row] of them, row by row."""
    most = int(fan.max(initial=0))
    log_rates = -exponent * np.log1p(_distance(np.arange(large)))
    near = min(large, max(16, 4 * most))
    taken: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    step = max(1, _BLOCK // (near + most + 16))
    for start in range(0, len(fan) if most else 0, step):
        rows = np.arange(start, min(len(fan), start + step))
        ranks = _first_arrivals(fan[rows], most, near, log_rates, random)
        ranks = ranks[np.arange(most) < fan[rows, None]]
        center: NDArray[np.int64] = np.repeat((2 * rows + 1) * large // (2 * len(fan)), fan[rows])
        away = _distance(ranks)
        taken.append((center + np.where(ranks % 2 == 1, away, -away)) % large)
    return np.concatenate(taken)


def _distance(rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """On a ring, of the neuron of that rank: the one itself, one to the right, one to the left, two to the right..."""
    return (rank + 1) // 2


def _first_arrivals(
    fan: NDArray[np.int64], most: int, near: int, log_rates: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.int64]:
    """(rows, most) ranks of which the first fan[row] are drawn without replacement with weights exp(log_rates).

    That is the same as waiting for arrivals at these rates and taking those that come first. The `near` ranks with the
    highest rates get a time each. Of all others, the first arrivals of their joint process are drawn, in order, until
    no later one can be among the first `fan`.
    """
    times = np.log(random.exponential(size=(len(fan), near))) - log_rates[:near]
    if near == len(log_rates):
        return np.argsort(times, axis=1)[:, :most]
    rates = np.cumsum(np.exp(log_rates[near:] - log_rates[near]))  # of the others, in a unit that stays in range
    waited, passed = np.zeros(len(fan)), np.empty((len(fan), 0))
    others = np.empty((len(fan), 0), np.int64)
    ranks, left = np.empty((len(fan), most), np.int64), np.arange(len(fan))
    more = most + 16
    while len(left):
        arrivals = waited[:, None] + np.cumsum(random.exponential(size=(len(left), more)), axis=1)
        waited = arrivals[:, -1]
        passed = np.hstack([passed, np.log(arrivals / rates[-1]) - log_rates[near]])
        which = np.searchsorted(rates, random.random((len(left), more)) * rates[-1], side="right")
        others = np.hstack([others, near + np.minimum(which, len(rates) - 1)])
        together = np.hstack([times, np.where(_again(others), np.inf, passed)])
        order = np.argsort(together, axis=1)[:, :most]
        chosen = np.where(order < near, order, np.take_along_axis(others, np.maximum(order - near, 0), axis=1))
        last = np.take_along_axis(together, np.take_along_axis(order, np.maximum(fan[left] - 1, 0)[:, None], 1), 1)
        sure = last[:, 0] <= passed[:, -1]
        ranks[left[sure]] = chosen[sure]
        unsure = ~sure
        left, times, waited = left[unsure], times[unsure], waited[unsure]
        passed, others = passed[unsure], others[unsure]
        more = passed.shape[1]
    return ranks


def _again(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a value stands further left in its row too."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    repeated = np.zeros(values.shape, np.bool_)
    np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    return repeated
