"""Topology evolution: prune rule + growth rule + schedule."""

from trulysparse.evolution.set import SET

__all__ = ["SET"]
