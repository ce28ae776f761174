"""Workers as actors of a Ray cluster, the server another: the driver's part."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trulysparse.nn import memory_use
from trulysparse.nn.layers.indexed import IndexedLayer, OptimizerState
from trulysparse.nn.network import SparseMLP
from trulysparse.parallel.config import ParallelConfig, Span
from trulysparse.parallel.ray.actors import Desk, ServerActor, Setup, WorkerActor, run_phase2
from trulysparse.parallel.ray.pool import POLL, WorkerPool, connect, result
from trulysparse.parallel.ray.sources import source_of
from trulysparse.parallel.shards import shard_rows
from trulysparse.parallel.worker import worker_options
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import History, Record
from trulysparse.training.loop import TrainingLoop


class RayBackend:
    """See algorithm.Backend."""

    def __init__(self, config: ParallelConfig, trainer: TrainingLoop, data: FitData) -> None:
        self._ray = connect(config)
        self._config = config
        self._trainer = trainer
        self._data = data
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
            worker_options(trainer, config),
            replace(config, data=None),
            (0, 0),
            0,
            data.epochs,
            tuple(self.batches),
            n,
            data.shuffle,
            (self._source,),
            tuple(callback for callback in data.callbacks if callback.on_server),
        )
        self._here = replace(data, callbacks=[callback for callback in data.callbacks if not callback.on_server])
        self._temporary = tempfile.TemporaryDirectory()
        folder = Path(self._temporary.name if config.checkpoint is None else config.checkpoint)
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

    def run_phase1(self, span: Span, history: History) -> None:
        ray, trainer, config = self._ray, self._trainer, self._config
        setup = replace(self._setup, span=span, step_count=trainer.step_count)
        ray.get(self._desk.clear.remote())
        needed = memory_use.training_bytes(
            trainer.net.layer_sizes,
            trainer.net.n_connections,
            trainer.micro_batch_size or trainer.batch_size,
            trainer.optimizer.n_slots + 6,
            trainer.net.storage_config,
            every=trainer.recompute,
        )
        shared, layers = ray.put(setup), ray.put((trainer.net.layers, trainer.optimizer_state))
        server = self._actor(ServerActor, num_cpus=0, memory=needed, max_concurrency=config.n_shards + 8)(
            (shared, layers), self._desk
        )
        pool = WorkerPool(
            ray,
            config,
            lambda number: self._actor(WorkerActor, num_cpus=1, memory=needed, max_concurrency=2)(
                number, (shared,), server, self._desk
            ),
            server.leave.remote,
        )
        try:
            while pool.poll():
                self._spread_news()
                self._take_events(server, history)
                if trainer.stop:
                    ray.get(server.stop.remote())
            self._spread_news()
            self._take_events(server, history)
            self._adopt(*ray.get(server.layers.remote()))
        finally:
            pool.shutdown()
            ray.kill(server)

    def _take_events(self, server: Any, history: History) -> None:
        """Ends the epochs that the server has ended: validation, callbacks."""
        known = history.records[-1]["epoch"] if history.records else 0
        while (event := self._ray.get(server.event.remote(known))) is not None:
            record, seen = event
            known = record["epoch"]
            self._adopt(seen.layers)
            self._trainer.step_count += max(self.batches) if self._config.synchronous else sum(self.batches)
            self._trainer.epoch = float(record["epoch"])
            self._trainer.end_epoch(self._here, history, record)

    def _adopt(self, layers: Sequence[IndexedLayer], optimizer_state: Sequence[OptimizerState] | None = None) -> None:
        """Takes over layers from the cluster, whose arrays are read-only, and their optimizer state; None: zero."""
        net = self._trainer.net
        mine = net.with_layers(layers).copy()
        net.layers, net.layer_sizes = mine.layers, mine.layer_sizes
        if optimizer_state is None:
            self._trainer.reset_state()
        else:
            self._trainer.set_optimizer_state([state.copy() for state in optimizer_state])

    def run_phase2(self, span: Span) -> list[tuple[SparseMLP, Record]]:
        ray, net = self._ray, self._trainer.net
        task = ray.remote(run_phase2).options(num_cpus=1, max_retries=-1, scheduling_strategy="SPREAD")
        setup, layers = ray.put(replace(self._setup, span=span)), ray.put(net.layers)
        waiting = [task.remote(setup, layers, shard, self._desk) for shard in range(len(self.batches))]
        left = list(waiting)
        while left:
            done, left = ray.wait(left, timeout=POLL)
            for ref in done:
                result(ray, ref)
            self._spread_news()
        return [(net.with_layers(found), record) for found, record in ray.get(waiting)]

    def _spread_news(self) -> None:
        for worker, losses in self._ray.get(self._desk.news.remote()).items():
            for loss in losses:
                self._trainer.notify(self._here.callbacks, "on_worker_step", worker, loss)

    def close(self) -> None:
        self._ray.kill(self._desk)
        self._temporary.cleanup()
