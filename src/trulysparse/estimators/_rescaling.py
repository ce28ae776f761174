"""What a network has learned, kept as the figures that scale its inputs and targets change between calls of
partial_fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse.data import Scaling
from trulysparse.nn.mlp import SparseMLP

# A few samples may say little of a feature's spread. Where later ones say something else altogether, what was learned
# from them is not worth weights and biases many times as large.
_LIMIT = 10.0


def rescale_inputs(net: SparseMLP, old: Scaling, new: Scaling) -> Scaling:
    """Changes the weights and biases of the layers that read the inputs so that they answer under the scaling `new` as
    they have under `old`; returns the scaling to use. The weights of features that were constant so far (whose input
    was 0 throughout) stay as they were drawn. A change of more than _LIMIT times is made in part."""
    lost = (new.factor == 0) & (old.factor > 0)
    new = Scaling(new.kind, np.where(lost, old.offset, new.offset), np.where(lost, old.factor, new.factor))
    learned = old.factor > 0
    before, now = old.factor[learned], new.factor[learned]
    before = np.clip(before, now / _LIMIT, now * _LIMIT)
    ratio, offset = np.ones(len(learned)), np.zeros(len(learned))
    ratio[learned] = before / now
    offset[learned] = np.clip((new.offset - old.offset)[learned] * before, -_LIMIT, _LIMIT)
    readers = [(net.layers[0], net.layers[0])]  # a layer, and the one whose biases are added to its product
    if net.skip:
        readers.append((net.skip_layer, net.chain[-1]))
    for layer, biased in readers:
        biased.bias += layer.weight @ offset.astype(biased.bias.dtype)
        layer.values *= np.repeat(ratio.astype(layer.values.dtype), np.diff(layer.connectivity.by_input.ptr))
    return new


def rescale_outputs(net: SparseMLP, ratio: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
    """Changes the weights and biases of the layers that make the outputs so that output j becomes ratio[j] times as
    much plus offset[j]."""
    for layer in (net.chain[-1], *([net.skip_layer] if net.skip else [])):
        layer.values *= ratio.astype(layer.values.dtype)[layer.connectivity.by_input.index]
    bias = net.chain[-1].bias
    bias *= ratio.astype(bias.dtype)
    bias += offset.astype(bias.dtype)
