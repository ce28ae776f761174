"""Checkpoints in the course of training, from which a run that was killed goes on with the same bits."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trulysparse._core import checks
from trulysparse._core.arrays import Stored
from trulysparse._core.mapped_arrays import MANIFEST, ArrayFolder, committed
from trulysparse.errors import DivergenceError, InputError
from trulysparse.io import checkpoints as checkpoint
from trulysparse.io import models as saving
from trulysparse.io.checkpoints import TrainingState
from trulysparse.nn.layers.mapped import MappedLayer
from trulysparse.optim import OptimizerState
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record
from trulysparse.training.position import Position

if TYPE_CHECKING:
    from trulysparse.nn.mlp import SparseMLP
    from trulysparse.training.fit_data import FitData

STATE, LAYERS = "state.safetensors", "layers"
NEXT = "state.next.safetensors"
_CHECKED = 1 << 20  # values looked at in one go


class Checkpointer(Callback):
    """Keeps the state of training in `folder`, every `every` updates.

    Layers in memory are written to one file, which takes the place of the one before once the next loss has shown that
    training has not diverged: it is at most `worst`. Layers that live in files are there already, and what is in force
    is committed after each update and each layer's evolution.
    """

    def __init__(self, folder: Path, *, every: int, worst: float = np.inf) -> None:
        self.folder = Path(folder)
        self.every = checks.integer("every", every, low=1)
        self.worst = worst
        self._waiting = False

    def check(self, trainer: RunningTrainer, data: FitData) -> None:
        """Refuses workers, whose state this process does not have, and a folder that is none."""
        if trainer.parallel is not None:
            raise InputError("Checkpointer cannot keep the state of parallel training: leave out one of the two")
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"folder must be a folder to keep checkpoints in, not the file '{self.folder}'")

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Commits layers in files, so that a run can go on from its start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._commit(trainer)

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        """Writes or commits where it is time."""
        self._settle(loss)
        if trainer.net.storage_config.folder is not None or trainer.step_count % self.every == 0:
            self.keep(trainer)

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """The loss on other data serves as well as the next."""
        self._settle(float(record["val_loss"] if "val_loss" in record else record["loss"]))

    def keep(self, trainer: RunningTrainer) -> None:
        """Writes or commits now. DivergenceError where the state is not finite: the one that is kept stays."""
        _require_finite(trainer)
        if not self._commit(trainer):
            where = {"position": trainer.position.to_json()}
            checkpoint.write(self.folder / NEXT, trainer, where, trainer.tell)
            self._waiting = True

    def _settle(self, loss: float) -> None:
        """Decides on the state that waits, whose loss this is."""
        if self._waiting and loss <= self.worst:
            (self.folder / NEXT).replace(self.folder / STATE)
        elif self._waiting:
            (self.folder / NEXT).unlink()
        self._waiting = False

    def on_evolution(self, trainer: RunningTrainer, grown: int) -> None:
        """Commits layers in files."""
        self._commit(trainer)

    def on_progress(self, trainer: RunningTrainer, what: str, done: float, total: float) -> None:
        """Commits layers in files as each has evolved, so that no more than one is there twice."""
        if what == "evolving":
            self._commit(trainer)

    def _commit(self, trainer: RunningTrainer) -> bool:
        net = trainer.net
        folder = net.storage_config.folder
        if folder is None:
            return False
        layers: list[MappedLayer] = net.layers
        pairs = list(zip(layers, trainer.optimizer_state, strict=True))
        state = {
            "network": saving.settings(net),
            **checkpoint.counters(trainer),
            "position": trainer.position.to_json(),
            "layers": [layer.manifest(optimizer_state) for layer, optimizer_state in pairs],
        }
        arrays = [
            a for layer, optimizer_state in pairs for kind in layer.arrays(optimizer_state).values() for a in kind
        ]
        folder.commit(state, arrays, sync=self.every > 1 and trainer.step_count % self.every == 0)
        return True


def _require_finite(trainer: RunningTrainer) -> None:
    for layer, optimizer_state in zip(trainer.net.layers, trainer.optimizer_state, strict=True):
        for values in (layer.values, layer.bias, *optimizer_state.weight, *optimizer_state.bias):
            for start in range(0, len(values), _CHECKED):
                if not _finite(values[start : start + _CHECKED]):
                    raise DivergenceError(
                        f"the parameters are not finite after step {trainer.step_count - 1}: training has diverged; "
                        "lower the learning rate or scale the features"
                    )
        layer.release()


def _finite(values: Stored) -> bool:
    if values.dtype == np.uint16:  # bfloat16, whose exponent is all ones in what is not finite
        return not bool(((values & 0x7F80) == 0x7F80).any())
    return bool(np.isfinite(values).all())


def has_state(folder: Path) -> bool:
    """Whether there is something to go on from."""
    return (folder / STATE).is_file() or committed(folder / LAYERS)


def resume(path: str | PathLike[str], trainer: TrainingState) -> Position:
    """Puts a checkpoint into `trainer` and its network: a file, or the folder of a Checkpointer. Returns where the
    training was."""
    path = Path(path)
    if path.is_dir() and not (path / STATE).is_file():
        net, optimizer_state, state = open_network(path, trainer.net.threads)
        mine = trainer.net
        if (net.layer_sizes, net.storage_config.weights) != (
            mine.layer_sizes,
            mine.storage_config.weights,
        ) or mine.storage_config.folder is None:
            raise InputError(f"resume: '{path}' holds another network, whose layers live in files")
        mine.layers, mine.storage_config = net.layers, net.storage_config
        trainer.set_optimizer_state(optimizer_state)
        trainer.step_count, trainer.epoch = state["step_count"], state["epoch"]
    else:
        file = path / STATE if path.is_dir() else path
        check, threads = partial(_check, trainer=trainer), trainer.net.threads
        _, state = checkpoint.restore(file, check, lambda net: trainer, threads)
    return Position.from_json(state["position"])


def _check(config: dict[str, Any], trainer: TrainingState) -> None:
    checkpoint.check_kind(config, trainer)
    if "position" not in config["extra"]:
        raise InputError("it was not written in the course of fit, so resume does not know where to go on")


def open_network(folder: Path, threads: int | None) -> tuple[SparseMLP, list[OptimizerState], dict[str, Any]]:
    """The network in memory-mapped files of a checkpoint, its optimizer state, and what else was committed."""
    files = ArrayFolder(folder / LAYERS)
    state, where = files.state(), f"'{folder / LAYERS / MANIFEST}'"
    try:
        config = state["network"]
        checks.choice("storage", config["storage"], ("compact",))
        storage_config = replace(saving.storage_config_of(config), folder=files)
        net, optimizer_state = saving.open_layers(config, state["layers"], storage_config, threads)
        wanted = checks.integer("slots", state["slots"], low=0)
        if any(len(each.weight) != wanted for each in optimizer_state):
            raise InputError(f"a layer has not {wanted} values of optimizer state for each parameter")
        checks.integer("step_count", state["step_count"], low=0)
        checks.real("epoch", state["epoch"], low=0)
        Position.from_json(state["position"])
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{where} has damaged settings: {error!r}") from None
    return net, optimizer_state, state
