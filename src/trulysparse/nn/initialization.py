"""Starting values of weights; connections grown later get fresh ones by the same rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Stored, empty
from trulysparse._kernels import Activation, Draw, WeightScale
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.connectivity.indexed import count_marked
from trulysparse.errors import InputError
from trulysparse.nn.activations import LayerActivation, apply

RULES = ("he_uniform", "xavier_uniform", "uniform", "normal")

# With balance, network outputs start with this standard deviation (for inputs of unit variance), as far as weights of
# at most MAX_OUTPUT_WEIGHT allow: far from saturation, yet with gradients that reach the hidden layers.
OUTPUT_DEVIATION = 0.25
MAX_OUTPUT_WEIGHT = 1.0
# An activation of a smaller mean square is taken for one of this.
_LEAST_POWER = 0.01


@dataclass(frozen=True)
class StartSignals:
    """What the neurons of a layer give out at the start, for inputs of the network of unit variance.

    Args:
        power: mean square of the neurons that an input reaches.
        silent: square of the others, which are constants.
        live: marks of the former, or their share where connections do not depend on it.
        threads: at least 1.

    Example:
        >>> from trulysparse.connectivity import uniform
        >>> from trulysparse.nn.initialization import StartSignals
        >>> StartSignals().power_into(uniform(100, 50, 600))
        1.0
    """

    power: float = 1.0
    silent: float = 0.0
    live: NDArray[np.bool_] | float = 1.0
    threads: int = 1

    def power_into(self, connectivity: Connectivity | TiledConnectivity) -> float:
        """Mean square over the connections of the layer that gets them."""
        share = self.live
        if not isinstance(share, float):
            assert isinstance(connectivity, Connectivity)
            out_degrees = np.diff(connectivity.by_input.ptr)
            share = float(out_degrees[share].sum() / max(1, connectivity.n_connections))
        return share * self.power + (1 - share) * self.silent

    def reached(self, connectivity: Connectivity | TiledConnectivity) -> tuple[NDArray[np.bool_] | float, float]:
        """`live` of the neurons of the layer that gets them, and how many have inputs."""
        if isinstance(connectivity, TiledConnectivity):  # Erdős-Rényi: any input is as good as another
            n_live = _kernels.connected_outputs(connectivity.tiles, self.threads)
            return n_live / connectivity.n_out, float(n_live)
        rows = connectivity.by_output
        if isinstance(self.live, float):
            live = np.diff(rows.ptr) > 0
        else:
            live = count_marked(rows, self.live, self.threads) > 0
        return live, float(np.count_nonzero(np.diff(rows.ptr)))


@dataclass(frozen=True)
class LayerSizes:
    """What the scale of weights depends on, where there is no connectivity of that layer alone."""

    n_in: int
    n_out: int
    n_connections: int


@dataclass(frozen=True)
class WeightInit:
    """How weights start, and how those of connections grown later do.

    Args:
        rule: 'he_uniform', uniform on +-sqrt(6 / fan_in); 'xavier_uniform', uniform on +-sqrt(6 / (fan_in + fan_out));
            'uniform', uniform on +-1 / sqrt(fan_in) whatever the activation, torch's rule of a linear layer, with
            which actors and critics start; 'normal', mean 0, standard deviation 0.1.
        fan: 'dense': fan_in = n_in and fan_out = n_out, as in the authors' code; activations then shrink from layer to
            layer, the more the sparser it is. 'sparse': fan_in is the number of connections into the very neuron that
            a weight leads to, fan_out the layer's mean number out of a neuron; and 'he_uniform' follows the
            activation f: uniform on +-sqrt(3 / (m * fan_in)), where m is the mean of f(z)^2 over normal z. That is
            sqrt(6 / ((1 + slope^2) * fan_in)) for ReLU, leaky ReLU and All-ReLU, sqrt(3 / fan_in) for the identity;
            m is 0.39 for tanh, 0.29 for sigmoid, 0.43 for GELU, 0.36 for SiLU. Whatever depth and sparsity, signals
            of mean square 1 then keep it with the former, and pre-activations tend to variance 1 with tanh and
            sigmoid; with GELU and SiLU signals grow from layer to layer, by a sixth and a third at most.
        balance: scale the output layer's weights so that they make up for what the hidden layers lose or add; False:
            the rule there too.

    Raises:
        InputError: where rule or fan is not one of these.

    Source:
        He et al., "Delving deep into rectifiers" (2015), eq. 10 and 15; Evci et al., "Gradient flow in sparse neural
        networks and how lottery tickets win" (2022), section 3.1, for fan_in by neuron; Glorot and Bengio,
        "Understanding the difficulty of training deep feedforward neural networks" (2010), eq. 16; LeCun et al.,
        "Efficient backprop" (1998), section 4.6, for 1 / sqrt(fan_in).

    Example:
        >>> from trulysparse import WeightInit
        >>> from trulysparse.connectivity import uniform
        >>> from trulysparse.nn.activations import ReLU
        >>> con, relu = uniform(100, 50, 600), ReLU().kernel(1)
        >>> round(WeightInit().scale(con, relu).of(12), 3)  # whatever the neuron's inputs
        0.245
        >>> scale = WeightInit(fan="sparse").scale(con, relu)
        >>> round(scale.of(12), 3), round(scale.of(3), 3)  # of weights into neurons with 12 and with 3 inputs
        (0.707, 1.414)
    """

    rule: str = "he_uniform"
    fan: str = "dense"
    balance: bool = True

    def __post_init__(self) -> None:
        checks.choice("init", self.rule, RULES)
        checks.choice("fan", self.fan, ("sparse", "dense"))

    def scale(
        self, connectivity: Connectivity | TiledConnectivity | LayerSizes, activation: LayerActivation
    ) -> WeightScale:
        """The scale of a hidden layer's weights.

        Args:
            connectivity: of the layer, or its sizes.
            activation: of the layer.

        Returns:
            Limit of the uniform distribution, or standard deviation of the normal one, by the number of inputs of the
            neuron that a weight leads to.

        Raises:
            InputError: where an activation of the user's is not finite.
        """
        if self.rule == "normal":
            return WeightScale(0.1)
        if self.rule == "uniform":
            sparse = self.fan == "sparse"
            return WeightScale(1.0 if sparse else 1 / math.sqrt(connectivity.n_in), by_fan_in=sparse)
        xavier = self.rule == "xavier_uniform"
        if self.fan == "dense":
            return WeightScale(math.sqrt(6 / (connectivity.n_in + (connectivity.n_out if xavier else 0))))
        if xavier:
            fan_out = max(1.0, connectivity.n_connections / connectivity.n_in)
            return WeightScale(math.sqrt(6), by_fan_in=True, added=fan_out)
        return WeightScale(math.sqrt(3 / max(mean_square(activation, 1.0), _LEAST_POWER)), by_fan_in=True)

    def output_scale(
        self, connectivity: Connectivity | TiledConnectivity, inputs: StartSignals, activation: LayerActivation
    ) -> WeightScale:
        """The scale of the output layer's weights.

        Args:
            connectivity: of the layer.
            inputs: what it gets.
            activation: of the layer.

        Returns:
            As `scale`.
        """
        if not self.balance:
            return self.scale(connectivity, activation)
        deviation = OUTPUT_DEVIATION / math.sqrt(max(inputs.power_into(connectivity), 1e-300))
        limit = deviation if self.rule == "normal" else deviation * math.sqrt(3)
        if self.fan == "sparse":
            return WeightScale(limit, by_fan_in=True, most=MAX_OUTPUT_WEIGHT)
        return WeightScale(min(limit / math.sqrt(mean_fan_in(connectivity)), MAX_OUTPUT_WEIGHT))

    def signals_after(
        self, connectivity: Connectivity | TiledConnectivity, inputs: StartSignals, activation: LayerActivation
    ) -> StartSignals:
        """The outputs of a hidden layer at the start.

        Args:
            connectivity: of the layer.
            inputs: what it gets.
            activation: of the layer.

        Returns:
            An estimate.

        Raises:
            InputError: where an activation of the user's is not finite.
        """
        live, n_live = inputs.reached(connectivity)
        scale, power = self.scale(connectivity, activation), inputs.power_into(connectivity)
        fan_in = max(1.0, connectivity.n_connections / max(1.0, n_live))
        spread = 1.0 if self.rule == "normal" else 1 / 3  # variance of a weight where the scale is 1
        if scale.by_fan_in and self.rule != "xavier_uniform":
            variance = power * spread * scale.of(1) ** 2  # whatever the neuron's inputs
        else:
            variance = power * spread * fan_in * scale.of(round(fan_in)) ** 2
        return StartSignals(mean_square(activation, variance), mean_square(activation, 0.0), live, inputs.threads)

    @property
    def kind(self) -> Draw:
        """The kernels' name of the distribution."""
        return Draw.NORMAL if self.rule == "normal" else Draw.UNIFORM

    def fill(
        self,
        values: Stored,
        connectivity: Connectivity | TiledConnectivity,
        scale: WeightScale,
        key: int,
        threads: int,
    ) -> None:
        """Replaces a layer's weights by fresh ones.

        Args:
            values: along the connections; float32, float64 or, in tiles, bfloat16 in uint16.
            connectivity: of the layer.
            scale: see `scale`.
            key: of the random stream; the same weights whatever `threads`.
            threads: at least 1.
        """
        if not scale.by_fan_in:
            _kernels.draw_weights(values, self.kind, scale, key, threads)
        elif isinstance(connectivity, TiledConnectivity):
            _kernels.draw_tile_weights(connectivity.tiles, values, self.kind, scale, key, threads)
        else:
            fan_in = np.diff(connectivity.indptr)
            _kernels.draw_weights(values, self.kind, scale, key, threads, connectivity.by_input.index, fan_in)

    def draw_new(
        self,
        outputs: NDArray[np.int32],
        fan_in: NDArray[np.int64] | None,
        scale: WeightScale,
        dtype: np.dtype[Any],
        key: int,
        threads: int,
    ) -> Stored:
        """Weights of connections that are added to an indexed layer.

        Args:
            outputs: the neuron that each leads to.
            fan_in: inputs of each of the layer's neurons, the new ones among them; None where the scale is not by
                fan-in.
            scale: see `scale`.
            dtype: of the weights.
            key: of the random stream.
            threads: at least 1.

        Returns:
            The weights, of the shape of `outputs`.
        """
        out = empty(len(outputs), dtype)
        _kernels.draw_weights(out, self.kind, scale, key, threads, outputs, fan_in)
        return out


def mean_fan_in(connectivity: Connectivity | TiledConnectivity) -> float:
    """Mean number of connections into a neuron, at least 1."""
    return max(1.0, connectivity.n_connections / connectivity.n_out)


def mean_square(activation: LayerActivation, variance: float) -> float:
    """Mean square of an activation over normal pre-activations of this variance."""
    kind, slope = activation if isinstance(activation, tuple) else (None, 0.0)
    if kind == Activation.IDENTITY:
        return variance
    if kind == Activation.LEAKY:
        return variance * (1 + slope**2) / 2
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    mean = float(weights @ apply(activation, math.sqrt(variance) * nodes) ** 2 / weights.sum())
    if not math.isfinite(mean):
        raise InputError(f"activation must be finite between {math.sqrt(variance) * nodes[0]:.3g} and its opposite")
    return mean
