"""Starting values of weights; connections grown later get fresh ones by the same rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Stored, empty
from trulysparse._kernels import Activation, Draw
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.errors import InputError
from trulysparse.nn.activations import LayerActivation, apply

# With balance, network outputs start with this standard deviation (for inputs of unit variance), as far as weights of
# at most MAX_OUTPUT_WEIGHT allow: far from saturation, yet with gradients that reach the hidden layers.
OUTPUT_DEVIATION = 0.25
MAX_OUTPUT_WEIGHT = 1.0


@dataclass(frozen=True)
class WeightInit:
    """How weights start, and how those of connections grown later do.

    Args:
        rule: 'he_uniform', uniform on +-sqrt(6 / fan_in); 'xavier_uniform', uniform on +-sqrt(6 / (fan_in + fan_out));
            'normal', mean 0, standard deviation 0.1.
        fan: 'dense': fan_in = n_in and fan_out = n_out, as in the authors' code; activations then shrink from layer to
            layer, the more the sparser it is. 'sparse': the mean number of connections into (fan_in) or out of
            (fan_out) a neuron, which keeps their scale: the choice for very wide or deep networks.
        balance: scale the output layer's weights so that they make up for what the hidden layers lose or add; False:
            the rule there too.

    Raises:
        InputError: where rule or fan is not one of these.

    Source:
        He et al., "Delving deep into rectifiers" (2015), section 2.2; Glorot and Bengio, "Understanding the difficulty
        of training deep feedforward neural networks" (2010), eq. 16.

    Example:
        >>> from trulysparse import WeightInit
        >>> from trulysparse.connectivity import uniform
        >>> con = uniform(100, 50, 600)  # 12 connections into a neuron
        >>> round(WeightInit().scale(con), 3), round(WeightInit(fan="sparse").scale(con), 3)
        (0.245, 0.707)
    """

    rule: str = "he_uniform"
    fan: str = "dense"
    balance: bool = True

    def __post_init__(self) -> None:
        checks.choice("init", self.rule, ("he_uniform", "xavier_uniform", "normal"))
        checks.choice("fan", self.fan, ("sparse", "dense"))

    def scale(self, connectivity: Connectivity | TiledConnectivity) -> float:
        """The scale of a hidden layer's weights.

        Args:
            connectivity: of the layer.

        Returns:
            Limit of the uniform distribution, or standard deviation of the normal one.
        """
        if self.rule == "normal":
            return 0.1
        if self.fan == "dense":
            fan_in, fan_out = float(connectivity.n_in), float(connectivity.n_out)
        else:
            fan_in, fan_out = mean_fan_in(connectivity), max(1.0, connectivity.n_connections / connectivity.n_in)
        return math.sqrt(6 / (fan_in if self.rule == "he_uniform" else fan_in + fan_out))

    def output_scale(self, connectivity: Connectivity | TiledConnectivity, power: float) -> float:
        """The scale of the output layer's weights.

        Args:
            connectivity: of the layer.
            power: mean square of its inputs.

        Returns:
            As `scale`.
        """
        if not self.balance:
            return self.scale(connectivity)
        deviation = OUTPUT_DEVIATION / math.sqrt(max(mean_fan_in(connectivity) * power, 1e-300))
        limit = deviation if self.rule == "normal" else deviation * math.sqrt(3)
        return min(limit, MAX_OUTPUT_WEIGHT)

    def power_after(
        self, connectivity: Connectivity | TiledConnectivity, power: float, activation: LayerActivation
    ) -> float:
        """Mean square of a hidden layer's outputs at the start.

        Args:
            connectivity: of the layer.
            power: mean square of its inputs.
            activation: of the layer.

        Returns:
            An estimate, at least 0.

        Raises:
            InputError: where an activation of the user's is not finite.
        """
        scale = self.scale(connectivity)
        variance = mean_fan_in(connectivity) * power * (scale**2 if self.rule == "normal" else scale**2 / 3)
        kind, slope = activation if isinstance(activation, tuple) else (None, 0.0)
        if kind == Activation.IDENTITY:
            return variance
        if kind == Activation.LEAKY:
            return variance * (1 + slope**2) / 2
        # Small signals pass tanh as they are and sit on sigmoid's 1/2; large ones saturate.
        if kind == Activation.TANH:
            return variance / (1 + variance)
        if kind == Activation.SIGMOID:
            return 0.25 + 0.25 * variance / (4 + variance)
        # Of others, the mean over normal pre-activations.
        nodes, weights = np.polynomial.hermite_e.hermegauss(64)
        mean = float(weights @ apply(activation, math.sqrt(variance) * nodes) ** 2 / weights.sum())
        if not math.isfinite(mean):
            raise InputError(f"activation must be finite between {math.sqrt(variance) * nodes[0]:.3g} and its opposite")
        return mean

    @property
    def kind(self) -> Draw:
        """The kernels' name of the distribution."""
        return Draw.NORMAL if self.rule == "normal" else Draw.UNIFORM

    def fill(self, values: Stored, scale: float, key: int, threads: int) -> None:
        """Replaces values by fresh weights.

        Args:
            values: any number of them; float32, float64 or bfloat16 in uint16.
            scale: see `scale`.
            key: of the random stream; the same weights whatever `threads`.
            threads: at least 1.
        """
        _kernels.draw_weights(values, self.kind, scale, key, threads)

    def draw(self, count: int, scale: float, dtype: np.dtype[Any], key: int, threads: int) -> Stored:
        """Fresh weights.

        Args:
            count: how many.
            scale: see `scale`.
            dtype: of the array.
            key: of the random stream.
            threads: at least 1.

        Returns:
            (count,) weights.
        """
        out = empty(count, dtype)
        self.fill(out, scale, key, threads)
        return out


def mean_fan_in(connectivity: Connectivity | TiledConnectivity) -> float:
    """Mean number of connections into a neuron, at least 1."""
    return max(1.0, connectivity.n_connections / connectivity.n_out)
