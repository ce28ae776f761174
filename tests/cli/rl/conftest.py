"""Small runs of agents that several tests share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_board(monkeypatch):
    """No files of TensorBoard: its package may be installed or not, and takes seconds to import."""
    monkeypatch.setattr("trulysparse.rl.log._board", lambda *_: None)


@pytest.fixture
def quick():
    """Options of a training that takes some tenths of a second: 300 steps, evaluated and kept every 100."""
    pytest.importorskip("gymnasium", reason="gymnasium comes with the extra trulysparse[rl]")
    return [
        *("--hidden", "16", "--density", "0.5", "--steps", "300", "--learning-starts", "50", "--batch-size", "16"),
        *("--buffer-size", "1000", "--eval-every", "100", "--eval-episodes", "2"),
    ]
