"""Parallel training: WASAP-SGD and WASSP-SGD, on threads of this process or on a Ray cluster."""

from trulysparse.parallel.compression import Half, TopK
from trulysparse.parallel.wasap import WASAP, WASSP

__all__ = ["WASAP", "WASSP", "Half", "TopK"]
