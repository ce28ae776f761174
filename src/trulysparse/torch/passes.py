"""The backward passes that one step's gradients are the sum of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from trulysparse._core.arrays import Floats

Pair = tuple[torch.Tensor, torch.Tensor]


class Passes(list[Pair]):
    """A list of (x, dy) that keeps those whose gradients are in the parameter's `grad`: what came before a zero_grad()
    goes, such as a batch whose step a GradScaler has left out, or the backward pass of another loss.

    Args:
        parameter: the weight of the layer.

    Example:
        >>> import torch
        >>> from trulysparse.torch.passes import Passes
        >>> passes = Passes(torch.zeros(3, requires_grad=True))
        >>> passes.append((torch.ones(2, 5), torch.ones(2, 4)))
        >>> len(passes)
        1
    """

    def __init__(self, parameter: torch.Tensor) -> None:
        super().__init__()
        self._parameter = parameter
        self._pass = -1

    def append(self, pair: Pair) -> None:
        """Adds what one use of the layer gave, during a backward pass.

        Args:
            pair: x (samples, n_in) and dy (samples, n_out).
        """
        number = torch._C._current_graph_task_id()  # of the call of backward(): a layer may be used twice in it
        gradient = self._parameter.grad
        if number != self._pass and (gradient is None or not bool(gradient.any())):
            self.clear()
        self._pass = number
        super().append(pair)


def joined(passes: Sequence[Pair], dtype: np.dtype[Any]) -> tuple[Floats, Floats] | tuple[None, None]:
    """The samples of all passes, neuron by neuron as the library's rules take them.

    Args:
        passes: (x, dy), samples as rows.
        dtype: of the result.

    Returns:
        x (n_in, samples) and dy (n_out, samples); None twice where there are no samples.

    Example:
        >>> import numpy as np, torch
        >>> from trulysparse.torch.passes import joined
        >>> x, dy = joined([(torch.ones(2, 5), torch.ones(2, 4)), (torch.ones(3, 5), torch.ones(3, 4))], np.dtype("f4"))
        >>> x.shape, dy.shape
        ((5, 5), (4, 5))
    """
    pairs = [pair for pair in passes if len(pair[0])]
    if not pairs:
        return None, None

    def whole(which: int) -> Floats:
        parts = [pair[which].float() if pair[which].dtype == torch.bfloat16 else pair[which] for pair in pairs]
        together = parts[0].t() if len(parts) == 1 else torch.cat([part.t() for part in parts], dim=1)
        array: Floats = together.contiguous().numpy().astype(dtype, copy=False)
        return array

    return whole(0), whole(1)
