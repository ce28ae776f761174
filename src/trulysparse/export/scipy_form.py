"""export.scipy: a network as SciPy's sparse matrices, in memory or in one .npz file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse._core.files import write_whole
from trulysparse.errors import InputError
from trulysparse.export.network_state import NetworkState, csr, network_of, parts, state_of
from trulysparse.nn.activations import Activation
from trulysparse.nn.mlp import SparseMLP
from trulysparse.rl.policy import Policy

_PARTS = ("data", "indices", "indptr", "shape")


def scipy(model: Any, path: str | os.PathLike[str] | None = None, *, compressed: bool = True) -> dict[str, Any]:
    """A network, policy or estimator as sparse matrices and arrays.

    'layers.0.weight' and so on are csr_array (n_out, n_in), a skip layer's the last of them; 'layers.0.bias' (n_out,)
    where a layer has biases. A layer computes f(W x + b); f is named, with its left slope, in
    config['activations']. Inputs are (x - 'scaling.offset') * 'scaling.factor' where there is a scaling, predictions
    of regression z / 'target_scaling.factor' + 'target_scaling.offset'. 'config' has all settings. In the file, which
    numpy.load reads without pickle, a matrix is four arrays ('layers.0.weight.data', 'indices', 'indptr', 'shape')
    and 'config' is a text in JSON. `from_scipy` gives the network back, bit for bit. The same model gives the same
    file.

    Args:
        model: a SparseMLP, FrozenMLP, Policy, agent or fitted estimator. A network with storage='compact' becomes an
            indexed one of the same values.
        path: of the file, usually *.npz; one that is there is replaced as a whole. None: nothing is written.
        compressed: whether the file is compressed.

    Returns:
        What the file holds, by name: csr_array, np.ndarray, and 'config', a dict. Copies.

    Raises:
        InputError: where an argument is out of range, or labels cannot be kept; nothing is written then.
        OSError: where the file cannot be written; one that was there stays then.

    Source:
        SciPy, scipy.sparse.csr_array; NumPy, numpy.savez.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=1, activation="relu", output="identity")
        >>> form, x = ts.export.scipy(net, "net.npz"), np.ones(4, np.float32)
        >>> h = np.maximum(form["layers.0.weight"] @ x + form["layers.0.bias"], 0)
        >>> z = form["layers.1.weight"] @ h + form["layers.1.bias"]
        >>> bool(np.allclose(z, net.predict(x[None]), atol=1e-6))
        True
        >>> same = ts.export.from_scipy("net.npz")
        >>> bool((same.predict(x[None]) == net.predict(x[None])).all())
        True
    """
    checks.flag("compressed", compressed)
    state = state_of(model)
    if path is not None:
        arrays: dict[str, Any] = {"config": np.array(json.dumps(state.config))}
        for name, weight in state.weights.items():
            arrays |= {f"{name}.{part}": np.asarray(getattr(weight, part)) for part in _PARTS}
        arrays |= state.arrays
        write_whole(path, lambda temporary: _write(temporary, arrays, bool(compressed)))
    return {"config": state.config, **state.weights, **state.arrays}


def from_scipy(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    threads: int | None = None,
    activation: Activation | None = None,
) -> SparseMLP | Policy:
    """The network or policy that `scipy` gave.

    Args:
        source: path of the file, or what `scipy` returned.
        threads: the network computes with, at least 1; None: all of this machine's.
        activation: of the hidden layers, where it is one of your own (see ActivationFunction), of which the name alone
            is kept.

    Returns:
        The SparseMLP, with labels, scaling and preprocessing, or the Policy.

    Raises:
        InputError: where the file is missing, damaged or another one, or what it holds does not fit together.

    Example:
        >>> import trulysparse as ts
        >>> ts.export.from_scipy("nowhere.npz")
        Traceback (most recent call last):
        ...
        trulysparse.errors.InputError: nowhere.npz does not exist
    """
    if isinstance(source, Mapping):
        return _network(source, threads, activation)
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"source must be a path or what export.scipy returned, not {type(source).__name__}")
    path = Path(source)
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    try:
        return _network(_read(path), threads, activation)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _write(path: Path, arrays: dict[str, Any], compressed: bool) -> None:
    save = np.savez_compressed if compressed else np.savez
    with path.open("wb") as file:  # of a name, NumPy would make another one
        save(file, allow_pickle=False, **arrays)


def _read(path: Path) -> dict[str, Any]:
    """What a file holds, in the form of `scipy`."""
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise InputError("it is an array, not a .npz file of export.scipy")
        with file:
            held = {name: file[name] for name in file.files}
        config = json.loads(str(held.pop("config", "null")))
    except InputError:
        raise
    except Exception as error:  # of a damaged file NumPy and zipfile raise whatever they run into
        raise InputError(f"it is damaged or not a .npz file of export.scipy ({error})") from error
    found: dict[str, Any] = {"config": config}
    for name in [each for each in held if each.endswith(".weight.data")]:
        of = name.removesuffix(".data")
        if missing := [part for part in _PARTS if f"{of}.{part}" not in held]:
            raise InputError(f"{of}.{missing[0]} is missing")
        found[of] = csr(of, *(held.pop(f"{of}.{part}") for part in _PARTS))
    return found | held


def _network(given: Mapping[str, Any], threads: int | None, activation: Activation | None) -> SparseMLP | Policy:
    weights, arrays = parts({name: value for name, value in given.items() if name != "config"})
    for name, weight in weights.items():
        if getattr(weight, "format", None) != "csr":
            raise InputError(f"{name} must be a csr_array, not {type(weight).__name__}")
    return network_of(NetworkState(given.get("config", {}), weights, arrays), threads, activation)
