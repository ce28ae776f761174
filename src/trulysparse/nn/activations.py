"""Activations of hidden layers. A small object names the function; the kernels apply it to whole rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._kernels import Activation as Kind
from trulysparse.errors import InputError

# What the kernels know: a kind and, for LEAKY (x for x > 0, slope * x for x <= 0), its slope.
KernelActivation: TypeAlias = tuple[Kind, float]
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


Activation: TypeAlias = AllReLU | ReLU | LeakyReLU | Tanh | Sigmoid | Identity

NAMES = tuple(kind.name for kind in (AllReLU, ReLU, LeakyReLU, Tanh, Sigmoid, Identity))


def make_activation(activation: Activation | str, alpha: float | None = None) -> Activation:
    """An activation from its object or its name; alpha: left slope of all_relu and leaky_relu, None: their default."""
    if not isinstance(activation, str):
        if not isinstance(activation, Activation):
            raise InputError(
                f"activation must be one of {', '.join(NAMES)} or an activation object, not {activation!r}"
            )
        return activation
    checks.choice("activation", activation, NAMES)
    if activation == "all_relu":
        return AllReLU() if alpha is None else AllReLU(alpha)
    if activation == "leaky_relu":
        return LeakyReLU() if alpha is None else LeakyReLU(alpha)
    plain: dict[str, Activation] = {"relu": ReLU(), "tanh": Tanh(), "sigmoid": Sigmoid(), "identity": Identity()}
    return plain[activation]


def settings(activation: Activation) -> dict[str, float | str | None]:
    """What `make_activation` needs to build this activation again."""
    return {"activation": activation.name, "alpha": getattr(activation, "alpha", None)}


def apply(kernel: KernelActivation, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The activation of pre-activations z, in NumPy."""
    kind, slope = kernel
    if kind == Kind.LEAKY:
        return np.where(z > 0, z, slope * z)
    if kind == Kind.TANH:
        return np.tanh(z)
    return 1 / (1 + np.exp(-z)) if kind == Kind.SIGMOID else z
