"""The largest network that trains in 20 GB of memory, and in 20 GB of memory with 40 GB of disk.

As many layers of 100 million neurons as the plan says fit; built, two steps, one evolution, one step. Writes
results/largest.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trulysparse as ts
from trulysparse.bench.report import machine, save_json
from trulysparse.data.synthetic import MadelonLike
from trulysparse.io.checkpoint_folder import LAYERS
from trulysparse.planning import plan as planning
from trulysparse.training.callbacks.checkpointer import Checkpointer

FEATURES, WIDTH, BATCH, MEMORY, DISK = 65536, 100_000_000, 1, 20e9, 40e9


class Done(Exception):
    """Raised to end fit after two steps, an evolution and a step."""


class Watch(ts.Callback):
    """Seconds of each step and of evolution, and the most disk that the layers take."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.disk_gb = folder, 0.0
        self.steps: list[float] = []
        self.losses: list[float] = []
        self.evolution = 0.0

    def _lap(self) -> float:
        began, self._began = self._began, time.perf_counter()
        if self.folder is not None:
            self.disk_gb = max(self.disk_gb, sum(f.stat().st_size for f in self.folder.iterdir()) / 1e9)
        return self._began - began

    def on_fit_start(self, trainer: ts.Trainer, epochs: int, steps: int) -> None:
        self._began = time.perf_counter()

    def on_progress(self, trainer: ts.Trainer, what: str, done: float, total: float) -> None:
        self.evolution += self._lap()

    def on_step_end(self, trainer: ts.Trainer, loss: float) -> None:
        self.steps.append(self._lap())
        self.losses.append(loss)
        print(f"loss {loss:.4f}, {self.steps[-1]:.0f} s", file=sys.stderr, flush=True)
        if len(self.steps) == 3:
            raise Done


def request(layers: int, on_disk: bool) -> planning.PlanRequest:
    every = max(1, round(layers**0.5))
    return planning.PlanRequest((FEATURES, *[WIDTH] * layers, 2), 0.5, BATCH, recompute=every, on_disk=on_disk)


def most_layers(on_disk: bool) -> int:
    layers = 1
    while True:
        estimate = planning.plan(request(layers + 1, on_disk), measure=False)
        if estimate.resident > MEMORY or estimate.disk > DISK:
            return layers
        layers += 1


def train(on_disk: bool, folder: Path, layers: int) -> dict:
    chosen = request(layers, on_disk)
    predicted = planning.plan(chosen)
    X, y = MadelonLike(2, FEATURES).arrays()

    def tell(what: str, done: float, total: float) -> None:
        print(f"{what} {done / total:.0%}", file=sys.stderr, flush=True)

    began = time.perf_counter()
    net = ts.SparseMLP(
        chosen.layer_sizes,
        epsilon=chosen.epsilon,
        storage="compact",
        weights="bfloat16",
        signals="bfloat16",
        activation=ts.AllReLU(0.05),
        fan="sparse",
        folder=folder if on_disk else None,
        progress=tell,
    )
    built = time.perf_counter() - began
    trainer = ts.Trainer(
        net,
        optimizer=ts.SGD(1 / WIDTH, momentum=0.0),
        evolution=ts.SET(0.3),
        batch_size=BATCH,
        recompute=chosen.recompute,
    )
    watch = Watch(folder if on_disk else None)
    checkpoints = [Checkpointer(folder.parent, every=1)] if on_disk else []
    with contextlib.suppress(Done):
        trainer.fit(X, y, epochs=2, shuffle=False, callbacks=[watch, *checkpoints])
    return {
        "on_disk": on_disk,
        "layers": layers,
        "recompute": chosen.recompute,
        "neurons": net.n_neurons,
        "connections": net.n_connections,
        "build_seconds": built,
        "step_seconds": watch.steps,
        "losses": watch.losses,
        "evolution_seconds": watch.evolution,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "disk_gb": watch.disk_gb,
        "predicted": {
            "resident_gb": predicted.resident / 1e9,
            "disk_gb": predicted.disk / 1e9,
            "seconds": predicted.seconds,
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--where", choices=("memory", "disk", "both"), default="both")
    parser.add_argument("--alone", action="store_true", help="measure in this process")
    parser.add_argument("--layers", type=int, help="default: as many as fit")
    options = parser.parse_args()
    storages = ["memory", "disk"] if options.where == "both" else [options.where]
    file = Path(__file__).parent / "results" / "largest.json"
    results = json.loads(file.read_text())["results"] if file.is_file() else {}
    for where in storages:
        on_disk = where == "disk"
        layers = options.layers or most_layers(on_disk)
        if options.alone:
            folder = Path(tempfile.mkdtemp(dir=options.folder))
            try:
                print(json.dumps(train(on_disk, folder / LAYERS, layers)))
            finally:
                shutil.rmtree(folder)
            continue
        command = [sys.executable, __file__, "--folder", str(options.folder), "--where", where]
        command += ["--alone", "--layers", str(layers)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        results[where] = json.loads(done.stdout.splitlines()[-1])
        save_json(file, {"machine": machine(2), "results": results})
        print(json.dumps(results[where], indent=1))


if __name__ == "__main__":
    main()
