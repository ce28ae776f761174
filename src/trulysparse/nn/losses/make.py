"""A loss from what the user gives: its object, its name or nothing."""

from __future__ import annotations

from trulysparse.errors import InputError
from trulysparse.nn.losses.base import AnyLoss, Loss
from trulysparse.nn.losses.builtin import BinaryCrossEntropy, Huber, MeanSquaredError, SoftmaxCrossEntropy
from trulysparse.nn.losses.custom import FORMS, CustomLoss

_BuiltIn = SoftmaxCrossEntropy | BinaryCrossEntropy | MeanSquaredError | Huber

BY_OUTPUT: dict[str, type[_BuiltIn]] = {
    "softmax": SoftmaxCrossEntropy,
    "sigmoid": BinaryCrossEntropy,
    "identity": MeanSquaredError,
}
"""The loss of each output activation where none is given."""

BY_NAME: dict[str, _BuiltIn] = {
    loss.name: loss
    for loss in (
        SoftmaxCrossEntropy(),
        BinaryCrossEntropy(),
        MeanSquaredError(),
        Huber(),
        BinaryCrossEntropy("sum"),
        MeanSquaredError("sum"),
    )
}
"""The built-in losses, which hold nothing but their settings."""


def make_loss(loss: AnyLoss | str | None, output: str) -> Loss:
    """A loss as training works with it.

    Args:
        loss: a loss, the name of a built-in one, or None for that of the output activation.
        output: the network's output activation.

    Returns:
        A built-in loss as it is, one of someone's own as a CustomLoss.

    Raises:
        InputError: where it is no loss, or does not go with the output activation.

    Example:
        >>> make_loss("huber", "identity")
        Huber(delta=1.0)
        >>> make_loss(None, "sigmoid").name
        'binary_cross_entropy'
    """
    if loss is None:
        return BY_OUTPUT[output]()
    if isinstance(loss, str):
        if loss not in BY_NAME:
            raise InputError(f"loss must be one of {', '.join(BY_NAME)}, not {loss!r}")
        loss = BY_NAME[loss]
    made: Loss
    if isinstance(loss, type):
        raise InputError(f"loss must be an object, not the class {loss.__name__}: give {loss.__name__}()")
    if isinstance(loss, _BuiltIn | CustomLoss):
        made = loss
    elif any(hasattr(loss, form) for form in FORMS):
        made = CustomLoss(loss)
    else:
        raise InputError(
            f"loss must be one of {', '.join(BY_NAME)}, None, or an object with a method value_and_gradient(z, "
            f"targets, weight) or gradient(z, targets, weight, threads), not {loss!r:.80}"
        )
    if output not in made.outputs:
        fits = " or ".join(f"'{each}'" for each in made.outputs)
        raise InputError(f"loss {made.name} belongs to output={fits}, but the network has output='{output}'")
    return made
