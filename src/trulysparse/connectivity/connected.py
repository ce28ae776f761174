"""A start whose every connection lies on a path from an input to an output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.random import generator, stream_key
from trulysparse.connectivity.indexed import Connectivity, check_size
from trulysparse.connectivity.sampling import coordinates_of, merged_keys
from trulysparse.errors import InputError

Neurons = NDArray[np.int64]


@dataclass(frozen=True)
class Connected:
    """Draws a network in which every connection lies on a path from an input to an output.

    Where connections are few, most of those of a random start lead to neurons without outputs or come from neurons
    without inputs, and do nothing. Here they are given to as many hidden neurons of each layer as have about `fan_in`
    inputs each. These neurons, drawn at random, are live: each has at least one input and one output. The others have
    no connections. Where connections are many enough, all neurons are live.

    Within a layer, live neurons have the same number of inputs (or one more), drawn uniformly, and connections are
    spread over as many of the network's inputs as possible.

    Args:
        fan_in: inputs that a live hidden neuron is to have on average, at least 1. They are more where all neurons are
            live, and fewer where the next layer has more connections than fewer neurons could take.

    Raises:
        InputError: where fan_in is out of range.

    Example:
        >>> import numpy as np
        >>> from trulysparse.connectivity import Connected
        >>> first, last = Connected(fan_in=5).draw_network((100, 100, 10), (50, 40), seed=0, threads=1)
        >>> live = np.diff(first.indptr) > 0
        >>> int(live.sum()), bool((live == (np.diff(last.by_input.ptr) > 0)).all())
        (10, True)
        >>> first.n_connections, last.n_connections
        (50, 40)
    """

    fan_in: float = 8.0

    def __post_init__(self) -> None:
        checks.real("fan_in", self.fan_in, low=1)

    def draw_network(
        self, layer_sizes: Sequence[int], counts: Sequence[int], *, seed: int = 0, threads: int | None = None
    ) -> list[Connectivity]:
        """Draws all layers of a network.

        Args:
            layer_sizes: neurons per layer, input first, output last.
            counts: connections wanted of each layer.
            seed: at least 0; the same connections for a seed, whatever `threads`.
            threads: at least 1; None: all of this machine's.

        Returns:
            A Connectivity for each layer, with exactly as many connections as wanted; fewer only where the layers
            beside it have too few connections to reach so many neurons.

        Raises:
            InputError: where an output neuron, or a whole layer, cannot have a connection.
        """
        threads = checks.thread_count(threads)
        counts, live = self.live_neurons(layer_sizes, counts)
        random = generator(seed, "connected")
        chosen = [
            np.sort(random.permutation(n)[:some]) if some < n else np.arange(n)
            for n, some in zip(layer_sizes, live, strict=True)
        ]
        layers = []
        for number, (count, sources, targets) in enumerate(zip(counts, chosen[:-1], chosen[1:], strict=True)):
            key = stream_key(seed, "connected layer", number)
            n_in, n_out = layer_sizes[number : number + 2]
            check_size(n_in, n_out, count)
            rows, columns = _biregular(len(sources), len(targets), count, key, threads)
            places = np.sort(targets[rows] * n_in + sources[columns])
            con, _ = Connectivity.from_outputs(n_in, n_out, *coordinates_of(places, n_out, n_in), threads)
            layers.append(con)
        return layers

    def live_neurons(self, layer_sizes: Sequence[int], counts: Sequence[int]) -> tuple[list[int], list[int]]:
        """How many neurons of each layer have connections.

        Args:
            layer_sizes: neurons per layer, input first, output last.
            counts: connections wanted of each layer.

        Returns:
            (connections of each layer, live neurons of each layer of neurons, the input's and the output's included).

        Raises:
            InputError: where an output neuron, or a whole layer, cannot have a connection.
        """
        counts = [checks.integer(f"counts[{i}]", count, low=0) for i, count in enumerate(counts)]
        for number, (count, (n_in, n_out)) in enumerate(zip(counts, pairwise(layer_sizes), strict=True)):
            if count > n_in * n_out:
                raise InputError(f"counts[{number}] must be at most {n_in * n_out}, not {count}")
            if count < 1:
                raise InputError(f"connectivity='connected' needs a connection in each layer; layer {number} has none")
        if counts[-1] < layer_sizes[-1]:
            raise InputError(
                f"connectivity='connected' needs an input for each of {layer_sizes[-1]} output neurons, but the last "
                f"layer has {counts[-1]} connections; give output_density, or a larger density or epsilon"
            )
        # A live neuron has an input and an output, so that there are at most as many as connections on either side.
        most = [min(layer_sizes[0], counts[0])]
        most += [min(n, *around) for n, around in zip(layer_sizes[1:-1], pairwise(counts), strict=True)]
        most.append(layer_sizes[-1])
        live = [most[0]]
        live += [min(m, max(1, round(c / self.fan_in))) for m, c in zip(most[1:-1], counts[:-1], strict=True)]
        live.append(most[-1])
        for number, count in enumerate(counts):  # live neurons must have room for the layer's connections
            live[number + 1] = min(most[number + 1], max(live[number + 1], -(-count // live[number])))
            live[number] = min(most[number], max(live[number], -(-count // live[number + 1])))
        counts = [min(c, a * b) for c, (a, b) in zip(counts, pairwise(live), strict=True)]
        return counts, live


def _biregular(n_in: int, n_out: int, count: int, key: int, threads: int) -> tuple[Neurons, Neurons]:
    """(rows, columns) of `count` connections, at least max(n_in, n_out) and at most all, that leave no input and no
    output without one. Outputs have the same number of inputs or one more; which ones is drawn uniformly but for that.
    """
    random = np.random.Generator(np.random.Philox(key=key))
    inputs, outputs = random.permutation(n_in), random.permutation(n_out)
    cover = np.arange(max(n_in, n_out))  # each input once and each output once, or more often on the smaller side
    held = np.sort(outputs[cover % n_out] * np.int64(n_in) + inputs[cover % n_in])
    wanted = np.empty(n_out, np.int64)  # beyond the cover, by output
    wanted[outputs] = count // n_out + (np.arange(n_out) < count % n_out)
    wanted -= np.bincount(held // n_in, minlength=n_out)
    free = n_in * n_out - len(held)
    # Where more than half of what is free is wanted, it is the unwanted that is drawn.
    inverse = 2 * (count - len(held)) > free
    if inverse:
        wanted = n_in - np.bincount(held // n_in, minlength=n_out) - wanted
    drawn = np.empty(0, np.int64)
    while missing := int(wanted.sum()) - len(drawn):
        rows = np.repeat(np.arange(n_out), wanted - np.bincount(drawn // n_in, minlength=n_out))
        fresh = np.sort(rows * np.int64(n_in) + random.integers(n_in, size=missing))  # looked up in order: one pass
        place = np.minimum(np.searchsorted(held, fresh), len(held) - 1)
        drawn = merged_keys(drawn, fresh[held[place] != fresh])
    if inverse:
        unwanted = coordinates_of(drawn, n_out, n_in)
        ptr, index = _kernels.sample_empty(*unwanted, n_in, None, count, 0, threads)
        return np.repeat(np.arange(n_out), np.diff(ptr)), index.astype(np.int64)
    rows, columns = np.divmod(merged_keys(held, drawn), n_in)
    return rows, columns
