"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass

from trulysparse._core import checks
from trulysparse._kernels import Update, UpdateRule
from trulysparse.errors import InputError
from trulysparse.optim.rules import check_decay, check_state, decay_terms
from trulysparse.optim.schedules import LearningRate, make_schedule, rate_at


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum.

    v = momentum * v - rate * g, then w = w + v or, with `nesterov`, w = w + momentum * v - rate * g.

    Args:
        learning_rate: above 0, or a schedule.
        momentum: in [0, 1).
        nesterov: Nesterov's momentum; needs a momentum above 0.
        weight_decay: in [0, 1); of connections, not of biases.
        weight_decay_mode: 'l2' adds weight_decay * w to the gradient; 'decoupled' takes rate * weight_decay * w from w
            at each step; 'direct' takes weight_decay * w, whatever the rate: the rule of the authors' code.
        state: type of the momentum, 'float32' or, in networks with storage='compact', 'bfloat16' with unbiased
            stochastic rounding; None: the network's.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013), eq. 1 to 4, with
        Nesterov's look-ahead written at the parameters themselves; Loshchilov and Hutter, "Decoupled weight decay
        regularization" (2019).

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> net = ts.SparseMLP.from_matrices([[[1.0]]], output="identity", dtype="float64")
        >>> trainer = ts.Trainer(net, optimizer=ts.SGD(0.1, momentum=0.0))
        >>> trainer.step(np.ones((1, 1)), np.zeros((1, 1)))  # (w * 1 + b - 0)^2, whose gradient is 2
        1.0
        >>> net.layers[0].values.round(6).tolist()
        [0.8]
    """

    learning_rate: LearningRate | float = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    weight_decay_mode: str = "l2"
    state: str | None = None

    def __post_init__(self) -> None:
        check_state(self.state)
        make_schedule(self.learning_rate)
        checks.real("momentum", self.momentum, low=0, high=1, high_open=True)
        if self.nesterov and self.momentum == 0:
            raise InputError("nesterov=True needs a momentum above 0")
        check_decay(self.weight_decay, self.weight_decay_mode)

    @property
    def n_slots(self) -> int:
        """State values per parameter."""
        return 1 if self.momentum else 0

    def rule(self, step: int, epoch: float, epochs: int | None) -> UpdateRule:
        """See Optimizer.rule."""
        rate, l2, decay = self.learning_rate, 0.0, 0.0
        if type(rate) is not float:
            rate = rate_at(rate, epoch, epochs)
        if self.weight_decay:
            l2, decay = decay_terms(self.weight_decay, self.weight_decay_mode, rate)
        kind = Update.NESTEROV if self.nesterov else Update.SGD
        return UpdateRule(kind, learning_rate=rate, momentum=self.momentum, l2=l2, decay=decay)
