"""Several trainings at once, each on one thread: the members of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.history import History, Record
from trulysparse.training.trainer import Trainer


def fit_side_by_side(
    trainers: Sequence[Trainer],
    X: Any,
    y: Any,
    *,
    epochs: int,
    threads: int | None = None,
    callbacks: Sequence[Sequence[Callback]] | None = None,
    **settings: Any,
) -> list[History]:
    """Trains several networks on the same samples, as many at a time as there are threads.

    Each trainer works on one thread meanwhile, so that the result does not depend on how many there are.

    Args:
        trainers: at least one, of networks of their own.
        X: (n_samples, n_inputs); see Trainer.fit.
        y: labels or targets; see Trainer.fit.
        epochs: passes of each over the samples, at least 1.
        threads: at least 1; None: all of this machine's.
        callbacks: for each trainer its own; None: none.
        **settings: the other arguments of Trainer.fit: validation_data, sample_weight, shuffle.

    Returns:
        The history of each.

    Raises:
        InputError: where trainers share a network, or samples or arguments cannot be used.
        DivergenceError: where the loss of one is not finite.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> X = np.random.default_rng(0).standard_normal((64, 4))
        >>> y = (X[:, 0] > 0).astype(int)
        >>> networks = [ts.SparseMLP((4, 8, 2), epsilon=3, seed=seed) for seed in range(3)]
        >>> trainers = [ts.Trainer(net, optimizer=ts.Adam(0.01), seed=net.seed) for net in networks]
        >>> histories = ts.fit_side_by_side(trainers, X, y, epochs=5)
        >>> len(histories), ts.merge_networks(networks).predict(X).shape
        (3, (64,))
    """
    trainers = checks.listed("trainers", trainers, "trainers")
    threads = checks.thread_count(threads)
    if len({id(trainer.net) for trainer in trainers}) != len(trainers) or not trainers:
        raise InputError("trainers must be at least one, each with a network of its own")
    own = [()] * len(trainers) if callbacks is None else list(callbacks)
    if len(own) != len(trainers):
        raise InputError(f"callbacks must have one entry for each of {len(trainers)} trainers, not {len(own)}")
    before = [(trainer.threads, trainer.net.threads) for trainer in trainers]

    def fit(trainer: Trainer, calls: Sequence[Callback]) -> History:
        return trainer.fit(X, y, epochs=epochs, callbacks=calls, **settings)

    try:
        for trainer in trainers:
            trainer.threads = trainer.net.threads = 1
        with ThreadPoolExecutor(min(threads, len(trainers))) as pool:
            return list(pool.map(fit, trainers, own))
    finally:
        for trainer, (mine, of_net) in zip(trainers, before, strict=True):
            trainer.threads, trainer.net.threads = mine, of_net


def mean_history(histories: Sequence[History]) -> History:
    """One history for several networks: the mean of each figure over those that have seen the epoch.

    Args:
        histories: at least one.

    Returns:
        As many records as the longest has; seconds and connections are sums.

    Example:
        >>> import trulysparse as ts
        >>> a = ts.History([{"epoch": 1, "loss": 0.5, "seconds": 1.0}, {"epoch": 2, "loss": 0.25, "seconds": 1.0}])
        >>> b = ts.History([{"epoch": 1, "loss": 1.0, "seconds": 2.0}])
        >>> mean_history([a, b]).records
        [{'epoch': 1, 'loss': 0.75, 'seconds': 3.0}, {'epoch': 2, 'loss': 0.25, 'seconds': 1.0}]
    """
    longest = max(histories, key=len)
    return History(
        [
            _mean([history.records[number] for history in histories if number < len(history)])
            for number in range(len(longest))
        ]
    )


def _mean(records: Sequence[Record]) -> Record:
    mean: Record = {}
    for name, value in records[0].items():
        values = [record[name] for record in records if name in record]
        if name == "epoch":
            mean[name] = value
        elif name in ("seconds", "connections"):
            mean[name] = sum(values)
        else:
            mean[name] = _mean_of([each for each in values if each is not None])
    return mean


def _mean_of(values: Sequence[Any]) -> Any:
    """Their mean, number by number; the first where they have gaps or forms of their own; None where there are none."""
    if not values:
        return None
    try:
        means = np.mean(np.array(values, dtype=np.float64), axis=0)
    except (TypeError, ValueError):
        return values[0]
    return means.tolist() if np.isfinite(means).all() else values[0]
