"""What callbacks see of the training that calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from trulysparse._core.arrays import Floats
from trulysparse.evolution import Evolution
from trulysparse.io.checkpoints import TrainingState
from trulysparse.io.position import Position
from trulysparse.nn.losses import Loss


class RunningTrainer(TrainingState, Protocol):
    """A Trainer in a call of fit. Beside the network on a cluster it is a TrainingLoop, which has no `check_batch` and
    no `gradients`."""

    loss: Loss
    batch_size: int
    seed: int
    threads: int
    epochs: int | None
    training_progress: float
    position: Position
    stop: bool
    diverged: bool
    parallel: Any

    @property
    def evolution(self) -> Evolution | None:
        """How the topology changes."""

    def report_progress(self, what: str, done: float, total: float) -> None:
        """Calls on_progress of the callbacks."""

    def resize(self, keep_masks: Sequence[NDArray[np.bool_]] = ()) -> None:
        """To be called by a callback that has changed the network's layers."""

    def reset_state(self) -> None:
        """Sets the optimizer's state to zero."""

    def check_batch(self, X_batch: Any, y_batch: ArrayLike) -> None:
        """InputError where `gradients` could not take these samples."""

    def gradients(
        self, X_batch: Any, y_batch: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, list[tuple[sp.csr_array, Floats]]]:
        """The loss and the gradient of each layer."""
