"""One network that stands for several: their hidden layers side by side, and the mean of their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.connectivity import from_matrix
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP


def merge_networks(networks: Sequence[SparseMLP], *, threads: int | None = None) -> SparseMLP:
    """One network whose output, before its activation, is the mean of those of several networks.

    Each hidden layer holds the neurons of all members; those of different members are not connected. It has all
    connections of the members and no others, and needs neither more memory nor more time than they do. Connections that
    several skip layers have in common become one.

    Args:
        networks: at least one; of the same inputs, outputs, number of layers, activation and type, with
            storage='indexed'. Hidden layers may differ in size.
        threads: at least 1; None: those of the first.

    Returns:
        The network, with the scaling, preprocessor and labels of the first. Probabilities of classes are the members'
        geometric mean, normalised.

    Raises:
        InputError: where the networks do not go together.

    Source:
        Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty estimation using deep
        ensembles" (2017).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> members = [ts.SparseMLP((4, 8, 3), epsilon=2, output="identity", seed=seed) for seed in range(5)]
        >>> net, X = ts.merge_networks(members), np.ones((1, 4))
        >>> net.layer_sizes, net.n_connections == sum(each.n_connections for each in members)
        ((4, 40, 3), True)
        >>> bool(np.allclose(net.predict(X), np.mean([each.predict(X) for each in members], axis=0)))
        True
    """
    networks = checks.listed("networks", networks, "networks")
    _check(networks)
    first, n_layers = networks[0], len(networks[0].chain)
    share = first.dtype.type(len(networks))
    matrices: list[Any] = []
    biases: list[NDArray[Any]] = []
    for number in range(n_layers):
        layers = [net.chain[number] for net in networks]
        weights = [layer.weight for layer in layers]
        offsets = [layer.bias for layer in layers]
        if number == n_layers - 1:
            weights = [weight / share for weight in weights]
            matrices.append(_sum(weights) if n_layers == 1 else sp.hstack(weights, format="csr"))
            biases.append(np.asarray(np.mean(offsets, axis=0, dtype=np.float64)))
        else:
            matrices.append(sp.vstack(weights, format="csr") if number == 0 else sp.block_diag(weights, format="csr"))
            biases.append(np.concatenate(offsets))
    threads = first.threads if threads is None else checks.thread_count(threads)
    if first.skip:  # where several have a connection, their weights add up
        matrices.append(_sum([net.skip_layer.weight / share for net in networks]))
        biases.append(np.zeros(0))
    pairs = [from_matrix(matrix, threads=threads) for matrix in matrices]
    net = SparseMLP.from_layers(
        [con for con, _ in pairs],
        [values.astype(first.dtype, copy=False) for _, values in pairs],
        [bias.astype(first.dtype) for bias in biases],
        replace(first.settings, threads=threads),
    )
    net.scaling, net.target_scaling = first.scaling, first.target_scaling
    net.preprocessor, net.labels = first.preprocessor, first.labels
    if net.preprocessor is None:
        net.feature_names = first.feature_names
    return net


def _sum(matrices: Sequence[sp.csr_array]) -> sp.csr_array:
    """Their sum, with a stored value wherever one of them has one."""
    entries = [matrix.tocoo() for matrix in matrices]
    rows, columns, values = (
        np.concatenate([getattr(each, name) for each in entries]) for name in ("row", "col", "data")
    )
    return sp.coo_array((values, (rows, columns)), shape=matrices[0].shape).tocsr()


def _check(networks: Sequence[SparseMLP]) -> None:
    """InputError where networks cannot be merged."""
    if not networks:
        raise InputError("networks must have at least one entry")
    for number, net in enumerate(networks):
        if not isinstance(net, SparseMLP):
            raise InputError(f"networks[{number}] must be a SparseMLP, not {type(net).__name__}")
        net.check_layers()
        if net.storage_config.tiled:
            raise InputError(f"networks[{number}] must have storage='indexed'; see net.indexed()")
        for name, own, wanted in zip(_NAMES, _form(net), _form(networks[0]), strict=True):
            if own != wanted:
                raise InputError(f"networks[{number}] must have the {name} of networks[0], {wanted}, not {own}")


_NAMES = ("number of layers", "number of inputs", "number of outputs", "activation", "output", "type", "skip", "biases")


def _form(net: SparseMLP) -> tuple[Any, ...]:
    """What the members of an ensemble have in common, in the order of _NAMES."""
    sizes = net.layer_sizes
    biased = [bool(len(layer.bias)) for layer in net.layers]
    return len(sizes), sizes[0], sizes[-1], net.activation, net.output, str(net.dtype), net.skip, biased
