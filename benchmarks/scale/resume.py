"""Kills a training of ten million neurons (SIGKILL), resumes it, and compares the model with that of an unbroken run.

Once in memory with checkpoints, once with layers on disk. Writes results/resume.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from trulysparse.bench.report import machine, save_json
from trulysparse.data.synthetic import MadelonLike

TRULYSPARSE = [sys.executable, "-m", "trulysparse"]


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def epochs_done(folder: Path) -> int:
    """Epochs that a training in `folder` has finished."""
    metrics = folder / "metrics.partial.jsonl"
    return metrics.read_text().count("\n") if metrics.is_file() else 0


def wait_for_checkpoint(training: subprocess.Popen[bytes], folder: Path, name: str) -> None:
    """Returns at the second checkpoint after the first epoch."""
    checkpoint = folder / "checkpoint" / name
    first = None
    while True:
        time.sleep(0.02)
        if training.poll() is not None:
            raise RuntimeError("training ended before it could be killed")
        if checkpoint.is_file() and epochs_done(folder):
            now = checkpoint.stat().st_mtime_ns
            first = first or now
            if now != first:
                return


def run(data: Path, folder: Path, hidden: str, on_disk: bool) -> dict:
    options = [
        *("--hidden", hidden, "--epsilon", "1", "--storage", "compact", "--precision", "bfloat16", "--fan", "sparse"),
        *("--alpha", "0.05", "--batch-size", "32", "--epochs", "3", "--learning-rate", "2e-6", "--momentum", "0"),
        *("--scale", "none", "--seed", "1"),
    ]
    if on_disk:
        options.append("--on-disk")
    interrupted, unbroken = folder / "interrupted", folder / "unbroken"
    started = subprocess.Popen(
        [*TRULYSPARSE, "train", str(data), "--out", str(interrupted), *options, "--checkpoint-every", "7"]
    )
    try:
        wait_for_checkpoint(started, interrupted, "layers/manifest.json" if on_disk else "state.safetensors")
        time.sleep(0.3)  # in the middle of a step
    finally:
        started.kill()
        started.wait()
    epochs = epochs_done(interrupted)
    subprocess.run([*TRULYSPARSE, "resume", str(interrupted)], check=True)
    subprocess.run([*TRULYSPARSE, "train", str(data), "--out", str(unbroken), *options], check=True)
    return {
        "hidden": hidden,
        "on_disk": on_disk,
        "killed_after_epochs": epochs,
        "model_bytes": (unbroken / "model.safetensors").stat().st_size,
        "same_bytes": digest(interrupted / "model.safetensors") == digest(unbroken / "model.safetensors"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--hidden", default="5000000,5000000")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        MadelonLike(800, 65536).write(folder / "data")
        results = [run(folder / "data", folder / name, options.hidden, name == "disk") for name in ("memory", "disk")]
    finally:
        shutil.rmtree(folder)
    save_json(Path(__file__).parent / "results" / "resume.json", {"machine": machine(2), "results": results})
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
