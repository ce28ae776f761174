"""Workers as threads of this process. They share the weights; kernels release the interpreter lock while they run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, TypeVar

from trulysparse._core import memory
from trulysparse.nn import memory_use
from trulysparse.nn.mlp import SparseMLP
from trulysparse.parallel.config import ParallelConfig, Span
from trulysparse.parallel.progress import ParallelProgress
from trulysparse.parallel.residuals import Residuals, to_arrays
from trulysparse.parallel.server.server import Server
from trulysparse.parallel.shards import Shard, shard_rows
from trulysparse.parallel.worker import Worker, train_phase2, worker_options
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import Record
from trulysparse.training.loop import TrainingLoop

T = TypeVar("T")


class ThreadBackend:
    """Runs workers as threads; see algorithm.Backend."""

    def __init__(
        self, config: ParallelConfig, trainer: TrainingLoop, data: FitData, progress: ParallelProgress
    ) -> None:
        self._config = config
        self._trainer = trainer
        self._progress = progress
        self._data = data = data.shared_by(config.workers)
        self._options = worker_options(trainer, config, progress.began_at)
        self._shards = {
            number: Shard(
                number,
                data.rows[shard_rows(len(data.rows), number, config.n_shards, trainer.batch_size)],
                trainer.batch_size,
                self._options.seed,
                data.shuffle,
                data.shuffled,
            )
            for number in range(config.n_shards)
        }
        self.batches = [shard.n_batches for shard in self._shards.values()]
        net = trainer.net
        each = memory_use.training_bytes(
            net.layer_sizes,
            net.n_connections,
            trainer.batch_size,
            1 + trainer.optimizer.n_slots,
            net.storage_config,
            every=trainer.recompute,
            micro_batch_size=trainer.micro_batch_size,
            pre_activations=net.keeps_pre_activations,
        )
        memory.require(
            config.workers * each,
            f"training with {config.workers} workers at batch_size={trainer.batch_size}",
            "choose fewer workers or a smaller batch_size",
        )
        self._report_lock = threading.Lock()
        self._ending = threading.Event()

    def run_phase1(self, span: Span) -> None:
        trainer, data, progress = self._trainer, self._data, self._progress
        residuals: dict[int, Residuals] = {}

        def on_evolution(n_new: int) -> None:
            trainer.notify(data.callbacks, "on_evolution", n_new)

        def save(state: dict[str, Any]) -> None:
            arrays = to_arrays(residuals.values(), trainer.net.layers)
            progress.keep(progress.round, 1, state, arrays)

        server = Server(
            trainer,
            self._config,
            self.batches,
            span,
            data.epochs,
            end_epoch=lambda record: trainer.end_epoch(data, progress.history, record),
            on_evolution=on_evolution,
            save=save,
        )
        if progress.server is not None:
            server.resume(progress.server)
        left_out = progress.residuals(len(trainer.net.layers))
        for number in range(self._config.workers):
            server.join(number)
            own = {shard: parts for shard, parts in left_out.items() if shard % self._config.workers == number}
            residuals[number] = Residuals(trainer.net.layers, own)

        def serve(number: int) -> None:
            with data.reader() as reader:
                worker = Worker(number, trainer.net, data, self._shards, self._options, reader, residuals[number])
                try:
                    while (given := server.pull(number)) is not None:
                        if self._config.delay_compensation:
                            server.snapshot(number, *given)
                        # Layers that others were reading are updated while this worker loads its next batch.
                        gradient = worker.gradient(given[1], given[0], partial(server.settle, number))
                        if server.push(number, gradient, finish=False):
                            self._report(number, gradient.loss)
                finally:
                    server.settle(number)

        try:
            self._run([partial(serve, number) for number in range(self._config.workers)], server.stop)
        finally:
            trainer.on_resize = None

    def run_phase2(self, span: Span) -> list[tuple[SparseMLP, Record]]:
        def task(number: int) -> tuple[SparseMLP, Record]:
            twin = self._trainer.net.copy()
            shard, report, steps = self._shards[number], partial(self._report, number), sum(self.batches)
            return train_phase2(twin, self._data, shard, span, self._options, report, steps, files)

        files = self._progress.worker_files(span)
        return self._run([partial(task, number) for number in self._shards], self._ending.set)

    def close(self) -> None:
        pass

    def _report(self, worker: int, loss: float) -> None:
        if self._ending.is_set():
            raise CancelledError
        with self._report_lock:
            self._trainer.notify(self._data.callbacks, "on_worker_step", worker, loss)

    def _run(self, tasks: list[Callable[[], T]], stop: Callable[[], None]) -> list[T]:
        """Runs the tasks, as many at a time as there are workers; the first error ends all of them."""
        with ThreadPoolExecutor(self._config.workers, thread_name_prefix="worker") as pool:
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
