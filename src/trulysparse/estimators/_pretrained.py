"""Estimators that begin with layers that are trained already, such as those of an autoencoder's encoder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np

from trulysparse.connectivity.counts import is_per_layer
from trulysparse.connectivity.network_patterns import FROM_SAMPLES
from trulysparse.errors import InputError
from trulysparse.estimators._samples import as_table, fitted_preprocessor
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.settings import NetworkSettings
from trulysparse.preprocessing import TablePreprocessor
from trulysparse.recipe import Recipe
from trulysparse.recipe.options import F_SCORE, known


class BeginsPretrained:
    """An estimator with a parameter `pretrained`."""

    @classmethod
    def from_autoencoder(cls, autoencoder: Any, **params: Any) -> Self:
        """An estimator that begins with the encoder of a fitted autoencoder: with its layers, their topology and
        weights, its scaling and its preprocessing; the output layer is fresh.

        Parameters
        ----------
        autoencoder : fitted SparseAutoencoder
            Its encoder is copied, as the parameter `pretrained`.
        **params : parameters of the estimator
            hidden_layer_sizes may name fresh layers behind those of the encoder.

        Returns
        -------
        the estimator, not fitted

        Raises
        ------
        InputError
            Where autoencoder is none, or not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> X = np.random.default_rng(0).normal(size=(400, 10))
        >>> y = X[:, 0] > 0
        >>> autoencoder = ts.SparseAutoencoder((32,), epochs=5, random_state=0).fit(X)  # all samples
        >>> model = ts.SparseMLPClassifier.from_autoencoder(autoencoder, epochs=30, random_state=0)
        >>> model.fit(X[:100], y[:100]).network_.sizes_text  # those with labels
        '10-32-2'
        """
        if "pretrained" in params:
            raise InputError("pretrained must not be given to from_autoencoder, which makes it of the autoencoder")
        if not hasattr(type(autoencoder), "encoder_"):
            raise InputError(f"autoencoder must be a fitted SparseAutoencoder, not {autoencoder!r:.80}")
        if not hasattr(autoencoder, "network_"):
            raise InputError("autoencoder must be fitted: call its fit first")
        params["pretrained"] = autoencoder.encoder_.copy()
        return cls(**params)


def with_pretrained(recipe: Recipe, pretrained: SparseMLP) -> Recipe:
    """A recipe whose network begins with the layers of `pretrained`, and any that `hidden` names after them.

    Args:
        recipe: of the user's parameters.
        pretrained: all its layers become hidden ones, its scaling and preprocessing the network's.

    Returns:
        The recipe, with what the pretrained layers settle.

    Raises:
        InputError: where a parameter says otherwise.
    """
    _check_network(pretrained)
    if pretrained.skip or pretrained.storage_config.tiled:
        raise InputError("pretrained must be a network with storage='indexed' and without a skip layer")
    sizes = pretrained.layer_sizes[1:]
    hidden = sizes if recipe.hidden is None else recipe.hidden
    if hidden[: len(sizes)] != sizes:
        raise InputError(f"hidden_layer_sizes must begin with the sizes of pretrained, {sizes}, not be {hidden}")
    for name in ("activation", "scale"):
        if getattr(recipe, name) != "auto":
            raise InputError(
                f"{name} must be 'auto' with pretrained, which brings its own, not {getattr(recipe, name)!r}"
            )
    if recipe.alpha is not None or recipe.skip or is_per_layer(recipe.density):
        wrong = "alpha must be None" if recipe.alpha is not None else "skip must be None or False"
        wrong = "density must be one number, of the fresh layers," if is_per_layer(recipe.density) else wrong
        raise InputError(f"{wrong} with pretrained, whose layers are made already")
    connectivity = recipe.connectivity
    if isinstance(connectivity, str) and connectivity in (F_SCORE, *FROM_SAMPLES):
        raise InputError(f"connectivity must not be {connectivity!r} with pretrained: it draws layers that read X")
    return replace(
        recipe,
        hidden=hidden,
        activation=pretrained.activation,
        scale="none" if pretrained.scaling is None else pretrained.scaling.kind,
        connectivity="erdos_renyi" if connectivity == "auto" else connectivity,
        skip=False,
    )


def network_from(
    pretrained: SparseMLP, recipe: Recipe, n_outputs: int, *, output: str, dtype: str, threads: int
) -> SparseMLP:
    """A network that begins with copies of the layers of `pretrained`.

    Args:
        pretrained: see with_pretrained.
        recipe: what with_pretrained gave; its epsilon or density are those of the fresh layers.
        n_outputs: at least 1.
        output: 'softmax', 'sigmoid' or 'identity'.
        dtype: 'float32' or 'float64', of all layers.
        threads: of the kernels.

    Returns:
        The network, with the scaling and the preprocessing of `pretrained`.

    Raises:
        InputError: where the layers of `pretrained` do not fit together.
    """
    pretrained.check_layers()
    sizes = pretrained.layer_sizes[1:]
    rest = replace(recipe, hidden=known(recipe.hidden)[len(sizes) :])
    fresh = rest.network(sizes[-1], n_outputs, output=output, dtype=dtype, threads=threads)
    layers = [*pretrained.layers, *fresh.layers]
    settings = NetworkSettings(
        epsilon=fresh.epsilon,
        activation=pretrained.activation,
        output=output,
        init=fresh.init,
        dtype=dtype,
        seed=fresh.seed,
        threads=threads,
    )
    net = SparseMLP.from_layers(
        [layer.connectivity for layer in layers],
        [layer.values.astype(dtype) for layer in layers],
        [layer.bias.astype(dtype) for layer in layers],
        settings,
    )
    net.scaling = pretrained.scaling
    net.preprocessor = pretrained.preprocessor
    net.feature_names = None if pretrained.preprocessor is not None else pretrained.feature_names
    return net


def aligned(X: Any, pretrained: SparseMLP | None) -> Any:
    """Checked samples in the form that `pretrained` takes.

    Args:
        X: what checked_samples gave.
        pretrained: the network to begin with; None: X is returned as it is.

    Returns:
        X; a DataFrame where `pretrained` has a preprocessor.

    Raises:
        InputError: where X is not what `pretrained` takes.
    """
    if pretrained is None:
        return X
    _check_network(pretrained)
    if pretrained.preprocessor is not None:
        return as_table(X, pretrained.preprocessor)
    if hasattr(X, "iloc"):
        raise InputError(
            "X has columns that are not plain numbers without gaps, but pretrained was trained on plain numbers alone"
        )
    if X.shape[1] != pretrained.layer_sizes[0]:
        raise InputError(f"X has {X.shape[1]} features, but pretrained has {pretrained.layer_sizes[0]} inputs")
    return X


def preprocessor_for(X: Any, pretrained: SparseMLP | None) -> TablePreprocessor | None:
    """What encodes samples, fitted to them, or that of `pretrained`; None for what needs none.

    Args:
        X: what `aligned` gave, or the part of it that is trained on.
        pretrained: the network to begin with, or None.
    """
    return fitted_preprocessor(X) if pretrained is None else pretrained.preprocessor


def check_names(pretrained: SparseMLP, names: Any) -> None:
    """InputError where the columns of X have other names than the inputs of `pretrained`.

    Args:
        pretrained: the network to begin with.
        names: feature_names_in_, or None.
    """
    known_names = pretrained.feature_names
    if names is None or known_names is None or pretrained.preprocessor is not None:
        return
    differ = [at for at, (a, b) in enumerate(zip(names, known_names, strict=True)) if str(a) != b]
    if differ:
        at = differ[0]
        raise InputError(
            f"X must have the columns that pretrained was trained on, in their order: column {at} is "
            f"'{np.asarray(names)[at]}', not '{known_names[at]}'"
        )


def _check_network(pretrained: Any) -> None:
    """InputError where a parameter `pretrained` is no network."""
    if not isinstance(pretrained, SparseMLP):
        raise InputError(f"pretrained must be a SparseMLP or None, not {pretrained!r:.80}")
