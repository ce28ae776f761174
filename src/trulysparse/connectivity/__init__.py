"""Starting connectivity of a layer."""

from trulysparse.connectivity.connected import Connected
from trulysparse.connectivity.counts import epsilon_counts, erk_counts, layer_counts, skip_count, uniform_counts
from trulysparse.connectivity.csti import CSTI
from trulysparse.connectivity.erdos_renyi import erdos_renyi
from trulysparse.connectivity.f_score import FScore
from trulysparse.connectivity.fields import CorrelatedFields
from trulysparse.connectivity.indexed import Connectivity, Rows
from trulysparse.connectivity.matrices import from_matrix, largest
from trulysparse.connectivity.network_patterns import CONNECTIVITY_NAMES, NetworkPattern, make_pattern
from trulysparse.connectivity.patterns import (
    PATTERNS,
    Pattern,
    block_local,
    fixed_fan_in,
    scale_free,
    small_world,
    uniform,
)
from trulysparse.connectivity.receptive import receptive_fields
from trulysparse.connectivity.tiled import TiledConnectivity

__all__ = [
    "CONNECTIVITY_NAMES",
    "CSTI",
    "PATTERNS",
    "Connected",
    "Connectivity",
    "CorrelatedFields",
    "FScore",
    "NetworkPattern",
    "Pattern",
    "Rows",
    "TiledConnectivity",
    "block_local",
    "epsilon_counts",
    "erdos_renyi",
    "erk_counts",
    "fixed_fan_in",
    "from_matrix",
    "largest",
    "layer_counts",
    "make_pattern",
    "receptive_fields",
    "scale_free",
    "skip_count",
    "small_world",
    "uniform",
    "uniform_counts",
]
