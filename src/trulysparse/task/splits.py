"""Which samples are held out: at random, by groups that stay together, or the last ones in time."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)

from trulysparse._core import checks
from trulysparse._core.random import stream_key
from trulysparse.errors import InputError

Rows = NDArray[np.int64]


def split(
    n_samples: int,
    *,
    fraction: float,
    seed: int,
    codes: NDArray[np.int32] | None = None,
    groups: NDArray[Any] | None = None,
    order: NDArray[Any] | None = None,
    name: str = "--test-size",
    purpose: str = "split",
) -> tuple[Rows, Rows]:
    """Divides samples into those that are trained on and those that are held out.

    Args:
        n_samples: how many there are, at least 2.
        fraction: share of samples (with groups: of groups) to hold out, in (0, 1).
        seed: of the split.
        codes: classes, int32, (n_samples,); every class keeps its share in both parts where that can be, and at least
            one sample to train on.
        groups: of each sample, (n_samples,); samples of a group stay in one part.
        order: times, (n_samples,); the last samples in time are held out.
        name: what messages call the fraction.
        purpose: of the split; two of the same seed differ where their purposes do.

    Returns:
        (training samples, held-out samples), ascending.

    Raises:
        InputError: where a part would be empty, a class would have nothing to train on, or groups and order are both
            given.

    Example:
        >>> split(6, fraction=0.5, seed=0, order=np.array([3, 1, 2, 6, 5, 4]))
        (array([0, 1, 2]), array([3, 4, 5]))
    """
    fraction = checks.real(name, fraction, low=0, high=1, low_open=True, high_open=True)
    _check(n_samples, groups, order)
    n_held = min(max(1, round(fraction * n_samples)), n_samples - 1)
    state = stream_key(seed, purpose) % (2**32)
    if order is not None:
        by_time = np.argsort(order, kind="stable")
        return np.sort(by_time[:-n_held]), np.sort(by_time[-n_held:])
    rows = np.arange(n_samples)
    if groups is not None:
        n_groups = len(np.unique(groups))
        share = min(ceil(fraction * n_groups), n_groups - 1)
        parts = next(GroupShuffleSplit(1, test_size=share, random_state=state).split(rows, groups=groups))
        return np.sort(parts[0]), np.sort(parts[1])
    if codes is not None:
        held = _held_of_classes(codes, n_held, state, name)
        return np.setdiff1d(rows, held), held
    train, held = train_test_split(rows, test_size=n_held, random_state=state)
    return np.sort(train), np.sort(held)


def _held_of_classes(codes: NDArray[np.int32], n_held: int, state: int, name: str) -> Rows:
    """The held-out samples of a split by classes, ascending. A class of one sample is trained on."""
    of_each = np.bincount(codes)[codes]
    rows = np.flatnonzero(of_each > 1)
    n_classes = len(np.unique(codes[rows]))
    if len(rows) and n_classes <= n_held <= len(rows) - n_classes:
        return np.sort(train_test_split(rows, test_size=n_held, random_state=state, stratify=codes[rows])[1])
    # Too few to keep shares: any samples but the first of each class in a random order.
    mixed = np.random.default_rng(state).permutation(len(codes))
    rest = np.delete(mixed, np.unique(codes[mixed], return_index=True)[1])
    if not len(rest):
        raise InputError(f"each of the {len(codes)} classes has one sample only: there is none to hold out")
    if n_held > len(rest):
        raise InputError(
            f"{name} holds {n_held} of {len(codes)} samples out, which leaves less than one for each of the "
            f"{len(codes) - len(rest)} classes to train on; give a smaller one or add samples"
        )
    return np.sort(rest[:n_held])


def folds(
    n_samples: int,
    n_folds: int,
    *,
    seed: int,
    codes: NDArray[np.int32] | None = None,
    groups: NDArray[Any] | None = None,
    order: NDArray[Any] | None = None,
) -> list[tuple[Rows, Rows]]:
    """The folds of a cross-validation.

    Args:
        n_samples: how many there are.
        n_folds: at least 2.
        seed: of the shuffle.
        codes: classes, int32, (n_samples,); every class keeps its share in each fold.
        groups: of each sample; those of a group stay in one fold.
        order: times, (n_samples,); each fold is tested on samples later than those that it is trained on.

    Returns:
        (training samples, held-out samples) of each fold, ascending.

    Raises:
        InputError: where there are more folds than samples, groups, or samples of a class.

    Example:
        >>> [held.tolist() for _, held in folds(6, 2, seed=0, order=np.arange(6))]
        [[2, 3], [4, 5]]
    """
    checks.integer("--cv", n_folds, low=2)
    _check(n_samples, groups, order)
    state = stream_key(seed, "folds") % (2**32)
    rows = np.arange(n_samples)
    if order is not None:
        if n_folds >= n_samples:
            raise InputError(f"--cv must be less than the {n_samples} samples, not {n_folds}")
        by_time = np.argsort(order, kind="stable")
        parts = [(by_time[a], by_time[b]) for a, b in TimeSeriesSplit(n_folds).split(rows)]
        return [(np.sort(train), np.sort(held)) for train, held in parts]
    smallest = int(np.bincount(codes)[np.unique(codes)].min()) if codes is not None else n_samples
    if groups is not None:
        n_groups = len(np.unique(groups))
        if n_folds > n_groups:
            raise InputError(f"--cv must be at most the {n_groups} groups, not {n_folds}")
        if codes is not None and smallest >= n_folds:
            splitter: Any = StratifiedGroupKFold(n_folds, shuffle=True, random_state=state)
        else:
            splitter = GroupKFold(n_folds)
    elif codes is not None:
        if n_folds > smallest:
            raise InputError(f"--cv must be at most {smallest}, the samples of the smallest class, not {n_folds}")
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=state)
    else:
        if n_folds > n_samples:
            raise InputError(f"--cv must be at most the {n_samples} samples, not {n_folds}")
        splitter = KFold(n_folds, shuffle=True, random_state=state)
    return [(np.sort(train), np.sort(held)) for train, held in splitter.split(rows, codes, groups)]


def _check(n_samples: int, groups: NDArray[Any] | None, order: NDArray[Any] | None) -> None:
    if n_samples < 2:
        raise InputError("data must have at least 2 samples, one to learn from and one to hold out, not 1")
    if groups is not None and order is not None:
        raise InputError("--group and --time cannot be combined: samples are held out by groups, or the last in time")
    if groups is not None and len(np.unique(groups)) < 2:
        raise InputError("--group needs at least 2 groups, one to learn from and one to hold out, not 1")
