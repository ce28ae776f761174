"""Workers as threads of this process. They share the weights; kernels give up the interpreter lock while they run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import TypeVar

from trulysparse import memory
from trulysparse.network import SparseMLP
from trulysparse.parallel.plan import WASAP, Span
from trulysparse.parallel.server import Server
from trulysparse.parallel.shards import Shard, shard_rows
from trulysparse.parallel.worker import Worker, settings_of, train_alone
from trulysparse.training import Trainer
from trulysparse.training.history import History, Record
from trulysparse.training.job import Job

T = TypeVar("T")


class Threads:
    """See algorithm.Place."""

    def __init__(self, plan: WASAP, trainer: Trainer, job: Job) -> None:
        self._plan = plan
        self._trainer = trainer
        self._job = job = replace(job, matrix=job.matrix.shared_by(plan.workers))
        self._settings = settings_of(trainer, plan)
        self._shards = {
            number: Shard(
                number,
                job.rows[shard_rows(len(job.rows), number, plan.n_shards, trainer.batch_size)],
                trainer.batch_size,
                self._settings.seed,
                job.shuffle,
                job.matrix.order,
            )
            for number in range(plan.n_shards)
        }
        self.batches = [shard.n_batches for shard in self._shards.values()]
        net = trainer.net
        each = memory.training_bytes(
            net.layer_sizes,
            net.n_connections,
            trainer.micro_batch_size,
            1 + trainer.optimizer.slots,
            net.layout,
            every=trainer.recompute,
        )
        memory.require(
            plan.workers * each,
            f"training with {plan.workers} workers at batch_size={trainer.batch_size}",
            "choose fewer workers or a smaller batch_size",
        )
        self._telling = threading.Lock()

    def together(self, span: Span, history: History) -> None:
        trainer, job = self._trainer, self._job

        def evolved(grown: int) -> None:
            for callback in job.callbacks:
                callback.on_evolution(trainer, grown)

        server = Server(
            trainer,
            self._plan,
            self.batches,
            span,
            job.epochs,
            end_epoch=lambda record: trainer.end_epoch(job, history, record),
            evolved=evolved,
        )
        for number in range(self._plan.workers):
            server.join(number)

        def serve(number: int) -> None:
            with job.matrix.reader() as reader:
                worker = Worker(number, trainer.net, job, self._shards, self._settings, reader)
                try:
                    while (given := server.pull(number)) is not None:
                        # Layers that others were reading get their update while this worker loads its next batch.
                        gradient = worker.gradient(given[1], given[0], partial(server.settle, number))
                        if server.push(number, gradient, finish=False):
                            self._tell(number, gradient.loss)
                finally:
                    server.settle(number)

        try:
            self._run([partial(serve, number) for number in range(self._plan.workers)], server.stop)
        finally:
            trainer.on_resize = None

    def alone(self, span: Span) -> list[tuple[SparseMLP, Record]]:
        def task(number: int) -> tuple[SparseMLP, Record]:
            twin = self._trainer.net.copy()
            shard = self._shards[number]
            return train_alone(twin, self._job, shard, span, self._settings, lambda loss: self._tell(number, loss))

        return self._run([partial(task, number) for number in self._shards], lambda: None)

    def close(self) -> None:
        pass

    def _tell(self, worker: int, loss: float) -> None:
        with self._telling:
            for callback in self._job.callbacks:
                callback.on_worker_step(self._trainer, worker, loss)

    def _run(self, tasks: list[Callable[[], T]], stop: Callable[[], None]) -> list[T]:
        """Runs the tasks, as many at a time as there are workers; the first error ends them all."""
        with ThreadPoolExecutor(self._plan.workers, thread_name_prefix="worker") as pool:
            futures = [pool.submit(task) for task in tasks]
            try:
                done = wait(futures, return_when="FIRST_EXCEPTION")[0]
                for future in done:
                    future.result()
            except BaseException:
                stop()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return [future.result() for future in futures]
