"""Truly sparse layers in anybody's PyTorch model."""

from trulysparse.torch.linear import SparseLinear as SparseLinear
