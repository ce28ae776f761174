"""How good a team is: mean return of its agents over whole episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.rl.team_environment import TeamEnvironment


def evaluate_team(
    team: Any,
    env: Any,
    n_eval_episodes: int = 10,
    *,
    deterministic: bool = True,
    seed: int | None = 0,
    return_episode_rewards: bool = False,
) -> tuple[float, float] | tuple[NDArray[np.float64], list[int]]:
    """Mean and standard deviation, over episodes, of the return that an agent has on average.

    Args:
        team: a team, or anything with `predict(observations by agent, deterministic=) -> (actions by agent, state)`.
        env: a PettingZoo parallel environment; it is reset. Not the one in which the team is learning.
        n_eval_episodes: how many, at least 1.
        deterministic: whether agents act without random actions.
        seed: of the environment's random numbers; None where they go on.
        return_episode_rewards: whether to return returns of each agent and lengths in place of mean and deviation.

    Returns:
        (mean, standard deviation); or (returns, lengths), returns as (n_eval_episodes, n_agents) in the order of
        env.possible_agents.

    Raises:
        InputError: where an argument is not what it must be, the team leaves out an agent that acts, or the environment
            gives a number that is not finite.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> class Still:
        ...     def predict(self, observations, deterministic=True):
        ...         return dict.fromkeys(observations, 0), None
        >>> mean, std = evaluate_team(Still(), simple_spread_v3.parallel_env(), n_eval_episodes=2)
        >>> -60 < mean < 0
        True
    """
    n_episodes = checks.integer("n_eval_episodes", n_eval_episodes, low=1)
    checks.flag("deterministic", deterministic)
    if not callable(getattr(team, "predict", None)):
        raise InputError(f"team must have predict(observations, deterministic=), as teams do: not {team!r:.80}")
    if env is not None and env is getattr(getattr(team, "environment", None), "env", None):
        raise InputError("env must not be the environment in which the team is learning: make another one")
    environment = TeamEnvironment(env)
    spaces = environment.spaces
    returns, lengths = np.zeros((n_episodes, spaces.n_agents)), []
    for episode in range(n_episodes):
        environment.reset(seed if episode == 0 else None)
        lengths.append(0)
        while environment.alive.any():
            seen = {
                spaces.agents[i]: environment.observations[i, : spaces.n_observations[i]]
                for i in np.flatnonzero(environment.alive)
            }
            actions, _ = team.predict(seen, deterministic=deterministic)
            if left_out := [agent for agent in seen if agent not in actions]:
                raise InputError(f"team must choose an action for each agent that it sees; none for {left_out}")
            step = environment.step(np.array([actions.get(agent, 0) for agent in spaces.agents]))
            returns[episode] += step.rewards
            lengths[-1] += 1
    if return_episode_rewards:
        return returns, lengths
    per_agent = returns.mean(axis=1)
    return float(per_agent.mean()), float(per_agent.std())
