"""What agents remember of their losses."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.rl.notes import NOTES_EVERY, NotesLosses


def test_losses_are_looked_at_now_and_then_and_must_be_finite():
    agent = NotesLosses()
    agent.metrics, agent.n_updates = {}, 0
    due = []
    for agent.n_updates in range(2 * NOTES_EVERY + 1):
        if agent.notes_due:
            due.append(agent.n_updates)
            agent.note(critic_loss=agent.n_updates / 2)
    assert due == [0, NOTES_EVERY, 2 * NOTES_EVERY]
    assert agent.metrics == {"train/critic_loss": NOTES_EVERY}
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ts.DivergenceError, match=f"actor_loss is {bad} after {2 * NOTES_EVERY} updates"):
            agent.note(actor_loss=bad)
    assert agent.metrics == {"train/critic_loss": NOTES_EVERY}
