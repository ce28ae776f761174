"""Time of one action from one observation: a policy beside dense networks of torch and NumPy, one thread, in turns.

    python benchmarks/rl/latency.py --rounds 15

HalfCheetah's network, 17-256-256-6: observations of float64 are normalised, the network is computed, tanh and the
bounds make an action. All contenders start from the same NumPy array and end with one. A policy's refresh takes over
the weights of a network that has learnt, without and with a new normalisation. Memory is that of weights and what
finds them, and of the file. Seconds are those of the processor; figures are medians over the rounds, of which each has
a turn of 2,000 calls of each contender, and "torch / it" is the median of the ratios within a round.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.rl import Policy

sys.path.insert(0, str(Path(__file__).parents[1]))
from _run import keep, options

SIZES = (17, 256, 256, 6)
CALLS = 2000  # in a turn
OUR_DENSITIES = (0.5, 0.2, 0.1, 0.05)


def in_turns(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray[Any, Any]]:
    """Microseconds of a call of each contender in each round."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            for _ in range(CALLS // 10):  # what the one before has left in the caches goes
                call()
            began = time.thread_time()
            for _ in range(CALLS):
                call()
            times[name].append((time.thread_time() - began) / CALLS * 1e6)
    return {name: np.array(each) for name, each in times.items()}


def torch_policy(weights: list[Any], scale: tuple[Any, Any], *, traced: bool) -> Callable[[Any], Any]:
    """The same in torch: float32, no gradients; traced: by torch.jit, frozen."""

    class Actor(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[torch.nn.Module] = []
            for weight in weights:
                linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
                linear.weight.data, linear.bias.data = torch.from_numpy(weight), torch.zeros(len(weight))
                layers += [linear, torch.nn.ReLU()]
            self.layers = torch.nn.Sequential(*layers[:-1], torch.nn.Tanh())
            self.offset, self.factor = (torch.from_numpy(each.astype(np.float32)) for each in scale)
            self.low, self.range = torch.full((6,), -1.0), torch.full((6,), 2.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.layers((x - self.offset) * self.factor)
            return self.low + 0.5 * (y + 1) * self.range

    module: Any = Actor().eval()
    if traced:
        module = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(module, torch.zeros(17))))

    def act(observation: Any) -> Any:
        with torch.inference_mode():
            return module(torch.from_numpy(observation).float()).numpy()

    return act


def numpy_policy(weights: list[Any], scale: tuple[Any, Any]) -> Callable[[Any], Any]:
    """The same in NumPy, whose products are OpenBLAS's."""
    first, second, last = weights
    offset, factor = (each.astype(np.float32) for each in scale)

    def act(observation: Any) -> Any:
        x = (observation.astype(np.float32) - offset) * factor
        x = np.maximum(first @ x, 0)
        x = np.maximum(second @ x, 0)
        return -1 + 0.5 * (np.tanh(last @ x) + 1) * 2

    return act


def main() -> None:
    """Measures, prints a table and writes results/rl_latency.json."""
    given = options(__doc__, rounds=15)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    scale = rng.normal(size=17), rng.random(17) + 0.5
    observation = rng.normal(size=17)
    dense = [(rng.normal(size=(b, a)) / np.sqrt(a)).astype(np.float32) for a, b in pairwise(SIZES)]
    acts: dict[str, Callable[[Any], Any]] = {
        "torch, dense": torch_policy(dense, scale, traced=False),
        "torch, dense, traced and frozen": torch_policy(dense, scale, traced=True),
        "NumPy, dense": numpy_policy(dense, scale),
    }
    same = ts.SparseMLP.from_matrices(dense, activation="relu", output="identity", threads=1)
    wanted = Policy(same, head="tanh", n_actions=6, offset=scale[0], factor=scale[1])(observation)
    for name, act in acts.items():  # they compute the same
        np.testing.assert_allclose(act(observation), wanted, rtol=1e-4, atol=1e-5, err_msg=name)
    numbers = sum(weight.size for weight in dense)
    facts = dict.fromkeys(acts, (numbers, numbers * 4 / 1024, None))
    refreshes: dict[str, Callable[[], object]] = {}
    for density in OUR_DENSITIES:
        net = ts.SparseMLP(
            SIZES,
            density=density,
            activation="relu",
            output="identity",
            init="uniform",
            fan="sparse",
            balance=False,
            seed=0,
            threads=1,
        )
        policy = Policy(net, head="tanh", n_actions=6, offset=scale[0], factor=scale[1])
        name = f"ours, density {density:g}"
        acts[name] = policy
        with tempfile.TemporaryDirectory() as folder:
            policy.save(Path(folder) / "policy")
            size = (Path(folder) / "policy").stat().st_size / 1024
        facts[name] = (net.n_connections, net.n_connections * 6 / 1024, size)
        again = Policy(net, head="tanh", n_actions=6)
        refreshes[f"refresh, density {density:g}"] = lambda again=again, net=net: again.refresh(net)
        refreshes[f"refresh with normalisation, density {density:g}"] = lambda again=again, net=net: again.refresh(
            net, *scale
        )
    calls = {name: lambda act=act: act(observation) for name, act in acts.items()}
    times = in_turns(calls | refreshes, given.rounds)
    first = times["torch, dense"]
    rows = []
    for name, each in times.items():
        connections, kilobytes, file = facts.get(name, (None, None, None))
        low, middle, high = np.percentile(each, (25, 50, 75)).tolist()
        rows.append(
            {
                "call": name,
                "us": middle,
                "low_us": low,
                "high_us": high,
                "times_torch": float(np.median(first / each)) if name in acts else None,
                "weights": connections,
                "weights_kb": kilobytes,
                "file_kb": file,
            }
        )
    table(
        "One observation, 17-256-256-6, one thread",
        ["call", "us", "quartiles", "torch / it", "weights", "KiB", "file, KiB"],
        [
            [
                row["call"],
                f"{row['us']:.2f}",
                f"{row['low_us']:.2f} to {row['high_us']:.2f}",
                "" if row["times_torch"] is None else f"{row['times_torch']:.1f}",
                row["weights"] or "",
                "" if row["weights_kb"] is None else f"{row['weights_kb']:.0f}",
                "" if row["file_kb"] is None else f"{row['file_kb']:.0f}",
            ]
            for row in rows
        ],
    )
    keep("rl_latency", 1, rows)


if __name__ == "__main__":
    main()
