"""Analysis of topologies: degrees, paths, dead and duplicate neurons, distance, exploration, regrowth, spectral norms,
and how long its layers take."""

from trulysparse.analysis.degrees import DegreeFit, fit_degrees, in_degrees, out_degrees
from trulysparse.analysis.distance import TopologyDistance, topology_distance
from trulysparse.analysis.exploration import Exploration
from trulysparse.analysis.layer_times import LayerTime, layer_times
from trulysparse.analysis.neurons import dead_neurons, duplicate_neurons
from trulysparse.analysis.overlap import Overlap
from trulysparse.analysis.paths import EffectiveConnections, Paths, effective_connections, effective_paths
from trulysparse.analysis.recorder import TopologyRecorder, describe
from trulysparse.analysis.sign_flips import SignFlips
from trulysparse.analysis.spectrum import spectral_norm

__all__ = [
    "DegreeFit",
    "EffectiveConnections",
    "Exploration",
    "LayerTime",
    "Overlap",
    "Paths",
    "SignFlips",
    "TopologyDistance",
    "TopologyRecorder",
    "dead_neurons",
    "describe",
    "duplicate_neurons",
    "effective_connections",
    "effective_paths",
    "fit_degrees",
    "in_degrees",
    "layer_times",
    "out_degrees",
    "spectral_norm",
    "topology_distance",
]
