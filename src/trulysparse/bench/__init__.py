"""Measuring trulysparse beside its peers: same network, same data, same update rule, interleaved in one run."""

from trulysparse.bench.peers import PEERS, Unavailable
from trulysparse.bench.problems import PRESETS, Problem, network_of_density
from trulysparse.bench.timing import Timing, interleave

__all__ = ["PEERS", "PRESETS", "Problem", "Timing", "Unavailable", "interleave", "network_of_density"]
