"""What a file keeps of a machine and its learning, to go on from with the same bits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence, DivergenceSettings
from trulysparse.unsupervised.boltzmann.machine import VISIBLE, BoltzmannMachine


def saved(learner: ContrastiveDivergence) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What `restored` needs beside the network.

    Args:
        learner: of the machine.

    Returns:
        Arrays, and settings as JSON holds them.
    """
    machine = learner.machine
    arrays = {"visible_bias": machine.visible_bias}
    if learner.visible_momentum:
        arrays |= {
            "momentum.weight": learner.state.weight[0],
            "momentum.hidden": learner.state.bias[0],
            "momentum.visible": learner.visible_momentum[0],
        }
    if learner.chains is not None:
        arrays["chains"] = learner.chains
    config = {
        "visible": machine.visible,
        "learning": asdict(learner.settings),
        "batch_size": learner.batch_size,
        "seed": learner.seed,
        "n_updates": learner.n_updates,
    }
    return arrays, config


def restored(
    net: SparseMLP, arrays: dict[str, NDArray[Any]], config: dict[str, Any], threads: int
) -> ContrastiveDivergence:
    """A machine and its learning from a file.

    Args:
        net: the machine's network.
        arrays: what `saved` gave.
        config: likewise.
        threads: that compute.

    Returns:
        The learner, which has the machine.

    Raises:
        InputError: where the parts do not fit together.

    Example:
        >>> from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence, DivergenceSettings
        >>> from trulysparse.unsupervised.boltzmann.learner_state import restored, saved
        >>> from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine
        >>> machine = BoltzmannMachine.draw(8, 4, density=0.5, threads=1)
        >>> learner = ContrastiveDivergence(machine, DivergenceSettings(), batch_size=6, seed=3, threads=1)
        >>> restored(machine.net, *saved(learner), threads=1).seed
        3
    """
    if len(net.layers) != 1:
        raise InputError(f"a machine has one layer, not {len(net.layers)}")
    visible_bias = _array(arrays, "visible_bias", (net.layer_sizes[0],), net.dtype)
    machine = BoltzmannMachine(net, visible_bias, checks.choice("visible", config["visible"], VISIBLE))
    batch_size, seed = (checks.integer(name, config[name], low=0) for name in ("batch_size", "seed"))
    learner = ContrastiveDivergence(
        machine, DivergenceSettings(**config["learning"]), batch_size=batch_size, seed=seed, threads=threads
    )
    learner.n_updates = checks.integer("n_updates", config["n_updates"], low=0)
    if learner.visible_momentum:
        state, shape = learner.state, machine.layer.values.shape
        state.weight[:] = [_array(arrays, "momentum.weight", shape, net.dtype)]
        state.bias[:] = [_array(arrays, "momentum.hidden", (machine.n_hidden,), net.dtype)]
        learner.visible_momentum = [_array(arrays, "momentum.visible", (machine.n_visible,), net.dtype)]
    if learner.chains is not None:
        learner.chains = _array(arrays, "chains", (machine.n_hidden, batch_size), net.dtype)
    return learner


def _array(arrays: dict[str, NDArray[Any]], name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """One of the arrays, to be written to; InputError where it is missing or of another form."""
    found = arrays.get(name)
    if found is None or found.shape != shape or found.dtype != dtype:
        given = "missing" if found is None else f"{found.dtype} {found.shape}"
        raise InputError(f"{name} must be {dtype} of shape {shape}, not {given}")
    return np.array(found)
