"""Learner: networks that learn together, with optimizer state, topology evolution and target networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats, zeros
from trulysparse._core.random import stream_key
from trulysparse.evolution import Evolution, Evolver
from trulysparse.nn.activations import Activation
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.sinks import Gradients, InputGradient, Sink, Update
from trulysparse.nn.soft_update_all import soft_update_all
from trulysparse.nn.tile_pass import TilePass
from trulysparse.optim import Adam, Optimizer
from trulysparse.optim.clipping import clip_factor, global_norm
from trulysparse.optim.optimizer import check_optimizer
from trulysparse.optim.rules import all_fused


class Learner:
    """Networks of the same sizes that learn from the same batches, such as an actor or the twin critics of TD3.

    Values of a batch are laid out as (neurons, columns), one column per sample. A batch fills the first `batch_size`
    columns; those beyond count for nothing. All networks take the same input `x`, and their passes are one call of the
    kernels, side by side where there are threads for it.

    Target networks have the very connectivity of the networks they follow, at every moment: where a topology evolves,
    its target takes the new one, keeps the weights of connections that stay and starts new ones at 0.

    Args:
        layer_sizes: neurons per layer, the input first.
        batch_size: samples per update, at least 1.
        n_networks: how many networks, at least 1.
        density: see SparseMLP; one number, or one per layer.
        epsilon: see SparseMLP.
        densities: see SparseMLP.
        activation: of the hidden layers.
        optimizer: of all networks, each with a state of its own. Its schedule counts a training as one epoch.
        evolution: how topologies change, by updates; None: not at all.
        evolving: numbers of the layers that evolve, from 0; None: see Evolver.
        total_updates: of the whole training; see `set_total_updates`.
        target: whether the networks have target networks.
        max_grad_norm: gradients of a network are scaled down to this norm, where theirs is larger; None: never.
        seed: of topologies and weights.
        threads: at least 1; the same bits for any number.

    Attributes:
        nets: the networks that learn.
        targets: their target networks; empty without.
        x: (n_inputs, columns) float32, the input of `nets`, to be written to.
        target_x: the same of `targets`.
        dy: for each network, (n_outputs, columns): the gradient of the loss at its output, to be written to.
        columns: width of all these arrays, at least batch_size.
        n_updates: so far.
        replaced: connections that evolution has replaced so far, in all networks.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Fujimoto et al., "Addressing function approximation error in actor-critic methods" (2018), for twin critics;
        Tan et al., "RLx2" (2023), for targets that share the topology.

    Example:
        Two networks learn the sum of their inputs:

        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.rl.learner import Learner
        >>> twins = Learner((4, 32, 1), batch_size=16, n_networks=2, density=0.5, optimizer=ts.Adam(0.01))
        >>> rng = np.random.default_rng(0)
        >>> for _ in range(300):
        ...     twins.x[:] = rng.standard_normal(twins.x.shape)
        ...     for z, dz in zip(twins.forward(), twins.dy):
        ...         dz[:] = (z - twins.x.sum(axis=0)) * 2 / 16
        ...     twins.update()
        ...     twins.soft_update(0.1)
        >>> twins.target_x[:] = 0.5
        >>> [bool(abs(z[0, 0] - 2) < 0.3) for z in twins.forward_targets()]
        [True, True]
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        batch_size: int,
        n_networks: int = 1,
        density: float | Sequence[float] | None = None,
        epsilon: float | Sequence[float] | None = None,
        densities: str = "erk",
        activation: Activation | str = "relu",
        optimizer: Optimizer | None = None,
        evolution: Evolution | None = None,
        evolving: Sequence[int] | None = None,
        total_updates: int | None = None,
        target: bool = True,
        max_grad_norm: float | None = None,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.batch_size = checks.integer("batch_size", batch_size, low=1)
        checks.integer("n_networks", n_networks, low=1)
        self.optimizer = Adam() if optimizer is None else optimizer
        check_optimizer(self.optimizer)
        if max_grad_norm is not None:
            checks.real("max_grad_norm", max_grad_norm, low=0, low_open=True)
        self.max_grad_norm = max_grad_norm
        self.evolution, self.evolving, self.seed = evolution, evolving, seed
        self.threads = checks.thread_count(threads)
        self.nets = [
            SparseMLP(
                layer_sizes,
                density=density,
                epsilon=epsilon,
                densities=densities,
                activation=activation,
                output="identity",
                init="uniform",
                fan="sparse",
                balance=False,
                seed=stream_key(seed, "network", number) >> 1,
                threads=self.threads,
            )
            for number in range(n_networks)
        ]
        self.targets = [net.copy() for net in self.nets] if target else []
        self.optimizer_state = [[layer.new_state(self.optimizer) for layer in net.layers] for net in self.nets]
        self.columns = int(_kernels.padded_batch(batch_size))
        self._passes = _passes(self.nets, self.columns)
        self._target_passes = _passes(self.targets, self.columns)
        self.x = self._passes[0].signals[0].values
        self.target_x = self._target_passes[0].signals[0].values if target else zeros(0, np.dtype(np.float32))
        n_inputs, n_outputs = self.nets[0].layer_sizes[0], self.nets[0].layer_sizes[-1]
        self.dy = [zeros(n_outputs * self.columns, self.nets[0].dtype).reshape(n_outputs, -1) for _ in self.nets]
        self._dx = [zeros(n_inputs * self.columns, self.nets[0].dtype).reshape(n_inputs, -1) for _ in self.nets]
        self._keys = [[0] * len(net.layers) for net in self.nets]
        self._sums: list[list[ParameterGradient]] | None = None
        self.n_updates = 0
        self.replaced = 0
        self._evolvers: list[Evolver] | None = None
        self.total_updates: int | None = None
        self.set_total_updates(total_updates)

    def set_total_updates(self, total: int | None) -> None:
        """Says how many updates the whole training will have, on which ends and decays that are shares of it depend.

        Args:
            total: at least 1, those that are over among them; None: not known.

        Raises:
            InputError: where the evolution depends on it, and it is None, at the next update.
        """
        self.total_updates = None if total is None else checks.integer("total_updates", total, low=1)
        for evolver in self._evolvers or ():
            evolver.total_updates = self.total_updates

    @property
    def evolvers(self) -> list[Evolver]:
        """The evolution of each network, made at the first update; empty where topologies stay."""
        if self._evolvers is None:
            self._evolvers = []
            if self.evolution is not None:
                self._evolvers = [
                    Evolver(
                        self.evolution,
                        net,
                        state,
                        total_updates=self.total_updates,
                        seed=net.seed,
                        threads=self.threads,
                        evolving=self.evolving,
                    )
                    for net, state in zip(self.nets, self.optimizer_state, strict=True)
                ]
        return self._evolvers

    @property
    def n_connections(self) -> int:
        """Of all networks that learn, their targets not counted."""
        return sum(net.n_connections for net in self.nets)

    @property
    def progress(self) -> tuple[float, int | None]:
        """How far the training is, as schedules count it: the share that is over, of 1 epoch; (0, None): not known."""
        total = self.total_updates
        return (0.0, None) if total is None else (min(1.0, self.n_updates / total), 1)

    # ---- passes ----

    def forward(self) -> list[Floats]:
        """Computes all networks on `x`.

        Returns:
            The output of each, (n_outputs, columns), in memory that the next pass overwrites.
        """
        return _forward(self._passes, self._keys, self.threads)

    def output(self, number: int) -> Floats:
        """As `forward`, of one network alone; its number counts from 0."""
        return _forward([self._passes[number]], self._keys, self.threads)[0]

    def forward_targets(self) -> list[Floats]:
        """Computes all target networks on `target_x`.

        Returns:
            As `forward`.
        """
        return _forward(self._target_passes, self._keys, self.threads)

    def input_gradient(self, network: int = 0) -> Floats:
        """Takes dy[network] back to the input, after `forward`; parameters stay as they are.

        Args:
            network: its number.

        Returns:
            (n_inputs, columns), in memory that the next such pass overwrites.
        """
        self._pad(network)
        self._passes[network].backward(self.dy[network], InputGradient(), self.threads, self._dx[network])
        return self._dx[network]

    def input_gradients(self) -> list[Floats]:
        """As `input_gradient`, of all networks in one call."""
        sink, chains = InputGradient(), []
        for number, tile in enumerate(self._passes):
            self._pad(number)
            links = tile.backward_calls(self.dy[number], sink, self._dx[number])
            if links is None:
                tile.backward(self.dy[number], sink, self.threads, self._dx[number])
            else:
                chains.append(links)
        if chains:
            _kernels.run_backward(chains, self.threads)
        return self._dx

    def hidden(self, network: int = 0) -> list[Floats]:
        """Activations of the hidden layers after `forward`, (n_neurons, columns) each, gone after a backward pass."""
        return [signal.values for signal in self._passes[network].signals[1:-1]]

    # ---- learning ----

    def update(self) -> None:
        """Takes `dy` back through each network and lets the optimizer step, then counts.

        When evolution is due, networks evolve after the step or, by methods that look at gradients, in place of the
        next one.
        """
        for number in range(len(self.nets)):
            self._pad(number)
        evolvers = self.evolvers
        if evolvers and evolvers[0].method.needs_gradient and evolvers[0].due():
            self._evolve(by_gradient=True)
        else:
            self._step()
        self.n_updates += 1
        for evolver in evolvers:
            evolver.step_done()
        if evolvers and not evolvers[0].method.needs_gradient and evolvers[0].due():
            self._evolve(by_gradient=False)

    def soft_update(self, tau: float) -> None:
        """Draws the target networks towards those that learn: w + tau * (w_online - w).

        Args:
            tau: 0 to 1; 1 copies.
        """
        soft_update_all(self.targets, self.nets, tau)

    def _step(self) -> None:
        """A step of the optimizer."""
        rule = self.optimizer.rule(self.n_updates, *self.progress)
        if self.max_grad_norm is not None or not all_fused(rule):
            self._step_by_arrays(rule)
            return
        chains = []
        for tile, dy, state in zip(self._passes, self.dy, self.optimizer_state, strict=True):
            sink = Update(state, rule)
            links = tile.backward_calls(dy, sink, None)
            if links is None:
                tile.backward(dy, sink, self.threads)
            else:
                chains.append(links)
        if chains:
            _kernels.run_backward(chains, self.threads)

    def _step_by_arrays(self, rule: Any) -> None:
        """A step for which gradients are needed in arrays first."""
        for tile, dy, state in zip(self._passes, self.dy, self.optimizer_state, strict=True):
            layers = tile.net.layers
            gradients = [layer.new_gradient() for layer in layers]
            tile.backward(dy, Gradients(gradients), self.threads)
            factor = 1.0
            if self.max_grad_norm is not None:
                factor = clip_factor(global_norm(gradients, self.threads), self.max_grad_norm)
            Update(state, rule).apply(layers, gradients, self.threads, factor)

    def _evolve(self, *, by_gradient: bool) -> None:
        for number, evolver in enumerate(self.evolvers):
            if by_gradient:
                step = evolver.start()
                sink: Sink = step
                self._passes[number].backward(self.dy[number], sink, self.threads)
                self.replaced += step.n_added
            else:
                self.replaced += evolver.evolve()
            if self.targets:
                self.targets[number].take_topology(self.nets[number])

    def _pad(self, number: int) -> None:
        """Columns beyond the samples have no gradient."""
        if self.columns > self.batch_size:
            self.dy[number][:, self.batch_size :] = 0


def _passes(nets: Sequence[SparseMLP], columns: int) -> list[TilePass]:
    """A pass of each network, all on the same input."""
    passes = [TilePass(net, net.workspace().signals(columns, 1.0)) for net in nets]
    for each in passes:
        each.signals[0].values[:] = 0
        each.signals[0] = passes[0].signals[0]
    return passes


def _forward(passes: Sequence[TilePass], keys: Sequence[Sequence[int]], threads: int) -> list[Floats]:
    chains: list[Any] = []
    for tile in passes:
        calls = tile.forward_calls()
        if calls is None:
            tile.forward(0, threads)
        else:
            chains.append(calls)
    if chains:
        _kernels.run_forward(chains, keys[: len(chains)], threads)
    return [tile.signals[-1].values for tile in passes]
