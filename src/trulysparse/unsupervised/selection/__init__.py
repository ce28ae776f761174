"""Feature selection by sparse networks, one file per published method."""

from trulysparse.unsupervised.selection.attribution import AttributionSelection
from trulysparse.unsupervised.selection.data import SelectionData
from trulysparse.unsupervised.selection.gradient import GradientSelection
from trulysparse.unsupervised.selection.method import SelectionMethod
from trulysparse.unsupervised.selection.neurofs import NeuroFS
from trulysparse.unsupervised.selection.quickselection import QuickSelection
from trulysparse.unsupervised.selection.registry import METHODS, NAMES, make_method
from trulysparse.unsupervised.selection.wast import WAST

__all__ = [
    "METHODS",
    "NAMES",
    "WAST",
    "AttributionSelection",
    "GradientSelection",
    "NeuroFS",
    "QuickSelection",
    "SelectionData",
    "SelectionMethod",
    "make_method",
]
