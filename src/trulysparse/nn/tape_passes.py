"""Passes of several tapes in one call of the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key
from trulysparse.errors import InputError
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.output_gradient import OutputGradient
from trulysparse.nn.passes import Layered
from trulysparse.nn.sinks import Gradients, InputGradient, Sink, Update
from trulysparse.nn.tile_pass import TilePass
from trulysparse.optim import OptimizerState
from trulysparse.optim.rules import all_fused


class Recorded(Protocol):
    """What passes need of a tape."""

    net: Layered
    tiles: list[TilePass]
    threads: int
    spent: bool

    def input_gradient(self, part: int) -> Floats:
        """Memory for the gradient at the input of a tile."""

    def new_input_gradient(self) -> Floats:
        """An array for the gradient at X, not set."""

    def store_input_gradient(self, part: int, out: Floats) -> None:
        """Puts what a backward pass has left of a tile into such an array."""


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
    dys: Sequence[OutputGradient],
    states: Sequence[Sequence[OptimizerState]] | None,
    rules: Sequence[Any],
    inputs: bool,
    key: int | None,
) -> list[Floats | None]:
    """Backward passes of all tapes that update the networks, or leave their parameters as they are.

    Args:
        tapes: of networks that differ, where they are updated.
        dys: the gradient at the output of each tape.
        states: optimizer state of each network; None: parameters stay.
        rules: of each network's optimizer, or None likewise.
        inputs: whether the gradients at the input are wanted.
        key: of stochastic rounding, see rounding_key.

    Returns:
        The gradient at X of each tape, or None where it is not wanted.
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
        if not all_fused(rule):
            sums = [layer.new_gradient() for layer in layers]
            sinks.append([Gradients(sums, add=part > 0) for part in range(count)])
            later.append((Update(state, rule, rounding), layers, sums, tape.threads))
            continue
        sums = [layer.new_gradient() for layer in layers] if count > 1 else []
        parts: list[Sink] = [Gradients(sums, add=part > 0) for part in range(count - 1)]
        sinks.append([*parts, Update(state, rule, rounding, sums or None)])
    found = backward_passes(tapes, dys, sinks, inputs)
    for update, updated, gradients, threads in later:
        update.apply(updated, gradients, threads)
    return found


def gradient_passes(
    tapes: Sequence[Recorded],
    dys: Sequence[OutputGradient],
    into: Sequence[Sequence[ParameterGradient] | None],
    add: bool,
    inputs: bool,
) -> tuple[list[Sequence[ParameterGradient]], list[Floats | None]]:
    """Backward passes of all tapes that give the gradients of parameters of each network, and at X; see update_passes.

    Args:
        tapes: see update_passes.
        dys: see update_passes.
        into: arrays to write to, of each network; None: new ones.
        add: to what `into` holds.
        inputs: see update_passes.
    """
    sinks: list[list[Sink]] = []
    arrays: list[Sequence[ParameterGradient]] = []
    for tape, dy, given in zip(tapes, dys, into, strict=True):
        if given is not None:
            check_gradients(tape.net, given)
            if len(tape.tiles) > 1:  # what is there is not lost to a bad value in a later tile
                dy.check_finite()
        target = [layer.new_gradient() for layer in tape.net.layers] if given is None else given
        adding = add and given is not None
        sinks.append([Gradients(target, add=adding or part > 0) for part in range(len(tape.tiles))])
        arrays.append(target)
    return arrays, backward_passes(tapes, dys, sinks, inputs)


def backward_passes(
    tapes: Sequence[Recorded], dys: Sequence[OutputGradient], sinks: Sequence[Sequence[Sink]], inputs: bool
) -> list[Floats | None]:
    """Backward passes of all tapes, tile by tile. sinks: of each tape, by tile. Returns the gradients at X where
    `inputs` are wanted, or None for each."""
    found = [tape.new_input_gradient() if inputs else None for tape in tapes]
    for part in range(max(len(tape.tiles) for tape in tapes)):
        chains = []
        for tape, dy, parts in zip(tapes, dys, sinks, strict=True):
            if part >= len(tape.tiles):
                continue
            tile, columns = tape.tiles[part], dy.tile(part)
            dx = tape.input_gradient(part) if inputs else None
            links = tile.backward_calls(columns, parts[part], dx)
            tape.spent = True
            if links is None:
                tile.backward(columns, parts[part], tape.threads, dx)
            else:
                chains.append(links)
        if chains:
            _kernels.run_backward(chains, tapes[0].threads)
        for tape, out in zip(tapes, found, strict=True):
            if out is not None and part < len(tape.tiles):
                tape.store_input_gradient(part, out)
    return found


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
