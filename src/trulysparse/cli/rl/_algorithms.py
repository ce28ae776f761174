"""The algorithms of agents by name, and what they can be set to."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

AGENTS = ("td3", "sac", "dqn")
TEAMS = ("iql", "vdn", "qmix")
"""Of PettingZoo environments, whose agents learn together."""
ALGORITHMS = (*AGENTS, *TEAMS)


def settings_of(algorithm: str) -> set[str]:
    """The settings that an algorithm has, those that stand for actor and critics both among them."""
    from trulysparse.rl import presets, team_settings

    if algorithm in TEAMS:
        kind: Any = team_settings.QMIXSettings if algorithm == "qmix" else team_settings.TeamSettings
        return {each.name for each in fields(kind)} - {"mixer"}  # which the algorithm's name says
    names = {each.name for each in fields(presets.ALGORITHMS[algorithm])}
    return names | {name.partition("_")[2] for name in names if name.startswith(("actor_", "critic_"))}


def having(setting: str) -> list[str]:
    """The algorithms that have a setting."""
    return [algorithm for algorithm in ALGORITHMS if setting in settings_of(algorithm)]


def class_of(algorithm: str) -> Any:
    """The class of its agents."""
    from trulysparse import rl

    return getattr(rl, algorithm.upper())


def listed(names: list[str]) -> str:
    """Names as a sentence has them.

    Example:
        >>> listed(["td3"]), listed(["td3", "sac", "dqn"])
        ('td3', 'td3, sac and dqn')
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
