"""The policy of a run of agents, and observations to calibrate it with, for what is exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.cli._exportable import Choice, Exportable
from trulysparse.cli.rl._environment import environment
from trulysparse.cli.rl._policies import read_policies
from trulysparse.cli.rl._run_folder import BEST, POLICY, read_settings, seed_folder
from trulysparse.cli.rl._settings import AgentSettings
from trulysparse.errors import InputError

_EPISODES = 10
_OBSERVATIONS = 10_000
_TEAM_FILES = POLICY.replace("policy", "policy_{}"), BEST[1].replace("policy", "policy_{}")


def exported_policy(run: Path, choice: Choice) -> Exportable:
    """The policy of one seed of a run; of a team that of one agent.

    Args:
        run: folder that `rl train` wrote.
        choice: the seed, where there are several; the best policy or that of the end; the agent of a team.

    Raises:
        InputError: where there is none, or the choice is not one.
    """
    settings, _ = read_settings(run)
    allowed = ("seed", "best", "agent") if settings.is_team else ("seed", "best")
    choice.only(run, "a run of one agent" if not settings.is_team else "a run of a team", *allowed)
    seeds = list(settings.all_seeds)
    if choice.seed is None and len(seeds) > 1:
        raise InputError(f"--seed: '{run}' has {len(seeds)} seeds; give one, {seeds[0]} to {seeds[-1]}")
    seed = seeds[0] if choice.seed is None else choice.seed
    if seed not in seeds:
        raise InputError(f"--seed must be one of the run's, {', '.join(map(str, seeds))}, not {seed}")
    if settings.is_team:
        return Exportable(_of_team(seed_folder(run, settings, seed), run, choice))
    policies = read_policies(run, settings, choice.best)
    if seed not in policies:
        raise InputError(f"RUN: '{run}' holds no policy of seed {seed} yet")
    policy = policies[seed]
    return Exportable(policy, samples=lambda: observations(settings, policy))


def _of_team(folder: Path, run: Path, choice: Choice) -> Any:
    """The policy of one agent of a team."""
    from trulysparse.rl.policy import Policy

    pattern = _TEAM_FILES[choice.best]
    before, after = pattern.split("{}")
    found = {path.name.removeprefix(before).removesuffix(after): path for path in folder.glob(pattern.format("*"))}
    if not found:
        raise InputError(f"RUN: '{run}' holds no policies of a team yet")
    names = ", ".join(sorted(found))
    if choice.agent is None:
        raise InputError(f"--agent: '{run}' is of a team; give the name of an agent: {names}")
    if choice.agent not in found:
        raise InputError(f"--agent must be one of {names}, not '{choice.agent}'")
    return Policy.load(found[choice.agent])


def observations(settings: AgentSettings, policy: Any) -> NDArray[np.float32]:
    """What a policy sees while it acts in the environment that it has learned in.

    Args:
        settings: of the run.
        policy: that acts.

    Returns:
        (n, n_observations), those of some episodes.
    """
    from trulysparse.rl.evaluate import evaluate_policy

    recorder = _Recorder(policy)
    with environment(settings) as env:
        evaluate_policy(recorder, env, _EPISODES, seed=settings.seed)
    return np.stack(recorder.seen)


class _Recorder:
    """A policy that keeps the observations that it answers, up to a number of them."""

    def __init__(self, policy: Any) -> None:
        self._policy = policy
        self.seen: list[NDArray[np.float32]] = []

    def predict(self, observation: Any, **_: Any) -> tuple[Any, None]:
        """The policy's action."""
        if len(self.seen) < _OBSERVATIONS:
            self.seen.append(np.array(observation, np.float32))
        return self._policy.predict(observation)  # type: ignore[no-any-return]
