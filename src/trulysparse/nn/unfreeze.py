"""The network that a frozen one was made from, with all that it had when it was frozen or refreshed."""

from __future__ import annotations

from dataclasses import replace

from trulysparse.connectivity import Connectivity
from trulysparse.nn.frozen import FrozenMLP
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.skip import layer_pairs


def unfreeze(frozen: FrozenMLP) -> SparseMLP:
    """A network that can be trained and saved, from a frozen one.

    Args:
        frozen: stays as it is.

    Returns:
        The network, bit for bit the one that was frozen. It has arrays of its own.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.nn.unfreeze import unfreeze
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
        >>> same = unfreeze(net.freeze())
        >>> bool((same.layers[0].values == net.layers[0].values).all())
        True
    """
    settings = frozen.settings
    connectivities, values, biases = [], [], []
    for number, (n_in, n_out) in enumerate(layer_pairs(frozen.layer_sizes, settings.skip)):
        indptr, indices, weight, bias = frozen.layer(number)
        connectivity, order = Connectivity.from_outputs(n_in, n_out, indptr, indices, frozen.threads)
        connectivities.append(connectivity)
        values.append(weight[order])
        biases.append(bias if frozen.has_biases[number] else bias[:0])
    net = SparseMLP.from_layers(connectivities, values, biases, replace(settings, threads=frozen.threads))
    net.scaling, net.labels, net.preprocessor = frozen.scaling, frozen.labels, frozen.preprocessor
    net.target_scaling, net._feature_names = frozen.target_scaling, frozen._feature_names
    return net
