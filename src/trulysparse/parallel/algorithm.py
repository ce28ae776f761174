"""WASAP-SGD and WASSP-SGD on any backend. Source: Curci, Mocanu and Pechenizkiy (2021), algorithm 1."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import numpy as np

from trulysparse.errors import InputError
from trulysparse.parallel.average import average
from trulysparse.parallel.config import ParallelConfig, Span
from trulysparse.parallel.progress import ParallelProgress
from trulysparse.parallel.shards import shard_rows
from trulysparse.parallel.threads import ThreadBackend
from trulysparse.training.callbacks.base import running_callbacks
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import History, Record

if TYPE_CHECKING:
    from trulysparse.nn.mlp import SparseMLP
    from trulysparse.training.loop import TrainingLoop


class Backend(Protocol):
    """Runs the workers of both phases: threads of this process, or actors of a Ray cluster."""

    batches: list[int]
    """The number of batches of each shard in one pass."""

    def run_phase1(self, span: Span) -> None:
        """Phase 1: trains trainer.net with a server and workers, from progress.server on, and calls trainer.end_epoch
        and progress.keep after each epoch."""

    def run_phase2(self, span: Span) -> list[tuple[SparseMLP, Record]]:
        """Phase 2: trains a copy of trainer.net on each shard, from progress.worker_files on; returns (network, last
        epoch's record) of each."""

    def close(self) -> None:
        """Ends the workers and frees what they used."""


def train(config: ParallelConfig, trainer: TrainingLoop, data: FitData) -> History:
    """Trains trainer.net with workers, as `config` says, from trainer.position on."""
    rounds = config.check(len(data.rows), trainer.evolution, data.epochs)
    progress = ParallelProgress(config, trainer, data)
    if trainer.training_step.state_given and rounds[0][0][1] == 0 and not progress.resumed:
        raise InputError("optimizer_state is used in phase 1, which phase1_epochs=0 leaves out: give one of the two")
    backend = _make_backend(config, trainer, data, progress)
    try:
        with running_callbacks(data.callbacks, trainer, data.epochs, sum(backend.batches)):
            for number in range(progress.round, len(rounds)):
                phase1, phase2 = rounds[number]
                if trainer.stop:
                    break
                progress.round = number
                if phase1[0] < phase1[1] and progress.phase == 1:
                    backend.run_phase1(phase1)
                if trainer.stop:
                    break
                if phase2[0] < phase2[1]:
                    _run_phase2(backend, trainer, data, phase2, progress)
                progress.phase, progress.server = 1, None
    finally:
        backend.close()
    return progress.history


def _make_backend(config: ParallelConfig, trainer: TrainingLoop, data: FitData, progress: ParallelProgress) -> Backend:
    if config.backend == "threads":
        return ThreadBackend(config, trainer, data, progress)
    # Imported here because Ray is an optional extra, which training on threads must not need.
    from trulysparse.parallel.ray.driver import RayBackend

    return RayBackend(config, trainer, data, progress)


def _run_phase2(backend: Backend, trainer: TrainingLoop, data: FitData, span: Span, progress: ParallelProgress) -> None:
    """Phase 2 and the average of the networks."""
    began = time.perf_counter()
    net = trainer.net
    if not progress.history.records and not progress.resumed:
        progress.keep(progress.round, 2)  # else the end of the phase before has been kept
    counts = [layer.n_connections for layer in net.layers]
    results = backend.run_phase2(span)
    mean = average([twin for twin, _ in results], counts, trainer.threads)
    net.layers = mean.layers
    trainer.step_count += (span[1] - span[0]) * sum(backend.batches)
    trainer.reset_state()
    trainer.epoch = float(span[1])
    seconds = time.perf_counter() - began
    shards = [shard_rows(len(data.rows), number, len(results), trainer.batch_size) for number in range(len(results))]
    weights = [data.total_weight(data.rows[shard]) for shard in shards]
    samples = (span[1] - span[0]) * len(data.rows)
    record: Record = {
        "epoch": span[1],
        "phase": 2,
        "epochs": span[1] - span[0],
        "loss": float(np.dot([record["loss"] for _, record in results], weights)) / max(sum(weights), 1e-300),
        "learning_rate": results[0][1]["learning_rate"],
        "connections": net.n_connections,
        "seconds": seconds,
        "samples": samples,
        "samples_per_second": samples / seconds,
    }
    trainer.end_epoch(data, progress.history, record)
    progress.keep(progress.round + 1, 1)
    if (files := progress.worker_files(span)) is not None:
        files.clear()
