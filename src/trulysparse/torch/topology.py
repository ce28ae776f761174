"""Topology: a layer's connections as the kernels take them, found by number from inside PyTorch's operators."""

from __future__ import annotations

import ctypes
from functools import cache
from itertools import count
from typing import Any, Self
from weakref import WeakValueDictionary

import torch

from trulysparse import _kernels
from trulysparse.connectivity import Connectivity

_NUMBERS = count(1)
_KNOWN: WeakValueDictionary[int, Topology] = WeakValueDictionary()


class Topology:
    """A layer's connections, prepared for passes. Immutable: evolution makes a new one.

    Args:
        connectivity: the connections.

    Attributes:
        connectivity: as given.
        kernels: both passes.
        number: its own in this process, by which operators find it.
        captured: None; or a list, to which each backward pass adds (x, dy), samples as rows, for evolution methods that
            need gradients.
        captured_of: the parameter whose passes these are: copies of a layer share its topology. None: any.

    Example:
        >>> from trulysparse.connectivity import uniform
        >>> from trulysparse.torch.topology import Topology
        >>> topology = Topology(uniform(100, 50, 600))
        >>> Topology.of(topology.token()) is topology
        True
    """

    def __init__(self, connectivity: Connectivity) -> None:
        _share_threads()
        rows, columns = connectivity.by_input, connectivity.by_output
        self.connectivity = connectivity
        self.kernels = _kernels.SampleLayer(
            in_ptr=rows.ptr,
            in_index=rows.index,
            out_ptr=columns.ptr,
            out_index=columns.index,
            position=connectivity.position,
            long_inputs=rows.long,
            long_outputs=columns.long,
        )
        self.captured: list[tuple[torch.Tensor, torch.Tensor]] | None = None
        self.captured_of: torch.Tensor | None = None
        self.number = next(_NUMBERS)
        _KNOWN[self.number] = self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copies of a layer share what never changes."""
        return self

    def __reduce__(self) -> tuple[type[Topology], tuple[Connectivity]]:
        return Topology, (self.connectivity,)

    def capture(self, weight: torch.Tensor, x: torch.Tensor, dy: torch.Tensor) -> None:
        """Adds a backward pass to `captured`.

        Args:
            weight: of the pass.
            x: its input, (samples, n_in).
            dy: the gradient of its output, (samples, n_out).
        """
        own = self.captured_of is None or self.captured_of.data_ptr() == weight.data_ptr()
        if own and self.captured is not None:
            self.captured.append((x.detach(), dy.detach()))

    def token(self) -> torch.Tensor:
        """(1,) int64 on the CPU: its number, as operators take it. Tensors are the one input of a compiled graph whose
        value may change without another compilation."""
        return torch.tensor([self.number])

    @staticmethod
    def of(token: torch.Tensor) -> Topology:
        """The topology that a token names; RuntimeError where it is gone."""
        topology = _KNOWN.get(int(token.item()))
        if topology is None:
            raise RuntimeError(
                "the topology of a SparseLinear has changed since its forward pass: evolve after backward"
            )
        return topology


@cache
def _share_threads() -> None:
    """Lets the kernels compute on the threads of PyTorch's OpenMP library, where it has one. Those spin for a moment
    after each of PyTorch's own loops: on two cores, other threads beside them take twice the time."""
    if "OpenMP" not in torch.__config__.parallel_info().partition("ATen parallel backend:")[2]:
        return
    for name in ("libgomp.so.1", "libiomp5.so", "libomp.so"):
        try:
            region = ctypes.CDLL(name, mode=getattr(ctypes, "RTLD_NOLOAD", 4)).GOMP_parallel
        except (OSError, AttributeError):
            continue
        _kernels.borrow_threads(ctypes.cast(region, ctypes.c_void_p).value or 0)
        return
