"""Seconds of an environment step with its update, of acting, and memory, beside dense torch and Stable-Baselines3.

    python benchmarks/rl/speed.py                 # TD3 and SAC, HalfCheetah-v5, 256 x 256, batches of 256
    python benchmarks/rl/speed.py --rounds 3 --algorithms td3 --only times
    python benchmarks/rl/speed.py --only memory   # beside the times that are there

Contenders take turns in one process, one thread each: 1,000 environment steps with an update each, after 1,000 random
steps, 500 more and a turn to warm up. Each turn of ours contains an evolution of the critics, each second one of the
actor (SET, 5 %, every 1,000 updates). Seconds are those of the
processor; the figure is the median over turns, the ratio the median of ratios within a round. "torch" is torch as
installed, whose products are MKL's; "torch, oneDNN" takes oneDNN's, which are faster on AMD processors. Both are the
dense peer in the same loop, with fused Adam and foreach soft updates.
Acting: one observation, from Python, the deterministic policy, 2,000 calls a turn.
Memory: peak MB beyond imports in a process of its own after 2,500 steps, with the replay memory's MB for 1,000,000
transitions beside it.
Results go to benchmarks/results/rl_speed.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.noise import NormalActionNoise

import trulysparse as ts
from trulysparse.bench import rl_peers
from trulysparse.bench.report import machine, save_json, table
from trulysparse.bench.rl_loop import Loop

RESULTS = Path(__file__).parents[1] / "results" / "rl_speed.json"
ENV = "HalfCheetah-v5"
DENSITIES = (0.5, 0.2, 0.1, 0.05)
STEPS, RANDOM, CALLS = 1000, 1000, 2000


class Contender:
    """Something that steps, and the policy that it has by then."""

    def __init__(self, steps: Callable[[int], Any], policy: Callable[[], Callable[[Any], Any]], replay: float) -> None:
        self.steps, self.policy, self.replay = steps, policy, replay


def ours(algorithm: str, density: float) -> Contender:
    """trulysparse at a density."""
    # Each turn is a call of `learn`, which takes its end for that of the training: evolutions go on until there, and
    # are due in the middle of turns.
    evolution = ts.SET(0.05, every_updates=STEPS, until=1.0)
    agent = getattr(ts.rl, algorithm.upper())(
        ENV, density=density, evolution=evolution, learning_starts=RANDOM, seed=0, threads=1
    )
    agent.learn(RANDOM + STEPS // 2)
    return Contender(
        lambda n: agent.learn(n, reset_num_timesteps=False), lambda: agent.freeze().__call__, agent.replay.nbytes
    )


def dense(algorithm: str, linear: str) -> Contender:
    """The dense peer."""
    env = gymnasium.make(ENV)
    peer = getattr(rl_peers, algorithm.upper())(
        env.observation_space.shape[0], env.action_space.shape[0], linear=linear, seed=0
    )
    loop = Loop(peer, env, seed=0, learning_starts=RANDOM)
    loop.run(RANDOM + STEPS // 2)
    return Contender(loop.run, lambda: lambda observation: loop.unit(peer.act(observation)), _bytes(loop.replay.arrays))


def sb3(algorithm: str) -> Contender:
    """Stable-Baselines3 with the peers' settings."""
    torch.set_num_threads(1)
    settings: dict[str, Any] = {"policy_kwargs": {"net_arch": [256, 256]}, "learning_rate": 1e-3, "batch_size": 256}
    if algorithm == "td3":
        settings["action_noise"] = NormalActionNoise(np.zeros(6), np.full(6, 0.1))
    model = getattr(stable_baselines3, algorithm.upper())(
        "MlpPolicy", gymnasium.make(ENV), learning_starts=RANDOM, seed=0, device="cpu", **settings
    )
    model.learn(RANDOM + STEPS // 2)
    buffer = model.replay_buffer
    arrays = [buffer.observations, buffer.next_observations, buffer.actions, buffer.rewards, buffer.dones]
    return Contender(
        lambda n: model.learn(n, reset_num_timesteps=False),
        lambda: lambda observation: model.predict(observation, deterministic=True)[0],
        _bytes([*arrays, buffer.timeouts]),
    )


def _bytes(arrays: list[Any]) -> int:
    return sum(array.nbytes for array in arrays)


def contenders(algorithm: str) -> dict[str, Callable[[], Contender]]:
    """By name, what makes them."""
    found: dict[str, Callable[[], Contender]] = {
        "SB3": lambda: sb3(algorithm),
        "torch": lambda: dense(algorithm, "mkl"),
        "torch, oneDNN": lambda: dense(algorithm, "onednn"),
    }
    for density in DENSITIES:
        found[f"ours {density}"] = lambda density=density: ours(algorithm, density)  # type: ignore[misc]
    return found


def turns(works: dict[str, Callable[[], Any]], rounds: int, per: int) -> dict[str, list[float]]:
    """Processor seconds per call of what a turn does, by round; every work has had its turn to warm up."""
    for work in works.values():
        work()
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            began = time.process_time()
            work()
            found[name].append((time.process_time() - began) / per)
    return found


def measure(algorithm: str, rounds: int) -> list[dict[str, Any]]:
    """Steps and acting of all contenders."""
    made = {name: make() for name, make in contenders(algorithm).items()}
    steps = turns({name: lambda each=each: each.steps(STEPS) for name, each in made.items()}, rounds, STEPS)  # type: ignore[misc]
    observations = np.random.default_rng(0).standard_normal((CALLS, 17)).astype(np.float32)
    policies = {name: each.policy() for name, each in made.items()}

    def all_of(policy: Callable[[Any], Any]) -> None:
        for observation in observations:
            policy(observation)

    acts = turns({name: lambda p=p: all_of(p) for name, p in policies.items()}, max(rounds, 5), CALLS)  # type: ignore[misc]
    rows = []
    for name, each in made.items():
        row = {"algorithm": algorithm, "name": name, "ms": 1e3 * float(np.median(steps[name]))}
        row["ms_rounds"] = [1e3 * seconds for seconds in steps[name]]
        for peer in ("SB3", "torch", "torch, oneDNN"):
            row[f"faster than {peer}"] = float(np.median(np.divide(steps[peer], steps[name])))
        row |= {"act_us": 1e6 * float(np.median(acts[name])), "replay_mb": each.replay / 2**20}
        rows.append(row)
    return rows


def memory(algorithm: str, name: str) -> float:
    """Peak MB beyond imports after 2,500 steps, 1,500 of them with an update, in a process of its own."""
    setting: dict[str, Any] = {"algorithm": algorithm, "env": ENV, "steps": 2500, "seed": 0}
    setting |= {"evaluate_every": 2500, "episodes": 1, "last_episodes": 1, "options": {}}
    if name == "SB3":
        settings = {"learning_rate": 3e-4, "batch_size": 256, "learning_starts": 1000}
        setting |= {"learner": "sb3", "options": settings | {"policy_kwargs": {"net_arch": [256, 256]}}}
    elif name.startswith("torch"):
        linear = "onednn" if "oneDNN" in name else "mkl"
        setting |= {"learner": "dense", "options": {"linear": linear}, "loop": {"learning_starts": 1000}}
    else:
        setting |= {"learner": "ours", "options": {"density": float(name.split()[1]), "learning_starts": 1000}}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run.jsonl"
        script = str(Path(__file__).with_name("_runs.py"))
        subprocess.run([sys.executable, script, json.dumps(setting), "--out", str(out)], check=True)
        found: float = json.loads(out.read_text().splitlines()[-1])["peak_mb"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", nargs="+", default=["td3", "sac"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["times", "memory"])
    arguments = parser.parse_args()
    rows = json.loads(RESULTS.read_text())["results"] if RESULTS.is_file() else []
    for algorithm in arguments.algorithms:
        found = [row for row in rows if row["algorithm"] == algorithm]
        peaks = {row["name"]: row["peak_mb"] for row in found}
        if arguments.only != "memory":
            found = measure(algorithm, arguments.rounds)
        for row in found:
            row["peak_mb"] = peaks.get(row["name"])
            if arguments.only != "times":
                row["peak_mb"] = memory(algorithm, row["name"])
        rows = [row for row in rows if row["algorithm"] != algorithm] + found
        save_json(RESULTS, {"machine": machine(1) | {"torch": torch.__version__}, "results": rows})
        columns = ["ms", "faster than SB3", "faster than torch", "faster than torch, oneDNN", "act_us", "peak_mb"]
        columns += ["replay_mb"]
        shown = [[row["name"], *("" if row[c] is None else row[c] for c in columns)] for row in found]
        table(algorithm, ["", *columns], shown)


if __name__ == "__main__":
    main()
