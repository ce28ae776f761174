"""Feature selection by sparse networks, one file per published method."""

from trulysparse.unsupervised.selection.data import SelectionData
from trulysparse.unsupervised.selection.method import SelectionMethod
from trulysparse.unsupervised.selection.registry import NAMES, make_method

__all__ = ["NAMES", "SelectionData", "SelectionMethod", "make_method"]
