"""How good a policy is: mean return of whole episodes."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.rl.acting import ActingAgent
from trulysparse.rl.environment_interface import Environments
from trulysparse.rl.environments import open_environments
from trulysparse.rl.fleet_policy import FleetPolicy
from trulysparse.rl.policy import Policy
from trulysparse.rl.spaces import Spaces


@overload
def evaluate_policy(
    model: Any,
    env: Any,
    n_eval_episodes: int = 10,
    *,
    deterministic: bool = True,
    seed: int | None = 0,
    return_episode_rewards: Literal[False] = False,
) -> tuple[float, float]: ...
@overload
def evaluate_policy(
    model: Any,
    env: Any,
    n_eval_episodes: int = 10,
    *,
    deterministic: bool = True,
    seed: int | None = 0,
    return_episode_rewards: Literal[True],
) -> tuple[list[float], list[int]]: ...
def evaluate_policy(
    model: Any,
    env: Any,
    n_eval_episodes: int = 10,
    *,
    deterministic: bool = True,
    seed: int | None = 0,
    return_episode_rewards: bool = False,
) -> tuple[float, float] | tuple[list[float], list[int]]:
    """Mean and standard deviation of the return of episodes.

    Several environments have their share of episodes each, fixed beforehand: taking the first that end would prefer
    short ones.

    Args:
        model: an agent, a Policy, or anything with Stable-Baselines3's
            `predict(observation, state, episode_start, deterministic) -> (action, state)`; or a fleet of agents or its
            FleetPolicy, each of whose agents acts in an environment of its own.
        env: the id of an environment, a Gymnasium environment or a vector environment; it is reset.
        n_eval_episodes: how many; of a fleet at least one for each agent.
        deterministic: whether the policy acts without noise.
        seed: of the environments' random numbers; None where they go on.
        return_episode_rewards: whether to return lists of returns and lengths in place of mean and deviation.

    Returns:
        (mean return, its standard deviation), or (returns, lengths) in the order in which the episodes ended.

    Raises:
        InputError: where an argument is not what it must be, the environment has other spaces than the agent or policy
            is for, there is no environment for each agent of a fleet, or it gives a number that is not finite.
        MissingExtraError: where Gymnasium is not installed.

    Example:
        >>> class Still:
        ...     def predict(self, observation, state=None, episode_start=None, deterministic=False):
        ...         return [0.0], state
        >>> mean, std = evaluate_policy(Still(), "Pendulum-v1", n_eval_episodes=2, seed=1)
        >>> -2000 < mean < 0
        True
    """
    n_episodes = checks.integer("n_eval_episodes", n_eval_episodes, low=1)
    deterministic = checks.flag("deterministic", deterministic)
    if not callable(getattr(model, "predict", None)):
        raise InputError(f"model must have predict(observation, ...), as agents and policies do: not {model!r:.80}")
    environments = env if isinstance(env, Environments) else open_environments(env)
    try:
        _check_spaces(model, environments.spaces)
        check_agents(model, environments, n_episodes)
        returns, lengths = _episodes(model, environments, n_episodes, deterministic, seed)
    finally:
        if environments is not env:
            environments.close()
    if return_episode_rewards:
        return returns, lengths
    return float(np.mean(returns)), float(np.std(returns))


def _check_spaces(model: Any, spaces: Spaces) -> None:
    """InputError where an agent or a policy is for other spaces."""
    own = getattr(model, "spaces", None)
    if isinstance(model, Policy | FleetPolicy):
        low, high = (None if each is None else each.astype(np.float32) for each in (model.low, model.high))
        own = Spaces(model.n_observations, False, model.n_actions, model.head == "argmax", low, high)
    if isinstance(own, Spaces):
        own.require_same(spaces)


def check_agents(model: Any, environments: Environments, n_episodes: int) -> None:
    """InputError where a fleet has not an environment and an episode for each of its agents.

    Args:
        model: see `evaluate_policy`.
        environments: that it acts in.
        n_episodes: in all of them together.
    """
    n_agents = getattr(model, "n_agents", None)
    if n_agents is None or not isinstance(model, ActingAgent | FleetPolicy):
        return
    if environments.n_envs != n_agents:
        raise InputError(f"env must be an environment for each of {n_agents} agents, not {environments.n_envs}")
    if n_episodes < n_agents:
        raise InputError(f"n_eval_episodes must be at least {n_agents}, one for each agent, not {n_episodes}")


def _episodes(
    model: Any, environments: Environments, n_episodes: int, deterministic: bool, seed: int | None
) -> tuple[list[float], list[int]]:
    """Returns and lengths of the episodes."""
    n_envs, several = environments.n_envs, environments.several
    left = [(n_episodes + index) // n_envs for index in range(n_envs)]
    returns: list[float] = []
    lengths: list[int] = []
    observations = environments.reset(seed)
    state: Any = None
    starts = np.ones(n_envs, np.bool_)
    while any(left):
        seen = observations.copy() if several else observations[0].copy()
        actions, state = model.predict(seen, state=state, episode_start=starts, deterministic=deterministic)
        transition = environments.step(_rows(actions, environments))
        observations = transition.observations
        starts = np.zeros(n_envs, np.bool_)
        starts[transition.ended] = True
        for index, total, steps in zip(transition.ended, transition.returns, transition.lengths, strict=True):
            if left[index] > 0:
                left[index] -= 1
                returns.append(total)
                lengths.append(steps)
    return returns, lengths


def _rows(actions: Any, environments: Environments) -> NDArray[Any]:
    """Actions with one row for each environment."""
    spaces, n_envs = environments.spaces, environments.n_envs
    shape = (n_envs,) if spaces.discrete else (n_envs, spaces.n_actions)
    given = np.asarray(actions)
    if given.size != np.prod(shape):
        raise InputError(f"model.predict must give actions of shape {shape}, not {given.shape}")
    return given.reshape(shape).astype(np.int64 if spaces.discrete else np.float32)
