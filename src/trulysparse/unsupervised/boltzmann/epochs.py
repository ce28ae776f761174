"""Epochs of a Boltzmann machine: batches in a fresh order, evolution when it is due."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trulysparse._core.random import generator
from trulysparse.data import Matrix
from trulysparse.errors import DivergenceError
from trulysparse.evolution import Evolution, Evolver
from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence
from trulysparse.unsupervised.boltzmann.machine import INIT


def make_evolver(
    method: Evolution, learner: ContrastiveDivergence, n_samples: int, epochs: int, batch_size: int
) -> Evolver:
    """What evolves the topology of a machine in a training of so many epochs.

    Args:
        method: any method; those that look at gradients get the ones of contrastive divergence.
        learner: trains the machine.
        n_samples: in an epoch.
        epochs: of the whole training.
        batch_size: samples per update.

    Returns:
        The Evolver.

    Raises:
        InputError: where the method cannot evolve a machine.
    """
    per_epoch = -(-n_samples // batch_size)
    return Evolver(
        method,
        [learner.machine.layer],
        [learner.state],
        total_updates=per_epoch * epochs,
        updates_per_epoch=per_epoch,
        seed=learner.seed,
        threads=learner.threads,
        init=INIT,
    )


def run_epoch(
    learner: ContrastiveDivergence,
    X: Matrix,
    batch_size: int,
    evolver: Evolver | None = None,
    tell: Callable[[float], None] | None = None,
) -> float:
    """Takes every sample once, in a fresh order.

    Args:
        learner: updates the machine.
        X: the samples.
        batch_size: per update, at least 1.
        evolver: changes the topology; None: it stays.
        tell: called with the share of the epoch that is over, every 100 updates; None: nothing is.

    Returns:
        The mean squared error of the reconstruction over samples and units, as updates went on; 0 with persistent
        chains, which reconstruct nothing.

    Raises:
        DivergenceError: where a weight is no longer finite.
        InputError: at a value that cannot be used.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.data import as_matrix
        >>> from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence, DivergenceSettings
        >>> from trulysparse.unsupervised.boltzmann.epochs import make_evolver, run_epoch
        >>> from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine
        >>> X = as_matrix(np.tile([1.0, 0.0], (40, 8)))
        >>> machine = BoltzmannMachine.draw(16, 8, epsilon=2, seed=0, threads=1)
        >>> learner = ContrastiveDivergence(machine, DivergenceSettings(0.1), batch_size=10, seed=0, threads=1)
        >>> evolver = make_evolver(ts.SET(0.3), learner, 40, epochs=20, batch_size=10)
        >>> errors = [run_epoch(learner, X, 10, evolver) for _ in range(20)]
        >>> errors[-1] < errors[0] / 2, machine.layer.n_connections
        (True, 48)
    """
    n = X.n_samples
    order = X.order(np.arange(n), generator(learner.seed, "shuffle", learner.n_updates))
    learner.taken_error()
    with X.reader(order) as reader:
        for number, start in enumerate(range(0, n, batch_size)):
            if tell is not None and number % 100 == 99:
                tell(start / n)
            rows = order[start : start + batch_size]
            if evolver is None:
                learner.update(reader, rows)
                continue
            due = evolver.due()
            if due and evolver.method.needs_gradient:
                learner.evolve(evolver.start(), reader, rows)
            else:
                if due:
                    evolver.evolve()
                learner.update(reader, rows)
            evolver.step_done()
    machine = learner.machine
    if not all(np.isfinite(each).all() for each in (machine.layer.values, machine.layer.bias, machine.visible_bias)):
        raise DivergenceError(
            f"weights are no longer finite after {learner.n_updates} updates: choose a smaller learning_rate than "
            f"{learner.settings.learning_rate:g}"
        )
    return learner.taken_error() / (n * machine.n_visible)
