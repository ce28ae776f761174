"""Speed of training a network of a million neurons on 20 GB in files, against samples in memory.

Makes the files in --folder if they are absent. Writes results/stream.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import trulysparse as ts
from trulysparse.bench.report import machine, save_json
from trulysparse.data.files import read
from trulysparse.data.synthetic import MadelonLike

FEATURES, HIDDEN, BATCH = 65536, (500_000, 500_000), 32


def resident_gb() -> float:
    fields = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in fields if line.startswith("VmRSS")) * 1024 / 1e9


class Watch(ts.Callback):
    """Samples per second after the first steps, and the most memory at a step's end."""

    def __init__(self, skip: int) -> None:
        self.skip, self.steps, self.peak = skip, 0, 0.0

    def on_step_end(self, trainer: ts.Trainer, loss: float) -> None:
        self.steps += 1
        self.peak = max(self.peak, resident_gb())
        if self.steps == self.skip:
            self.began = time.perf_counter()


def train(folder: Path, streamed: bool, memory_gb: float) -> dict:
    if streamed:
        table = read(str(folder))
        X, y = table.X, table.y
        n_samples = X.shape[0]
    else:
        n_samples = int(memory_gb * 1e9 / (4 * FEATURES))
        mapped = np.load(folder / "X.npy", mmap_mode="r")
        X, y = np.empty((n_samples, FEATURES), np.float32), np.load(folder / "y.npy")[:n_samples]
        for start in range(0, n_samples, 256):
            X[start : start + 256] = mapped[start : min(start + 256, n_samples)]
        del mapped
    net = ts.SparseMLP(
        (FEATURES, *HIDDEN, 2),
        epsilon=1,
        storage="compact",
        weights="bfloat16",
        signals="bfloat16",
        activation=ts.AllReLU(0.05),
        fan="sparse",
    )
    trainer = ts.Trainer(net, optimizer=ts.SGD(10 / HIDDEN[-1], momentum=0.0), batch_size=BATCH)
    trainer.step(np.zeros((BATCH, FEATURES), np.float32), np.zeros(BATCH, np.int64))  # so that its memory is allocated
    before = resident_gb()
    watch = Watch(skip=20)
    history = trainer.fit(X, y, epochs=1, callbacks=[watch])
    seconds = time.perf_counter() - watch.began
    return {
        "samples": n_samples,
        "data_gb": n_samples * FEATURES * 4 / 1e9,
        "samples_per_second": (n_samples - watch.skip * BATCH) / seconds,
        "gb_beyond_the_model": watch.peak - before,
        "loss": history["loss"][-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "stream20")
    parser.add_argument("--gb", type=float, default=20.0)
    parser.add_argument("--memory-gb", type=float, default=4.0, help="of the samples taken for the run in memory")
    parser.add_argument("--part", choices=("file", "memory"))
    options = parser.parse_args()
    if options.part:
        print(json.dumps(train(options.folder, options.part == "file", options.memory_gb)))
        return
    if not (options.folder / "y.npy").is_file():
        MadelonLike(int(options.gb * 1e9 / (4 * FEATURES)), FEATURES).write(options.folder)
    results: dict[str, list[dict]] = {"file": [], "memory": []}
    for _ in range(2):  # in turn, as the machine's speed changes
        for part, runs in results.items():
            command = [sys.executable, __file__, "--folder", str(options.folder), "--part", part]
            command += ["--memory-gb", str(options.memory_gb)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
            print(part, json.dumps(runs[-1]), flush=True)
    ratios = [
        a["samples_per_second"] / b["samples_per_second"]
        for a, b in zip(results["file"], results["memory"], strict=True)
    ]
    save_json(
        Path(__file__).parent / "results" / "stream.json",
        {"machine": machine(2), "results": {**results, "file against memory": ratios}},
    )
    print("file against memory", ratios)


if __name__ == "__main__":
    main()
