"""One training run in a process of its own.

    python benchmarks/rl/_runs.py '{"learner": "ours", "algorithm": "td3", "env": "HalfCheetah-v5", "steps": 100000,
        "seed": 0, "options": {"density": 0.1}}' --out RUN.jsonl

learner is "ours", "dense" (the torch peer in the same loop) or "sb3"; "options" are its settings, "loop" those of the
dense peer's loop, "noise" the share of inputs that are noise. Every `evaluate_every` steps the policy without
exploration plays `episodes`, at the end `last_episodes` (10), which start from the seeds 10,000, 10,001, .... The file
gets a line per evaluation and a last one with "done": seconds of the processor and of the clock, without those of
evaluations, peak MB beyond what the process held once everything was imported, connections.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Report = Callable[[dict[str, Any]], None]


def resident(peak: bool) -> float:
    """The process's memory in MB: now, or the most so far."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:" if peak else "VmRSS:")[1].split()[0]) / 1024


def make(setting: dict[str, Any], seed: int) -> Any:
    """The setting's environment, its observations widened by noise where it says so."""
    import gymnasium

    env = gymnasium.make(setting["env"])
    if setting.get("noise"):
        from trulysparse.rl import NoisyFeatures

        env = NoisyFeatures(env, setting["noise"], seed=seed)
    return env


class Clock:
    """Seconds of the processor and of the clock, without those of evaluations, and the evaluations."""

    def __init__(self, setting: dict[str, Any], act: Callable[[Any], Any], report: Report) -> None:
        self.env = make(setting, setting["seed"] + 1000)
        self.act, self.report = act, report
        self.every, self.last = setting["evaluate_every"], setting["steps"]
        self.episodes, self.last_episodes = setting["episodes"], setting.get("last_episodes", 10)
        self.cpu, self.wall = -time.process_time(), -time.perf_counter()

    def look(self, steps: int) -> None:
        """Called after each step."""
        if steps % self.every:
            return
        self.cpu, self.wall = self.cpu + time.process_time(), self.wall + time.perf_counter()
        n = self.last_episodes if steps == self.last else self.episodes
        returns = [self.episode(10_000 + k) for k in range(n)]
        self.report({"steps": steps, "returns": returns, "cpu_s": self.cpu, "wall_s": self.wall})
        self.cpu, self.wall = self.cpu - time.process_time(), self.wall - time.perf_counter()

    def episode(self, seed: int) -> float:
        """The return of an episode."""
        observation, total, ended = self.env.reset(seed=seed)[0], 0.0, False
        while not ended:
            observation, reward, terminated, truncated, _ = self.env.step(self.act(observation.astype(np.float32)))
            total, ended = total + float(reward), terminated or truncated
        return total

    def end(self) -> dict[str, float]:
        """The seconds."""
        return {"cpu_s": self.cpu + time.process_time(), "wall_s": self.wall + time.perf_counter()}


def ours(setting: dict[str, Any], report: Report) -> dict[str, Any]:
    """A run of trulysparse."""
    import trulysparse as ts

    algorithm = getattr(ts.rl, setting["algorithm"].upper())
    options = {"buffer_size": min(1_000_000, setting["steps"])} | setting.get("options", {})
    env = make(setting, setting["seed"])
    clock = Clock(setting, lambda observation: agent.predict(observation, deterministic=True)[0], report)
    imported = resident(peak=False)
    agent = algorithm(env, seed=setting["seed"], threads=1, **options)
    agent.learn(setting["steps"], callbacks=[lambda agent: clock.look(agent.num_timesteps)])
    found = clock.end() | {"peak_mb": resident(peak=True) - imported}
    if setting.get("save"):
        agent.freeze().save(setting["save"])
    replaced = {name: learner.replaced for name, learner in agent.learners.items()}
    return found | {"connections": agent.n_connections, "replaced": replaced}


def dense(setting: dict[str, Any], report: Report) -> dict[str, Any]:
    """A run of the dense peer."""
    import torch  # noqa: F401 - not to be counted as the run's memory

    from trulysparse.bench import rl_loop, rl_peers

    env, test_env = (make(setting, setting["seed"] + k) for k in (0, 1000))
    peer = getattr(rl_peers, setting["algorithm"].upper())
    n_actions = int(env.action_space.n) if peer.discrete else env.action_space.shape[0]
    options = {"linear": "onednn"} | setting.get("options", {})
    imported = resident(peak=False)
    agent = peer(env.observation_space.shape[0], n_actions, seed=setting["seed"], **options)
    loop = {key: setting[key] for key in ("evaluate_every", "episodes", "last_episodes") if key in setting}
    loop |= setting.get("loop", {})
    rows = rl_loop.train(agent, env, test_env, setting["steps"], seed=setting["seed"], report=report, **loop)
    networks = [agent.q] if peer.discrete else [agent.actor, *agent.critics]
    connections = sum(p.numel() for network in networks for p in network.parameters if p.ndim == 2)
    seconds = {key: rows[-1][key] for key in ("cpu_s", "wall_s")}
    return seconds | {"peak_mb": resident(peak=True) - imported, "connections": connections}


def sb3(setting: dict[str, Any], report: Report) -> dict[str, Any]:
    """A run of Stable-Baselines3."""
    import stable_baselines3
    import torch
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.noise import NormalActionNoise

    torch.set_num_threads(1)
    algorithm = getattr(stable_baselines3, setting["algorithm"].upper())
    env = make(setting, setting["seed"])
    options = {"buffer_size": min(1_000_000, setting["steps"]), "policy": "MlpPolicy"} | setting.get("options", {})
    if setting["algorithm"] == "td3":
        n_actions = env.action_space.shape[0]
        options["action_noise"] = NormalActionNoise(np.zeros(n_actions), np.full(n_actions, 0.1))
    clock = Clock(setting, lambda observation: model.predict(observation, deterministic=True)[0], report)
    imported = resident(peak=False)
    model = algorithm(env=env, seed=setting["seed"], device="cpu", **options)

    class Look(BaseCallback):  # type: ignore[misc]
        def _on_step(self) -> bool:
            clock.look(self.num_timesteps)
            return True

    model.learn(setting["steps"], callback=Look())
    found = clock.end() | {"peak_mb": resident(peak=True) - imported}
    return found


LEARNERS = {"ours": ours, "dense": dense, "sb3": sb3}


def run(setting: dict[str, Any], out: Path) -> None:
    """Runs a setting and writes its lines; what is done already is left alone, what is not starts anew."""
    if out.exists() and '"done"' in out.read_text():
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w") as file:

        def report(row: dict[str, Any]) -> None:
            file.write(json.dumps(row) + "\n")
            file.flush()

        report({"setting": setting})
        report({"done": True} | LEARNERS[setting["learner"]](setting, report))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", type=json.loads)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    run(arguments.setting, arguments.out)
