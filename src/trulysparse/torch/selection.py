"""Which linear modules of a model become sparse, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeAlias

from torch import nn

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.torch.linear import SparseLinear
from trulysparse.torch.report import LeftDense
from trulysparse.torch.start import DTYPES

Globs: TypeAlias = str | Sequence[str] | None

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
HEADS = ("lm_head", "head", "classifier", "fc_out", "output")
_WRAPPERS = ("DistributedDataParallel", "DataParallel", "FullyShardedDataParallel", "OptimizedModule", "ScriptModule")


@dataclass
class Selection:
    """What becomes of a model's modules.

    Args:
        chosen: by linear module: its names in the model, and the glob that named it.
        left: modules that stay dense.
    """

    chosen: dict[nn.Linear, tuple[list[str], str]] = field(default_factory=dict)
    left: list[LeftDense] = field(default_factory=list)


def select(model: nn.Module, include: Globs, exclude: Globs, *, named: bool) -> Selection:
    """Chooses linear modules.

    Args:
        model: to look at; it is not changed.
        include: globs; of several that match a module, the first counts. None: all.
        exclude: globs, or None.
        named: whether globs are the keys of a mapping; for messages.

    Returns:
        The selection, which has at least one chosen module.

    Raises:
        InputError: where a glob matches nothing, nothing is chosen, or a chosen module cannot become sparse.

    Example:
        >>> from torch import nn
        >>> from trulysparse.torch.selection import select
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> [names for names, _ in select(model, None, None, named=False).chosen.values()]
        [['0']]
    """
    _check_model(model)
    globs = _listed("density" if named else "include", include) if include is not None else ["*"]
    without = [] if exclude is None else _listed("exclude", exclude)
    linears = _linears(model)
    every = [name for names in linears.values() for name in names]
    inside = _inside_attention(model)
    sparse = [name for name, module in model.named_modules(remove_duplicate=False) if isinstance(module, SparseLinear)]
    fused = [name for name, module in model.named_modules() if isinstance(module, nn.RNNBase)]
    known = [*every, *sparse, *inside, *fused]
    _check_globs("density" if named else "include", globs if include is not None else [], known)
    _check_globs("exclude", without, known)
    for name in sparse:
        if _first(globs, name) and not _first(without, name):
            raise InputError(f"{name or 'model'} is sparse already: exclude it, or densify the model first")
    selection = Selection()
    last = _last(linears)
    for linear, names in linears.items():
        glob = next((found for name in names if (found := _first(globs, name))), None)
        reason = _reason(model, linear, names, last, explicit=glob not in (None, "*"))
        if glob is None or any(_first(without, name) for name in names):
            reason = "excluded" if glob is not None else "not included"
        elif reason is None:
            _check_linear(model, linear, names[0])
            selection.chosen[linear] = names, glob
            continue
        selection.left.append(LeftDense(", ".join(names), type(linear).__name__, reason))
    _leave_fused(model, inside, globs, without, selection)
    if not selection.chosen:
        why = "; ".join(f"{left.name or 'model'}: {left.reason}" for left in selection.left[:5])
        raise InputError(
            f"model has no linear module to make sparse ({why or 'it has none'}); name one by a glob of its own"
        )
    return selection


def _leave_fused(
    model: nn.Module, inside: dict[str, str], globs: Sequence[str], without: Sequence[str], selection: Selection
) -> None:
    """Lists weights that PyTorch reads itself as left dense; InputError where a glob of its own names one."""
    for name, attention in inside.items():
        if _first(globs, name) not in (None, "*") and not _first(without, name):
            raise InputError(
                f"{name} cannot be sparse: {attention} reads its weights itself; use separate linear modules for "
                "query, key, value and output, or exclude it"
            )
        selection.left.append(LeftDense(name, attention, f"{attention} reads its weights itself"))
    for name, module in model.named_modules():
        if isinstance(module, nn.RNNBase):
            kind = type(module).__name__
            if _first(globs, name) not in (None, "*") and not _first(without, name):
                raise InputError(f"{name} cannot be sparse: the weights of {kind} are fused; exclude it")
            selection.left.append(LeftDense(name, kind, f"the weights of {kind} are fused"))


def _check_globs(argument: str, globs: Sequence[str], names: Sequence[str]) -> None:
    """InputError where a glob matches nothing."""
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            shown = ", ".join(names[:5]) + ", ..." * (len(names) > 5)
            raise InputError(f"{argument}: {glob!r} matches no linear module; the model has {shown or 'none'}")


def places(model: nn.Module, wanted: nn.Module) -> list[tuple[nn.Module, str]]:
    """Where in a model a module is: parents, and the name in each.

    Args:
        model: to look at.
        wanted: a module in it.

    Returns:
        All places.

    Example:
        >>> from torch import nn
        >>> from trulysparse.torch.selection import places
        >>> model = nn.Sequential(nn.ReLU())
        >>> [name for _, name in places(model, model[0])]
        ['0']
    """
    return [(parent, name) for parent in model.modules() for name, child in parent._modules.items() if child is wanted]


def _check_model(model: object) -> None:
    if not isinstance(model, nn.Module):
        raise InputError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    kinds = {each.__name__ for each in type(model).__mro__}
    wrapper = next((name for name in _WRAPPERS if name in kinds), None)
    if wrapper is not None:
        raise InputError(f"model is wrapped in {wrapper}: make the module inside sparse, then wrap it anew")
    if isinstance(model, nn.Linear):
        raise InputError(
            "model is a linear module itself, which cannot be replaced in place: use SparseLinear.from_linear"
        )
    if isinstance(model, nn.RNNBase):
        kind = type(model).__name__
        raise InputError(
            f"model is {kind}, whose weights are fused into matrices that PyTorch reads itself: none is sparse"
        )
    if isinstance(model, nn.MultiheadAttention):
        raise InputError("model is MultiheadAttention, which reads its weights itself: use separate linear modules")


def _listed(name: str, globs: str | Sequence[str]) -> list[str]:
    found = [globs] if isinstance(globs, str) else checks.listed(name, globs, "globs")
    for glob in found:
        if not isinstance(glob, str) or not glob:
            raise InputError(f"{name} must hold globs of module names, such as '*.mlp.*', not {glob!r:.80}")
    return list(found)


def _first(globs: Sequence[str], name: str) -> str | None:
    return next((glob for glob in globs if fnmatchcase(name, glob)), None)


def _linears(model: nn.Module) -> dict[nn.Linear, list[str]]:
    """Linear modules that are called, in the order of the model, with all their names."""
    inside = {
        module
        for parent in model.modules()
        if isinstance(parent, nn.MultiheadAttention)
        for module in parent.children()
    }
    found: dict[nn.Linear, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, nn.Linear) and module not in inside:
            found.setdefault(module, []).append(name)
    return found


def _last(linears: dict[nn.Linear, list[str]]) -> nn.Linear | None:
    """The last linear module, unless it is one of a row of blocks, such as layers.5.linear2 beside layers.4.linear2."""
    if not linears:
        return None
    *others, last = linears
    names = {_block(name) for each in others for name in linears[each]}
    alike = (_block(name) for name in linears[last])
    return None if any("#" in block and block in names for block in alike) else last


def _block(name: str) -> str:
    """A name without the numbers of blocks."""
    *parents, own = name.split(".")
    return ".".join(["#" if part.isdigit() else part for part in parents] + ["" if own.isdigit() else own])


def _inside_attention(model: nn.Module) -> dict[str, str]:
    """Weights that an attention module reads itself, by name."""
    found: dict[str, str] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            prefix = f"{name}." if name else ""
            found |= dict.fromkeys((f"{prefix}in_proj_weight", f"{prefix}out_proj"), type(module).__name__)
    return found


def _reason(
    model: nn.Module, linear: nn.Linear, names: Sequence[str], last: nn.Linear | None, explicit: bool
) -> str | None:
    """Why a linear module stays dense unless a glob names it; None where it does not."""
    if explicit:
        return None
    if any(name.rpartition(".")[2] in HEADS for name in names):
        return "a head"
    shared = _shared_with(model, linear)
    if shared and last is linear:
        return f"a head, whose weight is shared with {shared}"
    return "the last linear module, taken for a head" if linear is last else None


def _shared_with(model: nn.Module, linear: nn.Linear) -> str | None:
    """The name of another module that has the same weight or bias."""
    mine = [each for each in (linear.weight, linear.bias) if each is not None]
    for name, module in model.named_modules():
        if module is not linear and any(each is own for each in module.parameters(recurse=False) for own in mine):
            return name or "the model"
    return None


def _check_linear(model: nn.Module, linear: nn.Linear, name: str) -> None:
    """InputError where a chosen module cannot become sparse."""
    if type(linear).forward is not nn.Linear.forward or "weight" not in linear._parameters:
        raise InputError(f"{name} is no plain torch.nn.Linear ({type(linear).__name__}, or parametrised): exclude it")
    weight = linear.weight
    if weight.dtype not in DTYPES or not weight.is_cpu:
        raise InputError(
            f"{name} must have float32 or float64 weights on the CPU, not {weight.dtype} on {weight.device}"
        )
    if not bool(weight.isfinite().all()):
        raise InputError(f"{name} has weights that are not finite")
    shared = _shared_with(model, linear)
    if shared is not None:
        raise InputError(f"{name} shares its weight or bias with {shared}, which would keep the old one: exclude it")
    if any(getattr(linear, hooks, None) for hooks in _HOOKS):
        raise InputError(f"{name} has hooks, which would stay with the dense module: register them after sparsify")
