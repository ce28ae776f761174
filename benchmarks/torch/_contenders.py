"""Sparse linear layers of PyTorch that are measured against each other, and what the scripts share."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import trulysparse as ts
from trulysparse._core.memory import human

warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")
Step = Callable[[], object]


class Masked(nn.Linear):
    """Dense weights times a mask, as most of the field simulates sparsity."""

    def __init__(self, n_in: int, n_out: int, density: float, seed: int) -> None:
        super().__init__(n_in, n_out)
        self.register_buffer("mask", torch.rand(n_out, n_in, generator=torch.Generator().manual_seed(seed)) < density)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.weight * self.mask, self.bias)


class _Product(torch.autograd.Function):
    """torch.sparse with the backward pass written by hand: autograd would make a dense gradient of the weights."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, values: torch.Tensor, layer: TorchSparse) -> torch.Tensor:
        ctx.save_for_backward(x, values)
        ctx.layer = layer
        return torch.sparse.mm(layer.matrix(values), x.t()).t()

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, values = ctx.saved_tensors
        layer, dy = ctx.layer, dy.t().contiguous()
        dx = torch.sparse.mm(layer.transposed(values), dy).t() if ctx.needs_input_grad[0] else None
        pattern = layer.matrix(torch.zeros_like(values))
        return dx, torch.sparse.sampled_addmm(pattern, dy, x, beta=0).values(), None


class TorchSparse(nn.Module):
    """torch.sparse_csr_tensor, both ways."""

    def __init__(self, n_in: int, n_out: int, density: float, seed: int) -> None:
        super().__init__()
        con = ts.torch.SparseLinear(n_in, n_out, density=density, seed=seed).connectivity
        rows, columns = con.by_output, con.by_input
        self.size = n_out, n_in
        self.indices = torch.tensor(rows.ptr), torch.tensor(rows.index.astype(np.int64))
        self.turned = torch.tensor(columns.ptr), torch.tensor(columns.index.astype(np.int64))
        self.order = torch.tensor(np.argsort(con.position.astype(np.int64)))
        self.weight = nn.Parameter(torch.randn(con.n_connections) / 10)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def matrix(self, values: torch.Tensor) -> torch.Tensor:
        return torch.sparse_csr_tensor(*self.indices, values, size=self.size)

    def transposed(self, values: torch.Tensor) -> torch.Tensor:
        return torch.sparse_csr_tensor(*self.turned, values[self.order], size=self.size[::-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _Product.apply(x, self.weight, self) + self.bias


def ours(n_in: int, n_out: int, density: float, seed: int) -> nn.Module:
    return ts.torch.SparseLinear(n_in, n_out, density=density, seed=seed)


def dense(n_in: int, n_out: int, density: float, seed: int) -> nn.Module:
    return nn.Linear(n_in, n_out)


def sparselab(n_in: int, n_out: int, density: float, seed: int) -> nn.Module:
    """SparseLab 0.2 (PyPI)."""
    from sparselab import SparseLinear

    return SparseLinear(n_in, n_out, sparsity=1 - density)


LAYERS: dict[str, Callable[[int, int, float, int], nn.Module]] = {
    "trulysparse": ours,
    "torch dense": dense,
    "torch masked": Masked,
    "torch.sparse": TorchSparse,
    "SparseLab": sparselab,
}


def available(name: str) -> bool:
    """Whether a contender is installed."""
    try:
        LAYERS[name](4, 4, 0.5, 0)
    except ImportError:
        return False
    return True


def peak_alone(*arguments: object) -> str:
    """The most memory that the calling script takes with these arguments, in a process of its own."""
    command = [sys.executable, sys.argv[0], "--alone", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]


def print_peak(before: int) -> None:
    """What this process has taken at most since `before`, on the last line."""
    print(human(peak() - before))


def peak() -> int:
    """The most memory that this process has taken, in bytes."""
    (line,) = (each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) << 10
