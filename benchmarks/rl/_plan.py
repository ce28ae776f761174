"""The training runs behind the learning curves, each with a name and its setting for `_runs.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Plan = Iterator[tuple[str, dict[str, Any]]]
CHEETAH = "HalfCheetah-v5"
# Both networks at one density, evolved by SET where nothing else is said.
LINES: dict[str, dict[str, Any]] = {
    "0.2": {"density": 0.2},
    "0.1": {"density": 0.1},
    "0.05": {"density": 0.05},
    "default": {},
    "0.1 static": {"density": 0.1, "evolution": None},
    "0.1 RigL": {"density": 0.1, "evolution": "rigl"},
    "0.5": {"density": 0.5},
}
TD3 = {"algorithm": "td3", "env": CHEETAH, "steps": 100_000, "evaluate_every": 10_000, "episodes": 5}
# Of the dense peer: our defaults, of which the rate and the batch are Stable-Baselines3's.
DENSE: dict[str, Any] = {"options": {"learning_rate": 1e-3}, "loop": {"batch_size": 256, "learning_starts": 25_000}}


def _run(name: str, setting: dict[str, Any], line: str, seed: int, **more: Any) -> tuple[str, dict[str, Any]]:
    run_name = f"{name}_{line}_s{seed}".replace(",", "").replace(" ", "_")
    learner = "dense" if line.startswith("dense") else "ours"
    return run_name, {"learner": learner, "line": line, "group": name, "seed": seed} | setting | more


def learning(seeds: int = 5) -> Plan:
    """HalfCheetah-v5, and three seeds of Hopper-v5 and Walker2d-v5, 100,000 steps."""
    for seed in range(seeds):
        yield _run("HalfCheetah", TD3, "dense", seed, **DENSE)
        for line, options in LINES.items():
            yield _run("HalfCheetah", TD3, line, seed, options=options)
    for env in ("Hopper", "Walker2d"):
        setting = TD3 | {"env": f"{env}-v5"}
        for seed in range(min(seeds, 3)):
            yield _run(env, setting, "dense", seed, **DENSE)
            yield _run(env, setting, "default", seed, options={})


def million(seeds: int = 2) -> Plan:
    """HalfCheetah-v5, 1,000,000 steps."""
    setting = TD3 | {"steps": 1_000_000, "evaluate_every": 25_000}
    for seed in range(seeds):
        random_steps = {"learning_starts": 10_000} if seed == 0 else {}  # the default is 25,000
        yield _run("million", setting, "0.1", seed, options={"density": 0.1} | random_steps)
        if seed == 0:
            yield _run("million", setting, "faithful", seed, options={"preset": "faithful"})


def noise(seeds: int = 3) -> Plan:
    """HalfCheetah-v5 with nine useless inputs for each useful one, 100,000 steps; the dense peer by what the preset
    `anf` sets beside its topology."""
    setting = TD3 | {"noise": 0.9}
    loop = {"batch_size": 100, "learning_starts": 25_000}
    dense = {"options": {"learning_rate": 1e-3, "weight_decay": 2e-4}, "loop": loop}
    for seed in range(seeds):
        yield _run("noise", setting, "dense", seed, **dense)
        yield _run("noise", setting, "anf", seed, options={"preset": "anf"})
        yield _run("noise", setting, "0.1, all evolve", seed, options={"preset": "faithful", "density": 0.1})


def classic(seeds: int = 3) -> Plan:
    """Pendulum-v1, beside Stable-Baselines3 with the same settings; CartPole-v1, Acrobot-v1 and LunarLander-v3 with our
    defaults, beside Stable-Baselines3 with those of its zoo."""
    pendulum = {"env": "Pendulum-v1", "steps": 10_000, "evaluate_every": 1000, "episodes": 10}
    of_pendulum = {"learning_rate": 1e-3, "learning_starts": 1000}
    lander = {"steps": 100_000, "evaluate_every": 10_000, "episodes": 10}
    for seed in range(seeds):
        for algorithm in ("td3", "sac"):
            setting = pendulum | {"algorithm": algorithm}
            ours = of_pendulum | {"density": 0.1}
            yield _run(f"Pendulum {algorithm}", setting, "0.1", seed, options=ours)
            theirs = of_pendulum | {"policy_kwargs": {"net_arch": [256, 256]}}
            yield _run(f"Pendulum {algorithm}", setting, "SB3", seed, learner="sb3", options=theirs)
        for env, setting in (
            ("CartPole-v1", {"steps": 100_000, "evaluate_every": 5000, "episodes": 10}),
            ("Acrobot-v1", {"steps": 100_000, "evaluate_every": 5000, "episodes": 10}),
            ("LunarLander-v3", lander),
        ):
            name = f"{env.partition('-')[0]} dqn"
            of_env = setting | {"env": env, "algorithm": "dqn"}
            yield _run(name, of_env, "0.2", seed, options={"density": 0.2})
            yield _run(name, of_env, "SB3", seed, learner="sb3", options=SB3_DQN[env])


# Of Stable-Baselines3's zoo, for its own algorithm.
_ZOO: dict[str, Any] = {"learning_rate": 6.3e-4, "batch_size": 128, "buffer_size": 50_000, "learning_starts": 0}
_ZOO |= {"train_freq": 4, "target_update_interval": 250, "exploration_fraction": 0.12, "gamma": 0.99}
_ZOO |= {"gradient_steps": -1, "exploration_final_eps": 0.1, "policy_kwargs": {"net_arch": [256, 256]}}
SB3_DQN: dict[str, dict[str, Any]] = {
    "CartPole-v1": {
        "learning_rate": 2.3e-3,
        "batch_size": 64,
        "buffer_size": 100_000,
        "learning_starts": 1000,
        "target_update_interval": 10,
        "train_freq": 256,
        "gradient_steps": 128,
        "exploration_fraction": 0.16,
        "exploration_final_eps": 0.04,
        "policy_kwargs": {"net_arch": [256, 256]},
    },
    "Acrobot-v1": _ZOO,
    "LunarLander-v3": _ZOO,
}
