"""Kills trainings of the command line at random moments, resumes them, and compares them with unbroken ones.

    python tests/resume_matrix.py --kills 120

The matrix: workers x patience x report x streamed data x storage, where these go together. Each training is killed
(SIGKILL) several times at random moments until its share of kills is used, and then runs to its end. Its model must
have the same bytes as that of a training that nobody disturbed, and its metrics the same figures but for times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.datasets import dump_svmlight_file

STORAGES = {
    "indexed": [],
    "compact": ["--storage", "compact", "--precision", "bfloat16", "--fan", "sparse"],
    "on-disk": ["--storage", "compact", "--precision", "bfloat16", "--fan", "sparse", "--on-disk"],
}
BASE = ["--hidden", "120,80", "--epsilon", "8", "--batch-size", "64", "--dropout", "0.1", "--learning-rate", "0.01"]
TIMES = ("seconds", "samples_per_second")
AFTER = "after training"
FINISHED, KILLED = 0, -signal.SIGKILL


@dataclass(frozen=True)
class Combination:
    """One training of the matrix."""

    workers: int = 1
    patience: bool = False
    report: bool = False
    streamed: bool = False
    storage: str = "indexed"
    epochs: int = 100

    @property
    def name(self) -> str:
        parts = [f"workers {self.workers}", self.storage]
        return ", ".join(parts + [what for what in ("patience", "report", "streamed") if getattr(self, what)])

    def options(self, data: Path) -> list[str]:
        """Of `trulysparse train`, without --out."""
        options = ["train", str(data / ("d.libsvm" if self.streamed else "d.npz")), *BASE, *STORAGES[self.storage]]
        epochs = self.epochs // 4 if self.storage == "on-disk" else self.epochs  # each update is flushed there
        options += ["--epochs", str(epochs), "--seed", "3"]
        options += ["--workers", "2", "--parallel", "wassp"] if self.workers > 1 else []
        options += ["--patience", "8"] if self.patience else []
        options += ["--report"] if self.report else []
        return options + (["--stream"] if self.streamed else [])


@dataclass
class Outcome:
    """What came of a training that was killed. moments: what was there at each kill."""

    kills: int = 0
    anew: int = 0
    moments: list[str] = field(default_factory=list)
    failure: str | None = None


def combinations(epochs: int = 100) -> list[Combination]:
    """All that go together: reports and workers need indexed layers."""
    found = []
    for workers, patience, report, streamed, storage in product((1, 2), *[(False, True)] * 3, STORAGES):
        if storage == "indexed" or not (report or workers > 1):
            found.append(Combination(workers, patience, report, streamed, storage, epochs))
    return found


def write_data(folder: Path, n: int = 1200) -> None:
    """A set of three noisy classes, as .npz and as .libsvm."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n)
    X = np.where(rng.random((n, 40)) < 0.5, rng.standard_normal((n, 40)), 0) + 0.5 * (y[:, None] == np.arange(40) % 3)
    np.savez(folder / "d.npz", X=X.astype(np.float32), y=y)
    dump_svmlight_file(X, y, str(folder / "d.libsvm"))


def start(arguments: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "trulysparse", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def state_of(out: Path) -> str:
    """What a killed process has left."""
    if (out / ".new").is_dir():
        return "writing results"
    if (out / "checkpoint" / "workers").is_dir():
        return "workers alone"
    lines = (out / "metrics.partial.jsonl").read_text().count("\n") if (out / "metrics.partial.jsonl").exists() else 0
    if (out / "checkpoint").is_dir():
        return "training" if lines else "first epoch"
    return AFTER if (out / "model.safetensors").exists() else "before training"


def killed(process: subprocess.Popen[str], out: Path, rng: random.Random, length: tuple[float, float]) -> int:
    """Kills a process at a random moment of what follows its first sign of training, one of eight at one of its whole
    life. length: (seconds until the first sign, seconds from there on). Returns its exit code."""
    if rng.random() < 0.875:
        wait_for_sign(process, out)
        end = time.monotonic() + rng.uniform(0, length[1])
    else:
        end = time.monotonic() + rng.uniform(0, sum(length))
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.001)
    if process.poll() is None:
        process.kill()
    return process.wait()


def wait_for_sign(process: subprocess.Popen[str], out: Path) -> None:
    before = signs(out)
    while process.poll() is None and signs(out) == before:
        time.sleep(0.002)


def signs(out: Path) -> list[object]:
    """What changes as a training goes on."""
    try:
        return sorted((path.name, path.stat().st_mtime_ns) for path in (out / "checkpoint").iterdir())
    except OSError:
        return []


def disturb(
    combination: Combination, data: Path, out: Path, kills: int, rng: random.Random, length: tuple[float, float]
) -> Outcome:
    """Trains with kills until it is done."""
    outcome = Outcome()
    train = [*combination.options(data), "--out", str(out)]
    arguments = train
    while True:
        process = start(arguments)
        code = killed(process, out, rng, length) if outcome.kills < kills else process.wait()
        error = process.stderr.read() if process.stderr else ""
        if code == KILLED:
            outcome.moments.append(state_of(out))
            if outcome.moments[-1] == AFTER:
                return outcome  # which is no kill of a training
            outcome.kills += 1
            arguments = ["resume", str(out)]
        elif code == FINISHED:
            if outcome.kills >= kills or not outcome.kills:
                return outcome
            if not (out / "model.safetensors").exists():
                outcome.failure = "ended without a model"
            return outcome
        elif code == 2 and arguments[0] == "resume" and ("before its first" in error or "no checkpoint" in error):
            if (out / "model.safetensors").exists() and "no checkpoint" in error:
                return outcome  # killed after all was done
            outcome.anew += 1
            arguments = train
        else:
            outcome.failure = f"{arguments[0]} ended with {code}: {error.strip()[-300:]}"
            return outcome


def difference(out: Path, whole: Path) -> str | None:
    """What differs between two runs, or None."""
    if (out / "model.safetensors").read_bytes() != (whole / "model.safetensors").read_bytes():
        return "other bits"
    records = [[json.loads(line) for line in (each / "metrics.jsonl").open()] for each in (out, whole)]
    plain = [[{k: v for k, v in each.items() if k not in TIMES} for each in every] for every in records]
    if plain[0] != plain[1]:
        return "other metrics"
    # A process that was killed when all was done may have left its lock, which is free.
    left = ({path.name for path in out.iterdir()} - {".lock"}) ^ {path.name for path in whole.iterdir()}
    return f"other files: {sorted(left)}" if left else None


def run_matrix(chosen: list[Combination], kills: int, seed: int, folder: Path) -> tuple[int, list[str]]:
    """Prints a line for each training. Returns (kills, failures)."""
    rng = random.Random(seed)
    data = folder / "data"
    data.mkdir()
    write_data(data)
    total, failures, moments = 0, [], dict[str, int]()
    for number, combination in enumerate(chosen):
        whole, out = folder / f"{number}-whole", folder / f"{number}-killed"
        share = kills * (number + 1) // len(chosen) - kills * number // len(chosen)
        times = [time.monotonic()]
        process = start([*combination.options(data), "--out", str(whole)])
        wait_for_sign(process, whole)
        times.append(time.monotonic())
        error = process.communicate()[1]
        length = times[1] - times[0], time.monotonic() - times[1]
        if process.returncode:
            failures.append(f"{combination.name}: the unbroken training failed: {error.strip()[-300:]}")
            continue
        outcome = disturb(combination, data, out, share, rng, length)
        trials = 1
        while outcome.failure is None and (done := outcome.kills) < share and trials < 40:
            # It ended before its share of kills was used: once more.
            outcome.failure = difference(out, whole)
            if outcome.failure is None:
                out = folder / f"{number}-killed-{trials}"
                more = disturb(combination, data, out, share - done, rng, length)
                outcome = Outcome(done + more.kills, outcome.anew + more.anew, outcome.moments + more.moments)
                outcome.failure = more.failure
            trials += 1
        failure = outcome.failure or difference(out, whole)
        total += outcome.kills
        for moment in outcome.moments:
            moments[moment] = moments.get(moment, 0) + 1
        if failure is not None:
            failures.append(f"{combination.name}: {failure}")
        anew = f"{outcome.anew} before the first checkpoint"
        line = f"{combination.name:45} {sum(length):5.1f} s  {outcome.kills:3} kills, {anew}  {failure or 'same bits'}"
        print(line, flush=True)
    print(", ".join(f"{count} in '{moment}'" for moment, count in sorted(moments.items(), key=lambda each: -each[1])))
    return total, failures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chosen = combinations(arguments.epochs)
        total, failures = run_matrix(chosen, arguments.kills, arguments.seed, Path(folder))
    print(f"{len(chosen)} trainings, {total} kills, {len(failures)} failures, {os.cpu_count()} cores")
    for failure in failures:
        print(failure)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
