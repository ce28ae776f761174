"""Checkpoints in the course of training, from which a run that was killed goes on with the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trulysparse import _checks, saving
from trulysparse._arrays import Stored
from trulysparse.disk import ArrayFolder, DiskLayer
from trulysparse.errors import DivergenceError, InputError
from trulysparse.layers import Slots
from trulysparse.layout import Layout
from trulysparse.training import checkpoint
from trulysparse.training.callbacks import Callback
from trulysparse.training.history import Record

if TYPE_CHECKING:
    from trulysparse.network import SparseMLP
    from trulysparse.training.trainer import Trainer

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
        self.folder = folder
        self.every = _checks.integer("every", every, low=1)
        self.worst = worst
        self._waiting = False

    def on_fit_start(self, trainer: Trainer, epochs: int, steps: int) -> None:
        """Commits layers in files, so that a run can go on from its start."""
        self._commit(trainer)

    def on_step_end(self, trainer: Trainer, loss: float) -> None:
        """Writes or commits where it is time."""
        self._settle(loss)
        if trainer.net.layout.folder is not None or trainer.step_count % self.every == 0:
            self.keep(trainer)

    def on_epoch_end(self, trainer: Trainer, record: Record) -> None:
        """The loss on other data serves as well as the next."""
        self._settle(float(record["val_loss"] if "val_loss" in record else record["loss"]))

    def keep(self, trainer: Trainer) -> None:
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

    def on_evolution(self, trainer: Trainer, grown: int) -> None:
        """Commits layers in files."""
        self._commit(trainer)

    def on_progress(self, trainer: Trainer, what: str, done: float, total: float) -> None:
        """Commits layers in files as each has evolved, so that no more than one is there twice."""
        if what == "evolving":
            self._commit(trainer)

    def _commit(self, trainer: Trainer) -> bool:
        net = trainer.net
        folder = net.layout.folder
        if folder is None:
            return False
        layers: list[DiskLayer] = net.layers
        pairs = list(zip(layers, trainer.slots, strict=True))
        state = {
            "network": saving.settings(net),
            **checkpoint.counters(trainer),
            "position": trainer.position.to_json(),
            "layers": [layer.manifest(slots) for layer, slots in pairs],
        }
        folder.commit(state, [a for layer, slots in pairs for kind in layer.arrays(slots).values() for a in kind])
        return True


def _require_finite(trainer: Trainer) -> None:
    for layer, slots in zip(trainer.net.layers, trainer.slots, strict=True):
        for values in (layer.values, layer.bias, *slots.weight, *slots.bias):
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
    return (folder / STATE).is_file() or (folder / LAYERS / "manifest.json").is_file()


def open_network(folder: Path, threads: int | None) -> tuple[SparseMLP, list[Slots], dict[str, Any]]:
    """The network in memory-mapped files of a checkpoint, its optimizer state, and what else was committed."""
    files = ArrayFolder(folder / LAYERS)
    state = files.state()
    config = state["network"]
    layout = Layout("compact", config["weights"], config["signals"], files)
    net, slots = saving.open_layers(config, state["layers"], layout, threads)
    for name in ("slots", "step_count", "epoch", "position"):
        if name not in state:
            raise InputError(f"'{folder}' has damaged settings: {name} is missing")
    return net, slots, state
