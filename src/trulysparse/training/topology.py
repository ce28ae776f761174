"""Topology evolution in the course of training: when it is due, with or without a batch's gradients."""

from __future__ import annotations

from typing import Any

from trulysparse._core.progress import Progress
from trulysparse.evolution import Evolution
from trulysparse.evolution.clock import evolution_key
from trulysparse.evolution.evolver import forget_connections
from trulysparse.evolution.step import EvolutionStep
from trulysparse.io.position import Position
from trulysparse.training.batch import Batch
from trulysparse.training.step import TrainingStep


class TopologyEvolution:
    """Carries out an evolution on the network of a TrainingStep, optimizer state included. What an Evolver is for a
    loop of one's own; here training progress comes from the loop, and what remains of a broken off evolution from its
    position.

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
        self._total_updates: int | None = None

    def due(self, done: int, steps_per_epoch: int, total: int) -> bool:
        """Whether to evolve after `done` of the `total` updates of a training, which ends in updates then refer to."""
        self._total_updates = total
        return self.method.due(done, steps_per_epoch, total)

    def forget_connections(self) -> None:
        """Drops what is remembered of single connections, which are others now."""
        forget_connections(self.evolution_state)

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
        done = 0
        for number, view in current.views.items():
            done += view.layer.n_connections
            if number >= position.evolved_layers:  # those before have evolved before a break
                current.evolve_layer(number)
                position.evolved_layers = number + 1
                progress("evolving", done, total)
        position.evolved_layers = 0
        self._step.remember_layers()
        return current.n_added

    def evolve_on(self, batch: Batch, training_progress: float) -> tuple[int, float]:
        """Evolves on a batch's gradients, in place of an update: (number of added connections, loss)."""
        current = self._start(training_progress)
        value = self._step.backward_to(current, batch)
        self._step.remember_layers()
        self._step.count += 1
        return current.n_added, value

    def _start(self, training_progress: float) -> EvolutionStep:
        step = self._step
        return self.method.start(
            step.net,
            step.optimizer_state,
            key=evolution_key(step.seed, step.count),
            threads=step.passes.threads,
            training_progress=training_progress,
            evolution_state=self.evolution_state,
            total_updates=self._total_updates,
        )
