"""Truly sparse layers in anybody's PyTorch model."""

from trulysparse.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ImportError:
    raise MissingExtraError("trulysparse.torch", "torch", "torch") from None

from trulysparse.torch.evolver import Evolver
from trulysparse.torch.interop import from_mlp, to_mlp
from trulysparse.torch.linear import SparseLinear
from trulysparse.torch.report import SparsityReport
from trulysparse.torch.sparsify import Rule, densify, sparsify

__all__ = ["Evolver", "Rule", "SparseLinear", "SparsityReport", "densify", "from_mlp", "sparsify", "to_mlp"]
