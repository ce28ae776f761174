"""Evolver: the topologies of a PyTorch model evolve in the course of its optimizer's steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn, optim

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.evolution.clock import check_method
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.evolver import Evolver as LayerEvolver
from trulysparse.evolution.methods.redo import ReDo
from trulysparse.nn.initialization import WeightInit
from trulysparse.torch.agreement import agreeing, check_same, ranks_of
from trulysparse.torch.evolving_layers import check_chain, chosen_layers, copied_layers
from trulysparse.torch.linear import INIT, SparseLinear
from trulysparse.torch.passes import Passes, joined
from trulysparse.torch.state import (
    FRESH_STATES,
    AlongConnections,
    SharedLayer,
    check_optimizer,
    is_inner_step,
    store_values,
)


class Evolver:
    """Evolves the SparseLinear layers of a model in the course of its training: after those steps of the optimizer
    after which the method is due, connections are removed and others grow. Weights and optimizer state of connections
    that remain go with them, in the same tensors; those of new ones start as `fresh_state` says.

    It follows optimizer.step() by itself: make it once, and train as before. Steps that a GradScaler leaves out, as
    gradients are not finite, do not count. Where the library's own methods evolve in place of an update, here the
    optimizer takes its step on the batch and the method follows, on that step's gradients: those of all backward passes
    that the step's gradients are the sum of. They are looked at on that step alone, streamed and exact; no gradient of
    missing connections is stored.

    With the same seed it gives the same bits, for any number of threads. In DistributedDataParallel all ranks keep the
    same connections: methods without gradients send nothing, others take the choice of rank 0.

    Args:
        model: any module with SparseLinear layers, or a DistributedDataParallel of one.
        optimizer: of torch.optim, or any whose state is numbers and, for each parameter, tensors of its shape.
        method: the evolution, such as ts.SET(every_updates=100) or ts.RigL(). What it says of output layers does not
            count here; see `layers`.
        total_updates: of the whole training, at least 1; see ts.Evolver. None: not known.
        updates_per_epoch: steps of the optimizer in an epoch; needed where the method counts epochs.
        seed: of the random numbers, at least 0; the same on all ranks.
        layers: those that evolve: SparseLinear modules, or names as in model.named_modules() in which * stands for
            anything. None: all that the optimizer trains. Methods that follow paths from layer to layer (percolate,
            CHTs, ReDo) take them in the order given, and need them given unless the model is an nn.Sequential.
        fresh_state: optimizer state of new connections: 'zero', or 'typical': the median over those that remain where
            steps are divided by it, such as Adam's exp_avg_sq, and zero elsewhere. Where zero makes no start, that is
            the optimizer's own: Rprop's step sizes, Adagrad's sums, ASGD's mean weights.
        init: how weights of new connections are drawn, where the method draws them; None: as those of SparseLinear.
        copies: modules that are copies of the model, such as target networks or torch.optim.swa_utils.AveragedModel:
            their connections follow the model's. Their weights stay with theirs; of a new connection it is the model's.
        process_group: of ranks that train the same model; 'auto': that of a DistributedDataParallel model, else all
            ranks where torch.distributed has several; None: this process has a model of its own.

    Attributes:
        model, optimizer, method, fresh_state: as given.
        layers: the SparseLinear layers that evolve; those whose weights do not require gradients are left alone.
        replaced: connections that were added so far.

    Raises:
        InputError: where an argument is out of range or does not fit the others, with nothing changed.

    Source:
        Mocanu et al. (2018) and the sources of the methods; state of new connections: Evci et al., "Rigging the
        lottery" (2020), code; Yuan et al., "MEST" (2021).

    Example:
        >>> import torch, trulysparse as ts
        >>> model = torch.nn.Sequential(
        ...     ts.torch.SparseLinear(64, 256, density=0.1, seed=0), torch.nn.GELU(), torch.nn.Linear(256, 10)
        ... )
        >>> optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        >>> evolver = ts.torch.Evolver(model, optimizer, ts.RigL(every_updates=10, until=1000))
        >>> for _ in range(30):
        ...     optimizer.zero_grad()
        ...     loss = model(torch.randn(32, 64)).square().mean()
        ...     loss.backward()
        ...     optimizer.step()
        >>> evolver.count, evolver.replaced > 0, len(model[0].weight)
        (30, True, 1638)
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: optim.Optimizer,
        method: Evolution,
        *,
        total_updates: int | None = None,
        updates_per_epoch: int | None = None,
        seed: int = 0,
        layers: str | SparseLinear | Sequence[str | SparseLinear] | None = None,
        fresh_state: str = "zero",
        init: WeightInit | None = None,
        copies: nn.Module | Sequence[nn.Module] = (),
        process_group: Any = "auto",
    ) -> None:
        check_method(method)
        check_optimizer(optimizer)
        self.fresh_state = checks.choice("fresh_state", fresh_state, FRESH_STATES)
        self._tied = chosen_layers(model, optimizer, layers)
        if method.percolate or isinstance(method, ReDo):
            check_chain(model, self.layers, method, given=layers is not None)
        self._copies = copied_layers(model, self.layers, copies)
        self._group = process_group
        self.model, self.optimizer, self.method = model, optimizer, method
        self.replaced = 0
        self._armed = self._begun = False
        self._evolver = LayerEvolver(
            agreeing(method, self._ranks()),
            [SharedLayer(layer) for layer in self.layers],
            self._states(),
            total_updates=total_updates,
            updates_per_epoch=updates_per_epoch,
            seed=seed,
            threads=torch.get_num_threads(),
            init=INIT if init is None else init,
        )
        self._release()
        self._handle = optimizer.register_step_post_hook(self._stepped)
        self._arm()

    @property
    def layers(self) -> list[SparseLinear]:
        """Those that evolve; of layers that share a weight the first."""
        return [tied[0] for tied in self._tied]

    @property
    def count(self) -> int:
        """Steps of the optimizer so far."""
        return self._evolver.count

    def due(self) -> bool:
        """Whether the method is due after `count` steps."""
        return self._evolver.due()

    def remove(self) -> None:
        """Ends evolution: steps of the optimizer are no longer followed."""
        self._handle.remove()
        self._disarm()

    def evolve(self) -> int:
        """Evolves all layers now, whether it is time or not.

        Returns:
            How many connections were added.

        Raises:
            InputError: where the method needs gradients, which are at hand after a step on which it is due only; or an
                optimizer's state cannot move; nothing has changed then.
        """
        if self._evolver.method.needs_gradient:
            raise InputError(
                f"{type(self.method).__name__} needs the gradients of a step: it evolves after optimizer.step() where "
                "it is due"
            )
        return self._evolve()

    # ---- the course of training ----

    def _stepped(self, optimizer: optim.Optimizer, *_: Any) -> None:
        found = getattr(optimizer, "found_inf", None)  # a fused step that a GradScaler has skipped from inside
        if (found is not None and bool(found)) or is_inner_step(optimizer):
            return
        self._evolver.step_done()
        if not self._begun:
            self._begin()
        if self.due():
            self._evolve()
        self._arm()

    def _begin(self) -> None:
        """What can be told at the first step only: whether the optimizer's state can move, and the ranks are one."""
        self._states()
        self._evolver.method = agreeing(self.method, self._ranks())
        check_same([layer.connectivity for layer in self.layers], self._evolver.seed, self._ranks())
        self._begun = True

    def _ranks(self) -> Any:
        return ranks_of(self.model, self._group)

    def _arm(self) -> None:
        """Has the next step's backward passes kept, where the method is due after it and needs gradients."""
        clock = self._evolver
        wanted = clock.method.needs_gradient and clock.method.due(
            clock.count + 1, clock.updates_per_epoch, clock.total_updates
        )
        if not wanted:
            self._disarm()
            return
        self._armed = True
        for tied in self._tied:
            passes = Passes(tied[0].weight)
            for layer in tied:
                layer._topology.captured, layer._topology.captured_of = passes, tied[0].weight

    def _disarm(self) -> None:
        if self._armed:
            for layer in (each for tied in self._tied for each in tied):
                layer._topology.captured = layer._topology.captured_of = None
        self._armed = False

    @torch.no_grad()
    def _evolve(self) -> int:
        clock, before = self._evolver, self.replaced
        passes = [layer._topology.captured for layer in self.layers]
        self._disarm()
        clock.optimizer_state = states = self._states()
        clock.layers = layers = [SharedLayer(layer) for layer in self.layers]
        clock.threads = torch.get_num_threads()
        clock.evolving = [number for number, layer in enumerate(self.layers) if layer.weight.requires_grad]
        try:
            step = clock.start()
            # From the last to the first: ReDo then judges neurons by what the next layer gets from them.
            for number in reversed(range(len(layers))):
                batch: tuple[Floats | None, Floats | None] = (None, None)
                if clock.method.needs_gradient:
                    batch = joined(passes[number] or (), layers[number].values.dtype)
                took_part = batch[0] is not None or not clock.method.needs_gradient
                if took_part or isinstance(self.method, ReDo):
                    self.replaced += step.evolve_layer(number, *batch)
                self._store(number, layers[number], states[number])
        finally:
            self._release()
        return self.replaced - before

    def _states(self) -> list[AlongConnections]:
        return [
            AlongConnections(self.optimizer, each.weight, each.bias, self.fresh_state, [twin.weight for twin in twins])
            for each, twins in zip(self.layers, self._copies, strict=True)
        ]

    def _store(self, number: int, evolved: SharedLayer, state: AlongConnections) -> None:
        """Brings an evolved layer back to PyTorch."""
        layer, connectivity = self._tied[number][0], evolved.connectivity
        if self._ranks() is not None and connectivity.n_connections != layer.connectivity.n_connections:
            raise InputError(
                f"{type(self.method).__name__} changes the number of connections of a layer from "
                f"{layer.connectivity.n_connections} to {connectivity.n_connections}, for which "
                "DistributedDataParallel has no room: its buckets have fixed sizes"
            )
        if evolved.values is not evolved.given_values:
            store_values(layer.weight, evolved.values)
        recycled = layer.bias is not None and evolved.bias is not evolved.given_bias
        if recycled and layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(evolved.bias))
        state.store(bias=recycled)
        if connectivity is not layer.connectivity:
            for each in (*self._tied[number], *self._copies[number]):
                each.set_topology(connectivity)

    def _release(self) -> None:
        """Lets go of arrays that belong to this evolution."""
        self._evolver.layers, self._evolver.optimizer_state = [], []

    # ---- files ----

    def state_dict(self) -> dict[str, Any]:
        """What to save beside the state of model and optimizer, to go on with the same bits.

        Returns:
            A flat dictionary of numbers and tensors, which torch.load reads with weights_only=True.
        """
        state = {
            name: torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value
            for name, value in self._evolver.state_dict().items()
        }
        return {**state, "replaced": self.replaced}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where another Evolver was, given the same arguments. Load model and optimizer too.

        Args:
            state: from `state_dict`.

        Raises:
            InputError: where it is not; nothing changes then.
        """
        if not isinstance(state, Mapping) or "replaced" not in state:
            raise InputError(f"state must be what state_dict() returned, not {state!r:.80}")
        replaced = checks.integer("replaced", state["replaced"], low=0)
        given = {
            name: value.detach().numpy() if isinstance(value, torch.Tensor) else value
            for name, value in state.items()
            if name != "replaced"
        }
        self._evolver.load_state_dict(given)  # copies
        self.replaced = replaced
        self._arm()
