"""Workers as actors of a Ray cluster, the server another. Who dies is restarted by Ray; what it then needs to go on
lies at the desk, an actor beside the driver: the server's state at the last epoch's end, and everyone's progress."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse import _checks, memory
from trulysparse.connectivity import Connectivity
from trulysparse.errors import InputError, MissingExtraError
from trulysparse.layers import SparseLayer
from trulysparse.network import SparseMLP
from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.plan import WASAP, Span
from trulysparse.parallel.server import Server
from trulysparse.parallel.shards import Shard, Ticket, shard_rows
from trulysparse.parallel.sources import Source, source_of
from trulysparse.parallel.worker import Model, Settings, Worker, settings_of, train_alone
from trulysparse.training import Callback, Trainer, checkpoint
from trulysparse.training.history import History, Record
from trulysparse.training.job import Job

_POLL = 0.1  # seconds between looks at a cluster at work
_TELL = 0.5  # seconds between words of progress from a worker


@dataclass(frozen=True)
class Setup:
    """What servers and workers are made from. net: without layers. source: a reference to where the samples are."""

    net: SparseMLP
    settings: Settings
    plan: WASAP
    span: Span
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

    ticket: Ticket
    version: int
    clock: int
    values: list[tuple[np.ndarray, np.ndarray]]
    topology: list[tuple[int, int, np.ndarray, np.ndarray, tuple[int, float]]] | None


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
        """boxed: references to a Setup and to the network's layers, which the driver keeps alive for restarts."""
        import ray

        setup, layers = ray.get(list(boxed))
        self._ray = ray
        self._setup = setup
        self._desk = desk
        s = setup.settings
        net = setup.net.with_layers(layers).copy()
        net.threads = _checks.thread_count(None)
        trainer = Trainer(
            net,
            optimizer=s.optimizer,
            loss=s.loss,
            evolution=s.evolution,
            batch_size=s.batch_size,
            dropout=s.dropout,
            seed=s.seed,
        )
        trainer.epochs = setup.epochs
        self._events: list[tuple[Record, SparseMLP]] = []
        self._fetched = threading.Condition()
        trainer.step_count = setup.span[0] * sum(setup.batches)
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
            trainer, setup.plan, setup.batches, setup.span, setup.epochs, self._end_epoch, self._keep, version
        )
        if extra is not None:
            self._server.resume(extra)

    def exchange(self, worker: int, session: int, gradient: Gradient | None, version: int) -> Reply | None:
        """Takes a gradient, gives the next batch and model; None: the phase is over."""
        server = self._server
        server.join(worker)
        if gradient is not None:
            server.push(worker, gradient)
        given = server.pull(worker, session)
        if given is None:
            return None
        ticket, model = given
        topology = None
        if model.version != version:
            topology = [
                (x.n_in, x.n_out, x.connectivity.by_input.ptr, x.connectivity.by_input.index, x.activation)
                for x in model.layers
            ]
        return Reply(ticket, model.version, model.clock, server.snapshot(model), topology)

    def leave(self, worker: int) -> None:
        """A worker is gone."""
        self._server.leave(worker)

    def stop(self) -> None:
        """Ends the phase early."""
        self._server.stop()
        with self._fetched:
            self._events.clear()
            self._fetched.notify_all()

    def event(self) -> tuple[Record, SparseMLP] | None:
        """The epoch that has ended and the network then, if the caller has not seen it."""
        with self._fetched:
            found = self._events.pop() if self._events else None
            self._fetched.notify_all()
            return found

    def layers(self) -> list[SparseLayer]:
        """The network's layers."""
        return self._server.trainer.net.copy().layers

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

    def _keep(self, extra: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state"
            checkpoint.write(path, self._server.trainer, extra)
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
        setup = self._setup
        job = _job(setup)
        worker = Worker(self._number, setup.net, job, _shards(setup), setup.settings)
        layers: list[SparseLayer] = []
        version, session = -1, int.from_bytes(os.urandom(6), "little")
        gradient: Gradient | None = None
        losses: list[float] = []
        told = time.monotonic()
        while True:
            reply: Reply | None = self._ray.get(self._server.exchange.remote(self._number, session, gradient, version))
            if reply is None:
                break
            if reply.topology is not None:
                cons = [Connectivity.from_inputs(*part[:4], threads=1) for part in reply.topology]
                kinds = [part[4] for part in reply.topology]
            else:
                cons, kinds = [x.connectivity for x in layers], [x.activation for x in layers]
            layers = [
                SparseLayer(con, values, bias, kind)
                for con, (values, bias), kind in zip(cons, reply.values, kinds, strict=True)
            ]
            version = reply.version
            gradient = worker.gradient(Model(version, reply.clock, layers), reply.ticket)
            losses.append(gradient.loss)
            if time.monotonic() - told > _TELL:
                self._desk.tell.remote(self._number, losses)
                losses, told = [], time.monotonic()
        self._desk.tell.remote(self._number, losses)


def alone(setup: Setup, layers: list[SparseLayer], shard: int, desk: Any) -> tuple[list[SparseLayer], Record]:
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

    net, record = train_alone(net, _job(setup), _shards(setup)[shard], setup.span, setup.settings, tell)
    desk.tell.remote(shard, losses)
    return net.layers, record


def _shards(setup: Setup) -> dict[int, Shard]:
    size, seed = setup.settings.batch_size, setup.settings.seed
    return {
        number: Shard(number, shard_rows(setup.n_samples, number, len(setup.batches), size), size, seed, setup.shuffle)
        for number in range(len(setup.batches))
    }


def _job(setup: Setup) -> Job:
    """The samples, read by this process itself."""
    import ray

    try:
        source: Source = ray.get(setup.source[0])
        X, y, weight = source.open()
        matrix = setup.net.matrix(X)
        targets = setup.settings.loss.check_targets(y, setup.net.layer_sizes[-1])
    except (OSError, ImportError, InputError, ray.exceptions.RaySystemError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"a worker on node {os.uname().nodename} cannot read its samples: {reason}") from None
    if matrix.n_samples != setup.n_samples or len(targets) != setup.n_samples:
        raise InputError(
            f"a worker on node {os.uname().nodename} finds {matrix.n_samples} samples and {len(targets)} targets where "
            f"fit was given {setup.n_samples}"
        )
    return Job(matrix, targets, weight, np.arange(setup.n_samples), setup.epochs, setup.shuffle)


class OnRay:
    """See algorithm.Place."""

    def __init__(self, plan: WASAP, trainer: Trainer, job: Job) -> None:
        self._ray = _connect(plan)
        self._plan = plan
        self._trainer = trainer
        self._job = job
        n = len(job.rows)
        self.batches = [
            -(-len(shard_rows(n, number, plan.n_shards, trainer.batch_size)) // trainer.batch_size)
            for number in range(plan.n_shards)
        ]
        self._source = self._ray.put(source_of(job, plan.data, self._ray.put))
        frame = trainer.net.with_layers(trainer.net.layers)
        frame.layers = []
        self._setup = Setup(
            frame,
            settings_of(trainer, plan.compression),
            replace(plan, data=None),
            (0, 0),
            job.epochs,
            tuple(self.batches),
            n,
            job.shuffle,
            (self._source,),
            tuple(callback for callback in job.callbacks if callback.on_server),
        )
        self._here = replace(job, callbacks=[callback for callback in job.callbacks if not callback.on_server])
        self._temporary = tempfile.TemporaryDirectory()
        folder = Path(self._temporary.name if plan.checkpoint is None else plan.checkpoint)
        folder.mkdir(parents=True, exist_ok=True)
        self._desk = self._actor(Desk, num_cpus=0, here=True)(str(folder))

    def _actor(self, kind: type, *, num_cpus: float, here: bool = False, **options: Any) -> Callable[..., Any]:
        """A class whose objects live on the cluster, are restarted and have their calls repeated when they die."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        strategy: Any = "SPREAD"
        if here:
            strategy = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        remote: Callable[..., Any] = (
            self._ray.remote(kind)
            .options(num_cpus=num_cpus, max_restarts=-1, max_task_retries=-1, scheduling_strategy=strategy, **options)
            .remote
        )
        return remote

    def together(self, span: Span, history: History) -> None:
        ray, trainer, plan = self._ray, self._trainer, self._plan
        setup = replace(self._setup, span=span)
        ray.get(self._desk.clear.remote())
        needed = memory.training_bytes(
            trainer.net.layer_sizes, trainer.net.n_connections, trainer.batch_size, trainer.optimizer.slots + 6, 4
        )
        shared, layers = ray.put(setup), ray.put(trainer.net.layers)
        server = self._actor(ServerActor, num_cpus=0, memory=needed, max_concurrency=plan.n_shards + 8)(
            (shared, layers), self._desk
        )
        crew = _Crew(
            ray,
            plan,
            lambda number: self._actor(WorkerActor, num_cpus=1, memory=needed, max_concurrency=2)(
                number, (shared,), server, self._desk
            ),
            server.leave.remote,
        )
        try:
            while crew.at_work():
                self._spread_news()
                self._take_events(server, history)
                if trainer.stop:
                    ray.get(server.stop.remote())
            self._spread_news()
            self._take_events(server, history)
            self._adopt(ray.get(server.layers.remote()))
        finally:
            crew.dismiss()
            ray.kill(server)

    def _take_events(self, server: Any, history: History) -> None:
        """Ends the epochs that the server has ended: validation, callbacks."""
        while (event := self._ray.get(server.event.remote())) is not None:
            record, seen = event
            if history.records and record["epoch"] <= history.records[-1]["epoch"]:
                continue  # a server that came back tells again
            self._adopt(seen.layers)
            self._trainer.step_count += sum(self.batches)
            self._trainer.epoch = float(record["epoch"])
            self._trainer.end_epoch(self._here, history, record)

    def _adopt(self, layers: Sequence[SparseLayer]) -> None:
        """Takes over layers from the cluster, whose arrays are read-only."""
        net = self._trainer.net
        mine = net.with_layers(layers).copy()
        net.layers, net.layer_sizes = mine.layers, mine.layer_sizes
        self._trainer.reset_state()

    def alone(self, span: Span) -> list[tuple[SparseMLP, Record]]:
        ray, net = self._ray, self._trainer.net
        task = ray.remote(alone).options(num_cpus=1, max_retries=-1, scheduling_strategy="SPREAD")
        setup, layers = ray.put(replace(self._setup, span=span)), ray.put(net.layers)
        waiting = [task.remote(setup, layers, shard, self._desk) for shard in range(len(self.batches))]
        left = list(waiting)
        while left:
            done, left = ray.wait(left, timeout=_POLL)
            for ref in done:
                _result(ray, ref)
            self._spread_news()
        return [(net.with_layers(found), record) for found, record in ray.get(waiting)]

    def _spread_news(self) -> None:
        for worker, losses in self._ray.get(self._desk.news.remote()).items():
            for loss in losses:
                for callback in self._here.callbacks:
                    callback.on_worker_step(self._trainer, worker, loss)

    def close(self) -> None:
        self._ray.kill(self._desk)
        self._temporary.cleanup()


class _Crew:
    """The workers of one phase 1: starts them, notices who does not answer, takes on more where there is room."""

    def __init__(self, ray: Any, plan: WASAP, start: Callable[[int], Any], leave: Callable[[int], object]) -> None:
        self._ray = ray
        self._plan = plan
        self._start = start
        self._leave = leave
        self._workers: dict[int, Any] = {}
        self._serving: dict[int, Any] = {}
        self._pings: dict[int, tuple[Any, float]] = {}
        self._lost: set[int] = set()
        self._looked = time.monotonic()
        for number in range(plan.workers):
            self._take_on(number)

    def _take_on(self, number: int) -> None:
        self._workers[number] = self._start(number)
        self._serving[number] = self._workers[number].serve.remote()

    def at_work(self) -> bool:
        """Whether anyone who answers is still at work; waits a moment. Raises a worker's own error."""
        done, _ = self._ray.wait(list(self._serving.values()), num_returns=len(self._serving), timeout=_POLL)
        for number, ref in list(self._serving.items()):
            if ref in done:
                _result(self._ray, ref)
                del self._serving[number]
        self._look_after()
        waiting = set(self._serving) - self._lost
        return bool(waiting) or len(self._serving) == len(self._workers)

    def _look_after(self) -> None:
        now = time.monotonic()
        for number in self._serving:
            ref, since = self._pings.get(number, (None, now))
            if ref is not None and not self._ray.wait([ref], timeout=0)[0]:
                if now - since > self._plan.patience and number not in self._lost:
                    self._lost.add(number)
                    self._leave(number)
                continue
            self._lost.discard(number)
            self._pings[number] = self._workers[number].ping.remote(), now
        # More hands, where samples are cut into more shards than there are workers and processors are free.
        if len(self._workers) < self._plan.n_shards and now - self._looked > 1.0:
            self._looked = now
            if len(self._serving) == len(self._workers) and self._ray.available_resources().get("CPU", 0) >= 1:
                self._take_on(len(self._workers))

    def dismiss(self) -> None:
        """Sends everyone home."""
        for worker in self._workers.values():
            self._ray.kill(worker)


def _result(ray: Any, ref: Any) -> Any:
    """What a call returned; an error in it as if it had happened here."""
    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        while isinstance(cause, ray.exceptions.RayTaskError):
            cause = cause.cause
        raise (cause if isinstance(cause, Exception) else error) from None


def _connect(plan: WASAP) -> Any:
    """Ray, connected to plan.address, to the cluster this process is connected to already, or to a local one."""
    try:
        # A local cluster starts with token authentication in all releases that have it; Ray looks when it is imported.
        if plan.address is None and "ray" not in sys.modules:
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        import ray
    except ImportError:
        raise MissingExtraError("backend='ray'", "Ray", "ray") from None
    if ray.is_initialized():
        return ray
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if plan.address is None:
        cores = max(plan.workers, _checks.thread_count(None))
        ray.init("local", num_cpus=cores, include_dashboard=False, **options)
        return ray
    _knock(plan.address)
    try:
        ray.init(plan.address, **options)
    except Exception as error:  # Ray has no one kind for it
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"address: no Ray cluster answers at '{plan.address}' ({reason})") from None
    return ray


def _knock(address: str) -> None:
    """InputError at once where nobody listens; Ray would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise InputError(f"address must be HOST:PORT of a Ray cluster's head, or auto, not '{address}'")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"address: no Ray cluster answers at '{address}' ({error})") from None
