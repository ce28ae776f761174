"""Output heads of actors, errors of critics, and their gradients, on (features, columns) arrays.

One column is one sample, as in the networks' passes. Arrays of a fleet have an axis more, of its agents, before the
others. Everything is written into arrays that are kept, and each function
is a few NumPy calls: at a batch of 256 a call costs about a microsecond.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# The range of Haarnoja's code, of DS-SAC and of Stable-Baselines3. CleanRL squashes to [-5, 2] by a tanh instead, which
# ties the least deviation to the scale of the output layer.
LOG_STD_MIN = -20.0
LOG_STD_MAX = 2.0

Array = NDArray[np.floating[Any]]


def tanh_actions(outputs: Array, out: Array) -> Array:
    """The actions of a deterministic actor: tanh of its outputs.

    Args:
        outputs: (n_actions, columns) values of the actor's last layer.
        out: of the same shape; written. May be rows of a critic's input.

    Returns:
        `out`, in [-1, 1].

    Source:
        Lillicrap et al., "Continuous control with deep reinforcement learning" (2016), section 7.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.heads import tanh_actions
        >>> tanh_actions(np.array([[0.0, 1.0]]), np.empty((1, 2))).round(4).tolist()
        [[0.0, 0.7616]]
    """
    return np.tanh(outputs, out=out)


def tanh_gradient(actions: Array, d_actions: Array, out: Array) -> Array:
    """The gradient at the outputs of a deterministic actor: d_actions (1 - actions^2).

    Args:
        actions: (n_actions, columns) from `tanh_actions`.
        d_actions: (n_actions, columns) gradient of the loss at the actions.
        out: of the same shape, neither of the others; written.

    Returns:
        `out`.

    Source:
        Silver et al., "Deterministic policy gradient algorithms" (2014), equation 9, through the tanh.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.heads import tanh_gradient
        >>> tanh_gradient(np.array([[0.0, 0.5]]), np.array([[2.0, 2.0]]), np.empty((1, 2))).tolist()
        [[2.0, 1.5]]
    """
    np.multiply(actions, actions, out=out)
    np.subtract(1.0, out, out=out)
    return np.multiply(out, d_actions, out=out)


class SquashedGaussian:
    """The stochastic head of SAC: a = tanh(u), u = mean + exp(log_std) * noise.

    The network's outputs are the means, then the logarithms of the deviations, which are clamped to [-20, 2].

    Args:
        n_actions: at least 1.
        columns: samples that a call takes.
        dtype: of all arrays.
        n_agents: of a fleet, whose arrays have this many rows more in front; None: of one agent.

    Attributes:
        actions: (n_actions, columns) of the last call of `sample`, in [-1, 1].
        log_probability: (columns,) of these actions.

    Source:
        Haarnoja et al., "Soft actor-critic" (2018), appendix C; the gradient is equation 13.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.heads import SquashedGaussian
        >>> head = SquashedGaussian(1, 2, dtype="float64")
        >>> outputs = np.array([[0.0, 1.0], [0.0, 0.0]])  # means 0 and 1, deviations 1
        >>> actions, log_probability = head.sample(outputs, noise=np.array([[0.0, 0.5]]))
        >>> actions.round(4).tolist(), log_probability.round(4).tolist()
        ([[0.0, 0.9051]], [-0.9189, 0.6669])
    """

    def __init__(
        self, n_actions: int, columns: int, dtype: DTypeLike = np.float32, n_agents: int | None = None
    ) -> None:
        agents = () if n_agents is None else (n_agents,)
        shape = (*agents, n_actions, columns)
        self.n_actions = n_actions
        self.actions: Array = np.zeros(shape, dtype)
        self.log_probability: Array = np.zeros((*agents, columns), dtype)
        self._log_std: Array = np.zeros(shape, dtype)
        self._spread: Array = np.zeros(shape, dtype)  # exp(log_std) * noise
        self._work: Array = np.zeros(shape, dtype)
        self._more: Array = np.zeros(shape, dtype)
        self._within = np.zeros(shape, np.bool_)  # where the clamp passes gradients
        self._constant = -n_actions * (0.5 * math.log(2 * math.pi) + 2 * math.log(2))

    def sample(self, outputs: Array, noise: Array) -> tuple[Array, Array]:
        """Actions for given noise, and the logarithms of their probability densities.

        The correction log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)) is even in u, and is taken at |u|, where no
        part of it overflows: also saturated actions have a finite and exact density.

        Args:
            outputs: (2 * n_actions, columns) of the actor: means, then logarithms of deviations.
            noise: (n_actions, columns) of standard normal values.

        Returns:
            `actions` and `log_probability`, which the next call overwrites.
        """
        n, log_std, work, more = self.n_actions, self._log_std, self._work, self._more
        np.maximum(outputs[..., n:, :], LOG_STD_MIN, out=log_std)
        np.minimum(log_std, LOG_STD_MAX, out=log_std)
        np.equal(log_std, outputs[..., n:, :], out=self._within)
        np.exp(log_std, out=self._spread)
        np.multiply(self._spread, noise, out=self._spread)
        np.add(outputs[..., :n, :], self._spread, out=work)
        np.tanh(work, out=self.actions)
        np.abs(work, out=work)
        np.multiply(work, -2.0, out=more)
        np.exp(more, out=more)
        np.log1p(more, out=more)
        np.add(work, more, out=work)  # |u| + softplus(-2|u|)
        np.add(work, work, out=work)
        np.subtract(work, log_std, out=work)
        np.multiply(noise, noise, out=more)
        np.multiply(more, 0.5, out=more)
        np.subtract(work, more, out=work)
        np.add.reduce(work, axis=-2, out=self.log_probability)
        np.add(self.log_probability, self._constant, out=self.log_probability)
        return self.actions, self.log_probability

    def gradient(self, d_actions: Array, weight: float | Array, out: Array) -> Array:
        """The gradient at the outputs of L + weight * (sum of log_probability), the noise of the last sample held.

        Args:
            d_actions: (n_actions, columns) gradient of L at the actions: for SAC, L = -mean(min(Q1, Q2)).
            weight: of the log probability of each sample: for SAC, temperature / batch_size; of a fleet also
                (n_agents, 1, 1).
            out: (2 * n_actions, columns); written.

        Returns:
            `out`: at the means, then at the logarithms of the deviations, 0 where those are clamped.
        """
        n = self.n_actions
        d_mean, d_log_std = out[..., :n, :], out[..., n:, :]
        tanh_gradient(self.actions, d_actions, d_mean)
        np.multiply(self.actions, 2 * weight, out=self._work)  # -log(1 - tanh(u)^2) has the derivative 2 tanh(u)
        np.add(d_mean, self._work, out=d_mean)
        np.multiply(d_mean, self._spread, out=d_log_std)
        np.subtract(d_log_std, weight, out=d_log_std)  # of -log_std
        np.multiply(d_log_std, self._within, out=d_log_std)
        return out


def squared_error(values: Array, targets: Array, batch_size: int, out: Array) -> float:
    """The mean squared error of a critic and its gradient.

    Args:
        values: (columns,) of the critic; of a fleet (n_agents, columns), as all that follow.
        targets: (columns,).
        batch_size: how many of the columns are samples; the others are padding.
        out: (columns,); the gradient at `values` is written here, of padding too.

    Returns:
        The mean of (values - targets)^2 over the samples, and over the agents of a fleet, each of which has its own
        mean as its loss.

    Source:
        Fujimoto et al., "Addressing function approximation error in actor-critic methods" (2018), algorithm 1.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.heads import squared_error
        >>> gradient = np.empty(2)
        >>> squared_error(np.array([1.0, 5.0]), np.array([2.0, 2.0]), 2, gradient), gradient.tolist()
        (5.0, [-1.0, 3.0])
    """
    np.subtract(values, targets, out=out)
    samples = out[..., :batch_size]
    loss = float(np.vdot(samples, samples)) / samples.size
    np.multiply(out, 2.0 / batch_size, out=out)
    return loss


def huber_error(values: Array, targets: Array, batch_size: int, out: Array) -> float:
    """The mean Huber error of a critic and its gradient, which is clipped at +-1 a sample.

    Args:
        values: see squared_error.
        targets: see squared_error.
        batch_size: see squared_error.
        out: see squared_error.

    Returns:
        The mean over the samples of e^2 / 2 where |e| < 1 and |e| - 1/2 elsewhere, with e = values - targets.

    Source:
        Mnih et al., "Human-level control through deep reinforcement learning" (2015), methods: the error is clipped.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.heads import huber_error
        >>> gradient = np.empty(2)
        >>> huber_error(np.array([1.5, 5.0]), np.array([2.0, 2.0]), 2, gradient), gradient.tolist()
        (1.3125, [-0.25, 0.5])
    """
    error = values - targets
    np.maximum(error, -1.0, out=out)
    np.minimum(out, 1.0, out=out)
    # c (e - c / 2), with the clipped error c, is e^2 / 2 within and |e| - 1/2 outside
    clipped, error = out[..., :batch_size], error[..., :batch_size]
    loss = float(np.vdot(clipped, error) - 0.5 * np.vdot(clipped, clipped)) / clipped.size
    np.multiply(out, 1.0 / batch_size, out=out)
    return loss
