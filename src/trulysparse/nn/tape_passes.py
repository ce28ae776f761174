"""Passes of several tapes in one call of the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key
from trulysparse.errors import InputError
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.passes import Layered
from trulysparse.nn.sinks import Gradients, InputGradient, Sink, Update
from trulysparse.nn.tile_pass import TilePass
from trulysparse.optim import OptimizerState
from trulysparse.optim.rules import is_fused


class Recorded(Protocol):
    """What passes need of a tape."""

    net: Layered
    tiles: list[TilePass]
    threads: int
    spent: bool

    def input_gradients(self) -> list[Floats]:
        """Memory for the gradients at the input, by tile."""


def forward_passes(tapes: Sequence[Recorded], keys: Sequence[int]) -> None:
    """Computes the layers of all tapes. keys: of dropout, one per tape."""
    chains: list[list[_kernels.ForwardCall]] = []
    stream_keys: list[Sequence[int]] = []
    for tape, key in zip(tapes, keys, strict=True):
        for part, tile in enumerate(tape.tiles):
            part_key = stream_key(key, "part", part) if part and key else key
            calls = tile.forward_calls()
            if calls is None:
                tile.forward(part_key, tape.threads)
            else:
                tile.start(part_key)
                chains.append(calls)
                stream_keys.append(tile.keys)
    if chains:
        _kernels.run_forward(chains, stream_keys, tapes[0].threads)


def update_passes(
    tapes: Sequence[Recorded],
    dys: Sequence[Sequence[Floats]],
    states: Sequence[Sequence[OptimizerState]] | None,
    rules: Sequence[Any],
    inputs: bool,
    key: int | None,
) -> None:
    """Backward passes of all tapes that update the networks, or leave their parameters as they are.

    Args:
        tapes: of networks that differ, where they are updated.
        dys: the gradient at the output's pre-activation of each tape, by tile.
        states: optimizer state of each network; None: parameters stay.
        rules: of each network's optimizer, or None likewise.
        inputs: whether the gradients at the input are wanted.
        key: of stochastic rounding, see rounding_key.
    """
    sinks: list[list[Sink]] = []
    later: list[tuple[Update, Sequence[Any], Sequence[ParameterGradient], int]] = []
    for number, (tape, rule) in enumerate(zip(tapes, rules, strict=True)):
        count, layers = len(tape.tiles), tape.net.layers
        if (states is None) != (rule is None):
            raise InputError("optimizer_state and rule belong together: give both, or neither")
        if states is None:
            sinks.append([InputGradient() for _ in tape.tiles])
            continue
        state = states[number]
        if len(state) != len(layers):
            raise InputError(f"optimizer_state must be that of {len(layers)} layers, not of {len(state)}")
        rounding = rounding_key(tape.net, key if key is None else stream_key(key, "network", number))
        if not is_fused(rule):
            sums = [layer.new_gradient() for layer in layers]
            sinks.append([Gradients(sums, add=part > 0) for part in range(count)])
            later.append((Update(state, rule, rounding), layers, sums, tape.threads))
            continue
        sums = [layer.new_gradient() for layer in layers] if count > 1 else []
        parts: list[Sink] = [Gradients(sums, add=part > 0) for part in range(count - 1)]
        sinks.append([*parts, Update(state, rule, rounding, sums or None)])
    backward_passes(tapes, dys, sinks, inputs)
    for update, updated, gradients, threads in later:
        update.apply(updated, gradients, threads)


def gradient_passes(
    tapes: Sequence[Recorded],
    dys: Sequence[Sequence[Floats]],
    into: Sequence[Sequence[ParameterGradient] | None],
    add: bool,
    inputs: bool,
) -> list[Sequence[ParameterGradient]]:
    """Backward passes of all tapes that give the gradients of parameters, of each network; see update_passes.

    Args:
        tapes: see update_passes.
        dys: see update_passes.
        into: arrays to write to, of each network; None: new ones.
        add: to what `into` holds.
        inputs: see update_passes.
    """
    sinks: list[list[Sink]] = []
    arrays: list[Sequence[ParameterGradient]] = []
    for tape, given in zip(tapes, into, strict=True):
        if given is not None:
            check_gradients(tape.net, given)
        target = [layer.new_gradient() for layer in tape.net.layers] if given is None else given
        adding = add and given is not None
        sinks.append([Gradients(target, add=adding or part > 0) for part in range(len(tape.tiles))])
        arrays.append(target)
    backward_passes(tapes, dys, sinks, inputs)
    return arrays


def backward_passes(
    tapes: Sequence[Recorded], dys: Sequence[Sequence[Floats]], sinks: Sequence[Sequence[Sink]], inputs: bool
) -> None:
    """Backward passes of all tapes. sinks: of each tape, by tile."""
    chains: list[Any] = []
    for tape, columns, parts in zip(tapes, dys, sinks, strict=True):
        dxs: Sequence[Floats | None] = tape.input_gradients() if inputs else [None] * len(columns)
        steps = list(zip(tape.tiles, columns, parts, dxs, strict=True))
        chain = [tile.backward_calls(dy, sink, dx) for tile, dy, sink, dx in steps]
        tape.spent = True
        if all(link is not None for link in chain):
            chains.append(chain)
            continue
        for tile, dy, sink, dx in steps:
            tile.backward(dy, sink, tape.threads, dx)
    if chains:
        _kernels.run_backward(chains, tapes[0].threads)


def rounding_key(net: Layered, key: int | None) -> int | None:
    """The key of an update's random numbers for stochastic rounding: `key`, or one made of the network's seed and the
    number of its updates. None where nothing is rounded."""
    if not net.storage_config.tiled:
        return None
    if key is None:
        key = stream_key(net.seed, "tape", net.n_updates)
        net.n_updates += 1
    return key


def check_gradients(net: Layered, gradients: Sequence[ParameterGradient], name: str = "into") -> None:
    """InputError where arrays of gradients do not have the sizes of a network's layers."""
    fit = len(gradients) == len(net.layers) and all(
        weight.shape == (layer.n_connections,) and bias.shape == layer.bias.shape and weight.dtype == net.dtype
        for (weight, bias), layer in zip(gradients, net.layers, strict=True)
    )
    if not fit:
        raise InputError(f"{name} must hold, for each layer, arrays along its connections and its biases")
