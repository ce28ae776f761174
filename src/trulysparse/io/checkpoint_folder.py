"""The folder that a Checkpointer writes (state files, or layers in memory-mapped files), and going on from it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from trulysparse._core import checks
from trulysparse._core.mapped_arrays import MANIFEST, ArrayFolder, committed
from trulysparse.errors import InputError
from trulysparse.io import checkpoints, model_reader, tensors
from trulysparse.io.callback_state import Arrays, Kept, under
from trulysparse.io.checkpoints import TrainingState
from trulysparse.io.position import Position
from trulysparse.optim import OptimizerState

if TYPE_CHECKING:
    from trulysparse.nn.activations import Activation
    from trulysparse.nn.mlp import SparseMLP

LAYERS = "layers"
# What earlier releases wrote: one state, and the one that was to replace it.
STATE, PENDING = "state.safetensors", "state.next.safetensors"
_NUMBERED = re.compile(r"state-(\d+)\.safetensors")
# What callbacks remember beside layers in files.
CALLBACKS, _CALLBACKS_VERSION = "trulysparse-callbacks", 1
_CALLBACK_FILE = re.compile(r"callbacks-\d+\.safetensors")

T = TypeVar("T")


def state_file(folder: Path, step_count: int) -> Path:
    """The file of the state after so many updates."""
    return folder / f"state-{step_count:08d}.safetensors"


def states(folder: Path) -> list[Path]:
    """The files of states in a folder, the oldest first."""
    found = [(-1, folder / STATE)] if (folder / STATE).is_file() else []
    if folder.is_dir():
        matches = [(_NUMBERED.fullmatch(path.name), path) for path in folder.iterdir()]
        found += [(int(match[1]), path) for match, path in matches if match is not None]
    return [path for _, path in sorted(found)]


def has_state(folder: Path) -> bool:
    """Whether a folder holds a checkpoint."""
    return bool(states(folder)) or committed(folder / LAYERS)


def newest(folder: Path, read: Callable[[Path], T], say: Callable[[str], None]) -> T:
    """The newest state of a folder that can be read.

    Args:
        folder: of a Checkpointer.
        read: a state's file, or raises InputError.
        say: called with a sentence where the newest one cannot be read, and an older one is taken.

    Raises:
        InputError: where there is none; of several, what is wrong with the newest.
    """
    first: InputError | None = None
    for path in reversed(states(folder)):
        try:
            found = read(path)
        except InputError as error:
            first = first or error
            continue
        if first is not None:
            say(f"the newest checkpoint cannot be used ({first}): going on from '{path}' before it")
        return found
    raise first or InputError(f"'{folder}' holds no checkpoint")


def resume(
    path: str | PathLike[str],
    trainer: TrainingState,
    kinds: Sequence[str] = (),
    check_position: Callable[[Position], None] = lambda _: None,
) -> Position:
    """Puts a checkpoint into a trainer and its network.

    Args:
        path: a checkpoint's file, or the folder of a Checkpointer, whose newest sound one is taken.
        trainer: of the kind that wrote it, whose state and network are replaced.
        kinds: the classes of the callbacks that keep state.
        check_position: raises InputError where training cannot go on from where it was.

    Returns:
        Where the training was.

    Raises:
        InputError: where there is no checkpoint, or one that is damaged, of another kind of training, with the state of
            other callbacks, or not written in the course of fit.
    """
    path = Path(path)
    if path.is_dir() and not states(path) and committed(path / LAYERS):
        net, optimizer_state, state = open_network(path, trainer.net.threads, trainer.net.activation)
        own = trainer.net
        if (net.layer_sizes, net.storage_config.weights) != (
            own.layer_sizes,
            own.storage_config.weights,
        ) or own.storage_config.folder is None:
            raise InputError(f"resume: '{path}' holds another network, whose layers live in files")
        position = position_in_files(path, state)
        check_position(position)
        if position.kept is not None:
            position.kept.check(kinds)
        own.layers, own.storage_config = net.layers, net.storage_config
        trainer.set_optimizer_state(optimizer_state)
        checkpoints.restore_counters(trainer, state)
        return position

    def read(file: Path) -> Position:
        check = partial(_check, trainer=trainer, kinds=kinds, check_position=check_position)
        threads = trainer.net.threads
        _, extra = checkpoints.restore(file, check, lambda net: trainer, threads, activation=trainer.net.activation)
        return position_in(file, extra)

    return newest(path, read, lambda text: warnings.warn(text, stacklevel=4)) if path.is_dir() else read(path)


def _check(
    config: dict[str, Any],
    trainer: TrainingState,
    kinds: Sequence[str],
    check_position: Callable[[Position], None],
) -> None:
    checkpoints.check_kind(config, trainer)
    if "position" not in config["extra"]:
        raise InputError("it was not written in the course of fit, so resume does not know where to go on")
    check_position(Position.from_json(config["extra"]["position"]))
    if "callbacks" in config["extra"]:
        Kept.from_json(config["extra"]["callbacks"], {}).check(kinds)


def position_in(file: Path, extra: dict[str, Any]) -> Position:
    """Where a training was, and what its callbacks remember, as a state's file has it. extra: see
    checkpoints.restore."""
    arrays = extra.get("arrays", {})
    position = Position.from_json(extra["position"], under("parallel.", arrays))
    known = "callbacks" in extra
    position.kept = Kept.from_json(extra["callbacks"], arrays, file) if known else Kept(path=file, unknown=True)
    return position


def _check_kept(kept: Any) -> None:
    """InputError where a manifest does not say what callbacks remember as it must."""
    if not isinstance(kept, dict) or not {"file", "callbacks"} <= set(kept):
        raise InputError(f"kept must name a file and callbacks, not {kept!r:.80}")
    file = kept["file"]
    if file is not None and not (isinstance(file, str) and _CALLBACK_FILE.fullmatch(file)):
        raise InputError(f"{file!r:.80} is not the name of a file of callbacks")
    Kept.from_json(kept["callbacks"], {})


def position_in_files(folder: Path, state: dict[str, Any]) -> Position:
    """As `position_in`, of layers in files. state: what was committed."""
    position = Position.from_json(state["position"])
    if (kept := state.get("kept")) is not None:
        arrays: Arrays = {}
        if kept["file"] is not None:
            with tensors.opened(folder / kept["file"], CALLBACKS, (_CALLBACKS_VERSION,), "checkpoint") as file:
                arrays = {name: file.read(name, finite=False) for name in file.names}
        position.kept = Kept.from_json(kept["callbacks"], arrays)
    return position


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Writes what callbacks remember beside layers in files, to a file that their manifest will name."""
    own = [tensors.Tensor.of(name, array) for name, array in arrays.items()]
    tensors.write_tensors(path, own, {CALLBACKS: f'{{"version": {_CALLBACKS_VERSION}}}'}, what="checkpoint")


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
        if "kept" in state:  # earlier releases kept nothing of callbacks
            _check_kept(state["kept"])
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{where} has damaged settings: {error!r}") from None
    return net, optimizer_state, state
