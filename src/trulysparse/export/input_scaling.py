"""The scaling of inputs: in the first layer's weights where that costs no accuracy, else computed by the device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.export.device_network import DeviceLayer, DeviceNetwork

SCALING_FORMS = ("auto", "folded", "kept")

# Folding computes w f x + (b - w f o) in place of w (x - o) f + b. The terms of both sums have the size of |w| (|t| +
# |o f|), t being the scaled input, in place of |w| |t|, and so has the rounding error. With this bound, where scaled
# inputs are about 1, it grows at most fivefold, to some 3e-7 of the size of the terms.
MOST_SHIFT = 4.0


def with_scaling(network: DeviceNetwork, scaling: str = "auto") -> DeviceNetwork:
    """The network with its scaling in the weights of the layers that read the inputs, where that is asked for or safe.

    Args:
        network: any.
        scaling: 'folded', 'kept', or 'auto': folded where |offset * factor| is at most 4 for each input.

    Returns:
        The network without scaling, or with the one that it had.

    Raises:
        InputError: of another word, and of 'folded' where weights or biases would be beyond float32.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.data import Scaling
        >>> from trulysparse.export.input_scaling import with_scaling
        >>> net = ts.SparseMLP.from_matrices([[[2.0]]], output="identity")
        >>> net.scaling = Scaling("standard", np.array([3.0]), np.array([0.5]))
        >>> layer = with_scaling(ts.export.DeviceNetwork.of(net)).layers[0]
        >>> layer.weight.tolist(), layer.bias.tolist()  # 2 (x - 3) 0.5 = x - 3
        ([1.0], [-3.0])
    """
    checks.choice("scaling", scaling, SCALING_FORMS)
    if scaling == "kept" or network.offset is None or network.factor is None:
        return network
    shift = np.abs(network.offset.astype(np.float64) * network.factor)
    if scaling == "auto" and shift.max() > MOST_SHIFT:
        return network
    layers = list(network.layers)
    for number in {0, len(layers) - 1} if network.skip_layer is not None else {0}:
        layer = _folded(layers[number], network.offset, network.factor)
        if not (np.isfinite(layer.weight).all() and np.isfinite(layer.bias).all()):
            if scaling == "auto":
                return network
            raise InputError("scaling='folded' would make weights or biases beyond float32; use 'kept'")
        layers[number] = layer
    if layers[-1].skip:  # a skip layer has no biases
        layers[-2] = replace(layers[-2], bias=layers[-2].bias + layers[-1].bias)
        layers[-1] = replace(layers[-1], bias=np.zeros_like(layers[-1].bias))
    return replace(network, layers=tuple(layers), offset=None, factor=None)


def _folded(layer: DeviceLayer, offset: NDArray[np.float32], factor: NDArray[np.float32]) -> DeviceLayer:
    """The layer of inputs that are not scaled, computed in float64."""
    weight = layer.weight.astype(np.float64) * factor[layer.index]
    rows = np.repeat(np.arange(layer.n_out), np.diff(layer.ptr))
    bias = layer.bias - np.bincount(rows, weight * offset[layer.index], layer.n_out)
    with np.errstate(over="ignore"):
        return replace(layer, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
