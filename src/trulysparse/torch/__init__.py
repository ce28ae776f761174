"""Truly sparse layers in anybody's PyTorch model."""

from trulysparse.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ImportError:
    raise MissingExtraError("trulysparse.torch", "torch", "torch") from None

from trulysparse.torch.evolver import Evolver
from trulysparse.torch.linear import SparseLinear

__all__ = ["Evolver", "SparseLinear"]
