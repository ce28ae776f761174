"""What an exported network computes, by SciPy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from trulysparse.export.device_network import DeviceNetwork
from trulysparse.nn.activations import apply


def scores(network: DeviceNetwork, X: Any) -> Any:
    """The output layer's values before its activation, by SciPy in float64."""
    x = np.asarray(X, np.float64)
    if network.offset is not None:
        x = (x - network.offset) * network.factor
    first = x
    for layer in network.chain:
        matrix = sp.csr_array((layer.weight, layer.index, layer.ptr), shape=(layer.n_out, layer.n_in))
        x = apply(layer.activation, x @ matrix.T.astype(np.float64) + layer.bias)
    if (skip := network.skip_layer) is not None:
        matrix = sp.csr_array((skip.weight, skip.index, skip.ptr), shape=(skip.n_out, skip.n_in))
        x = x + first @ matrix.T.astype(np.float64) + skip.bias
    return x
