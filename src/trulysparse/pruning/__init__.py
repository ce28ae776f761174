"""Importance pruning: hidden neurons removed for good."""

from trulysparse.pruning.importance import ImportancePruning, PruningReport, prune_neurons

__all__ = ["ImportancePruning", "PruningReport", "prune_neurons"]
