"""Starting connectivity of a layer."""

from trulysparse.connectivity._connectivity import Connectivity, Rows
from trulysparse.connectivity.erdos_renyi import erdos_renyi

__all__ = ["Connectivity", "Rows", "erdos_renyi"]
