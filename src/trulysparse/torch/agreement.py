"""Rules that see gradients, in training on several ranks: all take what rank 0 chooses on its part of the batch."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import distributed, nn

from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.coordinates import KeepMask, NewConnections
from trulysparse.errors import InputError
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.methods.redo import ReDo
from trulysparse.evolution.view import LayerView
from trulysparse.torch.evolving_layers import unwrapped


def ranks_of(model: nn.Module, given: Any) -> Any:
    """The process group of the ranks that train a model.

    Args:
        model: the model.
        given: a group or None, which are the answer; or 'auto': that of DistributedDataParallel, else all ranks there
            are.

    Returns:
        The group; None where this process is alone.

    Example:
        >>> import torch
        >>> from trulysparse.torch.agreement import ranks_of
        >>> ranks_of(torch.nn.Linear(2, 2), "auto") is None
        True
    """
    if not isinstance(given, str):
        return given
    if given != "auto":
        raise InputError(f"process_group must be 'auto', None or a torch.distributed.ProcessGroup, not {given!r:.80}")
    _, group = unwrapped(model)
    if group is None and distributed.is_available() and distributed.is_initialized():
        return distributed.group.WORLD if distributed.get_world_size() > 1 else None
    return group


def agreeing(method: Evolution, group: Any) -> Evolution:
    """A method that changes the layers of all ranks alike. Rules without gradients do so by themselves: they depend on
    weights and seed alone, which are the same on all ranks; they send nothing.

    Args:
        method: the evolution.
        group: the process group of the ranks, or None: there is one process.

    Returns:
        The method itself, or one like it.

    Raises:
        InputError: where the method cannot be told what to change, or changes the number of a layer's connections.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.torch.agreement import agreeing
        >>> method = ts.RigL()
        >>> agreeing(method, None) is method
        True
    """
    if group is None or distributed.get_world_size(group) == 1:
        return method
    if isinstance(method, ReDo):
        raise InputError(
            "method ReDo judges neurons by one rank's part of the batch: it cannot be used on several ranks"
        )
    if method.density is not None:
        raise InputError(
            f"method {type(method).__name__} with a density changes the number of connections, for which "
            "DistributedDataParallel has no room: its buckets have fixed sizes"
        )
    agreed = copy.copy(method)
    if getattr(method.prune, "needs_gradient", False):
        agreed.prune = RankZeroPrune(method.prune, group)
    if getattr(method.grow, "needs_gradient", False):
        agreed.grow = RankZeroGrow(method.grow, group)
    return agreed


def check_same(connectivities: Sequence[Connectivity], seed: int, group: Any) -> None:
    """Checks that all ranks begin with the same connections and seed. They tell each other a number for each layer.

    Args:
        connectivities: of the layers that evolve.
        seed: of the evolution.
        group: of the ranks, or None.

    Raises:
        InputError: on all ranks, where they differ.

    Example:
        >>> from trulysparse.connectivity import uniform
        >>> from trulysparse.torch.agreement import check_same
        >>> check_same([uniform(20, 10, 40)], 0, None)
    """
    if group is None or distributed.get_world_size(group) == 1:
        return
    rows = [each.by_input for each in connectivities]
    own = torch.tensor([seed & (2**62 - 1), *(zlib.crc32(each.index.data, zlib.crc32(each.ptr.data)) for each in rows)])
    of_ranks = [torch.empty_like(own) for _ in range(distributed.get_world_size(group))]
    distributed.all_gather(of_ranks, own, group=group)
    differing = [n for n in range(len(own)) if any(int(each[n]) != int(own[n]) for each in of_ranks)]
    if differing:
        what = "seed" if differing[0] == 0 else f"connections of layer {differing[0] - 1} of those that evolve"
        raise InputError(
            f"the {what} must be the same on all ranks: make the model with the same seed=, or torch.manual_seed"
        )


class _RankZero:
    """A rule that is asked on rank 0, and whose answer the other ranks get."""

    def __init__(self, rule: Any, group: Any) -> None:
        self._rule, self._group = rule, group
        self._source = distributed.get_global_rank(group, 0)
        self._asked = distributed.get_rank(group) == 0
        self.__module__ = getattr(rule, "__module__", "")  # answers of the user's own rules are checked

    def __getattr__(self, name: str) -> Any:
        if name in ("_rule", "_group"):  # not there yet, in a copy
            raise AttributeError(name)
        return getattr(self._rule, name)

    def _share(self, array: Any) -> None:
        distributed.broadcast(torch.from_numpy(array), src=self._source, group=self._group)


class RankZeroPrune(_RankZero):
    """A prune rule whose keep mask all ranks take from rank 0.

    Args:
        rule: a prune rule that decides layer by layer.
        group: of the ranks.

    Example:
        >>> import torch, trulysparse as ts
        >>> from trulysparse.evolution import prune
        >>> from trulysparse.torch.agreement import RankZeroPrune
        >>> store = torch.distributed.HashStore()
        >>> torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        >>> RankZeroPrune(prune.MagnitudeAndGradient(), torch.distributed.group.WORLD).needs_gradient
        True
        >>> torch.distributed.destroy_process_group()
    """

    def __call__(self, view: LayerView) -> KeepMask:
        """The keep mask of one layer."""
        keep_mask: KeepMask = self._rule(view) if self._asked else np.empty(view.layer.n_connections, np.uint8)
        self._share(keep_mask)
        return keep_mask


class RankZeroGrow(_RankZero):
    """A growth rule whose coordinates all ranks take from rank 0.

    Args:
        rule: a growth rule.
        group: of the ranks.

    Example:
        >>> import torch, trulysparse as ts
        >>> from trulysparse.evolution import grow
        >>> from trulysparse.torch.agreement import RankZeroGrow
        >>> store = torch.distributed.HashStore()
        >>> torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        >>> RankZeroGrow(grow.LargestGradient(), torch.distributed.group.WORLD).needs_gradient
        True
        >>> torch.distributed.destroy_process_group()
    """

    def __call__(self, view: LayerView) -> NewConnections:
        """view.count empty coordinates."""
        if self._asked:
            ptr, index = self._rule(view)
            ptr, index = np.ascontiguousarray(ptr), np.ascontiguousarray(index)
        else:
            ptr, index = np.empty(view.layer.n_in + 1, np.int64), np.empty(view.count, np.int32)
        self._share(ptr)
        self._share(index)
        return ptr, index
