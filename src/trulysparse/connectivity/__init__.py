"""Starting connectivity of a layer."""

from trulysparse.connectivity._connectivity import Connectivity
from trulysparse.connectivity.erdos_renyi import erdos_renyi

__all__ = ["Connectivity", "erdos_renyi"]
