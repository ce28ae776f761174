"""The operators that compiled graphs call: trulysparse::sparse_linear and its backward pass."""

from __future__ import annotations

from typing import Any

import torch

from trulysparse.torch.functional import backward, forward
from trulysparse.torch.topology import Topology

_LIBRARY = torch.library.Library("trulysparse", "DEF")
_LIBRARY.define(
    "sparse_linear(Tensor x, Tensor weight, Tensor? bias, Tensor topology, int n_out, bool features) -> Tensor"
)
_LIBRARY.define(
    "sparse_linear_backward(Tensor x, Tensor weight, Tensor dy, Tensor topology, int n_out, bool[3] wanted) "
    "-> (Tensor, Tensor, Tensor)"
)


def _forward(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    topology: torch.Tensor,
    n_out: int,
    features: bool,
) -> torch.Tensor:
    return forward(x, weight, bias, Topology.of(topology), features)


def _forward_shape(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    topology: torch.Tensor,
    n_out: int,
    features: bool,
) -> torch.Tensor:
    shape = (*x.shape[:-1], n_out)
    if not features:
        return x.new_empty(shape)
    count = 1
    for size in shape[:-1]:
        count *= size
    return x.new_empty((n_out, count)).t().view(shape)


def _backward(
    x: torch.Tensor, weight: torch.Tensor, dy: torch.Tensor, topology: torch.Tensor, n_out: int, wanted: list[bool]
) -> tuple[torch.Tensor, ...]:
    given = backward(x, weight, dy, Topology.of(topology), (wanted[0], wanted[1], wanted[2]), lent=True)
    return tuple(weight.new_empty(0) if gradient is None else gradient for gradient in given)


def _backward_shape(
    x: torch.Tensor, weight: torch.Tensor, dy: torch.Tensor, topology: torch.Tensor, n_out: int, wanted: list[bool]
) -> tuple[torch.Tensor, ...]:
    return (
        torch.empty_like(x) if wanted[0] else weight.new_empty(0),
        weight.new_empty(weight.shape if wanted[1] else 0),
        weight.new_empty(n_out if wanted[2] else 0),
    )


for _name, _real, _shape in (
    ("sparse_linear", _forward, _forward_shape),
    ("sparse_linear_backward", _backward, _backward_shape),
):
    _LIBRARY.impl(_name, _real, "CPU")
    torch.library.register_fake(f"trulysparse::{_name}", _shape, lib=_LIBRARY)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    x, weight, bias, topology, ctx.n_out, _ = inputs
    ctx.biased = bias is not None
    ctx.save_for_backward(x, weight, topology)


def _gradients(ctx: Any, dy: torch.Tensor) -> tuple[Any, ...]:
    x, weight, topology = ctx.saved_tensors
    wanted = [ctx.needs_input_grad[0], ctx.needs_input_grad[1], ctx.biased and ctx.needs_input_grad[2]]
    given = torch.ops.trulysparse.sparse_linear_backward(x, weight, dy, topology, ctx.n_out, wanted)
    return *(g if want else None for g, want in zip(given, wanted, strict=True)), None, None, None


torch.library.register_autograd("trulysparse::sparse_linear", _gradients, setup_context=_setup, lib=_LIBRARY)

sparse_linear = torch.ops.trulysparse.sparse_linear
