"""What a loss is: the protocols that the built-in ones keep and that anyone's own may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.data.targets import Targets

OUTPUTS = ("softmax", "sigmoid", "identity")


class SimpleLoss(Protocol):
    """A loss as a formula in NumPy: the easy form of one's own."""

    def value_and_gradient(self, z: Floats, targets: NDArray[Any], weight: Floats) -> tuple[float, Floats]:
        """The loss of some samples and its gradient. It changes none of its arguments, whose memory the next ones take.

        Args:
            z: (n_outputs, n) values before the output activation, a column per sample.
            targets: (n_outputs, n) values, or (n,) labels where `check_targets` gives labels.
            weight: (n,) each sample's share in the mean over its batch. A batch may come in parts, whose losses add up
                to the mean: the loss is a sum of weight times something of each sample.

        Returns:
            (the weighted mean, the gradient of it at z, of the shape of z).
        """


class InPlaceLoss(Protocol):
    """A loss that overwrites the output values with the gradient: the form that needs no memory."""

    def gradient(self, z: Floats, targets: NDArray[Any], weight: Floats, threads: int) -> float:
        """The loss of some samples; replaces z by the gradient of it at z.

        Args:
            z: (n_outputs, columns) values before the output activation. The first columns are the samples, the others
                are padding, whose gradient must be 0.
            targets: (n_outputs, columns) values, 0 in the padding; or (n_samples,) labels.
            weight: (columns,) of the network's type: each sample's share in the mean over its batch, 0 in the padding;
                see SimpleLoss.
            threads: how many threads to use, at least 1.

        Returns:
            The weighted mean.
        """


class Loss(InPlaceLoss, Protocol):
    """What training works with.

    For a loss of one's own one method is enough, `value_and_gradient` (see SimpleLoss) or `gradient` (see InPlaceLoss).
    What else is here may be left out: `name` is then that of the class, `outputs` all, and targets are finite values
    of the outputs' shape. Both methods work on the values before the output activation. Training wraps such an object
    in a CustomLoss, which checks what it returns.

    Attributes:
        name: what messages call it.
        outputs: the output activations that it goes with, of 'softmax', 'sigmoid' and 'identity'.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> class LogCosh:
        ...     outputs = ("identity",)
        ...
        ...     def value_and_gradient(self, z, targets, weight):
        ...         error = z - targets
        ...         loss = np.logaddexp(error, -error) - np.log(2)
        ...         return (weight * loss).sum() / len(z), weight * np.tanh(error) / len(z)
        >>> X = np.random.default_rng(0).standard_normal((64, 4))
        >>> y = X[:, :2] - X[:, 2:]
        >>> net = ts.SparseMLP((4, 16, 2), epsilon=3, output="identity", seed=0, threads=1)
        >>> history = ts.Trainer(net, optimizer=ts.Adam(0.01), loss=LogCosh(), batch_size=16).fit(X, y, epochs=20)
        >>> history["loss"][-1] < 0.5 * history["loss"][0]
        True

        On class labels:

        >>> from trulysparse.data import check_labels
        >>> class Focal:
        ...     '''-(1 - p)^2 log p, with p the softmax of the label's output.'''
        ...
        ...     outputs = ("softmax",)
        ...
        ...     def check_targets(self, y, n_outputs, dtype):
        ...         return check_labels(y, n_outputs)
        ...
        ...     def value_and_gradient(self, z, targets, weight):
        ...         p = np.exp(z - z.max(axis=0))
        ...         p /= p.sum(axis=0)
        ...         at_label = targets, np.arange(len(targets))
        ...         q = p[at_label]
        ...         slope = 2 * (1 - q) * np.log(q) * q - (1 - q) ** 2  # of the loss at log q
        ...         one_hot = np.zeros_like(z)
        ...         one_hot[at_label] = 1
        ...         return -(weight * (1 - q) ** 2 * np.log(q)).sum(), weight * slope * (one_hot - p)
        >>> labels = y[:, 0] > 0
        >>> net = ts.SparseMLP((4, 16, 2), epsilon=3, seed=0, threads=1)
        >>> trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), loss=Focal(), batch_size=16)
        >>> history = trainer.fit(X, labels, epochs=20)
        >>> ts.evaluate(net, X, labels, loss=Focal())["accuracy"] > 0.9
        True
    """

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def outputs(self) -> Sequence[str]:
        """The output activations that it goes with."""

    def check_targets(self, y: Any, n_outputs: int, dtype: Any = ...) -> Targets:
        """Targets as this loss takes them; see trulysparse.data.check_labels and check_values.

        Args:
            y: as the user gave it, or what this method returned.
            n_outputs: output neurons of the network.
            dtype: of the network, whose range they must keep to.

        Returns:
            Labels, an array of integers (n_samples,); or values, (n_samples, n_outputs), of any type that X may have.

        Raises:
            InputError: with the first position that is not usable.
        """


AnyLoss: TypeAlias = SimpleLoss | InPlaceLoss
"""A loss in either form; see make_loss."""
