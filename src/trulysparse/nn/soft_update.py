"""Soft updates: the weights of a target network drawn towards those of another whose topology may differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakKeyDictionary, ref

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Stored, empty, type_name
from trulysparse._core.random import stream_key
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.errors import InputError
from trulysparse.nn.layers.base import Layer
from trulysparse.nn.layers.mapped import MappedLayer

AnyConnectivity: TypeAlias = Connectivity | TiledConnectivity

# Where more connections change than one in so many, the second index is made anew instead of from the one before.
_FEW = 16


@dataclass
class _Comparison:
    """How a layer's topology differs from its source's. Topologies never change, so it holds as long as both layers
    have them."""

    target: ref[AnyConnectivity]
    source: ref[AnyConnectivity]
    difference: _kernels.Difference | None  # None: not at all
    threshold: float = -1.0  # the largest magnitude that the update before removed


# Comparing topologies takes longer than mixing, and networks are updated many times between two evolutions.
_KNOWN: WeakKeyDictionary[Layer, _Comparison] = WeakKeyDictionary()


@dataclass
class _Plan:
    """What a layer will have. difference: its values are still to be mixed, with a source of that difference."""

    connectivity: AnyConnectivity
    values: Stored
    bias: Stored
    after: _Comparison
    mixed: bool = False
    difference: _kernels.Difference | None = None


def soft_update(
    layers: list[Layer], sources: Sequence[Layer], tau: float, seed: int, number: int, threads: int
) -> None:
    """The work of Network.soft_update. What may fail comes before the first change.

    Args:
        layers: of the target, which have passed their network's check.
        sources: likewise.
        tau: 0 to 1.
        seed: with `number` it names the random streams of the rounding to bfloat16.
        number: of the update, counted from 0.
        threads: how many.

    Raises:
        InputError: where the layers do not fit together, or lie in files.
    """
    check_fit(layers, sources)
    keys = [0] * (2 * len(layers))  # of each layer's weights, then of each layer's biases
    if any(layer.values.dtype == np.uint16 for layer in layers):
        keys = [stream_key(seed, "soft update", number, each) for each in range(len(keys))]
    plans = [_plan(*each, tau, threads) for each in zip(layers, sources, keys, strict=False)]
    pairs = []  # of arrays that are mixed place by place
    for at, (plan, source) in enumerate(zip(plans, sources, strict=True)):
        if layers[at] is source:
            layers[at] = source.copy()
        layer = layers[at]
        layer.connectivity, layer.values, layer.bias = plan.connectivity, plan.values, plan.bias
        _KNOWN[layer] = plan.after
        pairs.append((plan.bias, source.bias, keys[len(layers) + at]))
        if plan.difference is not None:
            pointers = _rows(plan.connectivity)[0], _rows(source.connectivity)[0]
            _kernels.mix_where_kept(plan.difference, *pointers, plan.values, source.values, tau, keys[at], threads)
        elif not plan.mixed:
            pairs.append((plan.values, source.values, keys[at]))
    if tau == 1:
        for t, s, _ in pairs:
            np.copyto(t, s)
    elif tau > 0:
        ts, ss, ks = zip(*pairs, strict=True)
        _kernels.mix(ts, ss, tau, ks, threads)


def check_fit(layers: Sequence[Layer], sources: Sequence[Layer]) -> None:
    """InputError where a layer cannot be drawn towards its source."""
    if len(layers) != len(sources):
        raise InputError(f"source must have {len(layers)} layers, as this network, not {len(sources)}")
    for number, (layer, source) in enumerate(zip(layers, sources, strict=True)):
        con, other = layer.connectivity, source.connectivity
        problem = None
        if (con.n_in, con.n_out) != (other.n_in, other.n_out):
            problem = f"connect {con.n_in} x {con.n_out} neurons, not {other.n_in} x {other.n_out}"
        elif source.tiled != layer.tiled:
            problem = f"be stored with storage={'compact' if layer.tiled else 'indexed'!r}"
        elif source.values.dtype != layer.values.dtype:
            problem = f"have weights of type {type_name(layer.values)}, not {type_name(source.values)}"
        elif source.bias.shape != layer.bias.shape:
            problem = f"have {len(layer.bias)} biases, not {len(source.bias)}"
        elif isinstance(layer, MappedLayer) or isinstance(source, MappedLayer):
            whose = "this network's layers" if isinstance(layer, MappedLayer) else "source's layers"
            raise InputError(f"{whose} lie in files (folder=); this works in memory: use net.copy()")
        elif isinstance(con, TiledConnectivity) and isinstance(other, TiledConnectivity) and con.shift != other.shift:
            problem = f"lie in tiles of 2^{con.shift} neurons, not 2^{other.shift}; make the target with source.copy()"
        if problem:
            raise InputError(f"source does not fit this network: its layers[{number}] must {problem}")


def _plan(layer: Layer, source: Layer, key: int, tau: float, threads: int) -> _Plan:
    """What a layer will have; the layer itself stays as it is."""
    con, other = layer.connectivity, source.connectivity
    bias = _own(layer.bias, source.bias)
    now = _compare(layer, source, threads)
    if now.difference is None:
        return _Plan(con, _own(layer.values, source.values), bias, now)
    if tau == 1:
        return _Plan(other, _copy(source.values), bias, _Comparison(ref(other), ref(other), None), mixed=True)
    (ptr, index), (other_ptr, other_index) = _rows(con), _rows(other)
    pointers, values = (ptr, other_ptr), (layer.values, source.values)
    choice = _kernels.choose_largest(now.difference, *pointers, *values, tau, now.threshold, threads)
    if choice.difference is None:
        after = _Comparison(now.target, now.source, now.difference, choice.threshold)
        return _Plan(con, _own(layer.values, source.values), bias, after, difference=now.difference)
    if not choice.difference.first_only:  # and as many as the source's
        mixed = _kernels.merge_chosen_values(now.difference, choice, *pointers, *values, tau, key, threads)
        return _Plan(other, mixed, bias, _Comparison(ref(other), ref(other), None), mixed=True)
    rows = ptr, index, other_ptr, other_index
    new_ptr, new_index, mixed = _kernels.merge_chosen(now.difference, choice, *rows, *values, tau, key, threads)
    new: AnyConnectivity
    if isinstance(con, TiledConnectivity):
        new = TiledConnectivity.trusted(con.n_in, con.n_out, con.shift, new_ptr, new_index)
    else:
        outputs = None
        if (choice.removed + choice.added) * _FEW <= len(new_index):
            old = con.by_output.ptr, con.by_output.index, con.position
            outputs = _kernels.reindex(choice, *rows, new_ptr, new_index, *old, threads)
        new = Connectivity.trusted(con.n_in, con.n_out, new_ptr, new_index, threads, outputs)
    return _Plan(new, mixed, bias, _Comparison(ref(new), ref(other), choice.difference, choice.threshold), mixed=True)


def _compare(layer: Layer, source: Layer, threads: int) -> _Comparison:
    con, other = layer.connectivity, source.connectivity
    known = _KNOWN.get(layer)
    if known is not None and known.target() is con and known.source() is other:
        return known
    difference = None
    if con is not other:
        difference = _kernels.Difference(*_rows(con), *_rows(other), threads)
        if difference.first_only == 0 == difference.second_only:
            difference = None
    return _Comparison(ref(con), ref(other), difference)


def _rows(con: AnyConnectivity) -> tuple[Stored, Stored]:
    """Pointers and ascending numbers of the rows, or tiles, in whose order weights lie."""
    return (con.ptr, con.packed) if isinstance(con, TiledConnectivity) else (con.by_input.ptr, con.by_input.index)


def _own(array: Stored, other: Stored) -> Stored:
    """The array, or a copy where writing to it would fail or change the other."""
    return array if array.flags.writeable and not np.may_share_memory(array, other) else _copy(array)


def _copy(array: Stored) -> Stored:
    copy = empty(len(array), array.dtype)
    np.copyto(copy, array)
    return copy
