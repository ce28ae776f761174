"""Gradient clipping by the norm over all parameters of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse.errors import DivergenceError


def global_norm(gradients: Sequence[tuple[Floats, Floats]], threads: int = 1) -> float:
    """The Euclidean norm of a network's gradient: over the weights and biases of all layers, as one vector.

    Args:
        gradients: of each layer, along its connections (n_connections,) and its biases (n_out,); float32 or float64.
        threads: how many; the norm has the same bits for any number. Squares are added in float64.

    Returns:
        The norm, at least 0; infinite or NaN where a gradient is.

    Source:
        Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013), algorithm 1.

    Example:
        >>> import numpy as np
        >>> from trulysparse.optim.clipping import global_norm
        >>> global_norm([(np.array([3.0]), np.array([0.0])), (np.array([4.0]), np.array([]))])
        5.0
    """
    return math.sqrt(sum(_kernels.sum_of_squares(values, threads) for pair in gradients for values in pair))


def clip_factor(norm: float, max_norm: float) -> float:
    """What to multiply a gradient by, so that its norm is at most `max_norm`.

    Args:
        norm: of the gradient; see global_norm.
        max_norm: above 0.

    Returns:
        max_norm / norm where the norm is larger, else 1, exactly.

    Raises:
        DivergenceError: where the norm is not finite: no factor makes such a gradient usable.

    Source:
        Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013), algorithm 1; as
        torch.nn.utils.clip_grad_norm_, without the 1e-6 that is added to the norm there.

    Example:
        >>> from trulysparse.optim.clipping import clip_factor
        >>> clip_factor(5.0, max_norm=1.0), clip_factor(0.5, max_norm=1.0)
        (0.2, 1.0)
    """
    if not math.isfinite(norm):
        raise DivergenceError(
            f"the gradient's norm is {norm}: training has diverged; lower the learning rate or scale the features"
        )
    return max_norm / norm if norm > max_norm else 1.0


def clip_blocks(
    gradients: Sequence[tuple[Floats, Floats]], blocks: Sequence[NDArray[np.int64]], max_norm: float
) -> None:
    """Scales the gradients of many networks, which lie one after the other, each down to a norm of at most `max_norm`.

    Args:
        gradients: of each layer, along the connections of all networks and their biases; scaled in place.
        blocks: of each layer (n_networks + 1,): where the connections of each network begin, and the last ones end.
            Biases lie in blocks of equal length.
        max_norm: above 0.

    Raises:
        DivergenceError: where a norm is not finite; nothing has changed then.

    Source:
        See clip_factor; squares are added in float64.

    Example:
        >>> import numpy as np
        >>> from trulysparse.optim.clipping import clip_blocks
        >>> weights, biases = np.array([3.0, 4.0, 0.5]), np.array([0.0, 0.0])
        >>> clip_blocks([(weights, biases)], [np.array([0, 2, 3])], max_norm=1.0)
        >>> weights.round(6).tolist()
        [0.6, 0.8, 0.5]
    """
    n = len(blocks[0]) - 1
    squares = np.zeros(n)
    for (weight, bias), ptr in zip(gradients, blocks, strict=True):
        # A zero at the end lets empty blocks begin there; reduceat gives them their first value, which does not count.
        summed = np.add.reduceat(np.append(np.square(weight, dtype=np.float64), 0.0), ptr[:-1])
        squares += np.where(ptr[1:] > ptr[:-1], summed, 0.0)
        squares += np.square(bias.reshape(n, -1), dtype=np.float64).sum(axis=1)
    norms = np.sqrt(squares)
    clip_factor(float(norms.max(initial=0)), max_norm)  # refuses what is not finite
    factors = max_norm / np.maximum(norms, max_norm)
    for (weight, bias), ptr in zip(gradients, blocks, strict=True):
        np.multiply(weight, np.repeat(factors, np.diff(ptr)).astype(weight.dtype), out=weight)
        rows = bias.reshape(n, -1)
        np.multiply(rows, factors.astype(bias.dtype)[:, None], out=rows)
