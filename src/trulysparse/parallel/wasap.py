"""The public face of parallel training: WASAP-SGD and WASSP-SGD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trulysparse.parallel import algorithm
from trulysparse.parallel.config import ParallelConfig, SynchronousConfig

if TYPE_CHECKING:
    from trulysparse.training.fit_data import FitData
    from trulysparse.training.history import History
    from trulysparse.training.loop import TrainingLoop


@dataclass(frozen=True)
class WASAP(ParallelConfig):
    """Weight-averaging sparse asynchronous parallel SGD. Phase 1: each worker computes the gradient of a batch of its
    shard on the newest model it saw; the server applies each gradient as it comes and evolves the topology at epoch
    ends; of a gradient from an older topology it applies what still exists (RetainValidUpdates). Phase 2: each worker
    trains alone, momentum and topology evolution of its own; then the models are averaged over the union of their
    connections and each layer is pruned back to its number of connections, by magnitude within each sign.

    workers: at least 1. phase1_epochs, phase2_epochs: None: 70 % and 30 % of the epochs of fit, or what the other
    leaves. rounds: how often both phases take turns; each gets its share of the epochs. backend: 'threads' of this
    process, whose kernels then run on one thread each, or 'ray' (extra 'ray'). shards: parts the samples are cut
    into, at least `workers`; None: as many. compression: of gradients, Half() or TopK(share), or None.
    momentum_correction: scale momentum with the learning rate where that changes (Goyal et al. 2017, section 3).
    staleness_aware: divide each gradient by the number of updates since its model was fetched (Zhang et al.,
    "Staleness-aware async-SGD", IJCAI 2016); with momentum 0.9, more than four workers need it or a smaller learning
    rate.

    For Ray: address: HOST:PORT of a running cluster, or 'auto'; None: the one this process is connected to, else a
    local one is started. data: a function that returns (X, y), called by each worker for itself (it must be
    importable there); None: memory maps are opened by workers themselves, other arrays travel once. worker_timeout: seconds
    after which a worker that does not answer is done without, until it is back. Workers may join up to `shards`.
    checkpoint: folder for the server's state at each epoch's end; None: a temporary one.

    With threads, weights are shared without copies: a worker may read a weight that is some updates old, never one
    that is half written; weights, biases and optimizer state are updated under a lock a layer. Which gradient comes
    first is up to the machine: results vary from run to run. Source: Curci, Mocanu and Pechenizkiy, "Truly sparse
    neural networks at scale" (2021), algorithm 1.
    """

    def train(self, loop: TrainingLoop, data: FitData) -> History:
        """Trains loop.net with workers, for data.epochs epochs. Called by Trainer.fit.

        Args:
            loop: the training whose network, optimizer state and counters go on.
            data: samples, targets, epochs and callbacks, checked.

        Returns:
            One record per epoch of phase 1, one per phase 2.

        Raises:
            InputError: where a training like this can't be spread over these workers.
        """
        return algorithm.train(self, loop, data)


@dataclass(frozen=True)
class WASSP(SynchronousConfig, WASAP):
    """Weight-averaging sparse synchronous parallel SGD: WASAP, but in phase 1 the server waits for one gradient of each
    shard, averages them (weighted by samples) and makes one update with the learning rate times the number of shards,
    which is reached in a linear warm-up. Same result for the same number of shards, whatever the workers' speed.

    warmup_epochs: until the full learning rate. See WASAP for the others.
    """
