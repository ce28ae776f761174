"""From settings and data to a trainer: one with a network that is made now, or as a checkpoint has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trulysparse._core import memory
from trulysparse._core.progress import Progress
from trulysparse.cli._checkpoints import position_of
from trulysparse.cli._console import show
from trulysparse.cli._run import CHECKPOINT
from trulysparse.cli._settings import Settings
from trulysparse.cli.plan import advice, plan_rows
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.data.dataset import Dataset
from trulysparse.data.files import Table
from trulysparse.errors import InputError, NotEnoughMemoryError
from trulysparse.evolution import Evolution
from trulysparse.io import checkpoints
from trulysparse.io.checkpoint_folder import LAYERS, STATE, open_network
from trulysparse.io.position import Position
from trulysparse.nn import activations
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import OptimizerState
from trulysparse.parallel import WASAP
from trulysparse.planning.plan import PlanRequest, best_request
from trulysparse.planning.plan import plan as make_plan
from trulysparse.training import Trainer


@dataclass
class Work:
    """A training that is about to start."""

    settings: Settings
    out: Path
    threads: int | None
    table: Table
    dataset: Dataset
    topology: Evolution | None
    plan: WASAP | None

    def trainer(self, net: SparseMLP, optimizer_state: list[OptimizerState] | None = None) -> Trainer:
        """The trainer of a network."""
        s = self.settings
        return Trainer(
            net,
            optimizer=s.make_optimizer(),
            evolution=self.topology,
            batch_size=s.batch_size,
            micro_batch_size=s.micro_batch_size,
            recompute=s.recompute,
            dropout=s.dropout,
            seed=s.seed,
            parallel=self.plan,
            optimizer_state=optimizer_state,
        )

    def started(self, progress: Progress) -> Trainer:
        """A trainer with a network that is made now."""
        s = self.settings
        net = SparseMLP(
            self.layer_sizes,
            epsilon=s.epsilon,
            density=s.density,
            connectivity=s.connectivity,
            activation=activations.make_activation(s.activation, s.alpha),
            init=s.init,
            fan=s.fan,
            balance=s.balance,
            storage=s.storage,
            weights=s.weights,
            signals=s.weights,
            folder=self.out / CHECKPOINT / LAYERS if s.on_disk else None,
            seed=s.seed,
            threads=self.threads,
            progress=progress,
        )
        net.labels = self.dataset.labels
        net.scaling = fit_scaling(s.scale, as_matrix(self.dataset.X_train), progress=progress)
        return self.trainer(net)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Of the network, from the data's features to its classes."""
        return as_matrix(self.dataset.X_train).n_features, *self.settings.hidden, len(self.dataset.labels)

    def require_room(self) -> None:
        """NotEnoughMemoryError, with the plan's table and what would fit, where the network does not."""
        s, sizes = self.settings, self.layer_sizes
        if s.density is not None:
            return
        size = s.micro_batch_size or s.batch_size
        found = make_plan(
            PlanRequest(
                sizes, s.epsilon, size, s.storage, s.precision, s.precision, s.make_optimizer(), s.recompute, s.on_disk
            ),
            measure=False,
        )
        free = memory.free_bytes()
        if free is not None and found.resident > free:
            show("-".join(map(str, sizes)), plan_rows(found, None))
            raise NotEnoughMemoryError(advice(found, best_request(found.request, free), free))

    def resumed(self, progress: Progress) -> tuple[Trainer, Position]:
        """The trainer as the checkpoint has it, and where it is; InputError where the checkpoint is damaged."""
        folder = self.out / CHECKPOINT
        try:
            if self.settings.on_disk:
                net, optimizer_state, state = open_network(folder, self.threads)
                trainer = self.trainer(net, optimizer_state)
                checkpoints.restore_counters(trainer, state)
                net.labels = self.dataset.labels
                net.scaling = fit_scaling(self.settings.scale, as_matrix(self.dataset.X_train), progress=progress)
            else:
                trainer, state = checkpoints.restore(
                    folder / STATE, lambda _: None, self.trainer, self.threads, progress
                )
            return trainer, position_of(state["position"])
        except InputError:
            raise
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise InputError(f"RUN: the checkpoint in '{folder}' is damaged ({error})") from None
