"""The parameter server as an actor of a Ray cluster. Ray restarts it if it dies and repeats the calls."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse.io import checkpoints
from trulysparse.nn.activations import LayerActivation
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import OptimizerState
from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.server.server import Server
from trulysparse.parallel.shards import BatchId
from trulysparse.training.history import Record
from trulysparse.training.loop import TrainingLoop


@dataclass(frozen=True)
class Reply:
    """A batch, and the model to compute its gradient on. values: (weights, biases) of each layer. topology: (inputs,
    outputs, row pointers, indices, activation) of each layer; None where the worker has this version already."""

    batch_id: BatchId
    version: int
    n_updates: int
    values: list[tuple[np.ndarray, np.ndarray]]
    topology: list[tuple[int, int, np.ndarray, np.ndarray, LayerActivation]] | None


class ServerActor:
    """The server of one phase 1. If it is restarted, it continues from the last state in the checkpoint store."""

    def __init__(self, references: tuple[Any, Any], checkpoint_store: Any) -> None:
        """references: to a Setup and to the network's layers with their optimizer state, which the driver keeps alive
        for restarts."""
        import ray

        setup, (layers, optimizer_state) = ray.get(list(references))
        self._ray = ray
        self._setup = setup
        self._checkpoint_store = checkpoint_store
        net = setup.net.with_layers(layers).copy()
        net.threads = checks.thread_count(None)
        trainer = TrainingLoop.with_options(net, setup.options, threads=net.threads)
        trainer.epochs = setup.epochs
        trainer.set_optimizer_state([state.copy() for state in optimizer_state])
        self._events: list[tuple[Record, SparseMLP]] = []
        self._fetched = threading.Condition()
        trainer.step_count, trainer.state_updates = setup.step_count, setup.state_updates
        state = ray.get(checkpoint_store.load.remote())
        extra = None
        if state is not None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "state"
                path.write_bytes(state)
                extra = checkpoints.read(path, trainer)
        # Versions that no worker has had from an earlier server process.
        version = int.from_bytes(os.urandom(5), "little") << 20
        self._server = Server(
            trainer,
            setup.config,
            setup.batches,
            setup.span,
            setup.epochs,
            end_epoch=self._end_epoch,
            on_evolution=self._on_evolution,
            save=self._save,
            first_version=version,
        )
        if extra is not None:
            self._server.resume(extra)
            self._events.append((extra["record"], trainer.net.copy()))  # the driver may not have fetched it

    def exchange(self, worker: int, incarnation: int, gradient: Gradient | None, version: int) -> Reply | None:
        """Takes a gradient and returns the next batch and model, or None where the phase is over. version: of the
        topology that the worker has."""
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
        return Reply(batch_id, model.version, model.n_updates, server.snapshot(worker, batch_id, model), topology)

    def leave(self, worker: int) -> None:
        """Removes a worker; see Server.leave."""
        self._server.leave(worker)

    def stop(self) -> None:
        """Ends the phase early."""
        self._server.stop()
        with self._fetched:
            self._events.clear()
            self._fetched.notify_all()

    def event(self, after: int) -> tuple[Record, SparseMLP] | None:
        """(record, network) at the end of the first epoch after number `after`, the last one that the caller has
        fetched; None where that is not over yet."""
        with self._fetched:
            self._events = [event for event in self._events if event[0]["epoch"] > after]
            self._fetched.notify_all()
            return self._events[0] if self._events else None

    def layers(self) -> tuple[list[IndexedLayer], list[OptimizerState]]:
        """The network's layers and their optimizer state."""
        trainer = self._server.trainer
        return trainer.net.copy().layers, trainer.optimizer_state

    def _end_epoch(self, record: Record) -> None:
        trainer = self._server.trainer
        net = trainer.net.copy()
        for callback in self._setup.callbacks:
            callback.on_epoch_end(trainer, record)
        with self._fetched:
            while self._events and not self._server.stopped:
                self._fetched.wait()
        self._ended = record, net

    def _on_evolution(self, n_new: int) -> None:
        for callback in self._setup.callbacks:
            callback.on_evolution(self._server.trainer, n_new)

    def _save(self, extra: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state"
            checkpoints.write(path, self._server.trainer, {**extra, "record": self._ended[0]})
            self._ray.get(self._checkpoint_store.save.remote(path.read_bytes()))
        # Not before: of an epoch that a restarted server goes through again, the driver sees one record.
        with self._fetched:
            self._events.append(self._ended)
