"""Topology evolution in the course of training: when it is due, with or without a batch's gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from trulysparse._core.arrays import Stored
from trulysparse._core.progress import Progress
from trulysparse._core.random import stream_key
from trulysparse.evolution import Evolution
from trulysparse.evolution.step import EvolutionStep
from trulysparse.io.position import Position
from trulysparse.nn.activations_buffer import Activations
from trulysparse.training.passes import Batch
from trulysparse.training.step import TrainingStep


class _EvolvingSink:
    """Evolves each layer on the gradients of a batch, in place of its update."""

    def __init__(self, current: EvolutionStep) -> None:
        self._current = current
        self.grown = 0

    def take(self, number: int, layer: Any, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        evolves = number in self._current.views
        if evolves:
            self._current.decide(number, x.values, dy)
        if dx is not None:  # with the connections that made the signals
            layer.input_gradient(dy, x, dx, threads)
        if evolves:
            self.grown += self._current.apply(number)


class TopologyEvolution:
    """Carries out an evolution on the network of a TrainingStep, optimizer state included.

    Args:
        method: the evolution.
        step: whose network and optimizer state it changes.

    Attributes:
        evolution_state: what the rules remember from one evolution to the next, by layer.
    """

    def __init__(self, method: Evolution, step: TrainingStep) -> None:
        self.method = method
        self.evolution_state: dict[str, Any] = {}
        self._step = step

    def forget_connections(self) -> None:
        """Drops what is remembered of single connections, which are others now."""
        for remembered in self.evolution_state.values():
            if isinstance(remembered, dict):
                for name in [name for name, value in remembered.items() if isinstance(value, np.ndarray)]:
                    del remembered[name]

    def evolve(self, training_progress: float, position: Position, progress: Progress) -> int:
        """Evolves without gradients.

        Args:
            training_progress: share of training that is over.
            position: begins at layer position.evolved_layers, where an earlier run was broken off.
            progress: called as layers have evolved.

        Returns:
            How many connections were added.
        """
        current = self._start(training_progress)
        total = sum(view.layer.n_connections for view in current.views.values())
        done = grown = 0
        for number, view in current.views.items():
            done += view.layer.n_connections
            if number >= position.evolved_layers:  # those before have evolved before a break
                grown += current.evolve_layer(number)
                position.evolved_layers = number + 1
                progress("evolving", done, total)
        position.evolved_layers = 0
        self._step.remember_layers()
        return grown

    def evolve_on(self, batch: Batch, training_progress: float) -> tuple[int, float]:
        """Evolves on a batch's gradients, in place of an update: (number of added connections, loss)."""
        sink = _EvolvingSink(self._start(training_progress))
        value = self._step.backward_to(sink, batch)
        self._step.remember_layers()
        self._step.count += 1
        return sink.grown, value

    def _start(self, training_progress: float) -> EvolutionStep:
        step = self._step
        key = stream_key(step.seed, "evolution", step.count)
        threads = step.passes.threads
        return self.method.start(
            step.net,
            step.optimizer_state,
            key=key,
            threads=threads,
            training_progress=training_progress,
            evolution_state=self.evolution_state,
        )
