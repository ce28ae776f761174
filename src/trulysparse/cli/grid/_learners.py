"""The agents that a run trains: what is asked for, and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trulysparse.cli.grid._devices import most_replay
from trulysparse.cli.grid._homes import Homes, as_options
from trulysparse.cli.grid._settings import EXCHANGES, HIDDEN, KINDS, GridSettings
from trulysparse.errors import InputError

_SHARED = "shared-"
_LEARNS_SHARED = "es"  # the kind that one network for all homes can learn by
AGENTS = (*KINDS, _SHARED + _LEARNS_SHARED)
"""What --agents takes besides rules."""


@dataclass(frozen=True)
class Learner:
    """Agents that are to be trained with one seed.

    Args:
        kind: es, td3 or dqn.
        seed: of them.
        density: of their networks; 1 for dense ones.
        shared: whether all homes have one network.
        reference: whether they are trained to compare with.
    """

    kind: str
    seed: int
    density: float
    shared: bool = False
    reference: bool = False

    @property
    def label(self) -> str:
        """What reports call it, the same for all seeds.

        Example:
            >>> Learner("es", 0, 0.1).label, Learner("es", 0, 1.0).label, Learner("td3", 3, 0.1, shared=True).label
            ('es', 'es, dense', 'td3, shared')
        """
        return self.kind + ", dense" * (self.density == 1) + ", shared" * self.shared

    @property
    def name(self) -> str:
        """What its files are called.

        Example:
            >>> Learner("es", 0, 1.0).name, Learner("td3", 3, 0.1, shared=True).name
            ('es-dense-0', 'td3-shared-3')
        """
        return self.kind + "-dense" * (self.density == 1) + "-shared" * self.shared + f"-{self.seed}"


def learners_of(settings: GridSettings) -> list[Learner]:
    """The agents that a run trains, in this order: those asked for, of all seeds, then references of the first one.

    Args:
        settings: of the run.

    Returns:
        The agents; none where rules alone are asked for.
    """
    asked = []
    for name in settings.names:
        kind, shared = name.removeprefix(_SHARED), name.startswith(_SHARED)
        if name in AGENTS:
            asked += [Learner(kind, seed, settings.density, shared) for seed in settings.all_seeds]
    if not asked or not settings.references:
        return asked
    more = [
        Learner(asked[0].kind, settings.seed, 1.0, reference=True),
        Learner(_LEARNS_SHARED, settings.seed, settings.density, shared=True, reference=True),
    ]
    known = {each.name for each in asked}
    return [*asked, *(each for each in more if each.name not in known)]


def rules_asked_for(settings: GridSettings, known: tuple[str, ...]) -> list[str]:
    """The rules among what is asked for with --agents; InputError where a name is neither of agents nor of a rule.

    Args:
        settings: of the run.
        known: names of the rules.
    """
    allowed = (*AGENTS, *known)
    for name in settings.names:
        if name not in allowed:
            raise InputError(f"--agents must be of {', '.join(allowed)}, not '{name}'")
    return [name for name in settings.names if name in known]


def exchange_of(settings: GridSettings, homes: Homes) -> str:
    """How often agents exchange models: as asked for, else weekly where homes are unseen."""
    alone = not len(homes.split.test_homes) or len(homes.split.train_homes) == 1
    return settings.exchange or ("none" if alone else "weekly")


def make_training(learner: Learner, settings: GridSettings, homes: Homes, threads: int) -> Any:
    """The training of such agents, at its start; nothing is computed yet.

    Raises:
        InputError, NotEnoughMemoryError: where it cannot be.
    """
    from trulysparse.grid import agents

    if learner.kind != _LEARNS_SHARED and settings.is_coupled and len(homes.split.test_homes):
        raise InputError(
            f"--agents {learner.kind} learns in all homes where a feeder, a market or a broadcast couples them: give "
            f"--train-homes {homes.n_homes}"
        )
    exchange = None if learner.shared else EXCHANGES[exchange_of(settings, homes)]
    limit = most_replay(settings, learner.kind)
    with as_options():
        return agents.Training(
            learner.kind,
            homes.scenario,
            homes.split,
            environment=dict(homes.options),
            shared=learner.shared,
            density=learner.density,
            hidden=settings.hidden or HIDDEN[learner.kind],
            exchange=exchange,
            length=settings.length,
            settings={} if limit is None else {"buffer_size": limit},
            seed=learner.seed,
            threads=threads,
        )
