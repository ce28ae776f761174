"""What a topology is and what it does."""

from trulysparse.analysis.exploration import Exploration

__all__ = ["Exploration"]
