"""simple_spread_v3 (three agents, three landmarks): teams that learn together, at density 0.2 and dense.

    python benchmarks/rl/spread.py                  # three seeds, 30,000 steps
    python benchmarks/rl/spread.py --lines VDN --seeds 1 --steps 15000

Each line is a run of a team in a process of its own, one thread. Every `--every` steps (5,000) the team without random
actions plays 100 episodes, in an environment of its own whose seed is the same for all lines; the figure is the mean
return per agent. "torch" is the dense network of torch in the same loop, with the same replay, batches and settings; it
begins with torch's own start weights, and Adam is fused. Seconds are those of the processor, without evaluations. The
file has each evaluation; the table the mean of the last three, and the last, over seeds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import trulysparse as ts
from trulysparse.bench.report import machine, save_json, table
from trulysparse.rl.team_replay import Slots, TeamReplay

RESULTS = Path(__file__).parent.parent / "results" / "rl_spread.json"
LINES: dict[str, dict[str, Any]] = {
    "VDN": {"kind": "VDN"},
    "IQL": {"kind": "IQL"},
    "QMIX": {"kind": "QMIX"},
    "QMIX, TD(lambda)": {"kind": "QMIX", "options": {"td_lambda": 0.6, "sequence_length": 8}},
    "QMIX, largest value": {"kind": "QMIX", "options": {"soft_mellowmax": None}},
    "QMIX, largest value, tau 0.002": {"kind": "QMIX", "options": {"soft_mellowmax": None, "tau": 0.002}},
    "VDN, own networks": {"kind": "VDN", "options": {"share_parameters": False}},
    "VDN, torch": {"kind": "VDN", "torch": True},
    "random": {"kind": "VDN", "random": True},
}


class DenseNetworks:
    """The agents' shared network in dense torch, as AgentNetworks.

    Args:
        team: whose networks they take the place of.
    """

    def __init__(self, team: Any) -> None:
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(team.seed)
        s, spaces = team.settings, team.spaces
        sizes = (spaces.width + spaces.n_agents, *s.hidden_layer_sizes, spaces.n_choices)

        def new() -> Any:
            layers: list[Any] = []
            for n_in, n_out in pairwise(sizes):
                layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
            return torch.nn.Sequential(*layers[:-1])

        self.torch, self.spaces, self.n_samples = torch, spaces, s.batch_size
        self.net, self.target = new(), new()
        self.target.load_state_dict(self.net.state_dict())
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=s.learning_rate, fused=True)
        self.x = torch.zeros(spaces.n_agents * s.batch_size, sizes[0])
        for agent in range(spaces.n_agents):
            self.x[agent * s.batch_size : (agent + 1) * s.batch_size, spaces.width + agent] = 1
        self.target_x, self.numbers = self.x.clone(), torch.eye(spaces.n_agents)
        self.learners = {"agents": self}
        self.n_connections, self.replaced = sum(p.numel() for p in self.net.parameters() if p.ndim > 1), 0

    def act(self, observations: np.ndarray) -> np.ndarray:
        with self.torch.no_grad():
            return self.net(self.torch.cat([self.torch.from_numpy(observations), self.numbers], 1)).numpy().T

    def load(self, replay: TeamReplay, slots: Slots) -> None:
        self._load(replay, slots, self.x)

    def load_targets(self, replay: TeamReplay, slots: Slots) -> None:
        self._load(replay, slots, self.target_x)

    def _load(self, replay: TeamReplay, slots: Slots, x: Any) -> None:
        rows = np.swapaxes(replay.observations[slots], 0, 1).reshape(-1, self.spaces.width)
        x[:, : self.spaces.width] = self.torch.from_numpy(rows)

    def values(self) -> np.ndarray:
        self.output = self.net(self.x)
        return self._by_agent(self.output.detach())

    def target_values(self) -> np.ndarray:
        with self.torch.no_grad():
            return self._by_agent(self.target(self.target_x))

    def _by_agent(self, output: Any) -> np.ndarray:
        return output.numpy().T.reshape(-1, self.spaces.n_agents, self.n_samples)

    def update(self, actions: np.ndarray, gradient: np.ndarray) -> None:
        dy = np.zeros((actions.size, self.spaces.n_choices), np.float32)
        dy[np.arange(actions.size), actions.ravel()] = gradient.ravel()
        self.optimizer.zero_grad()
        self.output.backward(self.torch.from_numpy(dy))
        self.optimizer.step()

    def soft_update(self, tau: float) -> None:
        with self.torch.no_grad():
            self.torch._foreach_lerp_(list(self.target.parameters()), list(self.net.parameters()), tau)

    def set_total_updates(self, total: int | None) -> None:
        """Nothing here depends on it."""


class AtRandom:
    """Random actions, as a team."""

    def __init__(self, team: Any) -> None:
        self.team = team

    def predict(self, observations: dict[str, Any], deterministic: bool = True) -> tuple[dict[str, int], None]:
        drawn = self.team.random_actions()
        return {agent: int(drawn[i]) for i, agent in enumerate(self.team.spaces.agents) if agent in observations}, None


def run(line: str, seed: int, steps: int, every: int) -> dict[str, Any]:
    """One run."""
    from mpe2 import simple_spread_v3

    setting = LINES[line]
    kind = getattr(ts.rl, setting["kind"])
    team = kind(simple_spread_v3.parallel_env(), seed=seed, **setting.get("options", {}))
    if setting.get("torch"):
        team.networks = DenseNetworks(team)
        team.learners = team.networks.learners
    judged, env = AtRandom(team) if setting.get("random") else team, simple_spread_v3.parallel_env()
    evaluations: list[dict[str, float]] = []
    elsewhere = 0.0

    def look(team: Any) -> None:
        nonlocal elsewhere
        if team.num_timesteps % every == 0:
            began = time.process_time()
            returns, _ = ts.rl.evaluate_team(judged, env, 100, seed=10_000, return_episode_rewards=True)
            evaluations.append({"steps": team.num_timesteps, "return": float(np.mean(returns))})
            elsewhere += time.process_time() - began

    began = time.process_time()
    if setting.get("random"):
        team.num_timesteps = steps
        for _ in range(3):
            look(team)
    else:
        team.learn(steps, callbacks=look)
    seconds = time.process_time() - began - elsewhere
    return {
        "line": line,
        "seed": seed,
        "steps": steps,
        "evaluations": evaluations,
        "last_three": float(np.mean([each["return"] for each in evaluations[-3:]])),
        "last": evaluations[-1]["return"],
        "cpu_seconds": round(seconds, 2),
        "updates": team.n_updates,
        "connections": team.n_connections,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", nargs="*", choices=list(LINES), default=list(LINES))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=30_000)
    parser.add_argument("--every", type=int, default=5_000)
    parser.add_argument("--one", action="store_true", help="one run, printed as JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(run(given.lines[0], given.seeds[0], given.steps, given.every)))
        return
    found = json.loads(RESULTS.read_text())["results"] if RESULTS.exists() else []
    for line in given.lines:
        for seed in given.seeds:
            options = ["--lines", line, "--seeds", str(seed), "--steps", str(given.steps), "--every", str(given.every)]
            done = subprocess.run(
                [sys.executable, __file__, "--one", *options], capture_output=True, text=True, check=True
            )
            result = json.loads(done.stdout)
            found = [each for each in found if (each["line"], each["seed"]) != (line, seed)] + [result]
            save_json(RESULTS, {"machine": machine(1), "results": found})
    rows = []
    for line in LINES:
        runs = [each for each in found if each["line"] == line]
        if runs:
            rows.append(
                [
                    line,
                    f"{runs[0]['connections']:,}",
                    " ".join(f"{each['last_three']:.1f}" for each in runs),
                    f"{np.mean([each['last_three'] for each in runs]):.1f}",
                    f"{np.mean([each['cpu_seconds'] for each in runs]):.1f}",
                ]
            )
    columns = ["", "connections", "return per agent, by seed", "mean", "CPU s"]
    table("simple_spread_v3, mean of the last three evaluations", columns, rows)


if __name__ == "__main__":
    main()
