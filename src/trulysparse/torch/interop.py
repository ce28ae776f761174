"""Between PyTorch's Sequential and SparseMLP, so that freezing and exports apply to what was trained in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import nn

from trulysparse._core import checks
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.matrices import from_matrix
from trulysparse.errors import InputError
from trulysparse.nn.activations import GELU, AllReLU, BuiltIn, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from trulysparse.nn.losses import BY_OUTPUT
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.settings import NetworkSettings
from trulysparse.torch.linear import SparseLinear
from trulysparse.torch.start import DTYPES

Linear: TypeAlias = nn.Linear | SparseLinear

_NOT_IN_INFERENCE = (nn.Dropout, nn.AlphaDropout, nn.Identity)


def to_mlp(
    sequential: nn.Sequential,
    *,
    output: str | None = None,
    threads: int | None = None,
) -> SparseMLP:
    """A network of the weights of a Sequential, for `freeze`, files, and exports to C and ONNX.

    Args:
        sequential: SparseLinear and torch.nn.Linear modules with an activation after each but the last: Identity, ReLU,
            LeakyReLU, Tanh, Sigmoid, SiLU or GELU, the same one throughout, or LeakyReLU whose slopes are those of
            All-ReLU. Flatten in front, Dropout, Sequentials inside, and Softmax or Sigmoid at the end are understood.
            Weights of dense modules that are 0 do not become connections.
        output: 'softmax', 'sigmoid' or 'identity'; None: as the last module says, without one 'identity'.
        threads: of the network, at least 1; None: all of this machine's.

    Returns:
        The network, with arrays of its own.

    Raises:
        InputError: where a module is none of these, or they do not follow one another so.

    Example:
        >>> import torch, trulysparse as ts
        >>> first, last = ts.torch.SparseLinear(8, 16, density=0.3), torch.nn.Linear(16, 3)
        >>> model = torch.nn.Sequential(first, torch.nn.Tanh(), last)
        >>> net = ts.torch.to_mlp(model, output="softmax")
        >>> net.layer_sizes, net.activation
        ((8, 16, 3), Tanh())
    """
    linears, activation, output = _parts(sequential, output)
    cons: list[Connectivity] = []
    values, biases = [], []
    dtype = "float64" if any(module.weight.dtype == torch.float64 for _, module in linears) else "float32"
    for name, module in linears:
        if cons and cons[-1].n_out != module.in_features:
            raise InputError(f"{name} has {module.in_features} inputs, the layer before {cons[-1].n_out} outputs")
        if module.weight.dtype not in DTYPES or not module.weight.is_cpu:
            given = f"{module.weight.dtype} on {module.weight.device}"
            raise InputError(f"{name} must have float32 or float64 weights on the CPU, not {given}")
        weight = module.weight.detach().numpy()
        if isinstance(module, SparseLinear):
            con, along = module.connectivity, weight
        else:
            con, along = from_matrix(weight, name=f"{name}.weight")
        if not np.isfinite(along).all():
            raise InputError(f"{name}.weight has values that are not finite")
        cons.append(con)
        values.append(np.array(along, dtype))
        bias = np.zeros(0) if module.bias is None else module.bias.detach().numpy()
        biases.append(np.array(bias, dtype))
    settings = NetworkSettings(epsilon=None, activation=activation, output=output, dtype=dtype, seed=0, threads=threads)
    return SparseMLP.from_layers(cons, values, biases, settings)


def from_mlp(net: SparseMLP) -> nn.Sequential:
    """A Sequential of the layers of a network: SparseLinear modules, and activations after each but the last.

    Outputs are those of `net.decision_function`: before softmax or sigmoid, as torch's losses want them.

    Args:
        net: indexed, with built-in activations, without tied ends, skip layer, scaling and preprocessor.

    Returns:
        The modules, with parameters of their own. All-ReLU becomes LeakyReLU modules of alternating slopes.

    Raises:
        InputError: where the network has more than a Sequential can say.

    Example:
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((8, 16, 3), epsilon=2, activation=ts.AllReLU(0.6))
        >>> [type(module).__name__ for module in ts.torch.from_mlp(net)]
        ['SparseLinear', 'LeakyReLU', 'SparseLinear']
    """
    if not isinstance(net, SparseMLP):
        raise InputError(f"net must be a SparseMLP, not {type(net).__name__}; of an estimator, give its network_")
    net.check_layers()
    for name, has in {
        "a skip layer": net.skip,
        "tied ends": net.tied,
        "a scaling: scale the samples, and set net.scaling = None": net.scaling is not None,
        "a target_scaling": net.target_scaling is not None,
        "a preprocessor": net.preprocessor is not None,
    }.items():
        if has:
            raise InputError(f"net has {name}, which a Sequential cannot say")
    if net.storage_config.tiled:
        net = net.indexed()
    if not isinstance(net.activation, BuiltIn):
        raise InputError(
            f"net has the activation {type(net.activation).__name__}; only built-in ones are modules of torch"
        )
    modules: list[nn.Module] = []
    for number, layer in enumerate(net.layers):
        sparse = SparseLinear(
            layer.n_in,
            layer.n_out,
            bias=bool(layer.bias.size),
            connectivity=layer.connectivity,
            seed=0,
            dtype=torch.float64 if net.dtype == np.float64 else torch.float32,
        )
        with torch.no_grad():
            sparse.weight.copy_(torch.from_numpy(np.array(layer.values)))
            if sparse.bias is not None:
                sparse.bias.copy_(torch.from_numpy(np.array(layer.bias)))
        modules.append(sparse)
        if number < len(net.layers) - 1:
            modules.append(_module(net.activation, number + 1))
    return nn.Sequential(*modules)


def _parts(sequential: nn.Sequential, output: str | None) -> tuple[list[tuple[str, Linear]], BuiltIn, str]:
    """The linear modules of a Sequential by name, the activation between them, and the output."""
    if not isinstance(sequential, nn.Sequential):
        raise InputError(f"sequential must be a torch.nn.Sequential, not {type(sequential).__name__}")
    if output is not None:
        checks.choice("output", output, tuple(BY_OUTPUT))
    modules = _flat(sequential)
    if modules and isinstance(modules[-1][1], nn.Softmax | nn.Sigmoid):
        name, last = modules.pop()
        said = "softmax" if isinstance(last, nn.Softmax) else "sigmoid"
        if output not in (None, said):
            raise InputError(f"output must be {said!r}, which {name} says, or None, not {output!r}")
        output = said
    linears: list[tuple[str, Linear]] = []
    between: list[nn.Module | None] = []
    for name, module in modules:
        if isinstance(module, nn.Linear | SparseLinear):
            linears.append((name, module))
            between.append(None)
        elif not between:
            raise InputError(f"sequential must begin with a linear module, not {name} ({type(module).__name__})")
        elif between[-1] is not None:
            raise InputError(
                f"{name} ({type(module).__name__}) follows another activation; there must be one per layer"
            )
        else:
            between[-1] = module
    if not linears:
        raise InputError("sequential must have at least one linear module")
    if between[-1] is not None:
        raise InputError(
            "sequential must end with a linear module, Softmax or Sigmoid: outputs have no other activation"
        )
    return linears, _activation([name for name, _ in linears[:-1]], between[:-1]), output or "identity"


def _flat(sequential: nn.Sequential, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """Modules that compute in inference, by name."""
    found: list[tuple[str, nn.Module]] = []
    for name, module in sequential.named_children():
        if isinstance(module, nn.Sequential):
            found += _flat(module, f"{prefix}{name}.")
        elif isinstance(module, _NOT_IN_INFERENCE) or (isinstance(module, nn.Flatten) and not found and not prefix):
            continue
        else:
            found.append((f"{prefix}{name}", module))
    return found


def _module(activation: BuiltIn, hidden_layer: int) -> nn.Module:
    """The activation of a hidden layer as a module."""
    if isinstance(activation, AllReLU | LeakyReLU):
        return nn.LeakyReLU(activation.kernel(hidden_layer)[1])
    kinds: dict[type, type[nn.Module]] = {
        ReLU: nn.ReLU,
        Tanh: nn.Tanh,
        Sigmoid: nn.Sigmoid,
        GELU: nn.GELU,
        SiLU: nn.SiLU,
        Identity: nn.Identity,
    }
    return kinds[type(activation)]()


def _activation(names: Sequence[str], modules: Sequence[nn.Module | None]) -> BuiltIn:
    """The one activation of hidden layers that these modules are, or InputError."""
    slopes: list[float] = []
    kinds: set[type] = set()
    for name, module in zip(names, modules, strict=True):
        if isinstance(module, nn.LeakyReLU):
            slopes.append(float(module.negative_slope))
        elif isinstance(module, nn.GELU) and module.approximate != "none":
            raise InputError(
                f"the GELU after {name} is approximate={module.approximate!r}; networks have the exact one"
            )
        elif module is not None and not isinstance(module, nn.ReLU | nn.Tanh | nn.Sigmoid | nn.GELU | nn.SiLU):
            raise InputError(f"{type(module).__name__} after {name} is no activation of a SparseMLP")
        kinds.add(type(module))
    if len(kinds) > 1:
        shown = ", ".join(sorted("none" if kind is type(None) else kind.__name__ for kind in kinds))
        raise InputError(f"hidden layers must have one activation, not {shown}")
    if slopes:
        return _leaky(slopes)
    if not kinds or kinds == {type(None)}:
        return Identity()
    found: dict[type, BuiltIn] = {
        nn.ReLU: ReLU(),
        nn.Tanh: Tanh(),
        nn.Sigmoid: Sigmoid(),
        nn.GELU: GELU(),
        nn.SiLU: SiLU(),
    }
    return found[kinds.pop()]


def _leaky(slopes: Sequence[float]) -> BuiltIn:
    if all(slope == slopes[0] for slope in slopes) and 0 <= slopes[0] <= 1:
        return LeakyReLU(slopes[0])
    alpha = abs(slopes[0])
    alternating = [alpha if number % 2 else -alpha for number in range(len(slopes))]
    if alternating != list(slopes) or alpha > 1:
        raise InputError(
            f"slopes of LeakyReLU must all be equal, or alternate as All-ReLU's -a, a, -a, ..., not {list(slopes)}"
        )
    return AllReLU(alpha)
