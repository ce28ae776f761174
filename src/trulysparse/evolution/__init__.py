"""Topology evolution: prune rule + growth rule + schedule."""

from trulysparse.evolution.deepr import DeepR
from trulysparse.evolution.dsr import DSR
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.granet import GraNet
from trulysparse.evolution.gse import GSE
from trulysparse.evolution.mest import MEST
from trulysparse.evolution.methods import NAMES, make
from trulysparse.evolution.rigl import RigL
from trulysparse.evolution.schedule import CubicDensity, Schedule
from trulysparse.evolution.set import SET
from trulysparse.evolution.snfs import SNFS
from trulysparse.evolution.static import Static
from trulysparse.evolution.view import LayerView

__all__ = [
    "DSR",
    "GSE",
    "MEST",
    "NAMES",
    "SET",
    "SNFS",
    "CubicDensity",
    "DeepR",
    "Evolution",
    "GraNet",
    "LayerView",
    "RigL",
    "Schedule",
    "Static",
    "make",
]
