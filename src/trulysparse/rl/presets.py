"""Settings of the algorithms by name: the default, those of published work, and those for special ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution import SET
from trulysparse.rl.settings import EVERY, DQNSettings, SACSettings, Settings, TD3Settings

# The epsilons of the first and second layer (Sokar et al. 2022); in others the first layer's density is HalfCheetah's.
_DS_TD3 = {"HalfCheetah": (7, 64), "Hopper": (7, 64), "Walker2d": (7, 64), "Ant": (40, 64), "Humanoid": (61, 64)}
_DS_SAC = {"HalfCheetah": (12, 80), "Walker2d": (12, 80), "Hopper": (7, 20), "Ant": (30, 64), "Humanoid": (61, 64)}

# DS-TD3's actor evolves with the critics, every 1000 of their updates, which are 500 of its own; all end 50,000 steps
# before the millionth, of which the first 25,000 have no update. Epsilons depend on the environment.
_FAITHFUL_TD3: Mapping[str, Any] = {
    "learning_rate": 1e-3,
    "weight_decay": 2e-4,
    "batch_size": 100,
    "learning_starts": 25_000,
    "actor_density": None,
    "critic_density": None,
    "actor_evolution": SET(0.05, every_updates=500, until=462_500),
    "critic_evolution": SET(0.05, every_updates=1000, until=925_000),
}
# The paper does not say when learning starts.
_FAITHFUL_SAC: Mapping[str, Any] = {
    "tau": 1.0,
    "target_update_interval": 1000,
    "ent_coef": 0.2,
    "learning_starts": 10_000,
    "actor_density": None,
    "critic_density": None,
    "actor_evolution": SET(0.1, every_updates=1000),
    "critic_evolution": SET(0.1, every_updates=1000),
}
# Wide layers of few connections: the critic evolves and the actor stands, as in work on scaling (Ma et al. 2025).
_ULTRA: Mapping[str, Any] = {
    "hidden_layer_sizes": (512, 512),
    "actor_density": 0.05,
    "critic_density": 0.05,
    "actor_evolution": None,
}
# A sparse input layer, which alone evolves, finds the features that are not noise (Grooten et al. 2023). Rate, decay
# and batch are the authors'; their input layer has a density of 0.2, and the others are dense.
_ANF: Mapping[str, Any] = {
    "actor_density": (0.1, 0.1, 1.0),
    "critic_density": (0.1, 0.1, 1.0),
    "evolving": (0,),
    "learning_rate": 1e-3,
    "weight_decay": 2e-4,
    "batch_size": 100,
    "actor_evolution": SET(0.05, every_updates=EVERY),
    "critic_evolution": SET(0.05, every_updates=EVERY),
}
_ANF_DQN: Mapping[str, Any] = {
    "density": (0.1, 0.1, 1.0),
    "evolving": (0,),
    "weight_decay": 2e-4,
    "evolution": SET(0.05, every_updates=EVERY),
}

ALGORITHMS: Mapping[str, type[Settings]] = {"td3": TD3Settings, "sac": SACSettings, "dqn": DQNSettings}
PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "td3": {"default": {}, "faithful": _FAITHFUL_TD3, "ultra": _ULTRA, "anf": _ANF},
    "sac": {"default": {}, "faithful": _FAITHFUL_SAC, "ultra": _ULTRA, "anf": _ANF},
    "dqn": {"default": {}, "ultra": {"hidden_layer_sizes": (512, 512), "density": 0.05}, "anf": _ANF_DQN},
}
"""For each algorithm and preset, the settings that are not as by default."""


def settings(
    algorithm: str,
    preset: str,
    n_observations: int,
    n_actions: int,
    env_id: str | None = None,
    given: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The settings of an algorithm: what the user gave, and the preset's for the rest.

    Of an actor and critics, `density`, `epsilon` and `evolution` stand for those of both where they have none of their
    own. A density takes the place of the preset's epsilon, and the other way round.

    Args:
        algorithm: 'td3', 'sac' or 'dqn'.
        preset: a name in PRESETS[algorithm].
        n_observations: inputs of the actor.
        n_actions: components of an action, or choices.
        env_id: of Gymnasium, by which 'faithful' chooses; None: not known.
        given: settings that the user wrote, by name; evolutions are objects, names or None.

    Returns:
        Values of all fields of the algorithm's Settings, by name.

    Raises:
        InputError: where a name is unknown, or two settings do not go together.

    Source:
        'faithful': Sokar et al., "Dynamic sparse training for deep reinforcement learning", IJCAI 2022, and its code.
        'default': Graesser et al., "The state of sparse training in deep reinforcement learning", ICML 2022, on how
        actor and critic share. 'ultra': Ma et al., "Network sparsity unlocks the scaling potential of deep
        reinforcement learning", ICML 2025. 'anf': Grooten et al., "Automatic noise filtering with dynamic sparse
        training in deep reinforcement learning", AAMAS 2023.

    Example:
        >>> chosen = settings("td3", "faithful", 17, 6, "HalfCheetah-v5", {"gamma": 0.98})
        >>> chosen["gamma"], chosen["batch_size"], chosen["critic_epsilon"]
        (0.98, 100, (7, 64, 256))
        >>> chosen = settings("td3", "default", 17, 6, given={"density": 0.1})
        >>> chosen["actor_density"], chosen["critic_density"]
        (0.1, 0.1)
    """
    table = PRESETS[checks.choice("algorithm", algorithm, tuple(PRESETS))]
    changes = table[checks.choice("preset", preset, tuple(table))]
    defaults: dict[str, Any] = {each.name: each.default for each in fields(ALGORITHMS[algorithm])}
    networks = ["actor_", "critic_"] if "actor_density" in defaults else [""]
    explicit = _per_network(dict(given or {}), networks)
    unknown = sorted(set(explicit) - set(defaults))
    if unknown:
        raise InputError(f"{algorithm} has no setting {unknown[0]!r}; it has {', '.join(defaults)}")
    values = defaults | dict(changes) | explicit
    for network in networks:
        _choose_sparsity(values, explicit, network)
        if preset == "faithful" and values[f"{network}density"] is None and values[f"{network}epsilon"] is None:
            n_inputs = n_observations + (n_actions if network == "critic_" else 0)
            epsilons = _DS_TD3 if algorithm == "td3" else _DS_SAC
            values[f"{network}epsilon"] = _published(epsilons, env_id, n_inputs, values["hidden_layer_sizes"])
    return values


def checked(algorithm: str, values: Mapping[str, Any]) -> Settings:
    """Settings whose values are in range.

    Args:
        algorithm: 'td3', 'sac' or 'dqn'.
        values: of all fields, from `settings`.

    Returns:
        A TD3Settings, SACSettings or DQNSettings.

    Raises:
        InputError: where a value is out of range.

    Example:
        >>> checked("td3", settings("td3", "default", 17, 6)).policy_delay
        2
    """
    return ALGORITHMS[algorithm](**values)


def _per_network(given: dict[str, Any], networks: Sequence[str]) -> dict[str, Any]:
    """Settings of which what stands for both networks is written out for each."""
    if networks == [""]:
        return given
    both = {name: given.pop(name) for name in ("density", "epsilon", "evolution") if name in given}
    if "density" in both and "epsilon" in both:
        raise InputError("epsilon cannot be combined with density, which takes its place")
    for network in networks:
        of_own = {"density", "epsilon"} & {name.removeprefix(network) for name in given if name.startswith(network)}
        for name, value in both.items():
            if not (of_own and name in ("density", "epsilon")):
                given.setdefault(f"{network}{name}", value)
    return given


def _choose_sparsity(values: dict[str, Any], explicit: Mapping[str, Any], network: str) -> None:
    """Has a network's density or its epsilon, whichever was given, take the place of the preset's."""
    density, epsilon = f"{network}density", f"{network}epsilon"
    given = [name for name in (density, epsilon) if explicit.get(name) is not None]
    if len(given) == 2:
        raise InputError(f"{epsilon} cannot be combined with {density}, which takes its place")
    if given:
        values[epsilon if given == [density] else density] = None


def _published(
    epsilons: Mapping[str, tuple[int, int]], env_id: str | None, n_inputs: int, hidden: Sequence[int]
) -> tuple[float, ...]:
    """The epsilons of an environment; the last one, as large as a layer is wide, makes the output layer dense."""
    if len(hidden) != 2:
        raise InputError(
            f"preset 'faithful' is for two hidden layers, not {len(hidden)}: give a density or an epsilon with it"
        )
    task = (env_id or "").rpartition("/")[2].rpartition("-v")[0]
    if task in epsilons:
        return (*epsilons[task], hidden[-1])
    first, second = epsilons["HalfCheetah"]
    density = first * (17 + 256) / (17 * 256)
    return density * n_inputs * hidden[0] / (n_inputs + hidden[0]), second, hidden[-1]
