"""sparsify: the linear layers of anybody's model become sparse ones, in place; densify is the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from trulysparse._core import checks
from trulysparse._core.random import stream_key
from trulysparse.connectivity.counts import DIVISIONS, erk_counts_of
from trulysparse.errors import InputError
from trulysparse.torch.linear import SparseLinear
from trulysparse.torch.report import LayerReport, SparsityReport, measured_speed, training_bytes, weight_bytes
from trulysparse.torch.selection import Globs, Selection, places, select

# What works element by element, and so keeps the order in which values lie in memory.
_ELEMENTWISE = (
    *(nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.ELU, nn.SELU, nn.CELU, nn.Mish, nn.Softplus),
    *(nn.ReLU6, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.LogSigmoid, nn.Dropout, nn.Identity),
)


@dataclass(frozen=True)
class Rule:
    """How layers become sparse.

    Args:
        density: share of their weights to keep, in (0, 1].
        keep: 'magnitude': the largest; 'random': any.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> import trulysparse as ts
        >>> ts.torch.Rule(density=0.1, keep="random").density
        0.1
    """

    density: float
    keep: str = "magnitude"

    def __post_init__(self) -> None:
        checks.real("density", self.density, low=0, high=1, low_open=True)
        checks.choice("keep", self.keep, ("magnitude", "random"))


def sparsify(
    model: nn.Module,
    density: float | Mapping[str, float | Rule],
    *,
    include: Globs = None,
    exclude: Globs = None,
    distribution: str = "erk",
    keep: str = "magnitude",
    seed: int = 0,
    measure: bool = True,
) -> SparsityReport:
    """Replaces torch.nn.Linear modules of a model by SparseLinear modules that have some of their weights, in place.

    Heads are left dense: linear modules called lm_head, head, classifier, fc_out or output, and the model's last linear
    module unless it is one of a row of blocks (layers.5.linear2 beside layers.4.linear2). A head becomes sparse where a
    glob other than '*' names it. What is no plain linear module stays too: embeddings, norms and convolutions;
    torch.nn.MultiheadAttention, which reads its weights itself; recurrent layers, whose weights are fused.

    Make the optimizer afterwards: the new layers have parameters of their own.

    Args:
        model: a module on the CPU, in float32 or float64.
        density: of all chosen layers together, in (0, 1]; or, by glob of module names such as '*.mlp.*', the density or
            Rule of each layer; of several globs that match, the first counts.
        include: globs, one or several: only modules of such names; with one number as density. None: all.
        exclude: globs: no modules of such names. None: all may.
        distribution: of one number: 'erk': layer densities in proportion to (n_in + n_out) / (n_in * n_out), at most
            1; 'uniform': the same in each layer.
        keep: 'magnitude': the largest weights stay; 'random': any. A Rule says its own.
        seed: of the choice at random, at least 0.
        measure: whether both forms of each layer are timed, some milliseconds for each shape; it is what the report's
            'speed' is made of.

    Returns:
        What was done, layer by layer, and what was left dense and why; print it.

    Raises:
        InputError: where an argument is out of range, a glob matches no linear module, nothing is left to make sparse,
            or a chosen module cannot be. Nothing has changed then.

    Source:
        Evci et al., "Rigging the lottery: making all tickets winners", ICML 2020, section 3, for 'erk'.

    Example:
        >>> import torch, trulysparse as ts
        >>> first, last = torch.nn.Linear(64, 250), torch.nn.Linear(250, 10)
        >>> model = torch.nn.Sequential(first, torch.nn.GELU(), last)
        >>> report = ts.torch.sparsify(model, density=0.1, measure=False)
        >>> [(row.name, row.density) for row in report.layers], [row.name for row in report.left]
        ([('0', 0.1)], ['2'])
    """
    checks.choice("distribution", distribution, DIVISIONS)
    checks.choice("keep", keep, ("magnitude", "random"))
    seed = checks.integer("seed", seed, low=0)
    rules: dict[str, Rule] | None = None
    if isinstance(density, Mapping):
        if include is not None:
            raise InputError("include goes with one density; a mapping of globs says itself which modules it means")
        if not density:
            raise InputError("density must have at least one glob, not {}")
        rules = {glob: each if isinstance(each, Rule) else Rule(each, keep) for glob, each in density.items()}
    else:
        density = checks.real("density", density, low=0, high=1, low_open=True)
    selection = select(model, list(rules) if rules is not None else include, exclude, named=rules is not None)
    chosen = list(selection.chosen)
    if rules is None:
        each = Rule(float(density), keep)  # type: ignore[arg-type]
        of_layers = dict(zip(chosen, _densities(chosen, each.density, distribution), strict=True))
        keeps = dict.fromkeys(chosen, each.keep)
    else:
        of_layers = {linear: rules[glob].density for linear, (_, glob) in selection.chosen.items()}
        keeps = {linear: rules[glob].keep for linear, (_, glob) in selection.chosen.items()}
    made = {
        linear: SparseLinear.from_linear(
            linear, of_layers[linear], keeps[linear], seed=stream_key(seed, "sparsify", number) >> 1
        )
        for number, linear in enumerate(chosen)
    }
    report = _report(selection, made, measure)
    for linear, sparse in made.items():
        _replace(model, linear, sparse)
    _keep_layouts(model)
    return report


def densify(model: nn.Module) -> int:
    """Replaces SparseLinear modules of a model by torch.nn.Linear modules of the same weights, in place.

    Weights that did not exist are 0.

    Args:
        model: any module but a SparseLinear itself.

    Returns:
        How many modules were replaced.

    Raises:
        InputError: where model is a SparseLinear itself, which cannot become another module.

    Example:
        >>> import torch, trulysparse as ts
        >>> model = torch.nn.Sequential(ts.torch.SparseLinear(8, 4, density=0.5))
        >>> ts.torch.densify(model), type(model[0]).__name__
        (1, 'Linear')
    """
    if isinstance(model, SparseLinear):
        raise InputError("model must hold the sparse layer: one by itself cannot become another module")
    found = [module for module in model.modules() if isinstance(module, SparseLinear)]
    for sparse in found:
        linear = nn.Linear(
            sparse.in_features, sparse.out_features, bias=sparse.bias is not None, dtype=sparse.weight.dtype
        )
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(sparse.to_csr().toarray()))
            linear.weight.requires_grad_(sparse.weight.requires_grad)
            if sparse.bias is not None:
                linear.bias.copy_(sparse.bias)
                linear.bias.requires_grad_(sparse.bias.requires_grad)
        _replace(model, sparse, linear.train(sparse.training))
    return len(found)


def _densities(chosen: Sequence[nn.Linear], density: float, distribution: str) -> list[float]:
    pairs = [(linear.in_features, linear.out_features) for linear in chosen]
    if distribution == "uniform":
        return [density] * len(pairs)
    return [count / (a * b) for count, (a, b) in zip(erk_counts_of(pairs, density), pairs, strict=True)]


def _report(selection: Selection, made: Mapping[nn.Linear, SparseLinear], measure: bool) -> SparsityReport:
    rows = []
    for linear, sparse in made.items():
        rows.append(
            LayerReport(
                name=", ".join(selection.chosen[linear][0]),
                shape=(linear.out_features, linear.in_features),
                density=round(sparse.density, 6),
                connections=sparse.connectivity.n_connections,
                bytes_before=weight_bytes(linear),
                bytes_after=weight_bytes(sparse),
                training_bytes_before=training_bytes(linear),
                training_bytes_after=training_bytes(sparse),
                speed=measured_speed(linear, sparse) if measure else None,
            )
        )
    return SparsityReport(tuple(rows), tuple(selection.left))


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Puts a module in all places of another one."""
    for parent, name in places(model, old):
        setattr(parent, name, new)
        if isinstance(parent, nn.TransformerEncoderLayer):
            _allow_fused(parent)
    for module in model.modules():  # nested tensors are for encoders of fused layers alone
        if isinstance(module, nn.TransformerEncoder) and any(
            isinstance(each, SparseLinear) for each in module.modules()
        ):
            module.use_nested_tensor = False


def _allow_fused(layer: nn.TransformerEncoderLayer) -> None:
    """PyTorch's fused inference of an encoder layer reads the weights of its linear modules itself: only dense ones."""
    dense = not any(isinstance(each, SparseLinear) for each in (layer.linear1, layer.linear2))
    functions = {nn.functional.relu: 1, nn.functional.gelu: 2}
    layer.activation_relu_or_gelu = functions.get(layer.activation, 0) if dense else 0


def _keep_layouts(model: nn.Module) -> None:
    """Lets sparse layers that only element-wise functions part from the next sparse layer hand on their values feature
    by feature, also where inputs have three dimensions."""
    for sequence in model.modules():
        if not isinstance(sequence, nn.Sequential):
            continue
        before: SparseLinear | None = None
        for module in sequence:
            if isinstance(module, SparseLinear):
                if before is not None and before.layout == "auto":
                    before.layout = "features"
                before = module
            elif not isinstance(module, _ELEMENTWISE):
                before = None
