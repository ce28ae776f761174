"""What `export` and `device-budget` take of a run, and which of several networks is meant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trulysparse.cli._run import Run
from trulysparse.cli._training_samples import samples_in_file
from trulysparse.errors import InputError

Samples = Callable[[], Any]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which of a run's networks is meant, where it has several; None: the user has not said.

    Attributes:
        seed: of a run of agents with several seeds.
        best: whether the policy of the best evaluation is meant, not that of the end.
        agent: number of a home or of an agent of a fleet, or name of an agent of a team.
        learner: file of agents in a run on the grid, such as es-0.
    """

    seed: int | None = None
    best: bool = False
    agent: str | None = None
    learner: str | None = None

    def only(self, run: Path, kind: str, *allowed: str) -> None:
        """InputError where the user has said something that a run of this kind has no use for."""
        for name in ("seed", "best", "agent", "learner"):
            if getattr(self, name) not in (None, False) and name not in allowed:
                raise InputError(f"--{name}: '{run}' is {kind}")


@dataclass(frozen=True)
class Exportable:
    """What is to run on a device.

    Attributes:
        model: a SparseMLP, a Policy, or another model that export takes.
        notes: what a user must know of what comes out.
        run: the run of `train` that it is of, or None.
        samples: makes what it was trained on, as the network's inputs; None: nothing is known of that.
    """

    model: Any
    notes: list[str] = field(default_factory=list)
    run: Run | None = None
    samples: Samples | None = None

    def calibration(self, path: str | None) -> Any:
        """Samples from a file or, where none is named, those that it was trained on; InputError where there are none.

        Args:
            path: the user's file, read as DATA of `train` is, or None.
        """
        if path is not None:
            return samples_in_file(path, self.run, self.model)
        if self.samples is None:
            raise InputError("--int8 needs samples to find the ranges of values with: give them with --calibrate FILE")
        return self.samples()


def numbered(agent: str | None, count: int, what: str, run: Path) -> int:
    """The number of one of several agents or homes; InputError where the user names none of them.

    Args:
        agent: as the user wrote it, or None.
        count: how many there are; of one, none needs to be named.
        what: they are called.
        run: what holds them.
    """
    if agent is None and count == 1:
        return 0
    if agent is None:
        raise InputError(f"--agent: '{run}' holds {count:,} {what}; give the number of one, 0 to {count - 1}")
    if not agent.isdecimal() or int(agent) >= count:
        raise InputError(f"--agent must be the number of one of the {count:,} {what}, 0 to {count - 1}, not '{agent}'")
    return int(agent)
