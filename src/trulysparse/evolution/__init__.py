"""Topology evolution: prune rule + growth rule + schedule."""

from trulysparse.evolution.density import CubicDensity, SigmoidDensity
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.evolver import Evolver
from trulysparse.evolution.methods.chts import CHTs
from trulysparse.evolution.methods.ctre import CTRE
from trulysparse.evolution.methods.deepr import DeepR
from trulysparse.evolution.methods.dsr import DSR
from trulysparse.evolution.methods.granet import GraNet
from trulysparse.evolution.methods.gse import GSE
from trulysparse.evolution.methods.mest import MEST
from trulysparse.evolution.methods.redo import ReDo
from trulysparse.evolution.methods.registry import NAMES, WITH_ZETA, make_evolution
from trulysparse.evolution.methods.rigl import RigL
from trulysparse.evolution.methods.set import SET
from trulysparse.evolution.methods.snfs import SNFS
from trulysparse.evolution.methods.static import Static
from trulysparse.evolution.schedule import Schedule
from trulysparse.evolution.step import EvolutionStep
from trulysparse.evolution.view import LayerView

__all__ = [
    "CTRE",
    "DSR",
    "GSE",
    "MEST",
    "NAMES",
    "SET",
    "SNFS",
    "WITH_ZETA",
    "CHTs",
    "CubicDensity",
    "DeepR",
    "Evolution",
    "EvolutionStep",
    "Evolver",
    "GraNet",
    "LayerView",
    "ReDo",
    "RigL",
    "Schedule",
    "SigmoidDensity",
    "Static",
    "make_evolution",
]
