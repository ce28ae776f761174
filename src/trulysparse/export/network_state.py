"""A network as named arrays and settings: what the forms of SciPy and PyTorch hold, there and back bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import not_finite
from trulysparse.errors import InputError
from trulysparse.export.device_network import activation_name
from trulysparse.export.source import source_of
from trulysparse.io.model_reader import build, layer_sizes_of
from trulysparse.io.model_writer import settings
from trulysparse.io.table_state import table_tensors
from trulysparse.nn.activations import Activation
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.skip import layer_pairs
from trulysparse.rl.policy import Policy

VERSION = 1
# Names in files of networks that say less than ours.
_NAMES = {f"{what}.shift": f"{what}.offset" for what in ("scaling", "target_scaling")}


@dataclass(frozen=True, eq=False)
class NetworkState:
    """What a network or policy consists of.

    Args:
        config: settings, as JSON can hold them. 'layer_sizes', 'activations' (a name and a slope or None for each layer
            but the skip layer; the last one's is 'identity'), 'output', 'skip', 'tied', 'labels' (a type and values)
            and 'policy' ('head', 'n_actions') say what is computed.
        weights: by name 'layers.0.weight', (n_out, n_in) each, a skip layer's last.
        arrays: by name: 'layers.0.bias' where a layer has biases; 'scaling.offset' and 'scaling.factor',
            'target_scaling.*' likewise, 'policy.low' and 'policy.high', 'preprocessing.*', 'feature_names.*'.

    Example:
        >>> import trulysparse as ts
        >>> state = state_of(ts.SparseMLP((4, 8, 2), epsilon=1))
        >>> list(state.weights), list(state.arrays), state.config["activations"]
        (['layers.0.weight', 'layers.1.weight'], ['layers.0.bias', 'layers.1.bias'], [['leaky_relu', -0.6], ...
    """

    config: dict[str, Any]
    weights: dict[str, sp.csr_array]
    arrays: dict[str, NDArray[Any]]


def state_of(model: Any) -> NetworkState:
    """What a model consists of.

    Args:
        model: see `source_of`. A network with storage='compact' becomes an indexed one of the same values.

    Returns:
        The state, with arrays of its own.

    Raises:
        InputError: where model is no network, or has labels that no file can hold.
    """
    source = source_of(model)
    net = source.net
    config = {"format": "trulysparse", "version": VERSION, **settings(net), "activations": _activations(net)}
    arrays: dict[str, NDArray[Any]] = {}
    weights = {f"layers.{number}.weight": layer.weight for number, layer in enumerate(net.layers)}
    for number, layer in enumerate(net.layers):
        if layer.bias.size:
            arrays[f"layers.{number}.bias"] = np.array(layer.bias)
    if net.scaling is not None:
        arrays |= {"scaling.offset": net.scaling.offset.copy(), "scaling.factor": net.scaling.factor.copy()}
    for tensor in table_tensors(net):
        arrays[_NAMES.get(tensor.name, tensor.name)] = np.array(tensor.make())
    if source.head is not None:
        config["policy"] = {"head": source.head, "n_actions": source.n_actions}
        bounds = {"policy.low": source.low, "policy.high": source.high}
        arrays |= {name: np.array(each) for name, each in bounds.items() if each is not None}
    return NetworkState(json.loads(json.dumps(config)), weights, arrays)


def network_of(state: NetworkState, threads: int | None, activation: Activation | None) -> SparseMLP | Policy:
    """The network or policy that gave a state.

    Args:
        state: what it consists of.
        threads: the network computes with; None: all of this machine's.
        activation: of the hidden layers, where it is one of the user's own.

    Returns:
        The SparseMLP, with storage='indexed', or the Policy.

    Raises:
        InputError: where the state does not hold together.
    """
    config = state.config
    if not isinstance(config, dict) or config.get("format") != "trulysparse":
        raise InputError("it is not of trulysparse: config['format'] must be 'trulysparse'")
    if config.get("version") != VERSION:
        raise InputError(f"it has format version {config.get('version')!r:.80}; this release reads version {VERSION}")
    number = checks.thread_count(threads)
    try:
        net = build(config, _Arrays(state), number, activation=activation)
        if net.tied:
            _check_tied(net, state)
        if "policy" not in config:
            return net
        return _policy(net, config["policy"], state.arrays)
    except InputError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"its settings are damaged: {error!r:.200}") from error


class _Arrays:
    """The arrays of a state, as the reader of files asks for them."""

    def __init__(self, state: NetworkState) -> None:
        self._held: dict[str, NDArray[Any]] = dict(state.arrays)
        sizes = layer_pairs(layer_sizes_of(state.config), bool(state.config.get("skip", False)))
        self._absent = {f"layers.{number}.bias" for number in range(len(sizes))} - set(state.arrays)
        for number, (n_in, n_out) in enumerate(sizes):
            name = f"layers.{number}.weight"
            if name not in state.weights:
                raise InputError(f"{name} is missing")
            weight = state.weights[name]
            if weight.shape != (n_out, n_in):
                raise InputError(f"{name} must be of shape {(n_out, n_in)}, not {weight.shape}")
            self._held |= {
                f"layers.{number}.indptr": np.asarray(weight.indptr, np.int64),
                f"layers.{number}.indices": np.asarray(weight.indices, np.int32),
                name: np.asarray(weight.data),
            }
        self._empty = np.dtype(str(state.config["dtype"]))

    def array(self, name: str, kind: str, length: int | None = None) -> NDArray[Any]:
        """See io.tensors.Arrays."""
        name = _NAMES.get(name, name)
        if name in self._absent:
            return np.zeros(0, self._empty)
        if name not in self._held:
            raise InputError(f"{name} is missing")
        array = np.array(self._held[name])
        if array.ndim != 1 or str(array.dtype) != kind or length not in (None, len(array)):
            wanted = "one dimension" if length is None else f"length {length}"
            raise InputError(f"{name} must be {kind} of {wanted}, not {array.dtype} of shape {array.shape}")
        if array.dtype.kind == "f" and (wrong := not_finite(array)):
            raise InputError(f"{name} holds {wrong}")
        return array


def csr(name: str, data: Any, indices: Any, indptr: Any, shape: Any) -> sp.csr_array:
    """A matrix of its arrays, which are not looked at: the network's reader does that."""
    sizes = tuple(int(each) for each in np.asarray(shape).ravel())
    if len(sizes) != 2:
        raise InputError(f"{name} must have two dimensions, not shape {sizes}")
    try:
        return sp.csr_array((np.asarray(data), np.asarray(indices), np.asarray(indptr)), shape=sizes)
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(f"{name} is no sparse matrix in CSR form: {error}") from None


def parts(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(weights, all other arrays) of what is named as in a NetworkState."""
    is_weight = {name: name.startswith("layers.") and name.endswith(".weight") for name in given}
    return {k: v for k, v in given.items() if is_weight[k]}, {k: v for k, v in given.items() if not is_weight[k]}


def _activations(net: SparseMLP) -> list[tuple[str, float | None]]:
    """What each layer of the chain applies."""
    found: list[tuple[str, float | None]] = []
    for layer in net.chain:
        if not isinstance(layer.activation, tuple):
            found.append((net.activation.name, None))
        else:
            name = activation_name(layer.activation)
            found.append((name, float(layer.activation[1]) if name == "leaky_relu" else None))
    return found


def _check_tied(net: SparseMLP, state: NetworkState) -> None:
    name = f"layers.{len(net.layers) - 1}.weight"
    own, given = net.layers[-1].weight, state.weights[name]
    same = (np.array_equal(getattr(own, part), getattr(given, part)) for part in ("indptr", "indices", "data"))
    if not all(same):
        raise InputError(f"{name} must be layers.0.weight, transposed, in a network with tied ends")


def _policy(net: SparseMLP, config: Any, arrays: Mapping[str, NDArray[Any]]) -> Policy:
    offset, factor = (None, None) if net.scaling is None else net.scaling.arrays()
    net.scaling = None
    return Policy(
        net,
        head=config["head"],
        n_actions=config["n_actions"],
        low=arrays.get("policy.low"),
        high=arrays.get("policy.high"),
        offset=offset,
        factor=factor,
    )
