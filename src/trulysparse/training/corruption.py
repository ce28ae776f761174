"""Corruption of training samples: values of other samples, noise, and values set to 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key
from trulysparse.errors import InputError


@dataclass(frozen=True)
class Corruption:
    """What is done to the loaded samples of a training batch, never to those of a prediction: values are swapped, then
    noise is added, then values are set to 0.

    Args:
        noise: standard deviation of normal noise that is added to each value, at least 0, in units of the scaled
            features.
        dropout: share of the values that become 0, in [0, 1); those that stay are divided by 1 - dropout, so that the
            mean is kept.
        masking: share of the values that become 0, in [0, 1); those that stay are as they were. Not with dropout.
        swap: share of the values that become those of the same feature in another sample, in [0, 1]: one of those that
            are corrupted together, any of them with the same probability.
        redraw: whether each batch draws anew. False: what is drawn is a function of key, row and feature, the same
            each time. Not with swap.

    Raises:
        InputError: where an argument is out of range or does not go with another.

    Source:
        Bishop, "Training with noise is equivalent to Tikhonov regularization" (1995); Vincent et al., "Extracting and
        composing robust features with denoising autoencoders" (2008), section 2.3 (masking); Srivastava et al.,
        "Dropout: a simple way to prevent neural networks from overfitting" (2014); Yoon et al., "VIME: extending the
        success of self- and semi-supervised learning to tabular domain" (2020), section 4.1 (swap).

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
    masking: float = 0.0
    swap: float = 0.0
    redraw: bool = True

    def __post_init__(self) -> None:
        checks.real("input_noise", self.noise, low=0)
        checks.real("input_dropout", self.dropout, low=0, high=1, high_open=True)
        checks.real("input_masking", self.masking, low=0, high=1, high_open=True)
        checks.real("input_swap", self.swap, low=0, high=1)
        if not isinstance(self.redraw, bool | np.bool_):
            raise InputError(f"redraw_input_noise must be True or False, not {self.redraw!r:.80}")
        if self.dropout and self.masking:
            raise InputError("input_masking cannot be combined with input_dropout: both set inputs to 0")
        if self.swap and not self.redraw:
            raise InputError("input_swap needs redraw_input_noise=True: epochs differ in which samples come together")

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.noise or self.dropout or self.masking or self.swap)

    def apply(self, x: Floats, n_samples: int, key: int, threads: int, rows: NDArray[np.int64] | None = None) -> None:
        """Corrupts samples in place.

        Args:
            x: float32 or float64, (n_features, columns), laid out and scaled. Columns beyond the samples stay.
            n_samples: how many.
            key: the same key gives the same corruption, whatever `threads`. Random numbers differ from those that
                dropout draws with this key.
            threads: at least 1.
            rows: (n_samples,), numbers of the samples, by which they are corrupted where `redraw` is False; None: 0, 1
                and so on. Sample 7 is then corrupted as the eighth of a batch is.
        """
        _kernels.corrupt(
            x,
            batch=n_samples,
            noise=self.noise,
            keep_probability=1 - (self.dropout or self.masking),
            rescale=not self.masking,
            swap_probability=self.swap,
            key=stream_key(key, "input"),
            number=None if self.redraw else rows,
            threads=threads,
        )
