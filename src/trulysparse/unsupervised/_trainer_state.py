"""What a file keeps of a Trainer, so that training goes on from there with the same bits: optimizer state, counts of
updates, the seed. Arrays along connections are in the order of memory, which follows from the connections."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import type_name
from trulysparse.errors import InputError
from trulysparse.optim import OptimizerState
from trulysparse.training import Trainer


def trainer_arrays(trainer: Trainer) -> dict[str, NDArray[Any]]:
    """The optimizer's state, by name.

    Args:
        trainer: of a network whose arrays are in memory.

    Returns:
        Arrays, for `restore_trainer`.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for number, state in enumerate(trainer.optimizer_state):
        for part in ("weight", "bias"):
            arrays |= {f"optimizer.{number}.{part}{slot}": each for slot, each in enumerate(getattr(state, part))}
    return arrays


def trainer_settings(trainer: Trainer) -> dict[str, Any]:
    """The counts, as JSON can hold them.

    Args:
        trainer: any.

    Returns:
        Counts and the seed, for `restore_trainer`.
    """
    return {"steps": trainer.step_count, "state_updates": trainer.state_updates, "seed": trainer.seed}


def restore_trainer(trainer: Trainer, arrays: dict[str, NDArray[Any]], settings: dict[str, Any]) -> None:
    """Lets a trainer go on where the one that gave these was.

    Args:
        trainer: fresh, of the same network and the same kind of optimizer, made with the seed of `settings`.
        arrays: of `trainer_arrays`; others among them are passed over.
        settings: of `trainer_settings`.

    Raises:
        InputError: where they are not of this network and optimizer.
    """
    steps = checks.integer("steps", settings["steps"], low=0)
    updates = checks.integer("state_updates", settings["state_updates"], low=0, high=steps)
    restored = []
    for number, state in enumerate(trainer.optimizer_state):
        parts: dict[str, list[NDArray[Any]]] = {}
        for part in ("weight", "bias"):
            found = []
            for slot, like in enumerate(getattr(state, part)):
                name = f"optimizer.{number}.{part}{slot}"
                array = arrays.get(name)
                if array is None or array.shape != like.shape or array.dtype != like.dtype:
                    raise InputError(f"{name} must be {type_name(like)} of shape {like.shape}")
                found.append(array)
            parts[part] = found
        restored.append(OptimizerState(parts["weight"], parts["bias"], state.fresh))
    trainer.set_optimizer_state(restored)
    trainer.step_count, trainer.state_updates = steps, updates
