"""What the server and workers on a Ray cluster are made from."""

from __future__ import annotations

import os
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from trulysparse.errors import InputError
from trulysparse.nn.losses import make_loss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.predictor import Predictor
from trulysparse.parallel.config import ParallelConfig, Span
from trulysparse.parallel.ray.sources import Source
from trulysparse.parallel.shards import Shard, shard_rows
from trulysparse.parallel.worker import WorkerOptions
from trulysparse.training.batch import checked_targets
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.fit_data import FitData


@dataclass(frozen=True)
class Setup:
    """A training, as it is sent to servers and workers. net: without layers. batches: batches of each shard in one
    pass. source: a reference to a Source, in a tuple so that Ray does not resolve it. callbacks: those that run beside
    the server."""

    net: SparseMLP
    options: WorkerOptions
    config: ParallelConfig
    span: Span
    step_count: int
    state_updates: int
    epochs: int
    batches: tuple[int, ...]
    n_samples: int
    shuffle: bool
    source: tuple[Any]
    callbacks: tuple[Callback, ...]

    def open_data(self) -> FitData:
        """The samples, read by this process itself."""
        import ray

        node = os.uname().nodename
        try:
            source: Source = ray.get(self.source[0])
            X, y, weight = source.open()
            matrix = Predictor.matrix(self.net, X)  # SparseMLP's also checks the layers, which `net` does not have
            net = self.net
            if net.target_scaling is not None and not source.in_own_unit:  # they are standardised already
                net = copy(net)
                net.target_scaling = None
            targets = checked_targets(net, make_loss(self.options.loss, net.output), matrix, X, y)
        except (OSError, ImportError, InputError, ray.exceptions.RaySystemError) as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"a worker on node {node} cannot read its samples: {reason}") from None
        if matrix.n_samples != self.n_samples or len(targets) != self.n_samples:
            raise InputError(
                f"a worker on node {node} finds {matrix.n_samples} samples and {len(targets)} targets where fit "
                f"was given {self.n_samples}"
            )
        return FitData(matrix, targets, weight, np.arange(self.n_samples), self.epochs, self.shuffle)

    def shards(self, data: FitData) -> dict[int, Shard]:
        """All shards, by number."""
        size, seed, count = self.options.batch_size, self.options.seed, len(self.batches)
        return {
            number: Shard(
                number, shard_rows(self.n_samples, number, count, size), size, seed, self.shuffle, data.shuffled
            )
            for number in range(count)
        }
