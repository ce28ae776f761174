"""Predictions of a fleet, in tiles of samples."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import memory
from trulysparse._core.arrays import as_doubles, not_finite
from trulysparse.errors import InputError
from trulysparse.nn.fleet.call import FleetCalls
from trulysparse.nn.fleet.passes import AnyFleet, FleetPasses
from trulysparse.nn.passes import tile_columns


class Predicting(AnyFleet, Protocol):
    """What predictions need of a Fleet."""

    calls: FleetCalls
    """Calls that are prepared for predictions."""

    @property
    def layers(self) -> list[Any]:
        """First to last."""

    @property
    def output(self) -> str:
        """The output activation."""

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Of weights and values."""

    @property
    def threads(self) -> int:
        """Threads that compute."""


# Samples of each agent at a time, as SparseMLP.predict takes them: the order of sums depends on the width of a tile.
_COLUMNS = 256


def predict_fleet(fleet: Predicting, X: ArrayLike, *, activated: bool, decided: bool) -> NDArray[Any]:
    """The work of Fleet.predict and its like.

    Args:
        fleet: the fleet.
        X: (N, n, n_inputs) or (N, n_inputs).
        activated: whether the output activation is applied.
        decided: whether classes, or labels of 0 and 1, are wanted where the outputs are such.
    """
    fleet.check_layers()
    given = _samples(fleet, X)
    samples = given if given.ndim == 3 else given[:, None, :]
    n, n_outputs = samples.shape[1], fleet.layer_sizes[-1]
    memory.require(
        fleet.dtype.itemsize * fleet.n_agents * n * n_outputs,
        f"{n} predictions of each of {fleet.n_agents} agents",
        "predict fewer at a time",
    )
    out: NDArray[Any] = np.empty((fleet.n_agents, n, n_outputs), fleet.dtype)
    size = min(n, _COLUMNS, tile_columns(fleet.layer_sizes))
    columns = int(_kernels.padded_batch(size))
    call = fleet.calls.get(fleet)
    if call is None:
        _by_layers(fleet, samples, out, size, columns, activated)
    else:
        flat, kind = samples.reshape(-1, samples.shape[2]), fleet.output if activated else "identity"
        for start in range(0, n, size):
            call.outputs(
                flat,
                first=start,
                count=min(size, n - start),
                stride=columns,
                out=out.reshape(-1, n_outputs),
                activation=kind,
                threads=fleet.threads,
            )
    decision: NDArray[Any] = out
    if decided and fleet.output == "softmax":
        decision = out.argmax(axis=2)
    elif decided and fleet.output == "sigmoid":
        decision = (out > 0).astype(np.int64)
    return decision if given.ndim == 3 else decision[:, 0]


def _by_layers(
    fleet: Predicting, samples: NDArray[Any], out: NDArray[Any], size: int, columns: int, activated: bool
) -> None:
    """As the kernels' call, layer by layer, for activations written in Python and the like."""
    passes = FleetPasses([fleet], columns, fleet.threads)
    for start in range(0, samples.shape[1], size):
        part = samples[:, start : start + size]
        passes.x[:, :, : part.shape[1]] = part.transpose(0, 2, 1)
        (z,) = passes.forward()
        if activated:
            _activate(fleet, z)
        out[:, start : start + size] = z[:, :, : part.shape[1]].transpose(0, 2, 1)


def _activate(fleet: Predicting, z: NDArray[Any]) -> None:
    if fleet.output == "sigmoid":
        _kernels.sigmoid(z.reshape(-1, z.shape[2]), fleet.threads)
    elif fleet.output == "softmax":
        for agent in z:
            _kernels.softmax(agent, 1)


def _samples(fleet: Predicting, X: ArrayLike) -> NDArray[Any]:
    given = np.asarray(X)
    wanted = f"({fleet.n_agents}, n, {fleet.layer_sizes[0]}) or ({fleet.n_agents}, {fleet.layer_sizes[0]})"
    if given.ndim not in (2, 3) or given.shape[:: given.ndim - 1] != (fleet.n_agents, fleet.layer_sizes[0]):
        raise InputError(f"X must have the shape {wanted}, not {given.shape}")
    if given.ndim == 3 and not given.shape[1]:
        raise InputError("X must have at least one sample for each agent")
    if given.dtype.kind not in "fiub":
        raise InputError(f"X must hold numbers, not {given.dtype}")
    values = given
    if given.dtype != fleet.dtype:
        with np.errstate(over="ignore"):  # found below
            values = as_doubles(given).astype(fleet.dtype)
    values = np.ascontiguousarray(values)
    if not _kernels.all_finite(values, fleet.threads):
        raise InputError(f"X must hold finite numbers, but it has {not_finite(values)}")
    return values
