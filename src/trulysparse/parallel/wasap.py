"""The public settings of parallel training: WASAP-SGD and WASSP-SGD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trulysparse.parallel import algorithm
from trulysparse.parallel.config import ParallelConfig, SynchronousConfig
from trulysparse.parallel.progress import check_start

if TYPE_CHECKING:
    from trulysparse.io.position import Position
    from trulysparse.training.fit_data import FitData
    from trulysparse.training.history import History
    from trulysparse.training.loop import TrainingLoop


@dataclass(frozen=True)
class WASAP(ParallelConfig):
    """Weight-averaging sparse asynchronous parallel SGD.

    Phase 1: each worker computes the gradient of a batch of its shard on the newest model it has fetched. The server
    applies each gradient when it arrives and evolves the topology at the end of each epoch; of a gradient computed on
    an older topology it applies the values of connections that still exist (RetainValidUpdates). Phase 2: each worker
    trains on its own, with its own momentum and topology evolution. Then the networks are averaged over the union of
    their connections, and each layer is pruned back to its number of connections, by magnitude within each sign.

    On threads the workers share the weights without copies: a worker may read a weight that is some updates old, never
    one that is half written. The order in which gradients arrive depends on the machine, so results vary from run to
    run.

    Args:
        workers: threads or Ray actors that compute gradients, at least 1.
        phase1_epochs: epochs of phase 1, at least 0; None: what phase2_epochs leaves, or 70 % of the epochs of fit.
        phase2_epochs: epochs of phase 2, at least 0; None: what phase 1 leaves.
        rounds: how many times the two phases alternate, at least 1; each time they get an equal part of their epochs.
        backend: 'threads' of this process, each running the kernels on one thread, or 'ray' (extra 'ray').
        address: HOST:PORT of a running Ray cluster, or 'auto'; None: the one this process is connected to, else a local
            one is started.
        shards: parts the samples are divided into, at least `workers`; None: as many as workers. On Ray, more workers
            join up to this number as processors become free.
        compression: of gradients: Half(), TopK(share) or None.
        momentum_correction: whether to scale momentum with the learning rate when that changes (Goyal et al. 2017,
            section 3).
        staleness: what is done about gradients of a model that is some updates old. 'momentum' (also None): momentum,
            the share of each gradient that goes through it, and the rate of biases follow the measured staleness, so
            that up to 16 workers train with the settings of one without diverging; see docs/parallel.md. 'divide': each
            gradient is divided by its own staleness (Zhang et al., "Staleness-aware async-SGD", IJCAI 2016). 'ignore':
            nothing, as in the source.
        delay_compensation: strength of the term g * g * (w - the w that g was computed on) that is added to each
            gradient g, at least 0 (Zheng et al., "Asynchronous SGD with delay compensation", ICML 2017); above 0 the
            server keeps a copy of the network for each worker.
        warmup_epochs: epochs over which the learning rate rises from a share of 1 / workers, at the start of a
            training, at least 0; None: (workers - 1) / 15, at most a fifth of the epochs, with staleness='momentum',
            else 0.
        checkpoint: folder for the server's state at the end of each epoch (Ray); None: a temporary one.
        data: function that returns (X, y), called by each worker itself (Ray); it must be importable there.
            None: memory maps are opened by the workers, other arrays are sent once.
        worker_timeout: seconds, above 0, without an answer after which a worker's shards go to others until it answers
            again (Ray).
        patience, staleness_aware: the former names of worker_timeout and staleness='divide', deprecated.

    Raises:
        InputError: where an argument is outside its range, or needs backend='ray'.

    Source:
        Curci, Mocanu and Pechenizkiy, "Truly sparse neural networks at scale" (2021), algorithm 1.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> X, y = np.eye(8), np.arange(8) % 2
        >>> net = ts.SparseMLP((8, 6, 2), epsilon=2, seed=0)
        >>> trainer = ts.Trainer(net, evolution=ts.SET(0.3), batch_size=2, parallel=ts.WASAP(workers=2))
        >>> history = trainer.fit(X, y, epochs=10)
        >>> history["epoch"], history["phase"]
        ([1, 2, 3, 4, 5, 6, 7, 10], [1, 1, 1, 1, 1, 1, 1, 2])
    """

    def check_start(self, position: Position) -> None:
        """Checks that this training can go on from a checkpoint. Called by Trainer.fit.

        Args:
            position: of the checkpoint.

        Raises:
            InputError: where it was written by another kind of training.
        """
        check_start(self, position)

    def train(self, loop: TrainingLoop, data: FitData) -> History:
        """Trains loop.net with workers, for data.epochs epochs. Called by Trainer.fit.

        Args:
            loop: the training to run: network, optimizer state, evolution and counters.
            data: samples, targets, epochs and callbacks, checked.

        Returns:
            One record per epoch of phase 1 and one per phase 2.

        Raises:
            InputError: where this training cannot be run with these workers; see `check`.
            DivergenceError: where a loss is not finite.
        """
        return algorithm.train(self, loop, data)


@dataclass(frozen=True)
class WASSP(SynchronousConfig, WASAP):
    """Weight-averaging sparse synchronous parallel SGD: WASAP with a synchronous phase 1.

    The server waits for one gradient of each shard, averages them (weighted by the weights of their samples) and makes
    one update, with the learning rate times the number of shards, which is reached in a linear warm-up. The result is
    the same, bit for bit, for the same number of shards, whatever the number and speed of the workers.

    Args:
        warmup_epochs: epochs until the full learning rate, at least 0.
        workers, phase1_epochs, phase2_epochs, rounds, backend, address, shards, compression, momentum_correction,
            checkpoint, data, worker_timeout, patience: as for WASAP.
        staleness, delay_compensation, staleness_aware: for WASAP only; synchronous gradients are never stale.

    Raises:
        InputError: where an argument is outside its range, or needs backend='ray', or is for WASAP.

    Source:
        Curci, Mocanu and Pechenizkiy, "Truly sparse neural networks at scale" (2021), algorithm 1; the warm-up is that
        of Goyal et al., "Accurate, large minibatch SGD" (2017), section 2.2.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> X, y = np.eye(8), np.arange(8) % 2
        >>> losses = []
        >>> for workers in (1, 2):
        ...     net = ts.SparseMLP((8, 6, 2), epsilon=2, seed=0)
        ...     trainer = ts.Trainer(net, batch_size=2, parallel=ts.WASSP(workers=workers, shards=2))
        ...     losses.append(trainer.fit(X, y, epochs=4)["loss"])
        >>> losses[0] == losses[1]
        True
    """
