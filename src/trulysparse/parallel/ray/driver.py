"""Workers and server as actors of a Ray cluster: what the driver does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trulysparse.io import checkpoints
from trulysparse.nn import memory_use
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import OptimizerState
from trulysparse.parallel.config import ParallelConfig, Span
from trulysparse.parallel.progress import ParallelProgress
from trulysparse.parallel.ray.pool import POLL, WorkerPool, connect, result
from trulysparse.parallel.ray.server_actor import ServerActor
from trulysparse.parallel.ray.setup import Setup
from trulysparse.parallel.ray.sources import source_of
from trulysparse.parallel.ray.store import CheckpointStore, ProgressMailbox
from trulysparse.parallel.ray.worker_actor import WorkerActor, run_phase2
from trulysparse.parallel.shards import shard_rows
from trulysparse.parallel.worker import worker_options
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import History, Record
from trulysparse.training.loop import TrainingLoop


class RayBackend:
    """Runs workers on a Ray cluster; see algorithm.Backend."""

    def __init__(
        self, config: ParallelConfig, trainer: TrainingLoop, data: FitData, progress: ParallelProgress
    ) -> None:
        self._ray = connect(config)
        self._config = config
        self._trainer = trainer
        self._data = data
        self._progress = progress
        n = len(data.rows)
        self.batches = [
            -(-len(shard_rows(n, number, config.n_shards, trainer.batch_size)) // trainer.batch_size)
            for number in range(config.n_shards)
        ]
        self._source = self._ray.put(source_of(data, config.data, self._ray.put))
        frame = trainer.net.with_layers(trainer.net.layers)
        frame.layers = []
        self._setup = Setup(
            frame,
            worker_options(trainer, config, progress.began_at),
            replace(config, data=None),
            (0, 0),
            0,
            0,
            data.epochs,
            tuple(self.batches),
            n,
            data.shuffle,
            (self._source,),
            tuple(callback for callback in data.callbacks if callback.on_server),
        )
        self._driver_data = replace(data, callbacks=[callback for callback in data.callbacks if not callback.on_server])
        self._temporary = tempfile.TemporaryDirectory()
        folder = Path(self._temporary.name if config.checkpoint is None else config.checkpoint)
        folder.mkdir(parents=True, exist_ok=True)
        self._checkpoint_store = self._actor(CheckpointStore, num_cpus=0, on_driver_node=True)(str(folder))
        self._mailbox = self._actor(ProgressMailbox, num_cpus=0, on_driver_node=True)()

    def _actor(
        self, kind: type, *, num_cpus: float, on_driver_node: bool = False, **options: Any
    ) -> Callable[..., Any]:
        """A constructor of actors of this class, which Ray restarts if they die, repeating their calls."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        strategy: Any = "SPREAD"
        if on_driver_node:
            strategy = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        remote: Callable[..., Any] = (
            self._ray.remote(kind)
            .options(num_cpus=num_cpus, max_restarts=-1, max_task_retries=-1, scheduling_strategy=strategy, **options)
            .remote
        )
        return remote

    def run_phase1(self, span: Span) -> None:
        history = self._progress.history
        ray, trainer, config = self._ray, self._trainer, self._config
        setup = replace(self._setup, span=span, step_count=trainer.step_count, state_updates=trainer.state_updates)
        ray.get(self._checkpoint_store.clear.remote())
        if self._progress.server is not None:  # the server goes on from where the checkpoint was
            ray.get(self._checkpoint_store.save.remote(self._state_for_server(self._progress.server)))
        needed = memory_use.training_bytes(
            trainer.net.layer_sizes,
            trainer.net.n_connections,
            trainer.batch_size,
            trainer.optimizer.n_slots + 6,
            trainer.net.storage_config,
            every=trainer.recompute,
            micro_batch_size=trainer.micro_batch_size,
            pre_activations=trainer.net.keeps_pre_activations,
        )
        shared, layers = ray.put(setup), ray.put((trainer.net.layers, trainer.optimizer_state))
        server = self._actor(ServerActor, num_cpus=0, memory=needed, max_concurrency=config.n_shards + 8)(
            (shared, layers), self._checkpoint_store
        )
        pool = WorkerPool(
            ray,
            config,
            lambda number: self._actor(WorkerActor, num_cpus=1, memory=needed, max_concurrency=2)(
                number, (shared,), server, self._mailbox
            ),
            server.leave.remote,
        )
        try:
            while pool.poll():
                self._report_steps()
                self._take_events(server, history)
                if trainer.stop:
                    ray.get(server.stop.remote())
            self._report_steps()
            self._take_events(server, history)
            self._adopt(*ray.get(server.layers.remote()))
            trainer.state_updates = setup.state_updates + trainer.step_count - setup.step_count
        finally:
            pool.shutdown()
            ray.kill(server)

    def _take_events(self, server: Any, history: History) -> None:
        """Does the driver's part of the epochs that the server has ended: validation and callbacks."""
        known = history.records[-1]["epoch"] if history.records else 0
        while (event := self._ray.get(server.event.remote(known))) is not None:
            record, net = event
            known = record["epoch"]
            self._adopt(net.layers)
            self._trainer.step_count += max(self.batches) if self._config.synchronous else sum(self.batches)
            self._trainer.epoch = float(record["epoch"])
            self._trainer.end_epoch(self._driver_data, history, record)
            if self._progress.is_kept:
                self._keep_epoch()

    def _state_for_server(self, server: dict[str, Any]) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state"
            checkpoints.write(path, self._trainer, {**server, "record": self._progress.history.records[-1]}, sync=False)
            return path.read_bytes()

    def _keep_epoch(self) -> None:
        """Keeps the server's state at the end of the last epoch, which is that of the store until the driver asks for
        the next event. The trainer has it for as long as that takes."""
        trainer = self._trainer
        counters = trainer.step_count, trainer.state_updates, trainer.epoch
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state"
            path.write_bytes(self._ray.get(self._checkpoint_store.load.remote()))
            _, extra = checkpoints.restore(path, lambda _: None, lambda net: trainer, trainer.threads)
        if extra.pop("record")["epoch"] == self._progress.history.records[-1]["epoch"]:
            self._progress.keep(self._progress.round, 1, extra)
        trainer.step_count, trainer.state_updates, trainer.epoch = counters

    def _adopt(self, layers: Sequence[IndexedLayer], optimizer_state: Sequence[OptimizerState] | None = None) -> None:
        """Copies layers and their optimizer state (None: zero) from the cluster, whose arrays are read-only."""
        net = self._trainer.net
        copied = net.with_layers(layers).copy()
        net.layers, net.layer_sizes = copied.layers, copied.layer_sizes
        if optimizer_state is None:
            self._trainer.reset_state()
        else:
            self._trainer.set_optimizer_state([state.copy() for state in optimizer_state])

    def run_phase2(self, span: Span) -> list[tuple[SparseMLP, Record]]:
        ray, net = self._ray, self._trainer.net
        task = ray.remote(run_phase2).options(num_cpus=1, max_retries=-1, scheduling_strategy="SPREAD")
        setup, start = ray.put(replace(self._setup, span=span)), ray.put(net.layers)
        files = self._progress.worker_files(span)
        kept = None if files is None else (self._checkpoint_store, str(files.folder.absolute()), files.key)
        tasks = [task.remote(setup, start, shard, self._mailbox, kept) for shard in range(len(self.batches))]
        running = list(tasks)
        while running:
            done, running = ray.wait(running, timeout=POLL)
            for ref in done:
                result(ray, ref)
            self._report_steps()
        return [(net.with_layers(layers), record) for layers, record in ray.get(tasks)]

    def _report_steps(self) -> None:
        """Calls the callbacks with the losses that workers have sent."""
        for worker, losses in self._ray.get(self._mailbox.collect.remote()).items():
            for loss in losses:
                self._trainer.notify(self._driver_data.callbacks, "on_worker_step", worker, loss)

    def close(self) -> None:
        self._ray.kill(self._checkpoint_store)
        self._ray.kill(self._mailbox)
        self._temporary.cleanup()
