"""The two halves of an autoencoder's network, and what they compute, a block of samples at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty
from trulysparse.data import Matrix, Scaling
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP


def encoder(net: SparseMLP, n_layers: int) -> SparseMLP:
    """The first layers, as a network whose outputs are the activations of the last of them; arrays are shared.

    Args:
        net: the whole network.
        n_layers: how many, at least 1.

    Returns:
        The network, with the scaling and preprocessing of `net`.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.unsupervised._halves import encoder
        >>> net = ts.SparseMLP((4, 8, 4), epsilon=2, activation="relu", output="identity", seed=0)
        >>> X = np.eye(4)
        >>> hidden = next(iter(net.hidden_batches(X)))[1][0][:, :4].T
        >>> bool((encoder(net, 1).predict(X) == hidden).all())
        True
    """
    bare = copy.copy(net)
    bare.output, bare.target_scaling = "identity", None
    return bare.with_layers(net.layers[:n_layers])


def decoder(net: SparseMLP, n_layers: int) -> SparseMLP:
    """The layers after the first `n_layers`, as a network; arrays are shared.

    Args:
        net: the whole network.
        n_layers: how many layers the encoder has.

    Returns:
        The network, without scaling of its inputs; `target_scaling` and output activation are those of `net`.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.unsupervised._halves import decoder, encoder
        >>> net = ts.SparseMLP((4, 8, 4), epsilon=2, output="identity", seed=0)
        >>> X = np.eye(4)
        >>> bool((decoder(net, 1).predict(encoder(net, 1).predict(X)) == net.predict(X)).all())
        True
    """
    bare = copy.copy(net)
    bare.scaling = bare.preprocessor = bare.feature_names = None
    bare.layers, bare.layer_sizes = net.layers[n_layers:], net.layer_sizes[n_layers:]
    return bare.with_layers(bare.layers)


def reconstructed(net: SparseMLP, X: Matrix) -> Floats:
    """What a network makes of samples, in the unit of its targets.

    Args:
        net: an autoencoder's network, or its decoder.
        X: (n_samples, n_inputs).

    Returns:
        (n_samples, n_outputs) of the network's type.

    Raises:
        InputError: where a value is beyond the range of that type.
    """
    out = np.empty((X.n_samples, net.layer_sizes[-1]), net.dtype)
    for rows, values in net.output_batches(X):
        if net.target_scaling is None:
            out[rows] = values.T
            continue
        block = _in_unit(values.T.astype(np.float64), net.target_scaling)
        with np.errstate(over="ignore"):
            out[rows] = block
        wrong = np.flatnonzero(~np.isfinite(out[rows]).all(axis=1))
        if len(wrong):
            raise InputError(
                f"the reconstruction of X[{rows.start + wrong[0]}] is beyond the range of {net.dtype}; give "
                "dtype='float64'"
            )
    return out


def errors(net: SparseMLP, X: Matrix) -> NDArray[np.float64]:
    """How far the reconstruction of each sample is off: the mean over features of the squared difference (of the binary
    cross-entropy where the output is 'sigmoid'), of scaled features.

    Args:
        net: an autoencoder's network.
        X: (n_samples, n_inputs).

    Returns:
        (n_samples,).
    """
    found = np.empty(X.n_samples)
    for rows, z, x in _outputs_and_inputs(net, X):
        if net.output == "sigmoid":  # log(1 + exp(z)) - x z
            lost = np.logaddexp(0, z)
            lost -= np.multiply(x, z, out=x)
            found[rows] = lost.mean(axis=0, dtype=np.float64)
        else:
            off = np.subtract(x, z, out=x)
            found[rows] = np.einsum("ij,ij->j", off, off, dtype=np.float64) / len(off)
    return found


def _outputs_and_inputs(net: SparseMLP, X: Matrix) -> Iterator[tuple[slice, Floats, Floats]]:
    """(samples, output values before their activation, scaled inputs), both (n_features, n), block by block."""
    loaded: Floats | None = None
    with X.reader(np.arange(X.n_samples)) as reader:
        for rows, z in net.output_batches(X, activated=False):
            n = rows.stop - rows.start
            columns = int(_kernels.padded_batch(n))
            if loaded is None or loaded.shape[1] < columns:
                loaded = empty(X.n_features * columns, net.dtype).reshape(-1, columns)
            reader.load(np.arange(rows.start, rows.stop), loaded, net.scaling, net.threads)
            yield rows, z, loaded[:, :n]


def _in_unit(values: NDArray[np.float64], scaling: Scaling) -> NDArray[Any]:
    """Scaled values, (n, n_features), in the unit of the features; constant features have their value."""
    with np.errstate(over="ignore", invalid="ignore"):
        values /= np.where(scaling.factor == 0, np.inf, scaling.factor)
        values += scaling.offset
    return values
