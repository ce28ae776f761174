"""Observations with features that say nothing, to see what an agent makes of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError, MissingExtraError

try:
    import gymnasium
except ImportError:
    raise MissingExtraError("NoisyFeatures", "Gymnasium", "rl") from None


class NoisyFeatures(gymnasium.ObservationWrapper[Any, Any, Any], gymnasium.utils.RecordConstructorArgs):
    """Adds features of pure noise to the observations of a Gymnasium environment.

    After the environment's own features come others, drawn anew in each step from a normal distribution, so many that
    `share` of all features are noise. The environment's own random numbers stay as they are.

    In the source each network draws noise of its own each time that it sees a transition; here it belongs to the
    observation, as that of a sensor does: a replay buffer shows the same noise each time.

    Args:
        env: an environment whose observations are vectors.
        share: of noise among all features, in [0, 1).
        deviation: standard deviation of the noise, at least 0.
        seed: of the noise until `reset` is given a seed, which counts then; None: another one each time.

    Attributes:
        n_real: features of the environment, which come first.
        n_noise: features that were added.

    Raises:
        InputError: where observations are no vectors of numbers, or an argument is out of range.

    Source:
        Grooten et al., "Automatic noise filtering with dynamic sparse training in deep reinforcement learning", AAMAS
        2023, section 4.

    Example:
        >>> import pytest
        >>> gymnasium = pytest.importorskip("gymnasium")
        >>> from trulysparse.rl import NoisyFeatures
        >>> env = NoisyFeatures(gymnasium.make("Pendulum-v1"), share=0.9)
        >>> observation, _ = env.reset(seed=0)
        >>> observation.shape, env.n_real, env.n_noise
        ((30,), 3, 27)
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], share: float = 0.9, deviation: float = 1.0, seed: int | None = None
    ) -> None:
        self.share = checks.real("share", share, low=0, high=1, high_open=True)
        self.deviation = checks.real("deviation", deviation, low=0)
        if seed is not None:
            checks.integer("seed", seed, low=0)
        gymnasium.utils.RecordConstructorArgs.__init__(self, share=share, deviation=deviation, seed=seed)
        space = getattr(env, "observation_space", None)
        if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1 or space.dtype.kind != "f":
            raise InputError(f"env must have vectors of floating-point numbers as observations, not {space!r:.80}")
        gymnasium.ObservationWrapper.__init__(self, env)
        self.n_real = space.shape[0]
        self.n_noise = math.ceil(self.n_real / (1 - share) - 1e-9) - self.n_real  # 1 - 0.9 is a little less than 0.1
        bound = np.full(self.n_noise, np.inf, space.dtype)
        self.observation_space = gymnasium.spaces.Box(
            np.concatenate([space.low, -bound]), np.concatenate([space.high, bound]), dtype=space.dtype.type
        )
        self._rng = np.random.default_rng(seed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: of the environment and of the noise; None: both go on.
            options: of the environment.

        Returns:
            The first observation, and what the environment says beside it.
        """
        if seed is not None:
            self._rng = np.random.default_rng([seed, self.n_noise])
        observation, info = super().reset(seed=seed, options=options)
        return observation, info

    def observation(self, observation: NDArray[Any]) -> NDArray[Any]:
        """An observation of the environment, and noise.

        Args:
            observation: (n_real,).

        Returns:
            (n_real + n_noise,), of the same type.
        """
        noise = self.deviation * self._rng.standard_normal(self.n_noise)
        return np.concatenate([observation, noise.astype(observation.dtype)])
