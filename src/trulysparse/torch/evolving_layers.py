"""The layers of a model that evolve."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from torch import nn, optim
from torch.nn.parallel import DistributedDataParallel

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution.evolution import Evolution
from trulysparse.torch.linear import DTYPES, SparseLinear


def unwrapped(model: nn.Module) -> tuple[nn.Module, Any]:
    """A model without what torch.compile and DistributedDataParallel have put around it.

    Args:
        model: any module.

    Returns:
        The model itself, and the process group of DistributedDataParallel or None.

    Example:
        >>> import torch
        >>> from trulysparse.torch.evolving_layers import unwrapped
        >>> model = torch.nn.Linear(2, 2)
        >>> unwrapped(torch.compile(model)) == (model, None)
        True
    """
    group = None
    while isinstance(model, DistributedDataParallel) or isinstance(getattr(model, "_orig_mod", None), nn.Module):
        if isinstance(model, DistributedDataParallel):
            group, model = model.process_group, model.module
        else:
            model = model._orig_mod  # type: ignore[assignment]
    return model, group


def chosen_layers(
    model: nn.Module, optimizer: optim.Optimizer, layers: str | SparseLinear | Sequence[str | SparseLinear] | None
) -> list[list[SparseLinear]]:
    """The layers of a model that evolve, each once, with those that share its weight.

    Args:
        model: the model.
        optimizer: only layers whose weights it has are taken.
        layers: modules, or names in which * stands for anything; None: all.

    Returns:
        Lists of layers that share a weight; most are of one.

    Raises:
        InputError: where there is none, a name matches none, or a layer cannot evolve.

    Example:
        >>> import torch, trulysparse as ts
        >>> from trulysparse.torch.evolving_layers import chosen_layers
        >>> model = torch.nn.Sequential(*(ts.torch.SparseLinear(20, 20, density=0.2) for _ in range(3)))
        >>> len(chosen_layers(model, torch.optim.SGD(model.parameters()), ["0", "2"]))
        2
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    model, _ = unwrapped(model)
    named = {name: module for name, module in model.named_modules() if isinstance(module, SparseLinear)}
    if not named:
        raise InputError("model must have SparseLinear layers, and has none; sparsify(model, density=0.1) makes some")
    trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    every = list(named.values())
    picked = every if layers is None else _picked(named, layers)
    lacking = [name for name, layer in named.items() if layer in picked and id(layer.weight) not in trained]
    if lacking and (layers is not None or len(lacking) == len(picked)):
        raise InputError(f"optimizer must train the layers that evolve; it does not have the weight of {lacking[0]!r}")
    tied: dict[int, list[SparseLinear]] = {}
    for layer in picked:
        if id(layer.weight) in trained:
            tied.setdefault(id(layer.weight), [])
    for layer in every:
        if id(layer.weight) in tied:
            tied[id(layer.weight)].append(layer)
    for same in tied.values():
        _check(same, next(name for name, layer in named.items() if layer is same[0]))
    return list(tied.values())


def _picked(
    named: dict[str, SparseLinear], layers: str | SparseLinear | Sequence[str | SparseLinear]
) -> list[SparseLinear]:
    """The layers that are named, in the order in which they are."""
    given = [layers] if isinstance(layers, str | SparseLinear) else checks.listed("layers", layers, "layers or names")
    picked: list[SparseLinear] = []
    for number, each in enumerate(given):
        if isinstance(each, str):
            found = [layer for name, layer in named.items() if fnmatchcase(name, each)]
            if not found:
                raise InputError(f"layers[{number}] = {each!r} matches no SparseLinear; there are {', '.join(named)}")
        elif isinstance(each, SparseLinear) and any(each is layer for layer in named.values()):
            found = [each]
        else:
            raise InputError(f"layers[{number}] must be a SparseLinear of the model, or a name, not {each!r:.80}")
        picked += [layer for layer in found if layer not in picked]
    if not picked:
        raise InputError("layers must name at least one SparseLinear; None stands for all")
    return picked


def _check(same: Sequence[SparseLinear], name: str) -> None:
    layer = same[0]
    weight = layer.weight
    if type(weight.data) is not torch.Tensor:
        raise InputError(
            f"the weight of {name!r} must be a plain tensor, not {type(weight.data).__name__}: sharded models cannot "
            "evolve; use DistributedDataParallel"
        )
    if weight.dtype not in DTYPES or not weight.is_cpu:
        raise InputError(
            f"the weight of {name!r} must be float32 or float64 on the CPU, not {weight.dtype} on {weight.device}"
        )
    if weight.shape != (layer.connectivity.n_connections,):
        raise InputError(
            f"the weight of {name!r} must have one value for each of {layer.connectivity.n_connections} connections, "
            f"not shape {tuple(weight.shape)}; sharded models cannot evolve"
        )
    rows = layer.connectivity.by_input
    for other in same[1:]:
        theirs = other.connectivity.by_input
        if (other.in_features, other.out_features) != (layer.in_features, layer.out_features) or not (
            np.array_equal(rows.ptr, theirs.ptr) and np.array_equal(rows.index, theirs.index)
        ):
            raise InputError(f"layers that share the weight of {name!r} must have the same connections")


def check_chain(model: nn.Module, layers: Sequence[SparseLinear], method: Evolution, given: bool) -> None:
    """Checks that it is known which layer takes the outputs of which.

    Args:
        model: the model.
        layers: that evolve.
        method: one that follows paths from layer to layer.
        given: whether the caller has named the layers, in order.

    Raises:
        InputError: where it is not: sizes alone do not tell.

    Example:
        >>> import torch, trulysparse as ts
        >>> from trulysparse.torch.evolving_layers import check_chain
        >>> model = torch.nn.Sequential(*(ts.torch.SparseLinear(20, 20, density=0.2) for _ in range(3)))
        >>> check_chain(model, list(model), ts.CHTs(), given=False)
    """
    inner, _ = unwrapped(model)
    if given or len(layers) == 1 or isinstance(inner, nn.Sequential):
        return
    raise InputError(
        f"method {type(method).__name__} follows paths from layer to layer, which a {type(inner).__name__} does not "
        "tell: give layers= in the order in which each takes the outputs of the one before, or take percolate=False"
    )
