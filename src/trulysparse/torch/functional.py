"""Both passes of a sparse linear layer as PyTorch calls them: one call of the kernels each, without copies."""

from __future__ import annotations

from typing import Any

import torch

from trulysparse._kernels import Held
from trulysparse.torch.topology import Topology

_HELD = {torch.float32: Held.FLOAT32, torch.bfloat16: Held.BFLOAT16, torch.float64: Held.FLOAT64}
_NOWHERE = (0, 1, 1)

Place = tuple[int, int, int]

Gradients = tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]


def forward(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, topology: Topology, features: bool
) -> torch.Tensor:
    """y = W x + b of samples.

    Args:
        x: (..., n_in), float32, bfloat16 or float64.
        weight: (n_connections,), in the order of connectivity.by_input; float32, or float64 where x is.
        bias: (n_out,), as weight, or None.
        topology: the connections.
        features: whether y lies feature by feature in memory: what works element by element keeps that, and the next
            layer reads it without transposing.

    Returns:
        (..., n_out), of the type of x.
    """
    n_out, shape = topology.connectivity.n_out, x.shape
    x, count = _rows(x)
    y = x.new_empty((n_out, count)).t() if features else x.new_empty((count, n_out))
    if count:
        topology.kernels.forward(
            _HELD[x.dtype],
            weight.data_ptr(),
            0 if bias is None else bias.data_ptr(),
            _place(x),
            _place(y),
            count,
            torch.get_num_threads(),
        )
    return y if len(shape) == 2 else y.view(*shape[:-1], n_out)


def _place(x: torch.Tensor) -> Place:
    """Where a matrix of samples lies, as the kernels want it."""
    return x.data_ptr(), x.stride(0), x.stride(1)


def _rows(x: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Samples as the rows of a matrix of which the values of a sample, or of a feature, lie side by side."""
    if x.dim() != 2:
        x = x.reshape(-1, x.shape[-1])
    if 1 not in x.stride():
        x = x.contiguous()
    return x, x.shape[0]


def backward(
    x: torch.Tensor,
    weight: torch.Tensor,
    dy: torch.Tensor,
    topology: Topology,
    wanted: tuple[bool, bool, bool],
    *,
    lent: bool = False,
) -> Gradients:
    """Gradients of x, weight and bias.

    Args:
        x: as of the forward pass.
        weight: likewise.
        dy: (..., n_out), the gradient of y, of the type of x.
        topology: the connections.
        wanted: which gradients; the others are None.
        lent: whether the memory of x and dy gets other values after this call, as in compiled graphs.

    Returns:
        Gradients of x, laid out as x, of the weights along the connections, and of the bias.
    """
    shape = x.shape
    x, count = _rows(x)
    dy, _ = _rows(dy)
    if topology.captured is not None:
        topology.capture(weight, x.clone() if lent else x, dy.clone() if lent else dy)
    dx = torch.empty_like(x) if wanted[0] else None
    dw = weight.new_empty(weight.shape) if wanted[1] else None
    db = weight.new_empty(topology.connectivity.n_out) if wanted[2] else None
    if count:
        topology.kernels.backward(
            _HELD[x.dtype],
            weight.data_ptr(),
            _place(x),
            _place(dy),
            _NOWHERE if dx is None else _place(dx),
            0 if dw is None else dw.data_ptr(),
            0 if db is None else db.data_ptr(),
            count,
            torch.get_num_threads(),
        )
    else:
        for gradient in (dw, db):
            if gradient is not None:
                gradient.zero_()
    if dx is not None and len(shape) != 2:
        dx = dx.reshape(shape)
    return dx, dw, db


class SparseLinearFunction(torch.autograd.Function):
    """The layer in PyTorch's graph. It calls the kernels at once: the dispatcher of operators takes longer than a small
    layer."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        topology: Topology,
        features: bool,
    ) -> torch.Tensor:
        """See `forward` of this module."""
        ctx.save_for_backward(x, weight)
        ctx.topology = topology
        return forward(x, weight, bias, topology, features)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[Any, ...]:
        """See `backward` of this module."""
        x, weight = ctx.saved_tensors
        needs = ctx.needs_input_grad
        return *backward(x, weight, dy, ctx.topology, needs[:3]), None, None
