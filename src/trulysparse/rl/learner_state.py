"""What files keep of a Learner, and how another one of the same sizes goes on from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import empty
from trulysparse.errors import InputError
from trulysparse.io.kept_models import Parts
from trulysparse.io.model_reader import restore_order
from trulysparse.rl.learner import Learner


def learner_parts(learner: Learner) -> Parts:
    """Networks, targets, optimizer state, the state of the evolution, and counters.

    Args:
        learner: between two updates.

    Returns:
        Parts of a file. Targets have the connectivity of the networks they follow, so that only their values are kept.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.rl.learner import Learner
        >>> from trulysparse.rl.learner_state import learner_parts, restore_learner
        >>> first = Learner((4, 32, 1), batch_size=16, density=0.5, seed=0)
        >>> first.x[:] = 1
        >>> first.dy[0][:] = first.forward()[0]
        >>> first.update()
        >>> second = Learner((4, 32, 1), batch_size=16, density=0.5, seed=1)
        >>> restore_learner(second, learner_parts(first))
        >>> second.x[:] = 1
        >>> second.n_updates, bool((second.forward()[0] == first.forward()[0]).all())
        (1, True)
    """
    arrays: dict[str, NDArray[Any]] = {}
    numbers: list[dict[str, Any]] = []
    for number, (net, states) in enumerate(zip(learner.nets, learner.optimizer_state, strict=True)):
        for n, (layer, state) in enumerate(zip(net.layers, states, strict=True)):
            name = f"{number}.layers.{n}"
            for i, values in enumerate(state.weight):
                arrays[f"{name}.slot{i}"] = layer.in_order(values)
            for i, values in enumerate(state.bias):
                arrays[f"{name}.bias_slot{i}"] = values
            if learner.targets:
                target = learner.targets[number].layers[n]
                arrays[f"{name}.target_weight"] = target.in_order(target.values)
                arrays[f"{name}.target_bias"] = target.bias
    for number, evolver in enumerate(learner.evolvers if learner.n_updates else ()):
        remembered = evolver.state_dict()
        numbers.append({name: value for name, value in remembered.items() if not isinstance(value, np.ndarray)})
        for name, value in remembered.items():
            if isinstance(value, np.ndarray):
                arrays[f"{number}.evolution.{name}"] = value
    counters = {"n_updates": learner.n_updates, "replaced": learner.replaced, "total_updates": learner.total_updates}
    return Parts({str(n): net for n, net in enumerate(learner.nets)}, arrays, {**counters, "evolution": numbers})


def restore_learner(learner: Learner, parts: Parts) -> None:
    """Goes on where another learner was.

    Args:
        learner: of the same arguments; where there is an error, it is not to be used any more.
        parts: from `learner_parts`, or a file that keeps them.

    Raises:
        InputError: where they are those of other networks, or do not hold together.
    """
    if set(parts.networks) != {str(number) for number in range(len(learner.nets))}:
        raise InputError(f"there are {len(parts.networks)} networks, where this learner has {len(learner.nets)}")
    for number, net in enumerate(learner.nets):
        kept = parts.networks[str(number)]
        if tuple(kept.layer_sizes) != tuple(net.layer_sizes):
            raise InputError(f"a network has layers of {kept.layer_sizes} neurons, not {net.layer_sizes}")
        agents, own = getattr(kept, "n_agents", None), getattr(net, "n_agents", None)
        if agents != own:
            raise InputError(f"a network is of {agents or 'no'} agents, not of {own or 'none'}")
        for n, (layer, other) in enumerate(zip(net.layers, kept.layers, strict=True)):
            layer.connectivity, layer.values, layer.bias = other.connectivity, _own(other.values), _own(other.bias)
            state, name = learner.optimizer_state[number][n], f"{number}.layers.{n}"
            state.weight[:] = [_weights(layer, parts, f"{name}.slot{i}") for i in range(len(state.weight))]
            state.bias[:] = [_like(layer.bias, parts, f"{name}.bias_slot{i}") for i in range(len(state.bias))]
            if learner.targets:
                target = learner.targets[number].layers[n]
                target.connectivity = layer.connectivity
                target.values = _weights(layer, parts, f"{name}.target_weight")
                target.bias = _like(layer.bias, parts, f"{name}.target_bias")
    config = parts.config
    learner.n_updates = checks.integer("n_updates", config["n_updates"], low=0)
    learner.replaced = checks.integer("replaced", config["replaced"], low=0)
    learner.set_total_updates(config["total_updates"])
    for number, evolver in enumerate(learner.evolvers if learner.n_updates else ()):
        prefix, kept_numbers = f"{number}.evolution.", config["evolution"]
        arrays = {name[len(prefix) :]: array for name, array in parts.arrays.items() if name.startswith(prefix)}
        # Where the topology did not evolve before, evolution begins here.
        numbers = kept_numbers[number] if kept_numbers else {"count": learner.n_updates}
        evolver.load_state_dict({**numbers, **arrays})


def _weights(layer: Any, parts: Parts, name: str) -> NDArray[Any]:
    return _own(restore_order(layer, _like(layer.values, parts, name)))


def _like(array: NDArray[Any], parts: Parts, name: str) -> NDArray[Any]:
    """An array of the type and shape of another one, or InputError."""
    kept = parts.arrays[name]
    if kept.shape != array.shape or kept.dtype != array.dtype:
        raise InputError(f"{name} is {kept.dtype}{kept.shape}, not {array.dtype}{array.shape}")
    return _own(kept)


def _own(array: NDArray[Any]) -> NDArray[Any]:
    """A copy, aligned as the kernels like it: two learners must not write to the same array."""
    copied = empty(array.size, array.dtype)
    copied[:] = array
    return copied
