"""Annealed importance sampling of a Boltzmann machine's partition function."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trulysparse import _kernels
from trulysparse._core.progress import Progress, silent
from trulysparse._core.random import stream_key
from trulysparse.errors import InputError
from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine, next_key


class LogPartition(NamedTuple):
    """An estimate of ln Z.

    Attributes:
        value: the estimate.
        low: ln(Z - 3 s), where s is the standard error of Z's estimate; minus infinity where that is negative.
        high: ln(Z + 3 s).
    """

    value: float
    low: float
    high: float


def log_partition(
    machine: BoltzmannMachine,
    n_chains: int = 100,
    n_temperatures: int = 1000,
    *,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> LogPartition:
    """Estimates ln Z by chains that go from the machine without weights, whose Z is known, to the machine itself.

    The intermediate machines have its biases, and its weights times beta, which rises evenly from 0 to 1.

    Args:
        machine: of Bernoulli visible units.
        n_chains: at least 2.
        n_temperatures: steps of beta, at least 1.
        seed: of what is drawn.
        threads: at least 1; the same bits for any number.
        progress: called with ("annealing", steps, all of them).

    Returns:
        The estimate with its range.

    Raises:
        InputError: of Gaussian visible units.

    Source:
        Neal, "Annealed importance sampling" (2001); Salakhutdinov and Murray, "On the quantitative analysis of deep
        belief networks", ICML 2008, section 4.1.

    Example:
        >>> from trulysparse.unsupervised.boltzmann.annealed import log_partition
        >>> from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine
        >>> machine = BoltzmannMachine.draw(3, 2, density=1.0, threads=1)
        >>> machine.layer.values[:] = 0
        >>> round(log_partition(machine, 10, 10).value, 6)  # 5 ln 2
        3.465736
    """
    if machine.visible != "bernoulli":
        raise InputError("log_partition is for visible='bernoulli'")
    v, h = machine.columns(n_chains)
    layer, dtype = machine.layer, machine.net.dtype.type
    bias = layer.bias[:, None]
    base = np.logaddexp(0, machine.visible_bias.astype(np.float64)).sum()
    base += np.logaddexp(0, layer.bias.astype(np.float64)).sum()
    key = stream_key(seed, "annealing")
    weight = np.zeros(n_chains)
    machine.visible_given(h, v, n_chains, next_key(key, 0), threads)  # h is 0: the machine without weights
    for step in range(1, n_temperatures + 1):
        if step % 100 == 1:
            progress("annealing", step - 1, n_temperatures)
        before, beta = (step - 1) / n_temperatures, step / n_temperatures
        layer.forward(v, h, 0, threads)
        input_sums = h.values - bias
        sums = input_sums[:, :n_chains].astype(np.float64)
        own = layer.bias.astype(np.float64)[:, None]
        weight += (np.logaddexp(0, own + beta * sums) - np.logaddexp(0, own + before * sums)).sum(axis=0)
        if step == n_temperatures:
            break
        np.multiply(input_sums, dtype(beta), out=h.values)
        _kernels.draw_units(h.values, layer.bias, n_chains, True, True, next_key(key, 2 * step - 1), threads)
        layer.input_gradient(h.values, v, v.values, threads)
        v.values *= dtype(beta)
        drawn = next_key(key, 2 * step)
        _kernels.draw_units(v.values, machine.visible_bias, n_chains, True, True, drawn, threads)
    progress("annealing", n_temperatures, n_temperatures)
    largest = weight.max()
    ratio = np.exp(weight - largest)
    mean, error = ratio.mean(), ratio.std(ddof=1) / np.sqrt(n_chains)
    with np.errstate(divide="ignore"):
        low, value, high = np.log([max(0.0, mean - 3 * error), mean, mean + 3 * error]) + largest + base
    return LogPartition(float(value), float(low), float(high))
