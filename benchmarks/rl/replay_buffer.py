"""Microseconds to add and to draw transitions, and bytes of each, beside Stable-Baselines3's replay buffer.

    python benchmarks/rl/replay_buffer.py

Buffers of 200,000 transitions are full, with episodes of 1,000 steps; batches of 256. Ours are written into the inputs
of networks, theirs into torch tensors. Contenders take turns; the figure is the least of --rounds turns, one thread, in
microseconds. Bytes: of a full buffer, divided by its transitions. Results: benchmarks/results/rl_replay_buffer.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.buffers import ReplayBuffer as TheirBuffer

from trulysparse.bench.report import machine, save_json, table
from trulysparse.rl.replay import ReplayBuffer

RESULTS = Path(__file__).parents[1] / "results" / "rl_replay_buffer.json"
SIZES = {"HalfCheetah": (17, 6), "Ant": (105, 8), "Humanoid": (348, 17), "400 zeros and ones": (400, 0)}
CAPACITY, BATCH, EPISODE = 200_000, 256, 1000


def ours(n: int, n_actions: int) -> tuple[Callable[[int], None], Callable[[], object], float]:
    boolean = not n_actions
    replay = ReplayBuffer(CAPACITY, n, n_actions=n_actions, boolean=boolean)
    rng, columns = np.random.default_rng(0), BATCH
    inputs, following = np.zeros((n + max(1, n_actions), columns), np.float32), np.zeros((n, columns), np.float32)
    observations, actions = inputs[:n], inputs[n:] if n_actions else np.zeros(columns, np.int32)
    observation = (rng.random((1, n)) < 0.5).astype(np.float32)
    action = rng.random((1, n_actions), dtype=np.float32) if n_actions else np.zeros(1, np.int64)
    reward, no, yes = np.zeros(1, np.float32), np.zeros(1, bool), np.ones(1, bool)
    replay.start(observation)

    def add(step: int) -> None:
        replay.add(action, reward, observation, no, yes if step % EPISODE == EPISODE - 1 else no, observation)

    def draw() -> object:
        return replay.sample(rng, BATCH, observations, actions, following)

    for step in range(CAPACITY):
        add(step)
    return add, draw, replay.nbytes / CAPACITY


def theirs(n: int, n_actions: int) -> tuple[Callable[[int], None], Callable[[], object], float]:
    kind: Any = np.float32 if n_actions else np.int8
    space = gymnasium.spaces.Box(-np.inf, np.inf, (n,), kind) if n_actions else gymnasium.spaces.MultiBinary(n)
    chosen = gymnasium.spaces.Box(-1, 1, (n_actions,)) if n_actions else gymnasium.spaces.Discrete(6)
    replay = TheirBuffer(CAPACITY, space, chosen, device="cpu")
    rng = np.random.default_rng(0)
    observation = (rng.random((1, n)) < 0.5).astype(kind)
    action = rng.random((1, n_actions), dtype=np.float32) if n_actions else np.zeros(1, np.int64)
    reward, no, yes = np.zeros(1, np.float32), np.zeros(1, bool), np.ones(1, bool)

    def add(step: int) -> None:
        replay.add(observation, observation, action, reward, yes if step % EPISODE == EPISODE - 1 else no, [{}])

    arrays = (replay.observations, replay.next_observations, replay.actions, replay.rewards, replay.dones)
    for array in arrays:
        array[:] = 1  # takes its memory
    replay.full = True
    nbytes = sum(array.nbytes for array in (*arrays, replay.timeouts))
    return add, lambda: replay.sample(BATCH), nbytes / CAPACITY


def measure(rounds: int) -> list[dict[str, Any]]:
    rows = []
    for task, sizes in SIZES.items():
        contenders = {"trulysparse": ours(*sizes), "Stable-Baselines3": theirs(*sizes)}
        best = {name: [np.inf, np.inf] for name in contenders}
        for _ in range(rounds):
            for name, (add, draw, _) in contenders.items():
                begin = time.perf_counter()
                for step in range(100):
                    add(step)
                middle = time.perf_counter()
                for _ in range(10):
                    draw()
                seconds = (middle - begin) / 100, (time.perf_counter() - middle) / 10
                best[name] = [min(pair) for pair in zip(best[name], seconds, strict=True)]
        for name, (_, _, nbytes) in contenders.items():
            add_us, draw_us = (1e6 * each for each in best[name])
            rows.append({"task": task, "buffer": name, "add": add_us, "draw": draw_us, "bytes": nbytes})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    torch.set_num_threads(1)
    rows = measure(parser.parse_args().rounds)
    columns = ["observations", "buffer", "add, us", f"draw {BATCH}, us", "bytes a transition"]
    table("Replay buffers", columns, [[r["task"], r["buffer"], r["add"], r["draw"], r["bytes"]] for r in rows])
    save_json(RESULTS, {"machine": machine(1), "results": rows})


if __name__ == "__main__":
    main()
