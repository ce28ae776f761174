"""The state of a training in one safetensors file, from which it goes on with the same bits: the network, optimizer
state, what topology evolution remembers, counters. No pickle."""

from __future__ import annotations

import json
from os import PathLike
from typing import Any

import numpy as np

from trulysparse import saving
from trulysparse.errors import InputError
from trulysparse.layers import Slots
from trulysparse.training.trainer import Trainer

ENTRY = "trulysparse-checkpoint"
VERSION = 1


def write(path: str | PathLike[str], trainer: Trainer, extra: dict[str, Any] | None = None) -> None:
    """Writes the state of `trainer`; extra: what else JSON can hold. Whole or not at all."""
    tensors, config = saving.describe(trainer.net)
    for number, (layer, slots) in enumerate(zip(trainer.net.layers, trainer.slots, strict=True)):
        for i, values in enumerate(slots.weight):
            tensors[f"layers.{number}.slot{i}"] = values[layer.connectivity.position]
        for i, values in enumerate(slots.bias):
            tensors[f"layers.{number}.bias_slot{i}"] = values
    numbers: dict[str, Any] = {}
    for owner, kept in trainer.memory.items():
        for name, value in kept.items() if isinstance(kept, dict) else [("", kept)]:
            if isinstance(value, np.ndarray):
                tensors[f"memory.{owner}.{name}"] = value
            else:
                numbers[f"memory.{owner}.{name}"] = value
    state = {
        "version": VERSION,
        "network": config,
        "slots": trainer.optimizer.slots,
        "step_count": trainer.step_count,
        "epoch": trainer.epoch,
        "memory": numbers,
        "extra": extra or {},
    }
    saving.write_tensors(path, tensors, {ENTRY: json.dumps(state)})


def read(path: str | PathLike[str], trainer: Trainer) -> dict[str, Any]:
    """Puts the state into `trainer`, whose network, optimizer and rules must be of the kind that wrote it; returns
    `extra`. Raises InputError where the file is missing, truncated, not a checkpoint, or of another kind of
    training."""
    with saving.opened(path, ENTRY, VERSION, "checkpoint") as (state, tensor, names):
        net = saving.build(state["network"], tensor, names, trainer.net.threads)
        _check_kind(state, trainer, net.layer_sizes)
        slots = []
        for number, layer in enumerate(net.layers):
            order = np.empty(layer.n_connections, np.int64)
            order[layer.connectivity.position] = np.arange(layer.n_connections)
            slots.append(
                Slots(
                    [tensor(f"layers.{number}.slot{i}")[order] for i in range(state["slots"])],
                    [tensor(f"layers.{number}.bias_slot{i}") for i in range(state["slots"])],
                )
            )
        memory = {name: tensor(name) for name in names if name.startswith("memory.")}
    trainer.net.layers, trainer.net.layer_sizes = net.layers, net.layer_sizes
    trainer.net.scaling, trainer.net.labels = net.scaling, net.labels
    trainer.reset_state()
    trainer.slots = slots
    trainer.memory = {}
    for name, value in (state["memory"] | memory).items():
        _, owner, part = name.split(".", 2)
        if part:
            trainer.memory.setdefault(owner, {})[part] = value
        else:
            trainer.memory[owner] = value
    trainer.step_count, trainer.epoch = int(state["step_count"]), float(state["epoch"])
    extra: dict[str, Any] = state["extra"]
    return extra


def _check_kind(state: dict[str, Any], trainer: Trainer, sizes: tuple[int, ...]) -> None:
    net, slots = trainer.net, trainer.optimizer.slots
    if state["slots"] != slots:
        raise InputError(f"it holds {state['slots']} values of optimizer state a parameter, not {slots}")
    same = sizes[0] == net.layer_sizes[0] and sizes[-1] == net.layer_sizes[-1] and len(sizes) == len(net.layer_sizes)
    dtype = state["network"]["dtype"]
    if not same or dtype != str(net.dtype):
        found, wanted = ("-".join(map(str, s)) for s in (sizes, net.layer_sizes))
        raise InputError(f"it holds a network {found} of {dtype}, not one like {wanted} of {net.dtype}")
