"""A learning rate per layer, by the number of inputs of its neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.optim.optimizer import Optimizer, check_optimizer, with_schedule
from trulysparse.optim.rules import LayerRules
from trulysparse.optim.schedules import ConstantRate, LearningRate, scaled


class LayerRates(Protocol):
    """How learning rates of layers differ: SuPar, or an object of one's own with this member.

    Example:
        The output layer learns at a tenth of the rate:

        >>> import trulysparse as ts
        >>> class SlowOutput:
        ...     def factors(self, fan_in):
        ...         return [1.0] * (len(fan_in) - 1) + [0.1]
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0)
        >>> trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), layer_rates=SlowOutput())
    """

    def factors(self, fan_in: Sequence[float]) -> Sequence[float]:
        """What each layer's learning rate is multiplied by. Asked for whenever numbers of connections change.

        Args:
            fan_in: of each layer, first to last, the mean number of inputs of a neuron, at least 1.

        Returns:
            As many factors, above 0.
        """


@dataclass(frozen=True)
class SuPar:
    """Sparse maximal update parameterization (SµPar): each layer's rate times (base_fan_in / fan_in)^exponent.

    A rate that was found at one density, width or depth is then about right at others. fan_in is the layer's mean
    number of inputs of a neuron, which is width * density. Weights must start with variance ~ 1 / fan_in:
    `fan="sparse"`.

    The rule, from the first step of layer l, h = W x with fan_in f and gradient d at h. With Adam each weight moves by
    the rate r, its sign that of d x, so h moves by about r * f * mean |x|, which r ~ 1 / f makes the same for every f
    (Dey et al., table 1: Adam's rate of hidden weights ~ 1 / (width * density)). With SGD, dW = -r d x', so h moves by
    -r d |x|^2 = -r d f mean(x^2), and the loss by -r f mean(x^2) S_l, where S_l is the sum of d^2 over the layer's
    neurons. Going back through a layer, S_(l-1) = S_l * f_l var(W_l) E[f'^2], which is S_l for the starting weights of
    `fan="sparse"`, and at the output layer the square of its starting deviation, whatever the width (`balance`).
    So S does not depend on width, depth or density here, and r ~ 1 / f too. (With output weights of variance 1 / f^2,
    as Yang and Hu start them, S of the hidden layers is 1 / f_L; the same argument gives their table: 1 / f_L for the
    output's rate, 1 for hidden layers of one width, f_L / f_1 for the first.)

    Where neurons have few inputs, Adam's steps of them hardly add up, and h moves by r * sqrt(f) rather than r * f:
    then exponent=0.5 is right. Measured with Adam on digits (64-300x3-10, density 1 to 0.01, rates a factor of sqrt(10)
    apart): the best rate goes from 0.003 up to 0.03 with one rate for all layers, from 0.03 down to 0.003 with exponent
    1, and stays at 0.01 with exponent 0.5.

    Biases have the rate of their layer. Weight decay follows it where it is multiplied by the rate.

    Args:
        base_fan_in: the number of inputs of a neuron at which the optimizer's own rate holds, above 0.
        exponent: 1, as in the source, for SGD and for Adam where neurons have many inputs; 0.5 for Adam at low density.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Dey, Bergsma and Hestness, "Sparse maximal update parameterization: a holistic approach to sparse training
        dynamics", NeurIPS 2024, section 3; Yang and Hu, "Tensor programs V" (2022), tables 3 and 8.

    Example:
        >>> import trulysparse as ts
        >>> [round(each, 2) for each in ts.SuPar(base_fan_in=32).factors([8.0, 32.0, 1000.0])]
        [4.0, 1.0, 0.03]
    """

    base_fan_in: float = 32.0
    exponent: float = 1.0

    def __post_init__(self) -> None:
        checks.real("base_fan_in", self.base_fan_in, low=0, low_open=True)
        checks.real("exponent", self.exponent, low=0, high=1)

    def factors(self, fan_in: Sequence[float]) -> list[float]:
        """See LayerRates.factors."""
        return [(self.base_fan_in / each) ** self.exponent for each in fan_in]


LAYER_RATES = ("supar",)


def make_layer_rates(layer_rates: Any, name: str = "layer_rates") -> LayerRates | None:
    """What an argument stands for: None, a name or an object; InputError where it is none of these."""
    if layer_rates is None:
        return None
    if isinstance(layer_rates, str):
        checks.choice(name, layer_rates, LAYER_RATES)
        return SuPar()
    if isinstance(layer_rates, type) or not callable(getattr(layer_rates, "factors", None)):
        raise InputError(
            f"{name} must be 'supar', an object with a method factors(fan_in) or None, not {layer_rates!r}"
        )
    made: LayerRates = layer_rates
    return made


class LayerOptimizers:
    """One optimizer for each layer, which differ in their learning rates.

    Args:
        optimizer: SGD, Adam, or one of your own that has an attribute learning_rate.
        layer_rates: by what the rates differ.

    Raises:
        InputError: where the optimizer has no learning_rate that can be set.

    Example:
        In a loop of one's own:

        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.optim import LayerOptimizers
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, fan="sparse", seed=0)
        >>> optimizer = ts.Adam(0.01)
        >>> state = [layer.new_state(optimizer) for layer in net.layers]
        >>> rule = LayerOptimizers(optimizer, ts.SuPar(2)).rule(net.layers, 0, 0.0, None)
        >>> [round(each.learning_rate, 4) for each in rule.rules]  # neurons have 4 and 8 inputs
        [0.005, 0.0025]
        >>> tape = net.forward(np.ones((3, 4)))
        >>> tape.backward(np.ones((3, 2)), state, rule)
    """

    def __init__(self, optimizer: Optimizer, layer_rates: LayerRates) -> None:
        check_optimizer(optimizer)
        self.optimizer = with_schedule(optimizer, lambda rate: rate)  # has a learning_rate that can be set
        self.layer_rates = layer_rates
        self._fan_in: tuple[float, ...] = ()
        self._optimizers: list[Optimizer] = []

    def rule(self, layers: Sequence[Any], step: int, epoch: float, epochs: int | None) -> LayerRules:
        """What to do in one step; see Optimizer.rule.

        Args:
            layers: of the network, first to last.
            step: updates since the state was zero, from 0.
            epoch: epochs that are over.
            epochs: of the call of fit, or None.

        Returns:
            A rule for each layer.

        Raises:
            InputError: where layer_rates gives something else than a factor above 0 for each layer.
        """
        fan_in = tuple([max(1.0, layer.n_connections / layer.n_out) for layer in layers])
        if fan_in != self._fan_in:
            factors = checks.listed("what layer_rates.factors returns", self.layer_rates.factors(fan_in), "numbers")
            if len(factors) != len(fan_in):
                raise InputError(f"layer_rates.factors must return {len(fan_in)} factors, one per layer")
            for number, factor in enumerate(factors):
                checks.real(f"factor {number} of layer_rates", factor, low=0, low_open=True)
            self._optimizers = [_times(self.optimizer, factor) for factor in factors]
            self._fan_in = fan_in
        rules = tuple([each.rule(step, epoch, epochs) for each in self._optimizers])
        return LayerRules(rules)


def _times(optimizer: Optimizer, factor: float) -> Optimizer:
    """The optimizer with its learning rate times a factor."""

    def change(rate: LearningRate) -> LearningRate:
        return ConstantRate(rate.rate * factor) if isinstance(rate, ConstantRate) else scaled(rate, factor, 0.0)

    return with_schedule(optimizer, change)
