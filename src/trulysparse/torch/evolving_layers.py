"""The layers of a model that evolve."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from torch import nn, optim
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

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
    for other in same[1:]:
        if not _same(layer, other):
            raise InputError(f"layers that share the weight of {name!r} must have the same connections")


def copied_layers(
    model: nn.Module, layers: Sequence[SparseLinear], copies: nn.Module | Sequence[nn.Module]
) -> list[list[SparseLinear]]:
    """The layers of copies of a model that correspond to some of its own.

    Args:
        model: the model.
        layers: some of its layers.
        copies: modules of the same names, such as a target network, or an AveragedModel of torch.optim.swa_utils.

    Returns:
        For each layer, those of the copies.

    Raises:
        InputError: where a copy lacks a layer, or has it with other connections.

    Example:
        >>> import copy, torch, trulysparse as ts
        >>> from trulysparse.torch.evolving_layers import copied_layers
        >>> model = torch.nn.Sequential(ts.torch.SparseLinear(20, 20, density=0.2))
        >>> target = copy.deepcopy(model)
        >>> copied_layers(model, [model[0]], target)[0][0] is target[0]
        True
    """
    given = [copies] if isinstance(copies, nn.Module) else checks.listed("copies", copies, "modules")
    names = {id(module): name for name, module in unwrapped(model)[0].named_modules()}
    found: list[list[SparseLinear]] = [[] for _ in layers]
    for number, each in enumerate(given):
        if not isinstance(each, nn.Module):
            raise InputError(f"copies[{number}] must be a module, not {type(each).__name__}")
        inner = each.module if isinstance(each, AveragedModel) else each
        theirs = dict(unwrapped(inner)[0].named_modules())
        for own, layer in zip(found, layers, strict=True):
            name = names[id(layer)]
            twin = theirs.get(name)
            if not isinstance(twin, SparseLinear) or twin.weight is layer.weight:
                raise InputError(f"copies[{number}] must have a SparseLinear {name!r} of its own, as the model has")
            if not _same(layer, twin):
                raise InputError(f"copies[{number}] must have the connections of the model, and has others in {name!r}")
            own.append(twin)
    return found


def _same(layer: SparseLinear, other: SparseLinear) -> bool:
    rows, theirs = layer.connectivity.by_input, other.connectivity.by_input
    same_size = (other.in_features, other.out_features) == (layer.in_features, layer.out_features)
    return same_size and np.array_equal(rows.ptr, theirs.ptr) and np.array_equal(rows.index, theirs.index)


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
