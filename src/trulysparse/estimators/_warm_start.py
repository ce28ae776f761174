"""warm_start: a call of fit that goes on with the network of the call before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trulysparse.errors import InputError
from trulysparse.optim.optimizer import state_type
from trulysparse.training import History, Trainer


def check_same(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """InputError where something that a network was made of is another now.

    Args:
        before: by name, what it was made of.
        now: the same of this call.
    """
    for name, value in now.items():
        if not np.array_equal(before[name], value):
            raise InputError(
                f"warm_start=True goes on with the network of the call before, for which {name} was "
                f"{_shown(before[name])}, not {_shown(value)}; give warm_start=False to begin anew"
            )


def carry_on(old: Trainer, new: Trainer) -> Trainer:
    """Lets a trainer with this call's settings go on where another has stopped: with its counts of updates, from which
    random streams follow, and its optimizer's state where the optimizer is of the same kind."""
    new.step_count = old.step_count
    kinds = [(type(each.optimizer), each.optimizer.n_slots, state_type(each.optimizer)) for each in (old, new)]
    if kinds[0] == kinds[1]:
        updates = old.state_updates
        new.set_optimizer_state(old.optimizer_state)
        new.state_updates = updates
    else:
        new.state_updates = 0
    return new


def joined(before: History, now: History) -> History:
    """The records of both, epochs counted on."""
    done = len(before)
    return History([*before.records, *({**record, "epoch": done + record["epoch"]} for record in now)])


def _shown(value: Any) -> str:
    return repr(value.tolist() if isinstance(value, np.ndarray) else value)
