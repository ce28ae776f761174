"""Which networks can be agents of one fleet."""

from __future__ import annotations

from typing import Any

from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP

_NAMES = ("layer sizes", "activation", "output", "weight initialization", "type", "biases")


def check_member(name: str, net: Any) -> None:
    """InputError where a network cannot be an agent of any fleet.

    Args:
        name: what the error calls it.
        net: the network.
    """
    if not isinstance(net, SparseMLP):
        raise InputError(f"{name} must be a SparseMLP, not {type(net).__name__}")
    net.check_layers()
    if net.storage_config.tiled:
        raise InputError(f"{name} must have storage='indexed'; see net.indexed()")
    if net.skip or net.tied:
        raise InputError(f"{name} must be without {'a skip layer' if net.skip else 'tied ends'}")
    for part in ("scaling", "target_scaling", "preprocessor", "labels"):
        if getattr(net, part) is not None:
            raise InputError(f"{name} must have no {part}: agents of a fleet are given numbers that are scaled already")


def check_same_form(name: str, net: Any, other_name: str, other: Any) -> None:
    """InputError where two networks, or a network and the agents of a fleet, differ in more than topology and weights.

    Args:
        name: what the error calls the network.
        net: the network.
        other_name: what it calls the other.
        other: a network or a fleet.
    """
    for what, own, wanted in zip(_NAMES, _form(net), _form(other), strict=True):
        if own != wanted:
            raise InputError(f"{name} must have the {what} of {other_name}, {wanted}, not {own}")


def _form(net: Any) -> tuple[Any, ...]:
    """What the agents of a fleet have in common, in the order of _NAMES."""
    biased = [bool(len(layer.bias)) for layer in net.layers]
    return net.layer_sizes, net.activation, net.output, net.init, str(net.dtype), biased
