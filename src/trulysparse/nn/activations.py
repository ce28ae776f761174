"""Activations of hidden layers. A small object names the function; the kernels apply it to whole rows. Those that users
write are applied in NumPy; see activation_function.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._kernels import Activation as Kind
from trulysparse.errors import InputError
from trulysparse.nn.activation_function import (
    ActivationFunction,
    LayerFunction,
    NumberedActivation,
    check_function,
    evaluate,
    function_of,
)

# What the kernels know: a kind and, for LEAKY (x for x > 0, slope * x for x <= 0), its slope.
KernelActivation: TypeAlias = tuple[Kind, float]
# What a layer applies.
LayerActivation: TypeAlias = KernelActivation | LayerFunction
IDENTITY: KernelActivation = (Kind.IDENTITY, 0.0)


@dataclass(frozen=True)
class AllReLU:
    """All-ReLU, alternated left ReLU: the left slope changes its sign from layer to layer.

    On hidden layer l = 1, 2, ...: f(x) = x for x > 0 and f(x) = (-1)^l * alpha * x for x <= 0.

    Args:
        alpha: left slope, in [0, 1]; it counts negative on the first hidden layer, positive on the second, and so on.

    Raises:
        InputError: where alpha is out of range.

    Source:
        Curci, Mocanu, Pechenizkiy, "Truly sparse neural networks at scale" (2021), eq. 3.

    Example:
        >>> import trulysparse as ts
        >>> ts.AllReLU(0.6).kernel(1)[1], ts.AllReLU(0.6).kernel(2)[1]
        (-0.6, 0.6)
    """

    alpha: float = 0.6
    name: ClassVar[str] = "all_relu"

    def __post_init__(self) -> None:
        checks.real("alpha", self.alpha, low=0, high=1)

    def kernel(self, hidden_layer: int) -> KernelActivation:
        """What the kernels apply on a hidden layer.

        Args:
            hidden_layer: its number, counted from 1.

        Returns:
            (kind, slope): a member of the kernels' Activation, and the left slope of LEAKY.
        """
        return Kind.LEAKY, self.alpha if hidden_layer % 2 == 0 else -self.alpha


@dataclass(frozen=True)
class ReLU:
    """max(x, 0).

    Example:
        >>> import trulysparse as ts
        >>> ts.SparseMLP((4, 8, 2), epsilon=1, activation=ts.ReLU()).activation
        ReLU()
    """

    name: ClassVar[str] = "relu"

    def kernel(self, hidden_layer: int) -> KernelActivation:
        """See AllReLU.kernel."""
        return Kind.LEAKY, 0.0


@dataclass(frozen=True)
class LeakyReLU:
    """x for x > 0, alpha * x for x <= 0.

    Args:
        alpha: left slope, in [0, 1].

    Raises:
        InputError: where alpha is out of range.

    Example:
        >>> import trulysparse as ts
        >>> ts.LeakyReLU(0.1).kernel(1)[1]
        0.1
    """

    alpha: float = 0.01
    name: ClassVar[str] = "leaky_relu"

    def __post_init__(self) -> None:
        checks.real("alpha", self.alpha, low=0, high=1)

    def kernel(self, hidden_layer: int) -> KernelActivation:
        """See AllReLU.kernel."""
        return Kind.LEAKY, self.alpha


@dataclass(frozen=True)
class Tanh:
    """Hyperbolic tangent.

    Example:
        >>> import trulysparse as ts
        >>> ts.SparseMLP((4, 8, 2), epsilon=1, activation=ts.Tanh()).activation
        Tanh()
    """

    name: ClassVar[str] = "tanh"

    def kernel(self, hidden_layer: int) -> KernelActivation:
        """See AllReLU.kernel."""
        return Kind.TANH, 0.0


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-x)).

    Example:
        >>> import trulysparse as ts
        >>> ts.SparseMLP((4, 8, 2), epsilon=1, activation=ts.Sigmoid()).activation
        Sigmoid()
    """

    name: ClassVar[str] = "sigmoid"

    def kernel(self, hidden_layer: int) -> KernelActivation:
        """See AllReLU.kernel."""
        return Kind.SIGMOID, 0.0


@dataclass(frozen=True)
class Identity:
    """x: a linear layer.

    Example:
        >>> import trulysparse as ts
        >>> ts.SparseMLP((4, 8, 2), epsilon=1, activation=ts.Identity()).activation
        Identity()
    """

    name: ClassVar[str] = "identity"

    def kernel(self, hidden_layer: int) -> KernelActivation:
        """See AllReLU.kernel."""
        return IDENTITY


@dataclass(frozen=True)
class GELU:
    """Gaussian error linear unit: x times the share of the standard normal distribution under x; exact, without tanh.

    Training keeps one more value per neuron and sample, its pre-activation.

    Source:
        Hendrycks and Gimpel, "Gaussian error linear units (GELUs)" (2016), section 2.

    Example:
        >>> import trulysparse as ts
        >>> ts.SparseMLP((4, 8, 2), epsilon=1, activation=ts.GELU()).activation
        GELU()
    """

    name: ClassVar[str] = "gelu"

    def kernel(self, hidden_layer: int) -> KernelActivation:
        """See AllReLU.kernel."""
        return Kind.GELU, 0.0


@dataclass(frozen=True)
class SiLU:
    """Sigmoid linear unit, also called swish: x / (1 + exp(-x)).

    Training keeps one more value per neuron and sample, its pre-activation.

    Source:
        Elfwing, Uchibe, Doya, "Sigmoid-weighted linear units for neural network function approximation in reinforcement
        learning" (2018), eq. 3; Ramachandran, Zoph, Le, "Searching for activation functions" (2017).

    Example:
        >>> import trulysparse as ts
        >>> ts.SparseMLP((4, 8, 2), epsilon=1, activation=ts.SiLU()).activation
        SiLU()
    """

    name: ClassVar[str] = "silu"

    def kernel(self, hidden_layer: int) -> KernelActivation:
        """See AllReLU.kernel."""
        return Kind.SILU, 0.0


BuiltIn: TypeAlias = AllReLU | ReLU | LeakyReLU | Tanh | Sigmoid | Identity | GELU | SiLU
Activation: TypeAlias = BuiltIn | ActivationFunction | NumberedActivation

_PLAIN: tuple[BuiltIn, ...] = (ReLU(), Tanh(), Sigmoid(), Identity(), GELU(), SiLU())
NAMES = (AllReLU.name, ReLU.name, LeakyReLU.name, *(each.name for each in _PLAIN[1:]))


def make_activation(activation: Activation | str, alpha: float | None = None) -> Activation:
    """An activation from its object or its name; alpha: left slope of all_relu and leaky_relu, None: their default."""
    if isinstance(activation, BuiltIn):
        return activation
    if not isinstance(activation, str):
        return _checked(activation)
    checks.choice("activation", activation, NAMES)
    if activation == "all_relu":
        return AllReLU() if alpha is None else AllReLU(alpha)
    if activation == "leaky_relu":
        return LeakyReLU() if alpha is None else LeakyReLU(alpha)
    return next(each for each in _PLAIN if each.name == activation)


def _checked(activation: Any) -> Activation:
    """An activation of the user's, or InputError."""
    if isinstance(activation, type) or not hasattr(activation, "name"):
        raise InputError(
            f"activation must be one of {', '.join(NAMES)} or an activation object, not {activation!r:.80} "
            "(trulysparse.ActivationFunction says what one of your own has)"
        )
    check_function(activation)
    if activation.name in NAMES:
        raise InputError(f"activation: {type(activation).__name__}.name must not be that of a built-in one")
    checked: Activation = activation
    return checked


def restored_activation(name: Any, alpha: float | None, own: Activation | None = None) -> Activation:
    """The activation that the settings of a file name. own: the user's object, used where the name is not that of a
    built-in one."""
    if not isinstance(name, str) or name in NAMES:
        return make_activation(name, alpha)
    if own is None:
        raise InputError(
            f"activation must be one of {', '.join(NAMES)}, not {name!r:.80}; if it is an activation of your own, load "
            "with activation= and its object"
        )
    if own.name != name:
        raise InputError(f"activation must be the one that the network was saved with, {name!r:.80}, not {own.name!r}")
    return make_activation(own)


def settings(activation: Activation) -> dict[str, float | str | None]:
    """What `make_activation` needs to build this activation again, or `restored_activation` with the user's object."""
    built_in = isinstance(activation, BuiltIn)
    return {"activation": activation.name, "alpha": getattr(activation, "alpha", None) if built_in else None}


def on_layer(activation: Activation, hidden_layer: int) -> LayerActivation:
    """What a hidden layer, counted from 1, applies."""
    if isinstance(activation, BuiltIn):
        return activation.kernel(hidden_layer)
    return function_of(activation, hidden_layer)


def needs_pre_activation(activation: LayerActivation) -> bool:
    """Whether the derivative is a function of the pre-activation, which training must keep then."""
    return not isinstance(activation, tuple) or activation[0] in (Kind.GELU, Kind.SILU)


def needs_sign(activation: LayerActivation) -> bool:
    """Whether the derivative is a function of the pre-activation's sign."""
    return isinstance(activation, tuple) and activation[0] == Kind.LEAKY


def apply(activation: LayerActivation, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The activation of pre-activations z, in NumPy."""
    if not isinstance(activation, tuple):
        return evaluate(activation, "forward", z.reshape(len(z), -1)).astype(np.float64).reshape(z.shape)
    kind, slope = activation
    if kind == Kind.LEAKY:
        return np.where(z > 0, z, slope * z)
    if kind == Kind.TANH:
        return np.tanh(z)
    if kind == Kind.GELU:
        from scipy.special import ndtr

        return np.asarray(z * ndtr(z))
    if kind in (Kind.SIGMOID, Kind.SILU):
        from scipy.special import expit

        return np.asarray(expit(z) if kind == Kind.SIGMOID else z * expit(z))
    return z
