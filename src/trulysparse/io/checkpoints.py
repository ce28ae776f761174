"""The state of a training in one safetensors file, from which it goes on with the same bits: the network, optimizer
state, what topology evolution remembers, counters. No pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Protocol, TypeVar

import numpy as np

from trulysparse._core import checks
from trulysparse._core.arrays import Stored, type_name
from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError
from trulysparse.io import models as saving
from trulysparse.io import tensors
from trulysparse.io.tensors import Tensor, TensorFile
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import Optimizer, OptimizerState

ENTRY = "trulysparse-checkpoint"
VERSION = 1


class TrainingState(Protocol):
    """What a checkpoint holds of a training, and puts back into one."""

    net: SparseMLP
    optimizer: Optimizer
    evolution_state: dict[str, Any]
    step_count: int
    epoch: float

    @property
    def optimizer_state(self) -> list[OptimizerState]:
        """Of each layer."""

    def set_optimizer_state(self, optimizer_state: Sequence[OptimizerState]) -> None:
        """Goes on with other optimizer state."""


T = TypeVar("T", bound=TrainingState)


def write(
    path: str | PathLike[str], trainer: TrainingState, extra: dict[str, Any] | None = None, progress: Progress = silent
) -> None:
    """Writes the state of `trainer`; extra: what else JSON can hold. Whole or not at all."""
    net = trainer.net
    arrays = saving.scaling_tensors(net)
    for number, (layer, optimizer_state) in enumerate(zip(net.layers, trainer.optimizer_state, strict=True)):
        arrays += saving.layer_tensors(net, number)
        arrays += [
            saving.along_connections(layer, f"layers.{number}.slot{i}", values)
            for i, values in enumerate(optimizer_state.weight)
        ]
        arrays += [Tensor.of(f"layers.{number}.bias_slot{i}", values) for i, values in enumerate(optimizer_state.bias)]
    numbers: dict[str, Any] = {}
    for owner, kept in trainer.evolution_state.items():
        for name, value in kept.items() if isinstance(kept, dict) else [("", kept)]:
            if isinstance(value, np.ndarray):
                arrays.append(Tensor.of(f"memory.{owner}.{name}", value))
            else:
                numbers[f"memory.{owner}.{name}"] = value
    state = {
        "version": VERSION,
        "network": saving.settings(net),
        **counters(trainer),
        "memory": numbers,
        "extra": extra or {},
    }
    tensors.write_tensors(path, arrays, {ENTRY: json.dumps(state)}, progress, "checkpoint")


def counters(trainer: TrainingState) -> dict[str, Any]:
    """What a trainer has counted."""
    return {"slots": trainer.optimizer.n_slots, "step_count": trainer.step_count, "epoch": trainer.epoch}


def read(path: str | PathLike[str], trainer: TrainingState, progress: Progress = silent) -> dict[str, Any]:
    """Puts the state into `trainer`, whose network, optimizer and rules must be of the kind that wrote it; returns
    `extra`. Raises InputError where the file is missing, truncated, not a checkpoint, or of another kind of
    training."""
    return restore(
        path, lambda config: check_kind(config, trainer), lambda net: trainer, trainer.net.threads, progress
    )[1]


def restore(
    path: str | PathLike[str],
    check: Callable[[dict[str, Any]], None],
    trainer_for: Callable[[SparseMLP], T],
    threads: int | None,
    progress: Progress = silent,
) -> tuple[T, dict[str, Any]]:
    """As `read`, for a trainer that is made once the network is there: no other network is in memory meanwhile. check:
    of the file's settings, before anything is read."""
    with tensors.opened(path, ENTRY, VERSION, "checkpoint", progress) as file:
        state = file.config
        check(state)
        step_count = checks.integer("step_count", state["step_count"], low=0)
        epoch = checks.real("epoch", state["epoch"], low=0)
        for name in ("memory", "extra"):
            if not isinstance(state[name], dict):
                raise InputError(f"{name} must be a JSON object, not {type(state[name]).__name__}")
        each = range(checks.integer("slots", state["slots"], low=0, high=2))
        net = saving.build(state["network"], file, checks.thread_count(threads))
        optimizer_state = []
        for number, layer in enumerate(net.layers):
            n, prefix = layer.n_connections, f"layers.{number}"
            weight = [saving.restore_order(layer, _state_array(file, f"{prefix}.slot{i}", n, net)) for i in each]
            optimizer_state.append(
                OptimizerState(weight, [_state_array(file, f"{prefix}.bias_slot{i}", layer.n_out, net) for i in each])
            )
        # What rules remember is theirs: any values.
        memory = {name: file.read(name, finite=False) for name in file.names if name.startswith("memory.")}
        if any(name.count(".") < 2 for name in state["memory"] | memory):
            raise InputError("memory must name a layer and a part")
    trainer = trainer_for(net)
    trainer.net.layers, trainer.net.layer_sizes = net.layers, net.layer_sizes
    trainer.net.scaling, trainer.net.labels = net.scaling, net.labels
    trainer.set_optimizer_state(optimizer_state)
    trainer.evolution_state = {}
    for name, value in (state["memory"] | memory).items():
        _, owner, part = name.split(".", 2)
        if part:
            trainer.evolution_state.setdefault(owner, {})[part] = value
        else:
            trainer.evolution_state[owner] = value
    trainer.step_count, trainer.epoch = step_count, epoch
    return trainer, state["extra"]


def _state_array(file: TensorFile, name: str, size: int, net: SparseMLP) -> Stored:
    """Optimizer state along connections or biases, or InputError."""
    found = file.read(name)
    kinds = ("float32", "bfloat16") if net.storage_config.tiled else (str(net.dtype),)
    if found.shape != (size,) or type_name(found) not in kinds:
        raise InputError(f"tensor {name} is {type_name(found)}{found.shape}, not {' or '.join(kinds)} of length {size}")
    return found


def check_kind(state: dict[str, Any], trainer: TrainingState) -> None:
    """InputError where a checkpoint's settings are those of another kind of training."""
    net, n_slots, found = trainer.net, trainer.optimizer.n_slots, state["network"]
    if state["slots"] != n_slots:
        raise InputError(f"it holds {state['slots']} values of optimizer state per parameter, not {n_slots}")
    sizes = tuple(found["layer_sizes"])
    same = sizes[0] == net.layer_sizes[0] and sizes[-1] == net.layer_sizes[-1] and len(sizes) == len(net.layer_sizes)
    kinds = [(found["dtype"], found.get("storage", "indexed")), (str(net.dtype), net.storage_config.kind)]
    if not same or kinds[0] != kinds[1]:
        here, wanted = ("-".join(map(str, s)) for s in (sizes, net.layer_sizes))
        raise InputError(
            f"it holds a network {here} of {kinds[0][0]}, not one like {wanted} of {kinds[1][0]}"
            + (f" ({kinds[0][1]}, not {kinds[1][1]})" if kinds[0][1] != kinds[1][1] else "")
        )
