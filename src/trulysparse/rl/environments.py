"""One interface over a Gymnasium environment and over several in one vector environment."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError, MissingExtraError
from trulysparse.rl.environment_interface import Bools, Environments, Transition
from trulysparse.rl.spaces import Spaces, check_actions, checked_spaces

_LARGEST = float(np.finfo(np.float32).max)


class SingleEnvironment(Environments):
    """One environment, without a vector environment around it."""

    def __init__(self, env: Any, spaces: Spaces, owned: bool = False) -> None:
        super().__init__(env, spaces, 1, owned)
        self._step = env.step
        self._next = self._transition.next_observations[0]
        self._first = self._transition.first_observations[0]
        self._return, self._length = 0.0, 0

    def _begin(self, seed: int | None) -> None:
        self._return, self._length = 0.0, 0
        self._store(self._next, self.env.reset(seed=seed)[0])

    def step(self, actions: NDArray[Any]) -> Transition:
        """See Environments.step."""
        transition = self._transition
        if self.spaces.discrete:
            action = int(actions[0])
        else:
            action = actions[0] if self._reshape is None else self._reshape(actions)[0]
        observation, reward, terminated, truncated, _ = self._step(action)
        self.n_steps += 1
        self._store(self._next, observation)
        try:
            reward = float(reward)
        except (TypeError, ValueError):
            raise InputError(f"env's reward at step {self.n_steps} must be a number, not {reward!r:.80}") from None
        if not -_LARGEST < reward < _LARGEST:
            raise self._not_finite("reward", reward, 0)
        transition.rewards[0] = reward
        self._return += reward
        self._length += 1
        if terminated or truncated:
            self._end(transition, terminated, truncated)
        elif transition.ended:
            transition.ended, transition.returns, transition.lengths = [], [], []
            transition.terminated[0] = transition.truncated[0] = False
            transition.observations = transition.next_observations
        return transition

    def _end(self, transition: Transition, terminated: Any, truncated: Any) -> None:
        """Notes the end of an episode and begins the next one."""
        transition.terminated[0], transition.truncated[0] = terminated, truncated
        transition.ended, transition.returns, transition.lengths = [0], [float(self._return)], [self._length]
        self._return, self._length = 0.0, 0
        self._store(self._first, self.env.reset()[0])
        transition.observations = transition.first_observations


class VectorEnvironments(Environments):
    """Several environments in one vector environment, whatever it does when an episode ends."""

    several = True

    def __init__(self, env: Any, spaces: Spaces, owned: bool = False) -> None:
        super().__init__(env, spaces, int(env.num_envs), owned)
        mode = env.metadata.get("autoreset_mode") if isinstance(env.metadata, dict) else None
        self._mode = str(getattr(mode, "value", mode))
        if self._mode not in ("NextStep", "SameStep", "Disabled"):
            raise InputError(
                f"env.metadata['autoreset_mode'] must be one of gymnasium.vector.AutoresetMode, not {mode}"
            )
        self._observations: Floats = np.zeros_like(self._transition.next_observations)
        self._over: Bools = np.zeros(self.n_envs, np.bool_)  # episodes that ended in the last step
        self._returns, self._lengths = np.zeros(self.n_envs), np.zeros(self.n_envs, np.int64)

    def reset(self, seed: int | None = None) -> Floats:
        """See Environments.reset."""
        self._over[:] = False
        self._returns[:] = 0
        self._lengths[:] = 0
        return super().reset(seed)

    def _begin(self, seed: int | None) -> None:
        self._store(self._transition.next_observations, self.env.reset(seed=seed)[0])

    def step(self, actions: NDArray[Any]) -> Transition:
        """See Environments.step."""
        transition = self._transition
        given = actions if self._reshape is None else self._reshape(actions)
        observations, rewards, terminated, truncated, infos = self.env.step(given)
        self.n_steps += 1
        self._store(self._observations, observations)
        with np.errstate(over="ignore"):
            transition.rewards[:] = rewards
        if not np.isfinite(transition.rewards).all():
            which = int(np.flatnonzero(~np.isfinite(transition.rewards))[0])
            raise self._not_finite("reward", rewards[which], which)
        transition.terminated[:] = terminated
        transition.truncated[:] = truncated
        if self._mode == "NextStep":
            np.logical_not(self._over, out=transition.valid)
            transition.all_valid = bool(transition.valid.all())
        self._returns += np.where(transition.valid, rewards, 0)
        self._lengths += transition.valid
        transition.next_observations[:] = self._observations
        transition.observations = self._observations
        np.logical_or(transition.terminated, transition.truncated, out=self._over)
        transition.ended = np.flatnonzero(self._over).tolist()
        transition.returns, transition.lengths = [], []
        if transition.ended:
            self._new_episodes(transition, infos)
        return transition

    def _new_episodes(self, transition: Transition, infos: dict[str, Any]) -> None:
        """Notes the episodes that ended, and puts last observations into next_observations and first ones into
        first_observations."""
        ended = transition.ended
        transition.returns, transition.lengths = self._returns[ended].tolist(), self._lengths[ended].tolist()
        self._returns[ended] = 0
        self._lengths[ended] = 0
        if self._mode == "SameStep":
            final = infos.get("final_obs")
            if final is None:
                raise InputError(
                    f"env ended an episode at step {self.n_steps} with AutoresetMode.SAME_STEP, "
                    "but infos['final_obs'] is not there"
                )
            for index in ended:
                self._store(transition.next_observations[index], final[index], index)
        elif self._mode == "Disabled":
            observations, _ = self.env.reset(options={"reset_mask": self._over.copy()})
            self._store(self._observations, observations)
        transition.first_observations[:] = self._observations


def open_environments(env: Any, algorithm: str = "") -> Environments:
    """One interface over an environment given in any form.

    Args:
        env: the id of a registered environment, a Gymnasium environment, a vector environment, or Environments, which
            need no Gymnasium.
        algorithm: for which spaces are checked; '' for any.

    Returns:
        The environments; those made here, of an id, are closed by `close`.

    Raises:
        InputError: where there is no environment of this id, or its spaces do not fit.
        MissingExtraError: where Gymnasium, or what the environment needs, is not installed.

    Example:
        >>> import gymnasium
        >>> import numpy as np
        >>> environments = open_environments("Pendulum-v1", "td3")
        >>> environments.reset(seed=0).shape
        (1, 3)
        >>> str(environments.spaces)
        '3 observations and actions of 1 component in [-2, 2]'
        >>> transition = environments.step(np.float32([[0.5]]))
        >>> transition.next_observations.shape, bool(transition.terminated[0])
        ((1, 3), False)
        >>> environments.close()
    """
    if isinstance(env, Environments):
        if algorithm:
            check_actions(env.spaces.discrete, algorithm)
        return env
    gymnasium = _gymnasium()
    owned = isinstance(env, str)
    made = make_environment(env) if owned else env
    try:
        if isinstance(made, gymnasium.vector.VectorEnv):
            environments: Environments = VectorEnvironments(made, checked_spaces(made, algorithm), owned)
        elif isinstance(made, gymnasium.Env):
            environments = SingleEnvironment(made, checked_spaces(made, algorithm), owned)
        else:
            raise InputError(
                f"env must be an environment's id, a gymnasium.Env or a gymnasium.vector.VectorEnv, not {env!r:.80}"
            )
    except InputError:
        if owned:
            made.close()
        raise
    return environments


def make_environment(name: str, **options: Any) -> Any:
    """A registered environment.

    Args:
        name: its id, such as 'Pendulum-v1'.
        options: for gymnasium.make, such as render_mode.

    Returns:
        The environment.

    Raises:
        InputError: where there is none of this id.
        MissingExtraError: where Gymnasium, or what the environment needs, is not installed.
    """
    gymnasium = _gymnasium()
    try:
        # Observations and rewards are checked here, at a fiftieth of the cost of Gymnasium's own checker.
        return gymnasium.make(name, disable_env_checker=True, **options)
    except (gymnasium.error.UnregisteredEnv, gymnasium.error.DeprecatedEnv) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"env must be the id of a registered environment, not '{name}': {reason}") from None
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        reason = " ".join(str(error).split())
        if "mujoco" in reason.lower() and find_spec("mujoco") is None:
            raise MissingExtraError(f"The environment '{name}'", "MuJoCo", "mujoco") from None
        raise InputError(f"The environment '{name}' needs a package that is not installed: {reason}") from None
    except gymnasium.error.Error as error:
        raise InputError(f"env '{name}' could not be made: {' '.join(str(error).split())}") from None


def _gymnasium() -> Any:
    try:
        import gymnasium
        import gymnasium.vector
    except ImportError:
        raise MissingExtraError("Learning in an environment", "Gymnasium", "rl") from None
    return gymnasium
