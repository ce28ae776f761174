"""Where a parallel training is, and keeping it: what a checkpoint holds of it, beside the trainer's own state."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trulysparse._core.arrays import Floats, bytes_of
from trulysparse.errors import InputError
from trulysparse.io import checkpoints
from trulysparse.io.position import Position
from trulysparse.nn.mlp import SparseMLP
from trulysparse.parallel import residuals
from trulysparse.parallel.config import ParallelConfig, Span
from trulysparse.training.callbacks.checkpointer import FLUSH_INTERVAL, Checkpointer
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import History, Record
from trulysparse.training.loop import TrainingLoop


class ParallelProgress:
    """Where a call of fit is, from trainer.position on.

    Args:
        config: of the training.
        trainer: whose position it is; what is kept is its state.
        data: whose callbacks are told, and keep it.

    Attributes:
        history: of the epochs so far.
        began_at: updates before this call of fit.
        round, phase: where it is; phase 1 or 2.
        server: the server's state where phase 1 is to go on, or None.
    """

    def __init__(self, config: ParallelConfig, trainer: TrainingLoop, data: FitData) -> None:
        at = trainer.position
        values: dict[str, Any] = at.parallel or {}
        self.history = History(list(at.records))
        self.began_at: int = values.get("began_at", trainer.step_count)
        self.round: int = values.get("round", 0)
        self.phase: int = values.get("phase", 1)
        self.server: dict[str, Any] | None = values.get("server")
        self.resumed = at.parallel is not None
        self._arrays = {name: value for name, value in values.items() if name.startswith("residual.")}
        self._trainer = trainer
        self._data = data
        self.fixed = {"kind": type(config).__name__, "shards": config.n_shards, "began_at": self.began_at}
        keepers = [each for each in data.callbacks if isinstance(each, Checkpointer) and each.keeps_epochs]
        self._folder = keepers[0].folder / "workers" if keepers else None

    def residuals(self, n_layers: int) -> residuals.ByShard:
        """What compression had left out, by shard."""
        return residuals.from_arrays(self._arrays, n_layers)

    def keep(
        self,
        round_: int,
        phase: int,
        server: Mapping[str, Any] | None = None,
        arrays: Mapping[str, Floats] | None = None,
    ) -> None:
        """Tells the callbacks that training can be gone on with from here, while nobody changes the trainer's state."""
        trainer, records = self._trainer, list(self.history.records)
        place = {"round": round_, "phase": phase, "server": None if server is None else dict(server)}
        trainer.position = Position(
            (int(records[-1]["epoch"]) if records else 0) + 1,
            self.began_at,
            records=records,
            stop=trainer.stop,
            parallel={**self.fixed, **place, **(arrays or {})},
        )
        trainer.notify(self._data.callbacks, "on_epoch_over")

    @property
    def is_kept(self) -> bool:
        """Whether a callback keeps the end of each epoch."""
        return self._folder is not None

    def worker_files(self, span: Span) -> WorkerFiles | None:
        """Where workers keep the epochs that they train alone, or None."""
        if self._folder is None:
            return None
        return WorkerFiles(self._folder, [self.began_at, self.round, *span, _digest(self._trainer.net)])


def _digest(net: SparseMLP) -> int:
    digest = 0
    for layer in net.layers:
        digest = zlib.crc32(bytes_of(layer.bias), zlib.crc32(bytes_of(layer.values), digest))
    return digest


def check_start(config: ParallelConfig, position: Position) -> None:
    """InputError where a training with these settings cannot go on from `position`."""
    values = position.parallel
    if values is None:
        raise InputError("resume: the checkpoint was not written by parallel training: leave out parallel=")
    own = {"kind": type(config).__name__, "shards": config.n_shards}
    held = {name: values.get(name) for name in own}
    if held != own:
        raise InputError(
            f"resume: the checkpoint is one of {held['kind']} with {held['shards']} shards, not of {own['kind']} with "
            f"{own['shards']}"
        )


class WorkerFiles:
    """The states of workers that train alone, at the end of their last epoch.

    Args:
        folder: where they are written, one file per shard.
        key: of this phase 2, JSON: files with another one are of no use.

    Attributes:
        folder, key: as given.
    """

    def __init__(self, folder: Path, key: list[int]) -> None:
        self.folder = folder
        self.key = key
        self._flushed_at: dict[int, float] = {}
        self._lock = threading.Lock()

    def path(self, shard: int) -> Path:
        return self.folder / f"worker-{shard:04d}.safetensors"

    def save(self, shard: int, trainer: TrainingLoop, record: Record) -> None:
        """Keeps a worker's state at the end of an epoch, and the epoch's record."""
        self.folder.mkdir(exist_ok=True)
        now = time.monotonic()
        with self._lock:
            flush = now - self._flushed_at.get(shard, -FLUSH_INTERVAL) >= FLUSH_INTERVAL
            if flush:
                self._flushed_at[shard] = now
        checkpoints.write(self.path(shard), trainer, {"key": self.key, "record": record}, sync=flush)

    def load(self, shard: int, trainer: TrainingLoop) -> Record | None:
        """Puts the state of a worker into its trainer, and returns the record of its last epoch; None where there is
        none, or none that can be used: the worker then trains from the start of the phase, with the same bits."""
        path = self.path(shard)
        if not path.is_file():
            return None

        def check(config: dict[str, Any]) -> None:
            if config["extra"].get("key") != self.key:
                raise InputError("it is of another training")
            checkpoints.check_kind(config, trainer)

        try:
            _, extra = checkpoints.restore(path, check, lambda net: trainer, trainer.threads)
        except InputError:
            return None
        record: Record = extra["record"]
        return record

    def clear(self) -> None:
        """Removes all files."""
        if self.folder.is_dir():
            for path in (*self.folder.glob("worker-*.safetensors"), *self.folder.glob(".worker-*")):
                path.unlink(missing_ok=True)
            self.folder.rmdir()
