"""Whether the state of a training is worth keeping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trulysparse._core.arrays import not_finite
from trulysparse.errors import DivergenceError

if TYPE_CHECKING:
    from trulysparse.io.checkpoints import TrainingState


def require_finite(trainer: TrainingState) -> None:
    """DivergenceError where a parameter or a value of optimizer state is not finite."""
    for layer, optimizer_state in zip(trainer.net.layers, trainer.optimizer_state, strict=True):
        for values in (layer.values, layer.bias, *optimizer_state.weight, *optimizer_state.bias):
            if not_finite(values):
                raise DivergenceError(
                    f"the parameters are not finite after step {trainer.step_count - 1}: training has diverged; "
                    "lower the learning rate or scale the features"
                )
        layer.release()
