"""The folder that a Checkpointer writes (a state file, or layers in memory-mapped files), and going on from it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trulysparse._core import checks
from trulysparse._core.mapped_arrays import MANIFEST, ArrayFolder, committed
from trulysparse.errors import InputError
from trulysparse.io import checkpoints, model_reader
from trulysparse.io.checkpoints import TrainingState
from trulysparse.io.position import Position
from trulysparse.optim import OptimizerState

if TYPE_CHECKING:
    from trulysparse.nn.activations import Activation
    from trulysparse.nn.mlp import SparseMLP

STATE, LAYERS = "state.safetensors", "layers"
PENDING = "state.next.safetensors"


def has_state(folder: Path) -> bool:
    """Whether a folder holds a checkpoint."""
    return (folder / STATE).is_file() or committed(folder / LAYERS)


def resume(path: str | PathLike[str], trainer: TrainingState) -> Position:
    """Puts a checkpoint into a trainer and its network.

    Args:
        path: a checkpoint's file, or the folder of a Checkpointer.
        trainer: of the kind that wrote it, whose state and network are replaced.

    Returns:
        Where the training was.

    Raises:
        InputError: where there is no checkpoint, or one that is damaged, of another kind of training, or not written
            in the course of fit.
    """
    path = Path(path)
    if path.is_dir() and not (path / STATE).is_file():
        net, optimizer_state, state = open_network(path, trainer.net.threads, trainer.net.activation)
        own = trainer.net
        if (net.layer_sizes, net.storage_config.weights) != (
            own.layer_sizes,
            own.storage_config.weights,
        ) or own.storage_config.folder is None:
            raise InputError(f"resume: '{path}' holds another network, whose layers live in files")
        own.layers, own.storage_config = net.layers, net.storage_config
        trainer.set_optimizer_state(optimizer_state)
        checkpoints.restore_counters(trainer, state)
    else:
        file = path / STATE if path.is_dir() else path
        check, threads = partial(_check, trainer=trainer), trainer.net.threads
        _, state = checkpoints.restore(file, check, lambda net: trainer, threads, activation=trainer.net.activation)
    return Position.from_json(state["position"])


def _check(config: dict[str, Any], trainer: TrainingState) -> None:
    checkpoints.check_kind(config, trainer)
    if "position" not in config["extra"]:
        raise InputError("it was not written in the course of fit, so resume does not know where to go on")


def open_network(
    folder: Path, threads: int | None, activation: Activation | None = None
) -> tuple[SparseMLP, list[OptimizerState], dict[str, Any]]:
    """The network in memory-mapped files of a checkpoint, its optimizer state, and what else was committed; InputError
    where they are damaged. activation: of the hidden layers, where it is not a built-in one."""
    files = ArrayFolder(folder / LAYERS)
    state, where = files.state(), f"'{folder / LAYERS / MANIFEST}'"
    try:
        config = state["network"]
        checks.choice("storage", config["storage"], ("compact",))
        storage_config = replace(model_reader.storage_config_of(config), folder=files)
        net, optimizer_state = model_reader.open_layers(config, state["layers"], storage_config, threads, activation)
        n_slots = checks.integer("slots", state["slots"], low=0)
        if any(len(each.weight) != n_slots for each in optimizer_state):
            raise InputError(f"a layer does not have {n_slots} values of optimizer state per parameter")
        checkpoints.check_counters(state)
        Position.from_json(state["position"])
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{where} has damaged settings: {error!r}") from None
    return net, optimizer_state, state
