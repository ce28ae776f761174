"""What methods of selection share in checking settings and in reporting progress."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse._core.progress import Progress
from trulysparse.errors import InputError
from trulysparse.training import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record


def hidden_sizes(sizes: Any) -> tuple[int, ...]:
    """hidden_layer_sizes, an integer or a sequence of them, as a tuple.

    Args:
        sizes: each at least 1.

    Returns:
        The sizes, at least one.

    Raises:
        InputError: where it is something else.

    Example:
        >>> hidden_sizes(1000)
        (1000,)
    """
    if isinstance(sizes, Integral) and not isinstance(sizes, bool):
        sizes = (sizes,)
    if not isinstance(sizes, Sequence | np.ndarray) or isinstance(sizes, str | bytes) or len(sizes) == 0:
        raise InputError(f"hidden_layer_sizes must be an integer or a sequence of integers, not {sizes!r:.80}")
    return tuple(checks.integer(f"hidden_layer_sizes[{i}]", size, low=1) for i, size in enumerate(sizes))


class ReportEpochs(Callback):
    """Reports each epoch of a training as progress('selecting', epochs that are over, epochs)."""

    def __init__(self, progress: Progress, epochs: int) -> None:
        self._progress = progress
        self._epochs = epochs

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        self._progress("selecting", float(record["epoch"]), self._epochs)


def epochs_for(n_samples: int, batch_size: int, updates: int = 2000) -> int:
    """Epochs of about `updates` updates, 1 to 100.

    Args:
        n_samples: at least 1.
        batch_size: samples per update.
        updates: how many are wanted.

    Returns:
        The number of epochs.

    Example:
        >>> epochs_for(2_000, 100), epochs_for(60_000, 100)
        (100, 4)
    """
    per_epoch = -(-n_samples // batch_size)
    return min(100, max(1, -(-updates // per_epoch)))
