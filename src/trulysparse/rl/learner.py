"""Learner: networks that learn together, with optimizer state, topology evolution and target networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats, zeros
from trulysparse.evolution import Evolution
from trulysparse.nn.activations import Activation
from trulysparse.nn.sinks import Gradients, InputGradient, Sink, Update
from trulysparse.nn.soft_update_all import soft_update_all
from trulysparse.optim import Adam, Optimizer
from trulysparse.optim.clipping import clip_blocks, clip_factor, global_norm
from trulysparse.optim.optimizer import check_optimizer
from trulysparse.optim.rules import all_fused
from trulysparse.rl.networks import new_evolver, new_networks, new_passes


class Learner:
    """Networks of the same sizes that learn from the same batches, such as an actor or the twin critics of TD3.

    Values of a batch are laid out as (neurons, columns), one column per sample. A batch fills the first `batch_size`
    columns; those beyond count for nothing. All networks take the same input `x`, and their passes are one call of the
    kernels, side by side where there are threads for it.

    Target networks have the very connectivity of the networks they follow, at every moment: where a topology evolves,
    its target takes the new one, keeps the weights of connections that stay and starts new ones at 0.

    With `n_agents` each of the networks is a fleet: as many networks as there are agents, each of which learns from
    batches of its own. All arrays then have an axis more, of the agents, before the others.

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
        n_agents: of the fleets that learn in place of networks, at least 1; None: networks.
        seed: of topologies and weights.
        threads: at least 1; the same bits for any number.

    Attributes:
        nets: the networks that learn, or fleets.
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
        n_agents: int | None = None,
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
        self.n_agents = None if n_agents is None else checks.integer("n_agents", n_agents, low=1)
        self.nets = new_networks(
            n_networks,
            layer_sizes,
            self.n_agents,
            seed,
            density=density,
            epsilon=epsilon,
            densities=densities,
            activation=activation,
            threads=self.threads,
        )
        self.targets = [net.copy() for net in self.nets] if target else []
        self.optimizer_state = [[layer.new_state(self.optimizer) for layer in net.layers] for net in self.nets]
        self.columns = int(_kernels.padded_batch(batch_size))
        self._online = new_passes(self.nets, self.columns, self.threads)
        self._target = new_passes(self.targets, self.columns, self.threads) if target else None
        self.dy = [self._batch_array(self.nets[0].layer_sizes[-1]) for _ in self.nets]
        self._dx = [self._batch_array(self.nets[0].layer_sizes[0]) for _ in self.nets]
        self.n_updates = 0
        self.replaced = 0
        self._evolvers: list[Any] | None = None
        self.total_updates: int | None = None
        self.set_total_updates(total_updates)

    def _batch_array(self, n: int) -> Floats:
        """(n, columns) zeros, or those of a fleet."""
        shape = (n, self.columns) if self.n_agents is None else (self.n_agents, n, self.columns)
        return zeros(math.prod(shape), self.nets[0].dtype).reshape(shape)

    @property
    def x(self) -> Floats:
        """The input of `nets`."""
        inputs: Floats = self._online.x
        return inputs

    @property
    def target_x(self) -> Floats:
        """The input of `targets`; empty without."""
        inputs: Floats = zeros(0, np.dtype(np.float32)) if self._target is None else self._target.x
        return inputs

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
    def evolvers(self) -> list[Any]:
        """The evolution of each network, an Evolver, or of each fleet, a FleetEvolver, made at the first update; empty
        where topologies stay."""
        if self._evolvers is None:
            self._evolvers = []
            if self.evolution is not None:
                self._evolvers = [
                    new_evolver(
                        self.evolution,
                        net,
                        state,
                        total_updates=self.total_updates,
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
        outputs: list[Floats] = self._online.forward()
        return outputs

    def output(self, number: int) -> Floats:
        """As `forward`, of one network alone; its number counts from 0."""
        output: Floats = self._online.forward(number)[0]
        return output

    def forward_targets(self) -> list[Floats]:
        """Computes all target networks on `target_x`.

        Returns:
            As `forward`.
        """
        assert self._target is not None, "the learner has no targets"
        outputs: list[Floats] = self._target.forward()
        return outputs

    def input_gradient(self, network: int = 0) -> Floats:
        """Takes dy[network] back to the input, after `forward`; parameters stay as they are.

        Args:
            network: its number.

        Returns:
            (n_inputs, columns), in memory that the next such pass overwrites.
        """
        self._pad(network)
        self._online.input_gradient(network, self.dy[network], self._dx[network])
        return self._dx[network]

    def input_gradients(self) -> list[Floats]:
        """As `input_gradient`, of all networks in one call."""
        for number in range(len(self.nets)):
            self._pad(number)
        self._online.backward(self.dy, [InputGradient()] * len(self.nets), self._dx)
        return self._dx

    def hidden(self, network: int = 0) -> list[Floats]:
        """Activations of the hidden layers after `forward`, (n_neurons, columns) each, gone after a backward pass."""
        hidden: list[Floats] = self._online.hidden(network)
        return hidden

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
        self._online.backward(self.dy, [Update(state, rule) for state in self.optimizer_state], [None] * len(self.nets))

    def _step_by_arrays(self, rule: Any) -> None:
        """A step for which gradients are needed in arrays first."""
        gradients = [[layer.new_gradient() for layer in net.layers] for net in self.nets]
        self._online.backward(self.dy, [Gradients(each) for each in gradients], [None] * len(self.nets))
        for net, state, each in zip(self.nets, self.optimizer_state, gradients, strict=True):
            factor = 1.0
            if self.max_grad_norm is not None and self.n_agents is not None:
                clip_blocks(each, [net.blocks(layer) for layer in net.layers], self.max_grad_norm)
            elif self.max_grad_norm is not None:
                factor = clip_factor(global_norm(each, self.threads), self.max_grad_norm)
            Update(state, rule).apply(net.layers, each, self.threads, factor)

    def _evolve(self, *, by_gradient: bool) -> None:
        for number, evolver in enumerate(self.evolvers):
            if by_gradient:
                step = evolver.start()
                sink: Sink = step
                self._online.backward_one(number, self.dy[number], sink)
                self.replaced += step.n_added
            else:
                self.replaced += evolver.evolve()
            if self.targets:
                self.targets[number].take_topology(self.nets[number])

    def _pad(self, number: int) -> None:
        """Columns beyond the samples have no gradient."""
        if self.columns > self.batch_size:
            self.dy[number][..., self.batch_size :] = 0
