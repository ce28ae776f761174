"""FleetTrainer: updates of all agents of a fleet, each on samples of its own, in one call of the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import checks, memory
from trulysparse._core.arrays import Floats, kernel_readable, not_finite
from trulysparse.errors import DivergenceError, InputError
from trulysparse.evolution import Evolution
from trulysparse.evolution.fleet_evolver import FleetEvolver
from trulysparse.nn.fleet.call import FleetCalls
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.fleet.passes import FleetPasses
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.losses import make_loss
from trulysparse.nn.passes import tile_columns
from trulysparse.nn.sinks import Update
from trulysparse.optim import Optimizer, OptimizerState, check_optimizer
from trulysparse.optim.rules import all_fused, gradient_rule, rule_of, set_add
from trulysparse.optim.sgd import SGD
from trulysparse.training.fleet_loss import FleetLoss, checked_loss
from trulysparse.training.layer_watch import check_optimizer_state

_NOT_TRAINED = (
    "fleet must have a built-in activation, weights that can be written to, and neurons of at most 16384 connections "
    "to be trained"
)


class FleetTrainer:
    """Trains all agents of a fleet, each by samples of its own.

    An update computes and changes one agent after the other, each in the first caches, on all threads side by side.
    Agent i ends with the very bits that Trainer(fleet[i], optimizer=..., loss=...).step gives with the same samples,
    for any number of threads. With an evolution they are those of such a Trainer beside an Evolver(evolution, fleet[i],
    state, total_updates=..., seed=fleet.seed_of(i)) that is asked after each update.

    To go on where another FleetTrainer was, with the same bits: give its fleet and optimizer_state, set step_count, and
    call evolver.load_state_dict.

    Args:
        fleet: its layers are changed in place.
        optimizer: SGD, Adam or one of your own, of all agents, each with a state of its own; None: SGD().
        loss: a built-in loss, its name, or None for the one of the fleet's output activation; see Trainer.
        evolution: how topologies change, by updates, see FleetEvolver; None: they stay.
        total_updates: of the whole training, at least 1; needed by evolutions that end or decay with it. The
            learning rate's schedule counts them as one epoch then. None: not known.
        optimizer_state: of each of fleet.layers, to go on with; None: zero.
        threads: that compute; None: the fleet's.

    Attributes:
        fleet, optimizer, loss, total_updates, threads: as given.
        optimizer_state: of each layer.
        evolver: the FleetEvolver, or None.
        step_count: updates so far.

    Raises:
        InputError: where an argument is out of range or does not go with another.
        NotEnoughMemoryError: where the optimizer's state would not fit into memory.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> fleet = ts.Fleet(100, (4, 16, 2), density=0.5, seed=0, threads=1)
        >>> X = np.random.default_rng(0).standard_normal((100, 64, 4))
        >>> y = (X[:, :, 0] > 0).astype(int)  # 64 labels of each agent
        >>> trainer = ts.FleetTrainer(fleet, optimizer=ts.Adam(0.01), evolution=ts.SET(0.3, every_updates=20))
        >>> losses = [trainer.step(X, y) for _ in range(100)]
        >>> losses[0].shape, bool((losses[-1] < losses[0]).all())
        ((100,), True)
    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        optimizer: Optimizer | None = None,
        loss: Any = None,
        evolution: Evolution | None = None,
        total_updates: int | None = None,
        optimizer_state: Sequence[OptimizerState] | None = None,
        threads: int | None = None,
    ) -> None:
        if not isinstance(fleet, Fleet):
            raise InputError(f"fleet must be a Fleet, not {type(fleet).__name__}; a network is trained by Trainer")
        fleet.check_layers()
        optimizer = SGD() if optimizer is None else optimizer
        check_optimizer(optimizer)
        self.fleet, self.optimizer = fleet, optimizer
        self.loss: FleetLoss = checked_loss(make_loss(loss, fleet.output))
        self.threads = checks.thread_count(fleet.threads if threads is None else threads)
        self.total_updates = None if total_updates is None else checks.integer("total_updates", total_updates, low=1)
        self._calls = FleetCalls()
        self._gradient_calls = FleetCalls()
        self._passes: FleetPasses | None = None
        if self._calls.get(fleet) is None:
            raise InputError(_NOT_TRAINED)
        parameters = sum(layer.n_connections + layer.bias.size for layer in fleet.layers)
        if optimizer_state is None:
            memory.require(
                parameters * optimizer.n_slots * fleet.dtype.itemsize,
                f"the optimizer's state of {fleet.n_agents} agents",
                "choose an optimizer with less state, such as SGD without momentum",
            )
            self.optimizer_state = [layer.new_state(optimizer) for layer in fleet.layers]
        else:
            check_optimizer_state(fleet.network, optimizer_state, optimizer)
            self.optimizer_state = list(optimizer_state)
        self.evolver: FleetEvolver | None = None
        if evolution is not None:
            self.evolver = FleetEvolver(
                evolution, fleet, self.optimizer_state, total_updates=total_updates, threads=self.threads
            )
        self.step_count = 0

    def step(self, X: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """One update of each agent on its own samples; topologies evolve after it where that is due. An evolution that
        looks at gradients takes the place of an update.

        Args:
            X: (N, b, n_inputs), b samples of each agent, numbers of any type.
            y: (N, b) labels, or (N, b, n_outputs) values; see the loss.

        Returns:
            (N,) float64, each agent's mean loss before the update.

        Raises:
            InputError: where the samples do not fit the fleet or each other; nothing has changed then.
            DivergenceError: where the loss of agents is not finite; its message names the first. Those agents are as
                they were, all others have been updated, but for an optimizer of your own and an evolution that looks at
                gradients: of these no agent is changed. No topology evolves after the update then.
        """
        samples, targets = self._batch(X, y)
        evolver = self.evolver
        if evolver is not None and evolver.method.needs_gradient and evolver.due():
            losses = self._evolve_by_gradient(evolver, samples, targets)
        else:
            losses = self._update(samples, targets)
        self.step_count += 1
        if evolver is not None:
            evolver.step_done()
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad):
            raise DivergenceError(
                f"the loss of agent {bad[0]} is {losses[bad[0]]} at step {self.step_count - 1}, and {len(bad)} of "
                f"{len(losses)} agents have such a loss: lower the learning rate or scale the features"
            )
        if evolver is not None and not evolver.method.needs_gradient and evolver.due():
            evolver.evolve()
        return losses

    def gradients(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], list[ParameterGradient]]:
        """The losses and their gradients; parameters stay as they are.

        Args:
            X: see `step`.
            y: see `step`.

        Returns:
            (N,) losses, and of each layer the gradient of each agent's own loss along layer.values and layer.bias.

        Raises:
            InputError: see `step`.

        Example:
            >>> import numpy as np
            >>> import trulysparse as ts
            >>> trainer = ts.FleetTrainer(ts.Fleet(3, (4, 8, 2), density=0.5, output="identity", seed=0))
            >>> losses, gradients = trainer.gradients(np.ones((3, 5, 4)), np.zeros((3, 5, 2)))
            >>> losses.shape, gradients[0][0].shape == trainer.fleet.layers[0].values.shape
            ((3,), True)
        """
        samples, targets = self._batch(X, y)
        arrays = [layer.new_gradient() for layer in self.fleet.layers]
        return self._gradients(samples, targets, arrays), arrays

    def _update(self, samples: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
        total = self.total_updates
        progress = (0.0, None) if total is None else (min(1.0, self.step_count / total), 1)
        rule = self.optimizer.rule(self.step_count, *progress)
        columns = tile_columns(self.fleet.layer_sizes)
        if not all_fused(rule):
            arrays = [layer.new_gradient() for layer in self.fleet.layers]
            losses = self._gradients(samples, targets, arrays)
            if np.isfinite(losses).all():
                Update(self.optimizer_state, rule).apply(self.fleet.layers, arrays, self.threads)
            return losses
        n, sums = samples.shape[1], None
        losses = np.zeros(self.fleet.n_agents)
        last = (n - 1) // columns * columns
        if last:
            sums = [layer.new_gradient() for layer in self.fleet.layers]
            self._tiles(samples, targets, range(0, last, columns), sums, losses)
        set_add(rule, last > 0)
        rules = [rule_of(rule, number) for number in range(len(self.fleet.layers))]
        call = self._calls.get(self.fleet, self.optimizer_state, sums)
        self._run(call, samples, targets, last, n - last, rules, losses)
        return losses

    def _gradients(
        self, samples: NDArray[Any], targets: NDArray[Any], arrays: list[ParameterGradient]
    ) -> NDArray[np.float64]:
        losses = np.zeros(self.fleet.n_agents)
        tiles = range(0, samples.shape[1], tile_columns(self.fleet.layer_sizes))
        self._tiles(samples, targets, tiles, arrays, losses)
        return losses

    def _tiles(
        self,
        samples: NDArray[Any],
        targets: NDArray[Any],
        starts: range,
        arrays: list[ParameterGradient],
        losses: NDArray[np.float64],
    ) -> None:
        """Puts the gradients of tiles of samples into arrays, added up."""
        call = self._gradient_calls.get(self.fleet, None, arrays)
        for start in starts:
            rules = [gradient_rule(add=start > 0)] * len(self.fleet.layers)
            count = min(starts.step, samples.shape[1] - start)
            self._run(call, samples, targets, start, count, rules, losses)

    def _run(
        self,
        call: _kernels.FleetCall | None,
        samples: NDArray[Any],
        targets: NDArray[Any],
        first: int,
        count: int,
        rules: list[Any],
        losses: NDArray[np.float64],
    ) -> None:
        if call is None:  # layers have been replaced, or a neuron has grown too many connections
            raise InputError(_NOT_TRAINED)
        share: Floats = np.zeros(int(_kernels.padded_batch(count)), self.fleet.dtype)
        share[:count] = 1.0 / samples.shape[1]
        labels = targets if targets.ndim == 2 else None
        call.step(
            samples.reshape(-1, samples.shape[2]),
            labels=labels,
            targets=None if labels is not None else targets.reshape(-1, targets.shape[2]),
            first=first,
            count=count,
            kind=self.loss.kind,
            delta=self.loss.delta,
            summed=self.loss.summed,
            sample_weight=share,
            rules=rules,
            losses=losses,
            threads=self.threads,
        )

    def _evolve_by_gradient(
        self, evolver: FleetEvolver, samples: NDArray[Any], targets: NDArray[Any]
    ) -> NDArray[np.float64]:
        """An evolution of whole batches in place of an update."""
        fleet, n = self.fleet, samples.shape[1]
        columns = int(_kernels.padded_batch(n))
        if self._passes is None or self._passes.columns != columns:
            self._passes = None  # frees the memory of before
            self._passes = FleetPasses([fleet], columns, self.threads)
        passes = self._passes
        passes.x[:, :, :n], passes.x[:, :, n:] = samples.transpose(0, 2, 1), 0
        (z,) = passes.forward()
        losses = self.loss.gradients(z, targets, self.threads)
        if np.isfinite(losses).all():
            passes.backward_one(0, z, evolver.start())
        return losses

    def _batch(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Samples and targets as the kernels take them, or InputError."""
        self.fleet.check_layers()
        for number, (layer, state) in enumerate(zip(self.fleet.layers, self.optimizer_state, strict=True)):
            if any(values.shape != layer.values.shape for values in state.weight):
                raise InputError(
                    f"optimizer_state[{number}] does not fit the {layer.n_connections} connections that the layer has "
                    "now: agents have been replaced; make a trainer anew"
                )
        samples, targets = self._samples(X), self.loss.targets(y, self.fleet)
        if targets.shape[:2] != samples.shape[:2]:
            raise InputError(f"y must have the {samples.shape[1]} samples of each agent of X, not {targets.shape[1]}")
        return samples, targets

    def _samples(self, X: ArrayLike) -> NDArray[Any]:
        given = np.asarray(X)
        fleet = self.fleet
        wanted = fleet.n_agents, fleet.layer_sizes[0]
        if given.ndim != 3 or given.shape[::2] != wanted or not given.shape[1]:
            raise InputError(f"X must have the shape ({wanted[0]}, b, {wanted[1]}), not {given.shape}")
        if given.dtype.kind not in "fiub":
            raise InputError(f"X must hold numbers, not {given.dtype}")
        if not given.flags.c_contiguous or not kernel_readable(given):
            given = np.ascontiguousarray(given, fleet.dtype)
        if given.dtype.kind == "f" and not _kernels.all_finite(given, self.threads):
            raise InputError(f"X must hold finite numbers, but it has {not_finite(given)}")
        return given
