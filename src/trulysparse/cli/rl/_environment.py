"""The environment that a run's settings ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from trulysparse.cli.rl._settings import AgentSettings, as_options
from trulysparse.errors import InputError


@contextmanager
def environment(settings: AgentSettings, n_envs: int = 1, **options: Any) -> Iterator[Any]:
    """A Gymnasium environment, or a vector of several, which is closed at the end.

    Args:
        settings: of the run.
        n_envs: how many.
        options: for gymnasium.make, such as render_mode.
    """
    make = partial(_make, settings, options)
    with as_options(settings):
        made = make()
        if n_envs > 1:
            from gymnasium.vector import SyncVectorEnv

            made.close()
            made = SyncVectorEnv([make] * n_envs)
    try:
        yield made
    finally:
        made.close()


def _make(settings: AgentSettings, options: dict[str, Any]) -> Any:
    from trulysparse.rl.environments import make_environment

    kwargs = settings.make_kwargs()
    try:
        made = make_environment(settings.env, **kwargs, **options)
    except TypeError as error:
        if not kwargs:
            raise
        reason = " ".join(str(error).split()).partition(" was raised from")[0]
        raise InputError(f"--env-kwargs: '{settings.env}' does not take them ({reason})") from None
    if settings.noise_features is None:
        return made
    from trulysparse.rl.noisy import NoisyFeatures

    return NoisyFeatures(made, share=settings.noise_features)


def chosen_algorithm(settings: AgentSettings) -> str:
    """The algorithm that fits the environment's actions."""
    from trulysparse.rl.spaces import checked_spaces

    with environment(settings) as env, as_options(settings):
        return "dqn" if checked_spaces(env).discrete else "td3"
