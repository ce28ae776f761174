"""What lives on a Ray cluster: the desk, the server, workers, and the tasks of phase 2. Actors that die are restarted
by Ray and have their calls repeated; what they then need to go on lies at the desk."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse.connectivity import Connectivity
from trulysparse.data import Reader
from trulysparse.errors import InputError
from trulysparse.io import checkpoints as checkpoint
from trulysparse.nn.activations import KernelActivation
from trulysparse.nn.layers.indexed import IndexedLayer, OptimizerState
from trulysparse.nn.losses import make_loss
from trulysparse.nn.network import SparseMLP
from trulysparse.parallel.config import ParallelConfig, Span
from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.ray.sources import Source
from trulysparse.parallel.server.server import Server
from trulysparse.parallel.shards import BatchId, Shard, shard_rows
from trulysparse.parallel.worker import ModelSnapshot, Worker, WorkerOptions, train_phase2
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import Record
from trulysparse.training.loop import TrainingLoop

_TELL = 0.5  # seconds between words of progress from a worker


@dataclass(frozen=True)
class Setup:
    """What servers and workers are made from. net: without layers. source: a reference to where the samples are."""

    net: SparseMLP
    options: WorkerOptions
    config: ParallelConfig
    span: Span
    step_count: int
    epochs: int
    batches: tuple[int, ...]
    n_samples: int
    shuffle: bool
    source: tuple[Any]
    callbacks: tuple[Callback, ...]


@dataclass(frozen=True)
class Reply:
    """A batch to compute and the model to do it on. topology: row pointers and indices of each layer, where the worker
    does not have this version yet."""

    batch_id: BatchId
    version: int
    n_updates: int
    values: list[tuple[np.ndarray, np.ndarray]]
    topology: list[tuple[int, int, np.ndarray, np.ndarray, KernelActivation]] | None


class Desk:
    """Keeps the server's last state in a file, and counts what workers say they have done."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / "server.safetensors"
        self._done: dict[int, list[float]] = defaultdict(list)

    def keep(self, state: bytes) -> None:
        """Replaces the last state."""
        temporary = self._path.with_suffix(".part")
        temporary.write_bytes(state)
        temporary.replace(self._path)

    def last(self) -> bytes | None:
        """The last state kept, if any."""
        return self._path.read_bytes() if self._path.exists() else None

    def clear(self) -> None:
        """Forgets the state: another phase begins."""
        self._path.unlink(missing_ok=True)

    def tell(self, worker: int, losses: list[float]) -> None:
        """A worker has done batches with these losses."""
        self._done[worker] += losses

    def news(self) -> dict[int, list[float]]:
        """What has been told since the last call."""
        found, self._done = dict(self._done), defaultdict(list)
        return found


class ServerActor:
    """The server of one phase 1, restored from the desk where that has a state of it."""

    def __init__(self, boxed: tuple[Any, Any], desk: Any) -> None:
        """boxed: references to a Setup and to the network's layers with their optimizer state, which the driver keeps
        alive for restarts."""
        import ray

        setup, (layers, optimizer_state) = ray.get(list(boxed))
        self._ray = ray
        self._setup = setup
        self._desk = desk
        net = setup.net.with_layers(layers).copy()
        net.threads = checks.thread_count(None)
        trainer = TrainingLoop.with_options(net, setup.options, threads=net.threads)
        trainer.epochs = setup.epochs
        trainer.set_optimizer_state([state.copy() for state in optimizer_state])
        self._events: list[tuple[Record, SparseMLP]] = []
        self._fetched = threading.Condition()
        trainer.step_count = setup.step_count
        state = ray.get(desk.last.remote())
        extra = None
        if state is not None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "state"
                path.write_bytes(state)
                extra = checkpoint.read(path, trainer)
        # Numbers that no worker has seen from a server before.
        version = int.from_bytes(os.urandom(5), "little") << 20
        self._server = Server(
            trainer,
            setup.config,
            setup.batches,
            setup.span,
            setup.epochs,
            end_epoch=self._end_epoch,
            evolved=self._evolved,
            keep=self._keep,
            first_version=version,
        )
        if extra is not None:
            self._server.resume(extra)
            self._events.append((extra["record"], trainer.net.copy()))  # it may not have been heard

    def exchange(self, worker: int, incarnation: int, gradient: Gradient | None, version: int) -> Reply | None:
        """Takes a gradient, gives the next batch and model; None: the phase is over."""
        server = self._server
        server.join(worker)
        if gradient is not None:
            server.push(worker, gradient)
        given = server.pull(worker, incarnation)
        if given is None:
            return None
        batch_id, model = given
        topology = None
        if model.version != version:
            topology = [
                (x.n_in, x.n_out, x.connectivity.by_input.ptr, x.connectivity.by_input.index, x.activation)
                for x in model.layers
            ]
        return Reply(batch_id, model.version, model.n_updates, server.snapshot(model), topology)

    def leave(self, worker: int) -> None:
        """A worker is gone."""
        self._server.leave(worker)

    def stop(self) -> None:
        """Ends the phase early."""
        self._server.stop()
        with self._fetched:
            self._events.clear()
            self._fetched.notify_all()

    def event(self, after: int) -> tuple[Record, SparseMLP] | None:
        """The end of the epoch that follows number `after`, the last that the caller knows of, where it is over: its
        record and the network then."""
        with self._fetched:
            self._events = [event for event in self._events if event[0]["epoch"] > after]
            self._fetched.notify_all()
            return self._events[0] if self._events else None

    def layers(self) -> tuple[list[IndexedLayer], list[OptimizerState]]:
        """The network's layers and their optimizer state."""
        trainer = self._server.trainer
        return trainer.net.copy().layers, trainer.optimizer_state

    def pid(self) -> int:
        """Of this process."""
        return os.getpid()

    def _end_epoch(self, record: Record) -> None:
        trainer = self._server.trainer
        seen = trainer.net.copy()
        for callback in self._setup.callbacks:
            callback.on_epoch_end(trainer, record)
        with self._fetched:
            while self._events and not self._server.stopped:
                self._fetched.wait()
            self._events.append((record, seen))
        self._last = record

    def _evolved(self, grown: int) -> None:
        for callback in self._setup.callbacks:
            callback.on_evolution(self._server.trainer, grown)

    def _keep(self, extra: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state"
            checkpoint.write(path, self._server.trainer, {**extra, "record": self._last})
            self._ray.get(self._desk.keep.remote(path.read_bytes()))


class WorkerActor:
    """Computes gradients for the server until the phase is over."""

    def __init__(self, number: int, boxed: tuple[Any], server: Any, desk: Any) -> None:
        """boxed: a reference to a Setup, which the driver keeps alive for restarts."""
        import ray

        self._ray = ray
        self._number = number
        self._setup: Setup = ray.get(boxed[0])
        self._server = server
        self._desk = desk

    def ping(self) -> int:
        """Of this process: the answer that it lives."""
        return os.getpid()

    def serve(self) -> None:
        """Works until there is nothing left to do."""
        data = _data(self._setup)
        with data.matrix.reader() as reader:
            self._serve(data, reader)

    def _serve(self, data: FitData, reader: Reader) -> None:
        setup = self._setup
        worker = Worker(self._number, setup.net, data, _shards(setup, data), setup.options, reader)
        layers: list[IndexedLayer] = []
        version, incarnation = -1, int.from_bytes(os.urandom(6), "little")
        gradient: Gradient | None = None
        losses: list[float] = []
        told = time.monotonic()
        while True:
            reply: Reply | None = self._ray.get(
                self._server.exchange.remote(self._number, incarnation, gradient, version)
            )
            if reply is None:
                break
            if reply.topology is not None:
                cons = [Connectivity.trusted(*part[:4], threads=1) for part in reply.topology]
                kinds = [part[4] for part in reply.topology]
            else:
                cons, kinds = [x.connectivity for x in layers], [x.activation for x in layers]
            layers = [
                IndexedLayer(con, values, bias, kind)
                for con, (values, bias), kind in zip(cons, reply.values, kinds, strict=True)
            ]
            version = reply.version
            gradient = worker.gradient(ModelSnapshot(version, reply.n_updates, layers), reply.batch_id)
            losses.append(gradient.loss)
            if time.monotonic() - told > _TELL:
                self._desk.tell.remote(self._number, losses)
                losses, told = [], time.monotonic()
        self._desk.tell.remote(self._number, losses)


def run_phase2(setup: Setup, layers: list[IndexedLayer], shard: int, desk: Any) -> tuple[list[IndexedLayer], Record]:
    """Phase 2 on one shard."""
    net = setup.net.with_layers(layers).copy()
    losses: list[float] = []
    told = time.monotonic()

    def tell(loss: float) -> None:
        nonlocal told
        losses.append(loss)
        if time.monotonic() - told > _TELL:
            desk.tell.remote(shard, list(losses))
            losses.clear()
            told = time.monotonic()

    data = _data(setup)
    net, record = train_phase2(net, data, _shards(setup, data)[shard], setup.span, setup.options, tell)
    desk.tell.remote(shard, losses)
    return net.layers, record


def _shards(setup: Setup, data: FitData) -> dict[int, Shard]:
    size, seed, order = setup.options.batch_size, setup.options.seed, data.matrix.order
    count = len(setup.batches)
    return {
        number: Shard(number, shard_rows(setup.n_samples, number, count, size), size, seed, setup.shuffle, order)
        for number in range(count)
    }


def _data(setup: Setup) -> FitData:
    """The samples, read by this process itself."""
    import ray

    try:
        source: Source = ray.get(setup.source[0])
        X, y, weight = source.open()
        matrix = setup.net.matrix(X)
        targets = make_loss(setup.options.loss, setup.net.output).check_targets(
            y, setup.net.layer_sizes[-1], setup.net.dtype
        )
    except (OSError, ImportError, InputError, ray.exceptions.RaySystemError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"a worker on node {os.uname().nodename} cannot read its samples: {reason}") from None
    if matrix.n_samples != setup.n_samples or len(targets) != setup.n_samples:
        raise InputError(
            f"a worker on node {os.uname().nodename} finds {matrix.n_samples} samples and {len(targets)} targets where "
            f"fit was given {setup.n_samples}"
        )
    return FitData(matrix, targets, weight, np.arange(setup.n_samples), setup.epochs, setup.shuffle)
