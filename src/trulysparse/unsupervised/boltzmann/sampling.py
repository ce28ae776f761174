"""Gibbs sampling of a Boltzmann machine, and means of one side given the other."""

from __future__ import annotations

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse._core.progress import Progress, silent
from trulysparse._core.random import stream_key
from trulysparse.data import Matrix
from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine, next_key


def gibbs(machine: BoltzmannMachine, X: Matrix, n_steps: int, seed: int, threads: int) -> Floats:
    """Visible states after so many Gibbs steps, each of which draws the hidden units, then the visible ones.

    Args:
        machine: the machine.
        X: (n_samples, n_visible), where chains start.
        n_steps: at least 1.
        seed: of what is drawn; a chain's numbers are functions of the seed, its position and the step.
        threads: at least 1; the same bits for any number.

    Returns:
        (n_samples, n_visible), not scaled back.

    Raises:
        InputError: at a value that cannot be used.
    """
    out = np.empty((X.n_samples, machine.n_visible), machine.net.dtype)
    for tile, (samples, v, h) in enumerate(machine.tiles(X, threads)):
        n, key = samples.stop - samples.start, stream_key(seed, "gibbs steps", tile)
        for step in range(n_steps):
            machine.hidden_given(v, h, n, next_key(key, 2 * step), threads)
            machine.visible_given(h, v, n, next_key(key, 2 * step + 1), threads)
        out[samples] = v.values[:, :n].T
    return out


def draw(
    machine: BoltzmannMachine, n_samples: int, n_steps: int, seed: int, threads: int, progress: Progress = silent
) -> Floats:
    """Samples of the model: chains that start at what the visible biases alone say, after so many Gibbs steps.

    Args:
        machine: the machine.
        n_samples: chains, at least 1.
        n_steps: at least 0.
        seed: of what is drawn.
        threads: at least 1; the same bits for any number.
        progress: called with ("sampling", steps, all of them).

    Returns:
        (n_samples, n_visible), not scaled back.

    Example:
        >>> from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine
        >>> from trulysparse.unsupervised.boltzmann.sampling import draw
        >>> machine = BoltzmannMachine.draw(3, 2, density=1.0, threads=1)
        >>> machine.visible_bias[:] = [50, -50, 50]
        >>> draw(machine, 2, 10, seed=0, threads=1).tolist()
        [[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
    """
    out = np.empty((n_samples, machine.n_visible), machine.net.dtype)
    width = machine.width
    v, h = machine.columns(min(width, n_samples))
    for tile, start in enumerate(range(0, n_samples, width)):
        stop = min(n_samples, start + width)
        n, key = stop - start, stream_key(seed, "samples", tile)
        h.values[:] = 0  # without hidden units, only the visible biases count
        machine.visible_given(h, v, n, next_key(key, 0), threads)
        for step in range(n_steps):
            if step % 100 == 0:
                progress("sampling", start * n_steps + n * step, n_samples * n_steps)
            machine.hidden_given(v, h, n, next_key(key, 2 * step + 1), threads)
            machine.visible_given(h, v, n, next_key(key, 2 * step + 2), threads)
        out[start:stop] = v.values[:, :n].T
    progress("sampling", n_samples * n_steps, n_samples * n_steps)
    return out


def visible_means(machine: BoltzmannMachine, hidden: Floats, threads: int) -> Floats:
    """Means of the visible units given the hidden ones.

    Args:
        machine: the machine.
        hidden: (n_samples, n_hidden), states or probabilities.
        threads: at least 1.

    Returns:
        (n_samples, n_visible), not scaled back.
    """
    out = np.empty((len(hidden), machine.n_visible), machine.net.dtype)
    for samples, v, h in machine.value_tiles(hidden, threads):
        n = samples.stop - samples.start
        machine.visible_given(h, v, n, None, threads)
        out[samples] = v.values[:, :n].T
    return out


def hidden_means(machine: BoltzmannMachine, X: Matrix, threads: int) -> Floats:
    """Probabilities of the hidden units given the visible ones, (n_samples, n_hidden)."""
    out = np.empty((X.n_samples, machine.n_hidden), machine.net.dtype)
    for samples, v, h in machine.tiles(X, threads):
        n = samples.stop - samples.start
        machine.hidden_given(v, h, n, None, threads)
        _kernels.store_dense(h.values, None, out[samples], threads)
    return out
