"""Topology evolution in the course of training: when it is due, with or without a batch's gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trulysparse._core.arrays import Stored
from trulysparse._core.random import stream_key
from trulysparse.evolution import Evolution
from trulysparse.evolution.step import EvolutionStep
from trulysparse.nn.layers.indexed import Activations
from trulysparse.training.fit_data import Batch
from trulysparse.training.position import Position
from trulysparse.training.step import TrainingStep


class _EvolvingSink:
    """Evolves each layer on the gradients of a batch, in the place of its update."""

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
    """Carries out an evolution on the network of a TrainingStep, optimizer state included. memory: what the rules keep
    from one evolution to the next, by layer."""

    def __init__(self, method: Evolution, step: TrainingStep) -> None:
        self.method = method
        self.evolution_state: dict[str, Any] = {}
        self._step = step

    def forget_connections(self) -> None:
        """Forgets what is remembered of single connections: there are others now."""
        for kept in self.evolution_state.values():
            if isinstance(kept, dict):
                for name in [name for name, value in kept.items() if isinstance(value, np.ndarray)]:
                    del kept[name]

    def evolve(self, progress: float, position: Position, tell: Callable[[str, float, float], None]) -> int:
        """Evolves without gradients, from layer position.evolved_layers on, where an earlier run was broken off;
        returns how many connections came. progress: share of training that is over."""
        current = self._start(progress)
        total = sum(view.layer.n_connections for view in current.views.values())
        done = grown = 0
        for number, view in current.views.items():
            done += view.layer.n_connections
            if number >= position.evolved_layers:  # those before have evolved before a break
                grown += current.evolve_layer(number)
                position.evolved_layers = number + 1
                tell("evolving", done, total)
        position.evolved_layers = 0
        self._step.note()
        return grown

    def evolve_on(self, batch: Batch, progress: float) -> tuple[int, float]:
        """Evolves on a batch's gradients, in the place of an update: (connections that came, loss)."""
        sink = _EvolvingSink(self._start(progress))
        value = self._step.backward_to(sink, batch)
        self._step.note()
        self._step.count += 1
        return sink.grown, value

    def _start(self, progress: float) -> EvolutionStep:
        step = self._step
        key = stream_key(step.seed, "evolution", step.count)
        threads = step.passes.threads
        return self.method.start(
            step.net,
            step.optimizer_state,
            key=key,
            threads=threads,
            training_progress=progress,
            evolution_state=self.evolution_state,
        )
