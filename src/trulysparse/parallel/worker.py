"""A worker: computes gradients of its shards' batches in phase 1, trains on its own in phase 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key
from trulysparse.data import Reader
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.mlp import SparseMLP
from trulysparse.parallel.compression import Compression, Packed
from trulysparse.parallel.config import ParallelConfig, Span
from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.progress import WorkerFiles
from trulysparse.parallel.residuals import Residuals
from trulysparse.parallel.shards import BatchId, Shard
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import Record
from trulysparse.training.loop import TrainingLoop
from trulysparse.training.options import TrainingOptions
from trulysparse.training.passes import BatchPasses
from trulysparse.training.step import TrainingStep


@dataclass(frozen=True)
class ModelSnapshot:
    """The model that the server gives out: layers at a version of the topology, after `n_updates` updates."""

    version: int
    n_updates: int
    layers: list[IndexedLayer]


@dataclass(frozen=True)
class WorkerOptions(TrainingOptions):
    """What all workers train with: the training's own options, and how gradients travel."""

    compression: Compression | None = None
    synchronous: bool = False
    noise_seed: int = 0

    def for_passes(self) -> dict[str, Any]:
        """See TrainingOptions; samples are corrupted alike by all workers where that is not redrawn."""
        return {**super().for_passes(), "noise_seed": self.noise_seed}


def worker_options(trainer: TrainingLoop, config: ParallelConfig, began_at: int | None = None) -> WorkerOptions:
    """Those of a trainer and a config; a later call of fit takes other random numbers than the first. began_at: updates
    before this call; None: all that there were."""
    options = trainer.options.as_arguments()
    began_at = trainer.step_count if began_at is None else began_at
    if began_at:
        options["seed"] = stream_key(trainer.seed, "fit", began_at) >> 1
    return WorkerOptions(
        **options, compression=config.compression, synchronous=config.synchronous, noise_seed=trainer.seed
    )


class Worker:
    """Computes gradients on one thread. net: the network whose activation, output and type are used; the layers are
    those of the model that comes with each batch. reader: of the data, used by this worker only. residuals: what
    compression left out before, or None."""

    def __init__(
        self,
        number: int,
        net: SparseMLP,
        data: FitData,
        shards: Mapping[int, Shard],
        options: WorkerOptions,
        reader: Reader,
        residuals: Residuals | None = None,
    ) -> None:
        self.number = number
        self._net = net
        self._data = data
        self._shards = shards
        self._options = options
        self._reader = reader
        self._version = -1
        self.residuals = residuals or Residuals()
        self._passes: BatchPasses | None = None
        self._buffers: dict[int, list[ParameterGradient]] = {}

    def gradient(self, model: ModelSnapshot, batch_id: BatchId, loaded: Callable[[], None] = lambda: None) -> Gradient:
        """The gradient of one batch on the model. Its arrays belong to the worker and are valid until the next call (in
        synchronous training: the next call for this shard). loaded: called when the batch has been loaded, before the
        forward pass."""
        passes = self._use(model)
        options, shard = self._options, self._shards[batch_id.shard]
        buffer = batch_id.shard if options.synchronous else -1
        into = self._buffers.get(buffer)
        if into is None:
            into = [layer.new_gradient() for layer in model.layers]
            self._buffers[buffer] = into
        batch = self._data.batch(shard.batch(batch_id), self._reader)
        step = batch_id.epoch * shard.n_batches + batch_id.batch
        key = stream_key(options.seed, "dropout", batch_id.shard, step) if passes.is_random else 0
        loss, gradients = passes.gradients(batch, key, into=into, loaded=loaded, step=step, clip=True)
        weights = self._pack([weight for weight, _ in gradients], batch_id.shard)
        biases = [bias for _, bias in gradients]
        return Gradient(
            batch_id, model.version, model.n_updates, weights, biases, loss, len(batch.rows), batch.total_weight
        )

    def _use(self, model: ModelSnapshot) -> BatchPasses:
        """Passes through the model's layers, with new memory where the topology has changed."""
        net = self._net.with_layers(model.layers)
        if self._passes is None:
            self._passes = BatchPasses(net, threads=1, **self._options.for_passes())
        elif net.layer_sizes != self._passes.net.layer_sizes:
            self._passes.net = net
            self._passes.resize()
        self._passes.net = net
        if model.version != self._version:
            self.residuals.follow(model.layers)
            self._buffers = {}
            self._version = model.version
        return self._passes

    def _pack(self, weights: list[Floats], shard: int) -> list[Packed]:
        compression = self._options.compression
        if compression is None:
            return list(weights)
        if compression.error_feedback:
            self.residuals.add_to(weights, shard)
        packed = [compression.pack(weight) for weight in weights]
        if compression.error_feedback:
            self.residuals.keep(weights, shard)
        return packed


class _StepReporter(Callback):
    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report

    def on_step_end(self, trainer: Any, loss: float) -> None:
        self._report(loss)


class _Alone(TrainingLoop):
    """Training on one shard. An epoch of the evolution's schedule is as many updates as one over all samples has, and
    the topology evolves only where as many follow: connections that were added a few updates before the networks are
    averaged have had no time to learn, and each network has others."""

    def __init__(self, training_step: TrainingStep, options: WorkerOptions, span: Span, steps_of_all: int) -> None:
        super().__init__(training_step, evolution=options.evolution, batch_size=options.batch_size)
        self._span = span
        self._steps_of_all = steps_of_all

    def evolution_due(self, done: int, steps: int, epochs: int) -> bool:
        (first, last), every = self._span, self._steps_of_all
        updates = done - first * steps
        left = (last - first) * steps - updates
        return left >= every and super().evolution_due(first * every + updates, every, epochs)


def train_phase2(
    net: SparseMLP,
    data: FitData,
    shard: Shard,
    span: Span,
    options: WorkerOptions,
    report: Callable[[float], None],
    steps_of_all: int,
    files: WorkerFiles | None = None,
) -> tuple[SparseMLP, Record]:
    """Phase 2 on one shard: trains `net` in place over the epochs of `span`, with momentum and topology evolution of
    its own, on one thread. report: called with the loss of each step. steps_of_all: batches of all shards in one pass.
    files: where the end of each epoch is kept, and from which it goes on. Returns the network and the last epoch's
    record."""
    seed = stream_key(options.seed, "alone", shard.number, span[0]) >> 1
    step = TrainingStep(
        net, options.optimizer, layer_rates=options.layer_rates, seed=seed, threads=1, **options.for_passes()
    )
    trainer = _Alone(step, options, span, steps_of_all)
    trainer.epochs = data.epochs
    callbacks = (_StepReporter(report),)
    part = FitData(data.matrix, data.targets, data.weight, shard.rows, data.epochs, data.shuffle, None, callbacks)
    record = None if files is None else files.load(shard.number, trainer)
    over = span[0] if record is None else int(record["epoch"])
    for number in range(over + 1, span[1] + 1):
        record = trainer.run_epoch(part, number)
        if files is not None:
            files.save(shard.number, trainer, record)
    assert record is not None
    return net, record
