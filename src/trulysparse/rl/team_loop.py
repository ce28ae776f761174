"""Steps of a team in its environment, and updates between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.rl.loop import Collector
from trulysparse.rl.seeds import seed_of
from trulysparse.rl.team_environment import TeamEnvironment, TeamStep
from trulysparse.rl.team_replay import TeamReplay
from trulysparse.rl.team_settings import TeamSettings


class LearningTeam(Protocol):
    """What the loop asks of a team; see Team."""

    environment: TeamEnvironment | None
    replay: TeamReplay | None
    seed: int
    num_timesteps: int
    n_updates: int

    @property
    def settings(self) -> TeamSettings:
        """All of them."""

    @property
    def updates_per_round(self) -> int:
        """Updates after each train_freq steps."""

    def random_actions(self) -> NDArray[np.int64]:
        """Of all agents."""

    def explore(self, observations: Floats) -> NDArray[np.int64]:
        """Actions of all agents."""

    def update(self) -> None:
        """One update."""


def run_team(
    team: LearningTeam,
    collector: Collector,
    last: int,
    after_step: Callable[[TeamStep], bool],
    interrupted: list[bool],
) -> None:
    """What rl.loop.collect_and_learn does at each step, for a team.

    Args:
        team: what learns; its environment is reset first.
        collector: takes in episodes; their return is the mean over agents.
        last: steps of the environment at which to end; one moves all agents.
        after_step: called after each step and its updates; returns whether to go on.
        interrupted: filled where the user wants to stop.

    Raises:
        InputError: where the environment gives a number that is not finite; what was learned until then stays.
        KeyboardInterrupt: where the user wants to stop.
    """
    environment, replay, s = team.environment, team.replay, team.settings
    assert environment is not None
    assert replay is not None
    past = team.num_timesteps, team.n_updates
    # A run that goes on must not live through its first episodes again.
    environment.reset(team.seed if past == (0, 0) else seed_of(team.seed, *past))
    replay.begin(environment.observations, environment.alive, environment.state)
    n_in_round, ready = 0, False
    while team.num_timesteps < last:
        random = team.num_timesteps < s.learning_starts
        actions = team.random_actions() if random else team.explore(environment.observations)
        step = environment.step(actions)
        replay.add(
            actions,
            step.rewards,
            step.observations,
            terminated=step.terminated,
            alive=step.alive,
            next_state=step.state,
        )
        if step.ended:
            collector.note(step)
            environment.reset()
            replay.begin(environment.observations, environment.alive, environment.state)
        team.num_timesteps += 1
        n_in_round += 1
        if n_in_round >= s.train_freq:
            # Without learning_starts, or loaded without its replay, a team has no sequence to draw yet.
            ready = ready or (team.num_timesteps > s.learning_starts and replay.has(s.sequence_length))
            if ready:
                for _ in range(team.updates_per_round):
                    team.update()
            n_in_round = 0
        go_on = after_step(step)
        if interrupted:
            raise KeyboardInterrupt
        if not go_on:
            break
