"""Steps of a team in its environment, and updates between them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from os import PathLike
from typing import TYPE_CHECKING, Any

from trulysparse._core import checks
from trulysparse.rl.callbacks import make_callbacks
from trulysparse.rl.log import open_log
from trulysparse.rl.loop import Collector, _interrupts, _progress
from trulysparse.rl.seeds import seed_of

if TYPE_CHECKING:
    from trulysparse.rl.callbacks import BaseCallback
    from trulysparse.rl.log import RunLog
    from trulysparse.rl.team import Team

_LOG_INTERVAL = 4  # episodes between two lines of the log
_LOOK_EVERY = 64  # steps between two looks of the progress bar


def collect_and_learn_as_team(
    team: Team[Any],
    total_timesteps: int,
    callbacks: Any,
    log: str | PathLike[str] | None,
    progress_bar: bool,
    *,
    reset_num_timesteps: bool,
) -> None:
    """What rl.loop.collect_and_learn does, for a team: the same order of steps, updates, log and callbacks. The
    return of an episode is the mean over agents.

    Args:
        team: what learns.
        total_timesteps: steps of the environment; one step moves all agents.
        callbacks: see rl.callbacks.
        log: see rl.loop.
        progress_bar: likewise.
        reset_num_timesteps: likewise.

    Raises:
        InputError: where an argument is not what it must be, or the environment gives a number that is not finite; what
            was learned until then stays.
    """
    checks.flag("progress_bar", progress_bar)
    watchers = make_callbacks(callbacks)
    collector = team.collector or Collector(1)
    for watcher in watchers:
        watcher.check(team)
    with ExitStack() as ends:
        run_log = ends.enter_context(open_log(log, team, 0 if reset_num_timesteps else team.num_timesteps))
        if reset_num_timesteps:
            team.num_timesteps = collector.episodes = 0
            team.in_episode = False
        team.collector = run_log.collector = collector
        run_log.begin()
        last = team.num_timesteps + total_timesteps
        show = ends.enter_context(_progress(progress_bar, team.num_timesteps, last))
        for watcher in watchers:
            watcher.init_callback(team, run_log)
        for watcher in watchers:
            watcher.on_training_start()
            ends.callback(watcher.on_training_end)
        interrupted = ends.enter_context(_interrupts())
        _run(team, collector, last, watchers, run_log, show, interrupted)


def _begin_episode(team: Team[Any], collector: Collector, seed: int | None) -> None:
    """Resets the environment."""
    environment, replay = team.environment, team.replay
    assert environment is not None
    assert replay is not None
    environment.reset(seed)
    replay.begin(environment.observations, environment.alive, environment.state)
    collector.returns[:] = 0
    collector.lengths[:] = 0
    team.in_episode = True


def _run(
    team: Team[Any],
    collector: Collector,
    last: int,
    callbacks: Sequence[BaseCallback],
    log: RunLog,
    show: Any,
    interrupted: list[bool],
) -> None:
    environment, replay, s = team.environment, team.replay, team.settings
    assert environment is not None
    assert replay is not None
    if not team.in_episode:
        # A run that goes on must not live through its first episodes again.
        past = team.num_timesteps, team.n_updates
        _begin_episode(team, collector, team.seed if past == (0, 0) else seed_of(team.seed, *past))
    n_agents, logged_at = environment.spaces.n_agents, collector.episodes
    while team.num_timesteps < last:
        if team.num_timesteps < s.learning_starts:
            actions = team.random_actions()
        else:
            actions = team.explore(environment.observations)
        team.in_episode = False  # should the environment fail, it has to be reset
        step = environment.step(actions)
        replay.add(
            actions,
            step.rewards,
            step.observations,
            terminated=step.terminated,
            alive=step.alive,
            next_state=step.state,
        )
        team.in_episode = not step.over
        team.num_timesteps += 1
        collector.returns[0] += float(step.rewards.sum()) / n_agents
        collector.lengths[0] += 1
        if step.over:
            collector.last_returns.append(float(collector.returns[0]))
            collector.last_lengths.append(int(collector.lengths[0]))
            collector.episodes += 1
            _begin_episode(team, collector, None)
        if team.num_timesteps > s.learning_starts and team.num_timesteps % s.train_freq == 0:
            for _ in range(team.updates_per_round):
                team.update()
        if collector.episodes - logged_at >= _LOG_INTERVAL:
            logged_at = collector.episodes
            log.write()
        go_on = [callback.on_step() for callback in callbacks]
        if team.num_timesteps % _LOOK_EVERY == 0:
            show(team.num_timesteps, collector)
        if interrupted:
            raise KeyboardInterrupt
        if False in go_on:
            break
