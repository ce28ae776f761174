"""A worker: gradients of its shards' batches in phase 1, training on its own in phase 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty
from trulysparse._core.random import stream_key
from trulysparse.data import Reader
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.network import SparseMLP
from trulysparse.nn.sinks import ParameterGradient
from trulysparse.parallel.compression import Compression, Packed
from trulysparse.parallel.config import ParallelConfig, Span
from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.shards import BatchId, Shard
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import Record
from trulysparse.training.loop import TrainingLoop
from trulysparse.training.options import TrainingOptions
from trulysparse.training.step import BatchPasses


@dataclass(frozen=True)
class ModelSnapshot:
    """What the server shows: layers at a version of the topology, after `n_updates` updates."""

    version: int
    n_updates: int
    layers: list[IndexedLayer]


@dataclass(frozen=True)
class WorkerOptions(TrainingOptions):
    """What all workers train with: the training's own options, and how gradients travel."""

    compression: Compression | None = None
    synchronous: bool = False


def worker_options(trainer: TrainingLoop, config: ParallelConfig) -> WorkerOptions:
    """Those of a trainer and a config; a later call of fit takes other random numbers than the first."""
    options = trainer.options.as_arguments()
    if trainer.step_count:
        options["seed"] = stream_key(trainer.seed, "fit", trainer.step_count) >> 1
    return WorkerOptions(**options, compression=config.compression, synchronous=config.synchronous)


class Worker:
    """Computes on one thread. net: an empty frame of the network (its layers are those of the model of the day).
    reader: of the data's matrix, for this worker alone."""

    def __init__(
        self,
        number: int,
        net: SparseMLP,
        data: FitData,
        shards: Mapping[int, Shard],
        options: WorkerOptions,
        reader: Reader,
    ) -> None:
        self.number = number
        self._net = net
        self._data = data
        self._shards = shards
        self._options = options
        self._reader = reader
        self._version = -1
        self._layers: list[IndexedLayer] = []
        self._rest: dict[int, list[Floats]] = {}
        self._passes: BatchPasses | None = None
        self._into: dict[int, list[ParameterGradient]] = {}

    def gradient(self, model: ModelSnapshot, batch_id: BatchId, loaded: Callable[[], None] = lambda: None) -> Gradient:
        """The gradient of one batch on the model. Its arrays are the worker's own and last until the next call (for
        this shard, where workers go in step). loaded: called when the batch is there, before it goes through the
        network."""
        passes = self._show(model)
        options, shard = self._options, self._shards[batch_id.shard]
        kept_for = batch_id.shard if options.synchronous else -1
        into = self._into.get(kept_for)
        if into is None:
            dtype = self._net.dtype
            into = [(empty(layer.n_connections, dtype), empty(layer.n_out, dtype)) for layer in model.layers]
            self._into[kept_for] = into
        batch = self._data.batch(shard.batch(batch_id), self._reader)
        step = batch_id.epoch * shard.n_batches + batch_id.batch
        key = stream_key(options.seed, "dropout", batch_id.shard, step) if options.dropout else 0
        loss, found = passes.gradients(batch, key, into=into, loaded=loaded, step=step)
        weights = self._pack([weight for weight, _ in found], batch_id.shard)
        biases = [bias for _, bias in found]
        return Gradient(
            batch_id, model.version, model.n_updates, weights, biases, loss, len(batch.rows), batch.total_weight
        )

    def _show(self, model: ModelSnapshot) -> BatchPasses:
        """Takes the model's layers; makes memory anew where the topology has changed."""
        net = self._net.with_layers(model.layers)
        if self._passes is None:
            self._passes = BatchPasses(net, threads=1, **self._options.for_passes())
        elif net.layer_sizes != self._passes.net.layer_sizes:
            self._passes.net = net
            self._passes.resize()
            self._rest = {}
        self._passes.net = net
        if model.version != self._version:
            for shard, rest in self._rest.items():
                self._rest[shard] = [
                    _carried(values, old, new)
                    for values, old, new in zip(rest, self._layers, model.layers, strict=True)
                ]
            self._into = {}
            self._version = model.version
        self._layers = model.layers
        return self._passes

    def _pack(self, weights: list[Floats], shard: int) -> list[Packed]:
        compression = self._options.compression
        if compression is None:
            return list(weights)
        if compression.error_feedback:
            for weight, rest in zip(weights, self._rest.get(shard, []), strict=False):
                np.add(weight, rest, out=weight)
        packed = [compression.pack(weight) for weight in weights]
        if compression.error_feedback:
            self._rest[shard] = [weight.copy() for weight in weights]
        return packed


def _carried(values: Floats, old: IndexedLayer, new: IndexedLayer) -> Floats:
    """Values along the connections of one topology brought to another."""
    a, b = old.connectivity.by_input, new.connectivity.by_input
    out = empty(new.n_connections, values.dtype)
    _kernels.carry(a.ptr, a.index, values, b.ptr, b.index, out, 1)
    return out


class _Tell(Callback):
    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell

    def on_step_end(self, trainer: Any, loss: float) -> None:
        self._tell(loss)


def train_phase2(
    net: SparseMLP, data: FitData, shard: Shard, span: Span, options: WorkerOptions, tell: Callable[[float], None]
) -> tuple[SparseMLP, Record]:
    """Phase 2 on one shard: the epochs of `span` with momentum and topology evolution of its own, on one thread. net is
    trained in place. tell: called with the loss of each step. Returns the network and the last epoch's record."""
    seed = stream_key(options.seed, "alone", shard.number, span[0]) >> 1
    trainer = TrainingLoop.with_options(net, replace(options, seed=seed), threads=1)
    trainer.epochs = data.epochs
    part = FitData(data.matrix, data.targets, data.weight, shard.rows, data.epochs, data.shuffle, None, (_Tell(tell),))
    for number in range(span[0] + 1, span[1] + 1):
        record = trainer.run_epoch(part, number)
    return net, record
