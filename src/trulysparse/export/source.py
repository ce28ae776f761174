"""What is exported of whatever users hand over: a network and, of a policy, what is done to its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trulysparse._core.arrays import Floats
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.nn.activations import NAMES
from trulysparse.nn.fleet import Fleet
from trulysparse.nn.frozen import FrozenMLP
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.unfreeze import unfreeze
from trulysparse.rl.fleet_policy import FleetPolicy
from trulysparse.rl.policy import Head, Policy


@dataclass(frozen=True, eq=False)
class Source:
    """A network, and the head of a policy.

    Args:
        net: stored with storage='indexed'; of a policy its scaling is the normalisation of observations.
        head: of a policy 'tanh', 'argmax' or 'identity', see Policy; else None.
        n_actions: of a policy, how many of the outputs its head takes; else 0.
        low: (n_actions,) of the network's type, of head 'tanh'; else None.
        high: (n_actions,), likewise.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.export.source import source_of
        >>> source = source_of(ts.SparseMLP((4, 8, 2), epsilon=1))
        >>> source.net.layer_sizes, source.head
        ((4, 8, 2), None)
    """

    net: SparseMLP
    head: Head | None = None
    n_actions: int = 0
    low: Floats | None = None
    high: Floats | None = None

    def check_built_in(self) -> None:
        """InputError where an activation is one of the user's own."""
        for number, layer in enumerate(self.net.layers):
            if not isinstance(layer.activation, tuple):
                raise InputError(
                    f"model has an activation of your own, {self.net.activation.name!r:.80}, in layers[{number}]; this "
                    f"form has built-in ones only: {', '.join(NAMES)}"
                )


def source_of(model: Any) -> Source:
    """The network of a model, indexed.

    Args:
        model: a SparseMLP of any storage, a FrozenMLP, a Policy, an agent of rl/ (its policy as it is now), or a fitted
            estimator (its `network_`).

    Returns:
        The network and, of a policy, its head. Arrays may be the model's own.

    Raises:
        InputError: for anything else.

    Example:
        >>> from trulysparse.export.source import source_of
        >>> source_of("net")
        Traceback (most recent call last):
        ...
        trulysparse.errors.InputError: model must be a SparseMLP, a FrozenMLP, a Policy, an agent or a fitted ...
    """
    if isinstance(model, SparseMLP):
        model.check_layers()
        return Source(model.indexed() if model.storage_config.tiled else model)
    if isinstance(model, FrozenMLP):
        return Source(unfreeze(model))
    if isinstance(model, Policy):
        parts = model.to_parts()
        net, arrays = parts.networks["network"], parts.arrays
        if "offset" in arrays:
            net.scaling = Scaling("standard", arrays["offset"], arrays["factor"])
        return Source(net, model.head, model.n_actions, arrays.get("low"), arrays.get("high"))
    if isinstance(model, Fleet | FleetPolicy):
        raise InputError("model must be one network: take an agent out of a fleet by its number, as model[0]")
    for name in ("network_", "policy"):
        held = getattr(model, name, None)
        if isinstance(held, SparseMLP | Policy | FleetPolicy):
            return source_of(held)
    if hasattr(model, "fit") and hasattr(model, "get_params"):
        raise InputError(f"model must be fitted: call fit of this {type(model).__name__} first")
    raise InputError(
        f"model must be a SparseMLP, a FrozenMLP, a Policy, an agent or a fitted estimator, not {type(model).__name__}"
    )
