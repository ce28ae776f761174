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
from trulysparse.nn.activations import KernelActivation

# With balance, network outputs start with this standard deviation (inputs of unit variance), as far as weights
# of at most MAX_OUTPUT_WEIGHT allow: far from saturation, yet with gradients that reach the hidden layers.
OUTPUT_DEVIATION = 0.25
MAX_OUTPUT_WEIGHT = 1.0


@dataclass(frozen=True)
class WeightInit:
    """How weights start.

    rule: 'he_uniform', uniform on +-sqrt(6 / fan_in) (He et al. 2015); 'xavier_uniform', uniform on
    +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010); 'normal', mean 0, standard deviation 0.1.
    fan: 'dense', n_in and n_out, as the authors' code does: signals shrink from layer to layer, the more the
    sparser it is; 'sparse', the mean number of connections that really enter (fan_in) or leave (fan_out) a
    neuron, which keeps their scale: the choice for very wide or deep networks.
    balance: scale the output layer's weights so that they make up for what the hidden layers lose or add;
    False: the rule there too.
    """

    rule: str = "he_uniform"
    fan: str = "dense"
    balance: bool = True

    def __post_init__(self) -> None:
        checks.choice("init", self.rule, ("he_uniform", "xavier_uniform", "normal"))
        checks.choice("fan", self.fan, ("sparse", "dense"))

    def scale(self, connectivity: Connectivity | TiledConnectivity) -> float:
        """Limit of the uniform distribution, or standard deviation of the normal one, of a hidden layer."""
        if self.rule == "normal":
            return 0.1
        if self.fan == "dense":
            fan_in, fan_out = float(connectivity.n_in), float(connectivity.n_out)
        else:
            fan_in, fan_out = mean_fan_in(connectivity), max(1.0, connectivity.n_connections / connectivity.n_in)
        return math.sqrt(6 / (fan_in if self.rule == "he_uniform" else fan_in + fan_out))

    def output_scale(self, connectivity: Connectivity | TiledConnectivity, power: float) -> float:
        """The same for the output layer, whose inputs have mean square `power`."""
        if not self.balance:
            return self.scale(connectivity)
        deviation = OUTPUT_DEVIATION / math.sqrt(max(mean_fan_in(connectivity) * power, 1e-300))
        limit = deviation if self.rule == "normal" else deviation * math.sqrt(3)
        return min(limit, MAX_OUTPUT_WEIGHT)

    def power_after(
        self, connectivity: Connectivity | TiledConnectivity, power: float, activation: KernelActivation
    ) -> float:
        """Mean square of a hidden layer's outputs at the start, from that of its inputs."""
        scale = self.scale(connectivity)
        variance = mean_fan_in(connectivity) * power * (scale**2 if self.rule == "normal" else scale**2 / 3)
        kind, slope = activation
        if kind == Activation.LEAKY:
            return variance * (1 + slope**2) / 2
        # Small signals pass tanh as they are and sit on sigmoid's 1/2; large ones saturate.
        if kind == Activation.TANH:
            return variance / (1 + variance)
        return 0.25 + 0.25 * variance / (4 + variance) if kind == Activation.SIGMOID else variance

    @property
    def kind(self) -> Draw:
        """The kernels' name of the distribution."""
        return Draw.NORMAL if self.rule == "normal" else Draw.UNIFORM

    def fill(self, values: Stored, scale: float, key: int, threads: int) -> None:
        """Replaces the values by fresh weights of the given scale."""
        _kernels.draw_weights(values, self.kind, scale, key, threads)

    def draw(self, count: int, scale: float, dtype: np.dtype[Any], key: int, threads: int) -> Stored:
        """`count` fresh weights of the given scale."""
        out = empty(count, dtype)
        self.fill(out, scale, key, threads)
        return out


def mean_fan_in(connectivity: Connectivity | TiledConnectivity) -> float:
    """Mean number of connections into a neuron, at least 1."""
    return max(1.0, connectivity.n_connections / connectivity.n_out)
