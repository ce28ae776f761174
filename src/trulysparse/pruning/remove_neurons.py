"""Removing hidden neurons for good: their connections, biases and optimizer state go, arrays shrink.

A neuron without inputs is a constant f(bias); its effect moves into the biases of the next layer before it is removed,
so that the network computes the same function to rounding. Removing a neuron without outputs changes nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.coordinates import nothing
from trulysparse.connectivity.indexed import count_marked
from trulysparse.errors import InputError
from trulysparse.nn import activations
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.skip import sizes_of
from trulysparse.optim import OptimizerState

NeuronMask: TypeAlias = NDArray[np.bool_]
"""One mark per neuron of a layer: True for those that remain."""


def remove_neurons(
    net: SparseMLP,
    optimizer_state: Sequence[OptimizerState] | None = None,
    keep_masks: Sequence[NeuronMask] | None = None,
) -> list[NeuronMask]:
    """Removes hidden neurons: those that keep_masks[l] (l = 0: the first hidden layer) does not mark, which lose their
    inputs and so become constants; then all without inputs and all without outputs, until there are none. Input and
    output neurons remain, and one neuron per hidden layer. Returns masks of the hidden neurons that remain.

    Where keep_masks is None the network's function stays the same to rounding; else it is that of the network without
    the inputs of the unmarked neurons. optimizer_state: of each layer, changed along with it. Linear in connections;
    each layer's connections are made anew once.
    """
    if net.tied:
        raise InputError("neurons of a network with tied ends cannot be removed: both ends would have to lose them")
    layers, threads = net.chain, net.threads
    masks = [np.ones(n, np.bool_) for n in net.layer_sizes[1:-1]] if keep_masks is None else keep_masks
    connected = _fold_constants(net, masks)
    for number in reversed(range(len(connected))):  # neurons without outputs, from the last layer down
        following = layers[number + 1]
        is_last = number + 1 == len(connected)
        targets = np.ones(following.n_out, np.bool_) if is_last else connected[number + 1]
        connected[number] &= count_marked(following.connectivity.by_input, targets, threads) > 0
    return connected if all(mask.all() for mask in connected) else _shrink(net, optimizer_state, connected)


def _fold_constants(net: SparseMLP, keep_masks: Sequence[NeuronMask]) -> list[NeuronMask]:
    """Moves the effect of constant neurons into the next biases, from the first layer up; returns masks of the
    others."""
    varying: list[NeuronMask] = []
    inputs = np.ones(net.layer_sizes[0], np.bool_)
    # Unmarked neurons have lost the connections by which a constant would reach them.
    next_masks = [*keep_masks[1:], np.ones(net.layer_sizes[-1], np.bool_)]
    for layer, following, mask, next_mask in zip(net.chain, net.chain[1:], keep_masks, next_masks, strict=False):
        constant = ~mask | (count_marked(layer.connectivity.by_output, inputs, net.threads) == 0)
        if constant.any():
            value = np.zeros(layer.n_out)
            bias = layer.bias if layer.bias.size else np.zeros(layer.n_out)
            value[constant] = activations.apply(layer.activation, bias[constant].astype(np.float64))
            if not following.bias.size:
                if value.any():
                    raise InputError(
                        "neurons that are not 0 without inputs cannot be removed where there are no biases"
                    )
                inputs = ~constant
                varying.append(inputs.copy())
                continue
            rows = following.connectivity.by_input
            unreached = following.bias[~next_mask]
            following.bias = following.bias.copy()  # others may be reading the old one
            _kernels.fold_constants(rows.ptr, rows.index, following.values, value, following.bias)
            following.bias[~next_mask] = unreached
        inputs = ~constant
        varying.append(inputs.copy())
    return varying


def _shrink(
    net: SparseMLP, optimizer_state: Sequence[OptimizerState] | None, connected: Sequence[NeuronMask]
) -> list[NeuronMask]:
    """Removes the hidden neurons that are not `connected`, with all their connections. Of a layer where none is, the
    first neuron remains, unconnected. Returns masks of those that remain."""
    all_inputs, all_outputs = np.ones(net.layer_sizes[0], np.bool_), np.ones(net.layer_sizes[-1], np.bool_)
    masks = [all_inputs, *connected, all_outputs]
    keep_masks = [mask if mask.any() else np.arange(len(mask)) == 0 for mask in masks]
    for number, layer in enumerate(net.chain):  # a skip layer has no hidden neurons
        if masks[number].all() and masks[number + 1].all():
            continue
        state = OptimizerState([], []) if optimizer_state is None else optimizer_state[number]
        rows = layer.connectivity.by_input
        layer.connectivity.release_outputs()
        keep_mask = np.empty(layer.n_connections, np.uint8)
        ends = masks[number].view(np.uint8), masks[number + 1].view(np.uint8)
        _kernels.mark_between(rows.ptr, rows.index, *ends, keep_mask, net.threads)
        ptr, index, arrays = _kernels.rewire(
            rows.ptr, rows.index, keep_mask, *nothing(layer.n_in), [layer.values, *state.weight], None, net.threads
        )
        layer.values, state.weight[:] = arrays[0], arrays[1:]
        del keep_mask, arrays
        inputs, outputs = keep_masks[number], keep_masks[number + 1]
        if layer.bias.size:
            layer.bias = layer.bias[outputs]
            state.bias[:] = [slot[outputs] for slot in state.bias]
        ptr = np.append(ptr[:-1][inputs], ptr[-1:])  # rows of removed neurons are empty now
        _kernels.renumber(index, (np.cumsum(outputs) - 1).astype(np.int32), net.threads)
        n_in, n_out = int(np.count_nonzero(inputs)), int(np.count_nonzero(outputs))
        layer.connectivity = Connectivity.trusted(n_in, n_out, ptr, index, net.threads)
    net.layer_sizes = sizes_of(net.chain)
    return keep_masks[1:-1]
