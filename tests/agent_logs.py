"""Logs of agents that learn, made up, for the tests of what is drawn of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from trulysparse.report.rl_records import SeedRecords
from trulysparse.report.rl_run import AgentRun

LOG = """time/total_timesteps,time/time_elapsed,time/fps,rollout/ep_rew_mean,eval/mean_reward,eval/std_reward,\
sparse/connections,sparse/replaced,sparse/dormant,replay/bytes,train/critic_loss
100,1.0,100,-1200,,,500,0,0.01,1e6,1.5
200,2.5,80,-900,-1000,50,500,20,0.02,1e6,1.2
300,4.0,75,-500,-400,60,500,40,,1e6,0.8
"""


def write_log(folder: Path, text: str = LOG) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "progress.csv"
    path.write_text(text)
    return path


def seed_records(seed: int = 0, *, n: int = 30, level: float = 0.0, **results: Any) -> SeedRecords:
    """An agent that learns from -1,500 to -100 + level, with every tenth entry an evaluation."""
    rng = np.random.default_rng(seed)
    steps = 100.0 * np.arange(1, n + 1)
    reward = -1500 + (1400 + level) * (1 - np.exp(-3 * steps / steps[-1])) + rng.normal(0, 20, n)
    evaluated = np.arange(1, n + 1) % 3 == 0
    columns = {
        "time/total_timesteps": steps,
        "time/time_elapsed": steps / (200 + 10 * seed),
        "time/fps": np.full(n, 200.0 + 10 * seed),
        "rollout/ep_rew_mean": reward - 100,
        "eval/mean_reward": np.where(evaluated, reward, np.nan),
        "eval/std_reward": np.where(evaluated, 40.0, np.nan),
        "sparse/connections": np.full(n, 4000.0),
        "sparse/replaced": np.cumsum(np.full(n, 25.0)),
        "sparse/dormant": np.linspace(0, 0.1, n),
        "replay/bytes": np.full(n, 2e6),
        "train/critic_loss": rng.random(n),
        "train/actor_loss": -rng.random(n),
    }
    return SeedRecords(seed=seed, columns=columns, results=results)


def agent_run(name: str = "run", n_seeds: int = 3, *, finished: bool = True, **config: Any) -> AgentRun:
    seeds = [seed_records(k, connections=4000, neurons=520, peak_rss_mb=100.0 + k) for k in range(n_seeds)]
    settings = {"env": "Pendulum-v1", "algorithm": "td3", "density": 0.1, "seed": 0, **config}
    return AgentRun(name=name, config=settings, seeds=seeds, finished=finished)
