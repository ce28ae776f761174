"""From settings and data to a trainer: one with a network that is made now, or as a checkpoint has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import memory
from trulysparse._core.progress import Progress
from trulysparse.cli._checkpoints import naming_damage, position_of, read_newest
from trulysparse.cli._console import show
from trulysparse.cli._fold_scores import FoldScores
from trulysparse.cli._plan_text import advice, plan_rows
from trulysparse.cli._run import CHECKPOINT
from trulysparse.cli._settings import Settings
from trulysparse.data import Scaling, as_matrix, f_scores, fit_scaling, fit_target_scaling, unscaled
from trulysparse.data.table import Table
from trulysparse.errors import NotEnoughMemoryError
from trulysparse.io import checkpoints
from trulysparse.io.checkpoint_folder import LAYERS, open_network, position_in_files
from trulysparse.io.position import Position
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import OptimizerState
from trulysparse.parallel import WASAP
from trulysparse.planning import plan as planning
from trulysparse.recipe.options import F_SCORE, known
from trulysparse.task.dataset import Dataset, Samples
from trulysparse.training import Trainer


@dataclass
class TrainingRun:
    """A training that is about to start."""

    settings: Settings
    out: Path
    threads: int | None
    table: Table
    dataset: Dataset
    parallel: WASAP | None
    seconds: dict[str, float] = field(default_factory=dict)
    folds: FoldScores | None = None
    member: int = 0
    """Number of the network of an ensemble that is trained."""

    def spend(self, part: str, seconds: float) -> None:
        """Adds to the seconds of a part."""
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds

    @property
    def own(self) -> Settings:
        """The settings of the network that is trained, with its seed."""
        return self.settings.member(self.member)

    @property
    def notes(self) -> list[str]:
        """What was detected or guessed in the data."""
        return [*self.table.notes, *self.dataset.notes]

    @property
    def target_text(self) -> str:
        """What is predicted, as a table shows it."""
        task = self.dataset.task
        name = ", ".join(task.targets) if task.targets else "y"
        count = {
            "classification": f"classes: {', '.join(map(str, (task.labels if task.labels is not None else [])[:6]))}",
            "multilabel": "labels, any number per sample",
            "regression": "regression",
        }[task.kind]
        more = ", ..." if task.kind == "classification" and task.n_outputs > 6 else ""
        number = f"{task.n_outputs} " if task.n_outputs > 1 and task.kind != "regression" else ""
        return f"{name} ({number}{count}{more})"

    def trainer(self, net: SparseMLP, optimizer_state: list[OptimizerState] | None = None) -> Trainer:
        """The trainer of a network."""
        return self.own.trainer(net, parallel=self.parallel, optimizer_state=optimizer_state)

    def started(self, progress: Progress) -> Trainer:
        """A trainer with a network that is made now."""
        n_inputs, *_, n_outputs = self.layer_sizes
        folder = self.out / CHECKPOINT / LAYERS
        output = self.dataset.task.output
        scaling = self._scaling(progress)
        net = self.own.network(
            n_inputs,
            n_outputs,
            output=output,
            samples=(self.dataset.train.X, self.dataset.train.y),
            folder=folder,
            threads=self.threads,
            progress=progress,
            scores=self._scores(scaling),
        )
        self._fit_to_data(net, scaling)
        return self.trainer(net)

    def _scaling(self, progress: Progress) -> Scaling | None:
        dataset = self.dataset
        scaling = fit_scaling(
            self.settings.scale,
            as_matrix(dataset.train.X),
            progress=progress,
            augmentation=self.settings.make_augmentation(),
        )
        if scaling is not None and dataset.preprocessor is not None:
            scaling = unscaled(scaling, dataset.preprocessor.scaled_)
        return scaling

    def _scores(self, scaling: Scaling | None) -> NDArray[np.float64] | None:
        """What each input says of the targets, where connections are drawn by it."""
        if self.settings.connectivity != F_SCORE:
            return None
        train = self.dataset.train
        return f_scores(train.X, train.y, scaling=scaling)

    def _fit_to_data(self, net: SparseMLP, scaling: Scaling | None) -> None:
        """Gives a network the names of its inputs and outputs, and what is done to samples and targets."""
        dataset = self.dataset
        net.labels = dataset.task.labels
        net.preprocessor = dataset.preprocessor
        net.feature_names = None if dataset.feature_names is None else tuple(dataset.feature_names)
        net.target_scaling = fit_target_scaling(dataset.train.y) if dataset.task.kind == "regression" else None
        net.scaling = scaling

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Of the network, from the data's features to its outputs."""
        return self.dataset.n_features, *known(self.settings.resolved().hidden), self.dataset.task.n_outputs

    @property
    def scored(self) -> Samples | None:
        """The samples that are scored after each epoch."""
        return self.dataset.validation or self.dataset.test

    def require_memory(self) -> None:
        """NotEnoughMemoryError, with the plan's table and what would fit, where the network does not."""
        plan = planning.plan(self.settings.plan_request(self.layer_sizes), measure=False)
        free = memory.free_bytes()
        if free is not None and plan.resident > free:
            show("-".join(map(str, self.layer_sizes)), plan_rows(plan, None))
            raise NotEnoughMemoryError(advice(plan, planning.best_request(plan.request, free), free))

    def resumed(self, progress: Progress) -> tuple[Trainer, Position]:
        """The trainer as the checkpoint has it, and where it is; InputError where the checkpoint is damaged."""
        folder = self.out / CHECKPOINT
        if not self.settings.on_disk:
            return read_newest(folder, self.trainer, self.threads, progress)
        with naming_damage(folder):
            net, optimizer_state, state = open_network(folder, self.threads)
            trainer = self.trainer(net, optimizer_state)
            checkpoints.restore_counters(trainer, state)
            self._fit_to_data(net, self._scaling(progress))
            position_of(state["position"])
            return trainer, position_in_files(folder, state)
