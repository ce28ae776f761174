"""Steps in environments, and updates between them: what all off-policy agents share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.rl.base_callback import BaseCallback, make_callbacks
from trulysparse.rl.environment_interface import EpisodeEnds, Transition
from trulysparse.rl.interrupts import deferred_interrupts
from trulysparse.rl.learning_agent import LearningAgent
from trulysparse.rl.log import RunLog, open_log
from trulysparse.rl.seeds import seed_of

_WINDOW = 100  # episodes that rollout/ep_rew_mean is a mean of
_LOOK_EVERY = 64  # steps between two looks of the progress bar


class Collector:
    """What became of an agent's episodes.

    Attributes:
        episodes: how many have ended.
        last_returns: sums of rewards of the last 100.
        last_lengths: likewise, in steps.
    """

    def __init__(self) -> None:
        self.episodes = 0
        self.last_returns: deque[float] = deque(maxlen=_WINDOW)
        self.last_lengths: deque[int] = deque(maxlen=_WINDOW)

    def note(self, step: EpisodeEnds) -> None:
        """Takes in the episodes that ended.

        Args:
            step: in which some did.
        """
        self.episodes += len(step.ended)
        self.last_returns.extend(step.returns)
        self.last_lengths.extend(step.lengths)

    def state(self) -> dict[str, Any]:
        """What a file keeps of it, as JSON can hold it."""
        returns, lengths = [float(each) for each in self.last_returns], [int(each) for each in self.last_lengths]
        return {"episodes": self.episodes, "last_returns": returns, "last_lengths": lengths}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes what `state` gave; InputError where it is out of range."""
        self.episodes = checks.integer("episodes", state["episodes"], low=0)
        self.last_returns.extend(float(each) for each in state["last_returns"])
        self.last_lengths.extend(int(each) for each in state["last_lengths"])


def collect_and_learn(
    agent: LearningAgent,
    total_timesteps: int,
    callbacks: BaseCallback | Callable[[Any], Any] | Sequence[Any] = (),
    log: str | PathLike[str] | None = None,
    progress_bar: bool = False,
    *,
    reset_num_timesteps: bool = False,
    log_interval: int = 4,
    prepare: Callable[[], None] | None = None,
    run: Callable[..., None] | None = None,
) -> None:
    """Lets an agent act in its environments and learn from it.

    Each call begins new episodes: what it does depends on the agent alone, not on where its environments stand. Until
    `learning_starts` actions are uniformly random. After each round of `train_freq` steps there are
    `gradient_steps` updates; then callbacks are called. A keyboard interrupt takes effect after the step in progress,
    so that the agent is whole (a second one at once).

    Args:
        agent: what learns.
        total_timesteps: steps in environments, of all together; at least so many are made.
        callbacks: called after each step; see BaseCallback. Functions are called with the agent and stop the training
            by returning False.
        log: a folder for progress.csv and TensorBoard's files; None for no log.
        progress_bar: whether to show how far it is, on a terminal.
        reset_num_timesteps: whether steps are counted from 0, as Stable-Baselines3 does unless told otherwise, so that
            the first `learning_starts` actions are random again; False where the agent goes on.
        log_interval: episodes between two lines of the log.
        prepare: called when all arguments have been checked, before anything changes; None: nothing.
        run: takes the steps, with the arguments of `_run`, where agents are several; None: `_run`.

    Raises:
        InputError: where an argument is not what it must be, or the environment gives a number that is not finite;
            what was learned until then stays.
    """
    total = checks.integer("total_timesteps", total_timesteps, low=1)
    log_interval = checks.integer("log_interval", log_interval, low=1)
    checks.flag("progress_bar", progress_bar)
    watchers = make_callbacks(callbacks)
    restart = checks.flag("reset_num_timesteps", reset_num_timesteps)
    collector = agent.collector
    if collector is None:
        collector = Collector()
    n_before = 0 if restart else agent.num_timesteps
    for watcher in watchers:
        watcher.check(agent, n_before)
    with ExitStack() as ends:
        run_log = ends.enter_context(open_log(log, agent, n_before))
        if prepare is not None:
            prepare()
        if restart:
            agent.num_timesteps = 0
            collector.episodes = 0
        if agent.collector is None:
            collector.episodes = run_log.episodes_before
        agent.collector = collector
        run_log.collector = collector
        last = agent.num_timesteps + total
        show = ends.enter_context(_progress(progress_bar, agent.num_timesteps, last))
        run_log.begin()
        for watcher in watchers:
            watcher.init_callback(agent, run_log)
        for watcher in watchers:
            watcher.on_training_start()
            ends.callback(watcher.on_training_end)
        interrupted = ends.enter_context(deferred_interrupts())
        after_step = _after_step(agent, collector, watchers, run_log, log_interval, show)
        (run or _run)(agent, collector, last, after_step, interrupted)


def _run(
    agent: LearningAgent,
    collector: Collector,
    last: int,
    after_step: Callable[[EpisodeEnds], bool],
    interrupted: list[bool],
) -> None:
    """The loop. What is asked for in each step is looked up once."""
    environments, spaces, replay = agent.environments, agent.environments.spaces, agent.replay
    step, in_units, add = environments.step, spaces.in_units, replay.add
    explore, update, rng = agent.explore, agent.update, agent.rng
    learning_starts, train_freq, gradient_steps = agent.learning_starts, agent.train_freq, agent.gradient_steps
    n_envs, n_actions, discrete = environments.n_envs, spaces.n_actions, spaces.discrete
    normalize = _nothing if agent.normalization is None else agent.normalization.update
    steps, n_in_round, n_stored, n_agents = agent.num_timesteps, 0, 0, agent.n_agents or 1
    observations = begin_episodes(agent)
    normalize(observations)
    while steps < last:
        random = steps < learning_starts
        actions = random_actions(rng, n_envs, n_actions, discrete) if random else explore(observations)
        transition = step(in_units(actions))
        n_valid = store(add, actions, transition)
        observations = transition.observations
        normalize(observations)
        agent.num_timesteps = steps = steps + n_valid
        n_stored += n_valid
        n_in_round += 1
        if n_in_round >= train_freq:
            if steps > learning_starts:
                for _ in range(n_stored // n_agents if gradient_steps < 0 else gradient_steps):
                    update()
            n_in_round = n_stored = 0
        if transition.ended:
            collector.note(transition)
        go_on = after_step(transition)
        if interrupted:
            raise KeyboardInterrupt
        if not go_on:
            break


def begin_episodes(agent: LearningAgent) -> Floats:
    """Resets an agent's environments and tells its replay memory. Their seed depends on how far the run is, so that
    one that goes on does not live through its first episodes again.

    Args:
        agent: that.

    Returns:
        First observations.
    """
    past = agent.num_timesteps, agent.n_updates
    seed = agent.seed if past == (0, 0) else seed_of(agent.seed, *past)
    observations: Floats = agent.environments.reset(seed)
    agent.replay.start(observations)
    return observations


def store(add: Callable[..., None], actions: NDArray[Any], transition: Transition) -> int:
    """Hands a step to a replay memory.

    Args:
        add: its method.
        actions: as it keeps them.
        transition: what they led to.

    Returns:
        How many transitions it was: an environment that was only reset made none.
    """
    parts = (
        actions,
        transition.rewards,
        transition.next_observations,
        transition.terminated,
        transition.truncated,
        transition.first_observations,
    )
    if transition.all_valid:
        add(*parts)
        return len(transition.rewards)
    add(*parts, transition.valid)
    return int(transition.valid.sum())


def _nothing(observations: Floats) -> None:
    pass


def _after_step(
    agent: LearningAgent,
    collector: Collector,
    callbacks: Sequence[BaseCallback],
    log: RunLog,
    log_interval: int,
    show: Callable[[int], None],
) -> Callable[[EpisodeEnds], bool]:
    """What is done after each step and its updates: the log, callbacks, the progress bar. Returns whether to go on."""
    on_steps = [callback.on_step for callback in callbacks]
    logged_at, until_look = collector.episodes, _LOOK_EVERY

    def after_step(step: EpisodeEnds) -> bool:
        nonlocal logged_at, until_look
        if step.ended and collector.episodes - logged_at >= log_interval:
            logged_at = collector.episodes
            log.write()
        go_on = [on_step() for on_step in on_steps]
        until_look -= 1
        if until_look == 0:
            until_look = _LOOK_EVERY
            show(agent.num_timesteps)
        return False not in go_on

    return after_step


def random_actions(rng: np.random.Generator, n_envs: int, n_actions: int, discrete: bool) -> NDArray[Any]:
    """Uniformly random actions, as the replay memory keeps them.

    Args:
        rng: where they come from.
        n_envs: how many.
        n_actions: components, or choices.
        discrete: whether they are choices.

    Returns:
        Float32 values in [-1, 1] of shape (n_envs, n_actions), or int64 choices of shape (n_envs,).
    """
    if discrete:
        return rng.integers(n_actions, size=n_envs)
    return rng.random((n_envs, n_actions), dtype=np.float32) * 2 - 1


@contextmanager
def _progress(shown: bool, done: int, last: int) -> Iterator[Callable[[int], None]]:
    """A function that shows how far the training is; silent where that was not asked for or there is no terminal."""
    if not shown:
        yield lambda steps: None
        return
    from trulysparse._core.bars import bars

    first = done
    with bars() as tell:

        def show(steps: int) -> None:
            tell("learning", steps - first, last - first)

        yield show
