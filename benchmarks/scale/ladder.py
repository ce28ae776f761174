"""Time and memory of every stage with 1 to 50 million neurons on 65,536 inputs, beside the estimates of the plan.

Each network and batch size has its own process. Writes results/ladder.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from trulysparse.bench.report import machine, save_json, table

RESULTS = Path(__file__).parent / "results"
RUNGS = {
    "1M": [500_000] * 2,
    "5M": [2_500_000] * 2,
    "10M": [5_000_000] * 2,
    "20M": [5_000_000] * 4,
    "50M": [5_000_000] * 10,
}


def run(name: str, epsilon: float, batch: int, steps: int) -> dict:
    """One network, measured in its own process."""
    command = [sys.executable, str(Path(__file__).with_name("_rung.py")), "--hidden", *map(str, RUNGS[name])]
    command += ["--epsilon", str(epsilon), "--batch", str(batch), "--steps", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"rung": name, "epsilon": epsilon, "batch_size": batch, "error": done.stderr.strip().splitlines()[-1]}
    return {"rung": name, **json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rungs", default=",".join(RUNGS))
    parser.add_argument("--epsilons", default="1,5")
    parser.add_argument("--batches", default="32,64")
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    file = RESULTS / "ladder.json"
    kept = json.loads(file.read_text())["results"] if file.is_file() else []
    for name in options.rungs.split(","):
        for epsilon in map(float, options.epsilons.split(",")):
            for batch in map(int, options.batches.split(",")):
                measured = run(name, epsilon, batch, options.steps)
                same = (name, epsilon, batch)
                kept = [r for r in kept if (r["rung"], r["epsilon"], r["batch_size"]) != same] + [measured]
                save_json(file, {"machine": machine(2), "results": kept})
                print(json.dumps(measured), flush=True)
    kept.sort(key=lambda r: (list(RUNGS).index(r["rung"]), r["epsilon"], r["batch_size"]))
    save_json(file, {"machine": machine(2), "results": kept})
    table(
        "65,536 inputs, 2 classes, bfloat16, 2 threads",
        [
            "neurons",
            "eps",
            "batch",
            "connections",
            "build s",
            "GB",
            "fwd s",
            "bwd s",
            "evolve s",
            "samples/s",
            "loss",
            "acc",
        ],
        [
            [
                r["rung"],
                r["epsilon"],
                r["batch_size"],
                f"{r['connections']:,}",
                f"{r['build_seconds']:.1f}",
                f"{r['peak_gb']:.2f}",
                f"{r['forward_seconds']:.3f}",
                f"{r['backward_seconds']:.3f}",
                f"{r['evolution_seconds']:.2f}",
                f"{r['samples_per_second']:.1f}",
                f"{r['loss_first_ten']:.3f} -> {r['loss_last_ten']:.3f}",
                "" if r["accuracy_after_one_pass"] is None else f"{r['accuracy_after_one_pass']:.3f}",
            ]
            for r in kept
            if "error" not in r
        ],
    )
    for r in kept:
        if "error" in r:
            print(r["rung"], r["epsilon"], r["batch_size"], r["error"])


if __name__ == "__main__":
    main()
