"""CartPole learned on an emulated Cortex-M4F with 48 KiB of RAM, from nothing and from a policy of trulysparse.rl.

    python benchmarks/export/cartpole_on_device.py [--seeds 3] [--steps 30000] [--board M4F]

Two tasks. "scratch": a network 4-32-32-2 is drawn on the device and learns Gymnasium's CartPole-v1. "policy": a DQN
agent of 4,000 steps in Python is exported as a blob; the device's pole is half as long, so it falls faster than any
that the agent has seen, and it goes on learning there. Both learn by Q-learning from the last 2,000 transitions,
with a target network and SET. Returns are means over 100 episodes, at most 500 each, of the network alone; they start
elsewhere than those that it learns from. What counts is the network at the end: none is picked on the way.

Settings were chosen on the host with seeds 100 to 123 (scratch) and 100 to 107 (policy); seeds reported begin with 0.
--board HOST runs the same C on this machine, without instruction counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
from _devices import BOARDS, HOST, Board, boards, build, run
from _run import keep

import trulysparse as ts
from trulysparse.bench.report import table

HERE = Path(__file__).parent / "cartpole_device"
RUNTIME = Path(ts.__file__).parent / "export" / "c_runtime"
RAM = 48 << 10
CAPACITY = 2000
REWARD = 0.05  # of learn.c: values of the exported agent are in its unit

OUTCOME = np.dtype(
    [("before", "<f4"), ("after", "<f4")]
    + [(name, "<u4") for name in ("network", "replay", "connections", "replaced", "episodes", "stack")]
    + [(name, "<u8") for name in ("acting", "learning", "evolving")]
    + [("updates", "<u4"), ("evolutions", "<u4")]
)


@dataclass(frozen=True)
class Settings:
    """What the program is given, in the order in which it reads it."""

    seed: int = 0
    steps: int = 30_000
    evolve_every: int = 1000
    episodes: int = 100
    exploring: int = 5000
    hidden: int = 32
    epsilon: float = 4.0
    rate: float = 0.01
    momentum: float = 0.9
    gamma: float = 0.99
    tau: float = 0.03
    zeta: float = 0.1
    first: float = 1.0
    last: float = 0.05
    length: float = 0.5
    force: float = 10.0

    def packed(self) -> bytes:
        """As the program's struct."""
        return np.array(astuple(self)[:6], "<u4").tobytes() + np.array(astuple(self)[6:], "<f4").tobytes()


SCRATCH = Settings()
POLICY = replace(SCRATCH, first=0.2, length=0.25)


def exported_policy(seed: int, steps: int) -> bytes:
    """A DQN agent of CartPole-v1 as a blob, its observations scaled inside."""
    import gymnasium

    env = gymnasium.wrappers.TransformReward(gymnasium.make("CartPole-v1"), lambda reward: REWARD * reward)
    agent = ts.rl.DQN(
        env, hidden_layer_sizes=(32, 32), density=None, epsilon=4, normalize_observations=True, seed=seed, threads=1
    )
    return ts.export.blob_of(agent.learn(steps))


def learned(settings: Settings, board: Board, folder: Path, blob: bytes | None = None) -> dict[str, float]:
    """Builds the program with as much memory as it says it needs, and runs it."""
    folder.mkdir(exist_ok=True)
    flags = [f"-I{RUNTIME}", f"-I{HERE}", f"-DCAPACITY={CAPACITY}"]
    if blob is not None:
        flags.append("-DPOLICY")
        numbers = ",".join(map(str, blob))
        (folder / "policy.h").write_text(f"static const uint8_t policy_blob[{len(blob)}] = {{{numbers}}};\n")
    sizes, ram = (8, 8), None
    for _ in range(2):
        given = [*flags, f"-DNETWORK_BYTES={sizes[0]}", f"-DREPLAY_BYTES={sizes[1]}"]
        program = build({"learn.c": HERE / "learn.c"}, board, folder, ram=ram, flags=given)
        output = run(program, settings.packed(), seconds=1200)
        if output.code:
            raise RuntimeError(f"exit code {output.code}: {output.printed}")
        found = np.frombuffer(output.data, OUTCOME)[0]
        sizes = tuple((int(found[name]) + 7) // 8 * 8 for name in ("network", "replay"))
        ram = None if board is HOST else RAM
    result = {name: found[name].item() for name in OUTCOME.names}
    result |= {"ram": program.ram + result["stack"], "flash": program.flash, "seed": settings.seed}
    for name, times in (
        ("acting", settings.steps),
        ("learning", result["updates"]),
        ("evolving", result["evolutions"]),
    ):
        result[name] /= max(1, times)
    return result


def main() -> None:
    """Runs both tasks for every seed, keeps the results and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=SCRATCH.steps)
    parser.add_argument("--board", choices=[*BOARDS, "HOST"], default="M4F")
    given = parser.parse_args()
    board = HOST if given.board == "HOST" else boards(given.board)[0]
    found: dict[str, list[dict[str, float]]] = {"scratch": [], "policy": []}
    with tempfile.TemporaryDirectory() as name:
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            for task, settings in (("scratch", SCRATCH), ("policy", POLICY)):
                blob = exported_policy(seed, 4000) if task == "policy" else None
                each = replace(settings, seed=seed, steps=given.steps)
                found[task].append(learned(each, board, Path(name) / task, blob))
                print(task, found[task][-1], file=sys.stderr, flush=True)
    keep("export_cartpole_on_device", 1, {"steps": given.steps, "board": given.board, **found})
    columns = {
        "seed": "seed",
        "before": "return before",
        "after": "after",
        "connections": "connections",
        "replaced": "replaced",
        "network": "network bytes",
        "replay": "replay bytes",
        "stack": "stack bytes",
        "ram": "RAM in all",
        "flash": "flash",
        "acting": "instructions an action",
        "learning": "an update of 8",
        "evolving": "an evolution",
    }
    for task, results in found.items():
        rows = [[round(result[key], 1) for key in columns] for result in results]
        table(f"CartPole, {task}, {given.steps} steps on {board.processor}", list(columns.values()), rows)


if __name__ == "__main__":
    main()
