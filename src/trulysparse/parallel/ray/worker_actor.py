"""Workers on a Ray cluster: actors in phase 1, which Ray restarts if they die, and tasks in phase 2."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from trulysparse.connectivity import Connectivity
from trulysparse.data import Reader
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.progress import WorkerFiles
from trulysparse.parallel.ray.server_actor import Reply
from trulysparse.parallel.ray.setup import Setup
from trulysparse.parallel.worker import ModelSnapshot, Worker, train_phase2
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import Record
from trulysparse.training.loop import TrainingLoop

REPORT_INTERVAL = 0.5  # seconds


class _Progress:
    """Sends the losses of a worker's batches to the mailbox, those of REPORT_INTERVAL seconds together."""

    def __init__(self, mailbox: Any, number: int) -> None:
        self._mailbox = mailbox
        self._number = number
        self._losses: list[float] = []
        self._sent_at = time.monotonic()

    def report(self, loss: float) -> None:
        """Adds the loss of a batch."""
        self._losses.append(loss)
        if time.monotonic() - self._sent_at > REPORT_INTERVAL:
            self.send()

    def send(self) -> None:
        """Sends what has been added since the last time."""
        self._mailbox.post.remote(self._number, self._losses)
        self._losses, self._sent_at = [], time.monotonic()


class WorkerActor:
    """Computes gradients for the server until the phase is over."""

    def __init__(self, number: int, references: tuple[Any], server: Any, mailbox: Any) -> None:
        """references: to a Setup, which the driver keeps alive for restarts."""
        import ray

        self._ray = ray
        self._number = number
        self._setup: Setup = ray.get(references[0])
        self._server = server
        self._mailbox = mailbox

    def ping(self) -> int:
        """The number of this process; an answer shows that it is running."""
        return os.getpid()

    def serve(self) -> None:
        """Computes gradients until the phase is over."""
        data = self._setup.open_data()
        with data.reader() as reader:
            self._serve(data, reader)

    def _serve(self, data: FitData, reader: Reader) -> None:
        setup = self._setup
        worker = Worker(self._number, setup.net, data, setup.shards(data), setup.options, reader)
        layers: list[IndexedLayer] = []
        version, incarnation = -1, int.from_bytes(os.urandom(6), "little")
        gradient: Gradient | None = None
        progress = _Progress(self._mailbox, self._number)
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
            progress.report(gradient.loss)
        progress.send()


class RemoteWorkerFiles(WorkerFiles):
    """WorkerFiles on the driver's node, in the hands of its CheckpointStore. remote: the folder there."""

    def __init__(self, store: Any, remote: str, key: list[int], folder: Path) -> None:
        super().__init__(folder, key)
        self._store = store
        self._remote = remote

    def save(self, shard: int, trainer: TrainingLoop, record: Record) -> None:
        """See WorkerFiles."""
        import ray

        super().save(shard, trainer, record)
        path = self.path(shard)
        ray.get(self._store.save_worker.remote(f"{self._remote}/{path.name}", path.read_bytes()))

    def load(self, shard: int, trainer: TrainingLoop) -> Record | None:
        """See WorkerFiles."""
        import ray

        path = self.path(shard)
        state: bytes | None = ray.get(self._store.load_worker.remote(f"{self._remote}/{path.name}"))
        if state is None:
            return None
        path.write_bytes(state)
        return super().load(shard, trainer)


def run_phase2(
    setup: Setup, layers: list[IndexedLayer], shard: int, mailbox: Any, kept: tuple[Any, str, list[int]] | None = None
) -> tuple[list[IndexedLayer], Record]:
    """Phase 2 on one shard: a task of the cluster. kept: the store, folder and key of RemoteWorkerFiles, where epochs
    are kept. Returns the layers and the last epoch's record."""
    net = setup.net.with_layers(layers).copy()
    progress = _Progress(mailbox, shard)
    data = setup.open_data()
    with tempfile.TemporaryDirectory() as folder:
        files = None if kept is None else RemoteWorkerFiles(*kept, Path(folder))
        part, report = setup.shards(data)[shard], progress.report
        net, record = train_phase2(net, data, part, setup.span, setup.options, report, sum(setup.batches), files)
    progress.send()
    return net.layers, record
