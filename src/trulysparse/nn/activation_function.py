"""Activations that users write: what their classes must have, and how they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy as np

from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError


class LayerFunction(Protocol):
    """What a hidden layer applies to each of its values. See ActivationFunction, whose methods these are."""

    def forward(self, z: Floats) -> Floats:
        """f of each value."""

    def derivative(self, z: Floats) -> Floats:
        """f' of each value."""


class ActivationFunction(LayerFunction, Protocol):
    """An activation of hidden layers that you write: any object with a name, `forward` and `derivative`.

    The kernels compute the layer and draw dropout; both methods are called from Python, on one thread, so it is slower
    than the activations built in. They get z, a read-only array (n, m) of float32 or float64: the pre-activations of
    some neurons, those of bfloat16 networks as float32. They return an array of that shape, of real numbers. Every
    value is treated on its own, as layers come in blocks, whose last columns may be padding. What is finite must stay
    finite. In parallel training several threads call the methods at the same time.

    An object with `for_layer(hidden_layer)` in place of `forward` and `derivative` may differ from layer to layer: it
    returns an object with both methods for hidden layer number 1, 2, ...

    Attributes:
        name: what messages and files call it; not that of a built-in activation.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> class Softsign:
        ...     name = "softsign"
        ...
        ...     def forward(self, z):
        ...         return z / (1 + np.abs(z))
        ...
        ...     def derivative(self, z):
        ...         return 1 / (1 + np.abs(z)) ** 2
        >>> net = ts.SparseMLP((4, 16, 2), epsilon=3, activation=Softsign(), seed=0, threads=1)
        >>> X = np.random.default_rng(0).standard_normal((64, 4))
        >>> y = (X[:, 0] > 0).astype(int)
        >>> trainer = ts.Trainer(net, optimizer=ts.SGD(0.1), batch_size=16, seed=0)
        >>> history = trainer.fit(X, y, epochs=20)
        >>> bool((net.predict(X) == y).mean() > 0.9)
        True
    """

    @property
    def name(self) -> str:
        """See above; an attribute will do."""


class NumberedActivation(Protocol):
    """An activation that you write whose function depends on the number of the hidden layer, as that of AllReLU does.

    Attributes:
        name: see ActivationFunction.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> class Steeper:  # tanh, steeper from layer to layer
        ...     def __init__(self, factor):
        ...         self.factor = factor
        ...
        ...     def forward(self, z):
        ...         return np.tanh(self.factor * z)
        ...
        ...     def derivative(self, z):
        ...         return self.factor * (1 - np.tanh(self.factor * z) ** 2)
        >>> class Steepening:
        ...     name = "steepening"
        ...
        ...     def for_layer(self, hidden_layer):
        ...         return Steeper(1 + 0.5 * hidden_layer)
        >>> net = ts.SparseMLP((4, 8, 8, 2), epsilon=3, activation=Steepening())
        >>> [layer.activation.factor for layer in net.layers[:-1]]
        [1.5, 2.0]
    """

    @property
    def name(self) -> str:
        """See ActivationFunction."""

    def for_layer(self, hidden_layer: int) -> LayerFunction:
        """The function of hidden layer number hidden_layer, from 1."""


def evaluate(function: LayerFunction, method: str, z: Floats) -> Floats:
    """What `forward` or `derivative` returns for z, or InputError where that is no such array."""
    given = z.view()
    given.flags.writeable = False
    values: Any = getattr(function, method)(given)
    if isinstance(values, np.ndarray):
        if values.shape == z.shape and np.can_cast(values.dtype, z.dtype, "same_kind"):
            return values
        returned = f"{values.dtype} {values.shape}"
    else:
        returned = type(values).__name__
    raise InputError(f"{type(function).__name__}.{method} must return {z.dtype} {z.shape} for z, not {returned}")


def function_of(activation: ActivationFunction | NumberedActivation, hidden_layer: int) -> LayerFunction:
    """The function of a hidden layer, counted from 1."""
    for_layer: Callable[[int], LayerFunction] | None = getattr(activation, "for_layer", None)
    return cast(LayerFunction, activation) if for_layer is None else for_layer(hidden_layer)


def check_function(activation: Any) -> None:
    """InputError where an object of the user's cannot be an activation: tries it on a few values."""
    owner = type(activation).__name__
    if not isinstance(activation.name, str) or not activation.name:
        raise InputError(f"activation: {owner}.name must be a text, not {activation.name!r:.80}")
    if hasattr(activation, "for_layer") and not callable(activation.for_layer):
        raise InputError(f"activation: {owner}.for_layer must be a method")
    function = function_of(activation, 1)
    owner = type(function).__name__
    for method in ("forward", "derivative"):
        if not callable(getattr(function, method, None)):
            raise InputError(f"activation: {owner} must have a method {method}(z)")
        z = np.linspace(-3.1, 3.1, 16).reshape(2, 8)
        try:
            values = evaluate(function, method, z)
            alone = evaluate(function, method, z[1:, 3:4].copy())
        except InputError as error:
            raise InputError(f"activation: {error}") from None
        except Exception as error:
            raise InputError(f"activation: {owner}.{method} failed on an array {z.shape}: {error!r}") from error
        if not np.isfinite(values).all():
            raise InputError(f"activation: {owner}.{method} must be finite where z is, but is not between -3.1 and 3.1")
        if not np.allclose(values[1, 3], alone, rtol=1e-6, atol=1e-9):
            raise InputError(f"activation: {owner}.{method} must treat every value of z on its own")
