"""Settings that methods of selection share."""

from __future__ import annotations

from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.estimators._sizes import hidden_sizes as layer_sizes


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
    found = layer_sizes(sizes)
    if not found:
        raise InputError(f"hidden_layer_sizes must name at least one layer, not {sizes!r:.80}")
    return found


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


def number_to_keep(wanted: Any, n_features: int | None = None) -> int:
    """How many features are kept.

    Args:
        wanted: a number of at least 1, a share in (0, 1] of the features, rounded down to at least one, or None: 50,
            but no more than half of them.
        n_features: of how many; None: only the form of `wanted` is checked.

    Returns:
        The number, at least 1.

    Raises:
        InputError: where `wanted` is of another form, or there are not so many.

    Example:
        >>> number_to_keep(0.25, 10), number_to_keep(3, 10), number_to_keep(None, 10)
        (2, 3, 5)
    """
    name = "n_features_to_select"
    if wanted is None:
        return 50 if n_features is None else max(1, min(50, n_features // 2))
    if isinstance(wanted, float | np.floating):
        share = checks.real(name, wanted, low=0, high=1, low_open=True)
        return max(1, int(share * (n_features or 1)))
    number = checks.integer(name, wanted, low=1)
    if n_features is not None and number > n_features:
        raise InputError(f"{name} must be at most {n_features}, the features of X, not {number}")
    return number
