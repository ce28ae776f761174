"""export.torch: a network as PyTorch's sparse tensors, in memory or in a file that torch.load reads safely."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core.files import write_whole
from trulysparse.errors import InputError, MissingExtraError
from trulysparse.export.network_state import NetworkState, csr, network_of, parts, state_of
from trulysparse.nn.activations import Activation
from trulysparse.nn.mlp import SparseMLP
from trulysparse.rl.policy import Policy

_LARGEST = np.iinfo(np.int32).max


def torch(model: Any, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """A network, policy or estimator as a checkpoint of sparse tensors.

    The checkpoint is {'state_dict': tensors, 'config': settings}. 'layers.0.weight' and so on are sparse CSR tensors
    (n_out, n_in), a skip layer's the last of them; 'layers.0.bias' (n_out,) where a layer has biases; 'scaling.offset'
    and 'scaling.factor', 'target_scaling.offset' and 'target_scaling.factor' where the network has them. `from_torch`
    gives the network back, bit for bit. The example computes any network of built-in activations.

    Args:
        model: a SparseMLP, FrozenMLP, Policy, agent or fitted estimator. A network with storage='compact' becomes an
            indexed one of the same values.
        path: of the file, usually *.pt, for torch.load(path, weights_only=True); one that is there is replaced as a
            whole. None: nothing is written.

    Returns:
        The checkpoint, with tensors of its own on the CPU.

    Raises:
        InputError: where model is none of these, or has labels that cannot be kept; nothing is written then.
        MissingExtraError: where torch (extra 'torch') is not installed.
        OSError: where the file cannot be written; one that was there stays then.

    Source:
        PyTorch, torch.sparse_csr_tensor; torch.load, weights_only.

    Example:
        >>> import numpy as np, torch, trulysparse as ts
        >>> net = ts.SparseMLP((4, 8, 8, 2), epsilon=3, skip=True, output="identity")
        >>> checkpoint = ts.export.torch(net, "net.pt")
        >>> checkpoint = torch.load("net.pt", weights_only=True)
        >>> state, config = checkpoint["state_dict"], checkpoint["config"]
        >>> functions = {
        ...     "identity": lambda z, slope: z,
        ...     "relu": lambda z, slope: torch.relu(z),
        ...     "leaky_relu": lambda z, slope: torch.where(z > 0, z, slope * z),
        ...     "tanh": lambda z, slope: torch.tanh(z),
        ...     "sigmoid": lambda z, slope: torch.sigmoid(z),
        ...     "gelu": lambda z, slope: torch.nn.functional.gelu(z),
        ...     "silu": lambda z, slope: torch.nn.functional.silu(z),
        ... }
        >>> def scores(x):
        ...     if "scaling.offset" in state:
        ...         x = (x - state["scaling.offset"]) * state["scaling.factor"]
        ...     h = x = x.T.to(state["layers.0.weight"].dtype).contiguous()  # features x samples
        ...     for number, (name, slope) in enumerate(config["activations"]):
        ...         h = state[f"layers.{number}.weight"] @ h
        ...         if f"layers.{number}.bias" in state:
        ...             h = h + state[f"layers.{number}.bias"][:, None]
        ...         h = functions[name](h, slope)
        ...     if config.get("skip"):
        ...         h = h + state[f"layers.{len(config['activations'])}.weight"] @ x
        ...     return h.T  # softmax or sigmoid, as config['output'] says, makes probabilities of it
        >>> X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
        >>> bool(np.allclose(scores(torch.from_numpy(X)), net.predict(X), atol=1e-5))
        True
    """
    state, package = state_of(model), _package("export.torch")
    tensors: dict[str, Any] = {}
    for name, weight in state.weights.items():
        kind = np.int32 if max(weight.nnz, *weight.shape) <= _LARGEST else np.int64
        ptr, index = (package.from_numpy(each.astype(kind)) for each in (weight.indptr, weight.indices))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            tensors[name] = package.sparse_csr_tensor(
                ptr, index, package.from_numpy(weight.data), size=weight.shape, check_invariants=True
            )
    tensors |= {name: package.from_numpy(array) for name, array in state.arrays.items()}
    checkpoint = {"state_dict": tensors, "config": state.config}
    if path is not None:
        write_whole(path, lambda temporary: _write(package, temporary, checkpoint))
    return checkpoint


def from_torch(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    threads: int | None = None,
    activation: Activation | None = None,
) -> SparseMLP | Policy:
    """The network or policy that `torch` gave, also after its tensors were changed or moved to another device.

    Args:
        source: path of the file, or a checkpoint in memory.
        threads: the network computes with, at least 1; None: all of this machine's.
        activation: of the hidden layers, where it is one of your own (see ActivationFunction), of which the name alone
            is kept.

    Returns:
        The SparseMLP, with labels, scaling and preprocessing, or the Policy.

    Raises:
        InputError: where the file is missing, damaged or another one, or what it holds does not fit together.
        MissingExtraError: where torch (extra 'torch') is not installed.

    Example:
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
        >>> checkpoint = ts.export.torch(net)
        >>> _ = checkpoint["state_dict"]["layers.1.bias"].fill_(3)
        >>> ts.export.from_torch(checkpoint).layers[1].bias.tolist()
        [3.0, 3.0]
    """
    package = _package("export.from_torch")
    if isinstance(source, Mapping):
        return _network(source, package, threads, activation)
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"source must be a path or what export.torch returned, not {type(source).__name__}")
    path = Path(source)
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    try:
        _check_sums(path)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            held = package.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged file the unpickler raises whatever it runs into
        raise InputError(f"{path} is damaged or not a file of export.torch ({str(error)[:200]})") from error
    if not isinstance(held, Mapping):
        raise InputError(f"{path} holds a {type(held).__name__}, not a checkpoint of export.torch")
    try:
        return _network(held, package, threads, activation)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _package(what: str) -> Any:
    """The module torch. This module's function has its name."""
    try:
        return import_module("torch")
    except ImportError:
        raise MissingExtraError(what, "torch", "torch") from None


def _check_sums(path: Path) -> None:
    """Compares the checksums in a zip file, which torch.load does not look at."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            if wrong := file.testzip():
                raise InputError(f"the checksum of {wrong} in it differs")


def _write(package: Any, path: Path, checkpoint: dict[str, Any]) -> None:
    with path.open("wb") as file:  # of a name, torch would write that name into the file
        package.save(checkpoint, file)


def _network(
    checkpoint: Mapping[str, Any], package: Any, threads: int | None, activation: Activation | None
) -> SparseMLP | Policy:
    tensors = checkpoint.get("state_dict")
    if not isinstance(tensors, Mapping):
        raise InputError("a checkpoint of export.torch is {'state_dict': tensors, 'config': settings}")
    for name, tensor in tensors.items():
        if not isinstance(tensor, package.Tensor):
            raise InputError(f"state_dict[{name!r:.80}] must be a tensor, not {type(tensor).__name__}")
    sparse, dense = parts(tensors)
    weights = {}
    for name, tensor in sparse.items():
        if tensor.layout != package.sparse_csr:
            raise InputError(f"{name} must be a sparse CSR tensor, not {tensor.layout}")
        columns, starts = tensor.col_indices(), tensor.crow_indices()
        weights[name] = csr(name, _array(tensor.values()), _array(columns), _array(starts), tensor.shape)
    arrays = {name: _array(tensor) for name, tensor in dense.items()}
    return network_of(NetworkState(dict(checkpoint).get("config", {}), weights, arrays), threads, activation)


def _array(tensor: Any) -> Any:
    """A tensor of any device as an array."""
    try:
        return tensor.detach().cpu().numpy()
    except TypeError:
        raise InputError(f"tensors must be of types that NumPy has, not {tensor.dtype}") from None
