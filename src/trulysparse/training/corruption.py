"""Corruption of training samples: noise, and values set to 0, fresh for each batch."""

from __future__ import annotations

from dataclasses import dataclass

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key


@dataclass(frozen=True)
class Corruption:
    """What is done to the loaded samples of a training batch, never to those of a prediction.

    Args:
        noise: standard deviation of normal noise that is added to each value, at least 0, in units of the scaled
            features.
        dropout: share of the values that become 0, in [0, 1); those that stay are divided by 1 - dropout, so that the
            mean is kept. Zeros come after the noise.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Bishop, "Training with noise is equivalent to Tikhonov regularization" (1995); Vincent et al., "Extracting and
        composing robust features with denoising autoencoders" (2008), section 2.3; Srivastava et al., "Dropout: a
        simple way to prevent neural networks from overfitting" (2014).

    Example:
        >>> import numpy as np
        >>> from trulysparse.training.corruption import Corruption
        >>> x = np.ones((2, 4), np.float32)
        >>> Corruption(dropout=0.5).apply(x, n_samples=3, key=1, threads=1)
        >>> sorted(set(x[:, :3].ravel().tolist())), x[:, 3].tolist()
        ([0.0, 2.0], [1.0, 1.0])
    """

    noise: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        checks.real("input_noise", self.noise, low=0)
        checks.real("input_dropout", self.dropout, low=0, high=1, high_open=True)

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return self.noise > 0 or self.dropout > 0

    def apply(self, x: Floats, n_samples: int, key: int, threads: int) -> None:
        """Corrupts samples in place.

        Args:
            x: float32 or float64, (n_features, columns), laid out and scaled. Columns beyond the samples stay.
            n_samples: how many.
            key: the same key gives the same corruption, whatever `threads`. Random numbers differ from those that
                dropout draws with this key.
            threads: at least 1.
        """
        _kernels.corrupt(
            x,
            batch=n_samples,
            noise=self.noise,
            keep_probability=1 - self.dropout,
            key=stream_key(key, "input"),
            threads=threads,
        )
