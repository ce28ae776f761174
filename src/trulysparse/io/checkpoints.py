"""The state of a training in one safetensors file, from which it goes on with the same bits: the network, optimizer
state, evolution state, counters. No pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Stored, type_name
from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError
from trulysparse.io import model_reader, model_writer, tensors
from trulysparse.io.table_state import VERSIONS, version_of
from trulysparse.io.tensors import Tensor, TensorFile
from trulysparse.nn.activations import Activation
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import Optimizer, OptimizerState

ENTRY = "trulysparse-checkpoint"
_KEPT = "kept."  # names of the arrays that `write` is given


class TrainingState(Protocol):
    """What a checkpoint holds of a training, and puts back into one."""

    net: SparseMLP
    optimizer: Optimizer
    evolution_state: dict[str, Any]
    step_count: int
    state_updates: int
    epoch: float

    @property
    def optimizer_state(self) -> list[OptimizerState]:
        """Of each layer."""

    def set_optimizer_state(self, optimizer_state: Sequence[OptimizerState]) -> None:
        """Goes on with other optimizer state."""


T = TypeVar("T", bound=TrainingState)


def write(
    path: str | PathLike[str],
    trainer: TrainingState,
    extra: dict[str, Any] | None = None,
    progress: Progress = silent,
    *,
    arrays: dict[str, NDArray[Any]] | None = None,
    sync: bool = True,
) -> None:
    """Writes the state of a training, whole or not at all.

    Args:
        path: of the file.
        trainer: what to write.
        extra: more to keep, as JSON can hold it.
        progress: called as the file is written.
        arrays: to keep beside it, by name.
        sync: whether the file has to outlive a power cut at once.

    Raises:
        OSError: where the file cannot be written; one that was there stays then.
    """
    net = trainer.net
    kept = [Tensor.of(f"{_KEPT}{name}", array) for name, array in (arrays or {}).items()]
    written = model_writer.scaling_tensors(net)
    for number, (layer, optimizer_state) in enumerate(zip(net.layers, trainer.optimizer_state, strict=True)):
        written += model_writer.layer_tensors(net, number)
        written += [
            model_writer.along_connections(layer, f"layers.{number}.slot{i}", values)
            for i, values in enumerate(optimizer_state.weight)
        ]
        written += [Tensor.of(f"layers.{number}.bias_slot{i}", values) for i, values in enumerate(optimizer_state.bias)]
    numbers: dict[str, Any] = {}
    for owner, remembered in trainer.evolution_state.items():
        for name, value in remembered.items() if isinstance(remembered, dict) else [("", remembered)]:
            if isinstance(value, np.ndarray):
                written.append(Tensor.of(f"memory.{owner}.{name}", value))
            else:
                numbers[f"memory.{owner}.{name}"] = value
    state = {
        "version": version_of(net),
        "network": model_writer.settings(net),
        **counters(trainer),
        "memory": numbers,
        "extra": extra or {},
    }
    tensors.write_tensors(path, written + kept, {ENTRY: json.dumps(state)}, progress, "checkpoint", sync=sync)


def counters(trainer: TrainingState) -> dict[str, Any]:
    """What a trainer has counted, as the settings of a checkpoint have it."""
    return {
        "slots": trainer.optimizer.n_slots,
        "step_count": trainer.step_count,
        "state_updates": trainer.state_updates,
        "epoch": trainer.epoch,
    }


def check_counters(state: dict[str, Any]) -> None:
    """InputError where the counters of a checkpoint are out of range."""
    step_count = checks.integer("step_count", state["step_count"], low=0)
    if "state_updates" in state:
        checks.integer("state_updates", state["state_updates"], low=0, high=step_count)
    checks.real("epoch", state["epoch"], low=0)


def restore_counters(trainer: TrainingState, state: dict[str, Any]) -> None:
    """Puts the counters of a checkpoint, which have been checked, into `trainer`."""
    trainer.step_count, trainer.epoch = state["step_count"], float(state["epoch"])
    # Older checkpoints lack this counter: Adam counted all updates then.
    trainer.state_updates = state.get("state_updates", trainer.step_count)


def read(path: str | PathLike[str], trainer: TrainingState, progress: Progress = silent) -> dict[str, Any]:
    """Puts the state of a file into a trainer.

    Args:
        path: of the file.
        trainer: with network, optimizer and evolution of the kind that wrote it.
        progress: called as the file is read.

    Returns:
        What was given to `write` as `extra`, and its `arrays`, where there are any, under 'arrays'.

    Raises:
        InputError: where the file is missing, truncated, not a checkpoint, or of another kind of training.
    """
    return restore(
        path,
        lambda config: check_kind(config, trainer),
        lambda net: trainer,
        trainer.net.threads,
        progress,
        activation=trainer.net.activation,
    )[1]


def restore(
    path: str | PathLike[str],
    check: Callable[[dict[str, Any]], None],
    trainer_for: Callable[[SparseMLP], T],
    threads: int | None,
    progress: Progress = silent,
    *,
    activation: Activation | None = None,
) -> tuple[T, dict[str, Any]]:
    """As `read`, for a trainer that is made once the network has been read: no other network is in memory meanwhile.

    Args:
        path: of the file.
        check: called with the file's settings before any array is read.
        trainer_for: makes the trainer for the network that was read.
        threads: to build the network with; None: all.
        progress: called as the file is read.
        activation: of the hidden layers, where it is not a built-in one.

    Returns:
        The trainer, and what was given to `write` as `extra`, with its `arrays`, where there are any, under 'arrays'.
    """
    with tensors.opened(path, ENTRY, VERSIONS, "checkpoint", progress) as file:
        state = file.config
        check(state)
        check_counters(state)
        for name in ("memory", "extra"):
            if not isinstance(state[name], dict):
                raise InputError(f"{name} must be a JSON object, not {type(state[name]).__name__}")
        slots = range(checks.integer("slots", state["slots"], low=0, high=2))
        net = model_reader.build(state["network"], file, checks.thread_count(threads), activation=activation)
        optimizer_state = []
        for number, layer in enumerate(net.layers):
            n, prefix = layer.n_updated, f"layers.{number}"
            weight = [_state_array(file, f"{prefix}.slot{i}", n, net) for i in slots]
            if layer.own_weights:
                weight = [model_reader.restore_order(layer, values) for values in weight]
            bias = [_state_array(file, f"{prefix}.bias_slot{i}", layer.bias.size, net) for i in slots]
            optimizer_state.append(OptimizerState(weight, bias))
        # Evolution rules may keep any values, infinity and NaN too.
        arrays = {name: file.read(name, finite=False) for name in file.names if name.startswith("memory.")}
        kept = {
            name.removeprefix(_KEPT): file.read(name, finite=False) for name in file.names if name.startswith(_KEPT)
        }
        if any(name.count(".") < 2 for name in state["memory"] | arrays):
            raise InputError("memory must name a layer and a part")
    trainer = trainer_for(net)
    trainer.net.layers, trainer.net.layer_sizes = net.layers, net.layer_sizes
    trainer.net.scaling, trainer.net.labels = net.scaling, net.labels
    trainer.net.preprocessor, trainer.net.target_scaling = net.preprocessor, net.target_scaling
    trainer.net.feature_names = net.feature_names
    trainer.set_optimizer_state(optimizer_state)
    trainer.evolution_state = {}
    for name, value in (state["memory"] | arrays).items():
        _, owner, part = name.split(".", 2)
        if part:
            trainer.evolution_state.setdefault(owner, {})[part] = value
        else:
            trainer.evolution_state[owner] = value
    restore_counters(trainer, state)
    extra: dict[str, Any] = state["extra"]
    return trainer, extra | ({"arrays": kept} if kept else {})


def _state_array(file: TensorFile, name: str, size: int, net: SparseMLP) -> Stored:
    """Optimizer state along connections or biases, or InputError."""
    values = file.read(name)
    types = ("float32", "bfloat16") if net.storage_config.tiled else (str(net.dtype),)
    if values.shape != (size,) or type_name(values) not in types:
        raise InputError(
            f"tensor {name} is {type_name(values)}{values.shape}, not {' or '.join(types)} of length {size}"
        )
    return values


def check_kind(state: dict[str, Any], trainer: TrainingState) -> None:
    """InputError where a checkpoint's settings are those of another kind of training."""
    net, n_slots, saved = trainer.net, trainer.optimizer.n_slots, state["network"]
    if state["slots"] != n_slots:
        raise InputError(f"it holds {state['slots']} values of optimizer state per parameter, not {n_slots}")
    sizes = tuple(saved["layer_sizes"])
    same = sizes[0] == net.layer_sizes[0] and sizes[-1] == net.layer_sizes[-1] and len(sizes) == len(net.layer_sizes)
    kinds = [(saved["dtype"], saved.get("storage", "indexed")), (str(net.dtype), net.storage_config.kind)]
    if not same or kinds[0] != kinds[1]:
        saved_sizes, own_sizes = ("-".join(map(str, s)) for s in (sizes, net.layer_sizes))
        raise InputError(
            f"it holds a network {saved_sizes} of {kinds[0][0]}, not one like {own_sizes} of {kinds[1][0]}"
            + (f" ({kinds[0][1]}, not {kinds[1][1]})" if kinds[0][1] != kinds[1][1] else "")
        )
    if bool(saved.get("tied")) != net.tied:
        raise InputError(f"it holds a network {'without' if net.tied else 'with'} tied ends, unlike this one")
    if bool(saved.get("skip")) != net.skip:
        raise InputError(f"it holds a network {'without a' if net.skip else 'with a'} skip layer, unlike this one")
