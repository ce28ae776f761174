"""Gradient clipping by the norm over all parameters of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
