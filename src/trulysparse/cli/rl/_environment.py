"""The environment that a run's settings ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from trulysparse.cli.rl._settings import AgentSettings, as_options
from trulysparse.errors import InputError, MissingExtraError


@contextmanager
def environment(settings: AgentSettings, n_envs: int = 1, **options: Any) -> Iterator[Any]:
    """The environment, or a vector of several, which is closed at the end.

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
    if settings.is_team:
        return _team(settings.env, kwargs)
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


def _team(name: str, kwargs: dict[str, Any]) -> Any:
    """A parallel environment of PettingZoo, of a module's name and its own."""
    module, _, own = name.partition(":")
    if not module or not own:
        raise InputError(f"ENV must be a module and an environment in it, such as mpe2:simple_spread_v3, not '{name}'")
    try:
        member = getattr(import_module(module), own, None) or import_module(f"{module}.{own}")
    except ImportError as error:
        if module.partition(".")[0] in ("mpe2", "pettingzoo") and find_spec(module.partition(".")[0]) is None:
            raise MissingExtraError(f"The environment '{name}'", module.partition(".")[0], "multiagent") from None
        raise InputError(f"ENV: '{name}' cannot be imported ({' '.join(str(error).split())})") from None
    if not callable(make := getattr(member, "parallel_env", None)):
        raise InputError(f"ENV: '{name}' is no environment of PettingZoo: it has no parallel_env")
    try:
        return make(**kwargs)
    except (TypeError, AssertionError, ValueError) as error:
        if not kwargs:
            raise
        reason = " ".join(str(error).split())
        raise InputError(f"--env-kwargs: '{name}' does not take them ({reason})") from None


def chosen_algorithm(settings: AgentSettings) -> str:
    """The algorithm that fits the environment's actions."""
    from trulysparse.rl.spaces import checked_spaces

    with environment(settings) as env, as_options(settings):
        return "dqn" if checked_spaces(env).discrete else "td3"
