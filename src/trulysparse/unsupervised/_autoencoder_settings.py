"""What the parameters of an autoencoder stand for: its loss, optimizer, evolution and corruption."""

from __future__ import annotations

from typing import Any

from trulysparse._core import checks
from trulysparse.data.scaling_figures import KINDS
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution, make_evolution
from trulysparse.nn.losses import AnyLoss, BinaryCrossEntropy, Loss, MeanSquaredError, make_loss
from trulysparse.optim import SGD, Adam, Optimizer, check_optimizer

CORRUPTIONS = {"gaussian": "input_noise", "masking": "input_masking", "swap": "input_swap"}
"""Kinds of corruption, and the options of Trainer that they are."""

LEARNING_RATE = 0.005
"""Where none is given. Published rates of 0.01 are of half the squared error."""

UPDATES = 2000
"""Where no number of epochs is given, there are as many as make about so many updates, 10 to 100."""


def default_epochs(n_samples: int, batch_size: int) -> int:
    """Passes over the samples where none are given.

    Args:
        n_samples: in training.
        batch_size: samples per update.

    Example:
        >>> [default_epochs(n, 100) for n in (1_000, 10_000, 60_000)]
        [100, 20, 10]
    """
    return min(100, max(10, round(UPDATES * batch_size / max(1, n_samples))))


def scale_of(scale: str, output: str) -> str:
    """The rule by which features are scaled.

    Args:
        scale: as given; 'auto': by the samples, or 'minmax' where outputs are in [0, 1].
        output: 'identity' or 'sigmoid'.

    Raises:
        InputError: where it is none, or gives values that outputs cannot reach.
    """
    checks.choice("scale", scale, (*KINDS, "auto"))
    if output == "sigmoid" and scale in ("standard", "moderated"):
        raise InputError(f"scale must be 'auto', 'minmax' or 'none' with output='sigmoid', not {scale!r}")
    return "minmax" if output == "sigmoid" and scale == "auto" else scale


def loss_of(loss: AnyLoss | str | None, output: str, reduction: str) -> Loss:
    """The loss.

    Args:
        loss: a name, None for that of the output, or a loss, which says itself how it is reduced.
        output: 'identity' or 'sigmoid'.
        reduction: 'sum' or 'mean', over features.

    Raises:
        InputError: where they do not go together.
    """
    checks.choice("output", output, ("identity", "sigmoid"))
    checks.choice("reduction", reduction, ("sum", "mean"))
    if loss is None:
        loss = "mean_squared_error" if output == "identity" else "binary_cross_entropy"
    if isinstance(loss, str):
        checks.choice("loss", loss, ("mean_squared_error", "binary_cross_entropy"))
        squares = loss == "mean_squared_error"
        loss = MeanSquaredError(reduction) if squares else BinaryCrossEntropy(reduction)
    return make_loss(loss, output)


def optimizer_of(
    optimizer: str | Optimizer, learning_rate: float | None, momentum: float, weight_decay: float
) -> Optimizer:
    """The optimizer, made of a name and its settings or given as an object with its own."""
    if not isinstance(optimizer, str):
        check_optimizer(optimizer)
        return optimizer
    checks.choice("optimizer", optimizer, ("adam", "sgd"))
    rate = LEARNING_RATE if learning_rate is None else learning_rate
    if optimizer == "adam":
        return Adam(rate, weight_decay=weight_decay)
    return SGD(rate, momentum, weight_decay=weight_decay)


def evolution_of(evolution: str | Evolution | None, zeta: float) -> Evolution | None:
    """How the topology changes, of both ends where a method is named."""
    checks.real("zeta", zeta, low=0, high=1)
    if evolution is None or isinstance(evolution, Evolution):
        return evolution
    return make_evolution(evolution, zeta=zeta, output_layer=True)


def corruption_of(corruption: str | None, noise: float, redraw: bool) -> dict[str, Any]:
    """Options of Trainer.

    Args:
        corruption: a kind, or None.
        noise: how much of it.
        redraw: whether it is drawn anew in each epoch.

    Raises:
        InputError: where one is out of range.
    """
    checks.real("noise", noise, low=0)
    checks.flag("redraw", redraw)
    if corruption is None:
        return {}
    option = CORRUPTIONS[checks.choice("corruption", corruption, tuple(CORRUPTIONS))]
    if corruption != "gaussian":
        checks.real("noise", noise, low=0, high=1, high_open=corruption == "masking")
    if corruption == "swap" and not redraw:
        raise InputError("redraw must be True with corruption='swap', which takes values of the batch's other samples")
    return {option: noise, "redraw_input_noise": bool(redraw)}
