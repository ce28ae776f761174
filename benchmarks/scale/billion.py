"""Trains a network of one billion neurons: ten steps, one evolution of every hidden layer, saving, loading.

Another process loads the model and must predict the same. Needs 22 GB of memory and 9 GB of disk in --folder. Writes
results/billion.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import trulysparse as ts
from trulysparse.bench.report import machine, save_json
from trulysparse.data.synthetic import MadelonLike
from trulysparse.planning import plan as planning

FEATURES, HIDDEN, BATCH = 65536, [100_000_000] * 10, 4


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def samples() -> tuple[np.ndarray, np.ndarray]:
    return MadelonLike(3 * BATCH, FEATURES).arrays()


def build_and_train(model: Path, steps: int) -> dict:
    sizes = (FEATURES, *HIDDEN, 2)
    predicted = planning.plan(planning.PlanRequest(sizes, 0.5, BATCH))
    X, y = samples()
    began = time.perf_counter()
    net = ts.SparseMLP(
        sizes,
        epsilon=0.5,
        storage="compact",
        weights="bfloat16",
        signals="bfloat16",
        activation=ts.AllReLU(0.05),
        fan="sparse",
        progress=lambda what, done, total: print(f"{what} {done / total:.0%}", file=sys.stderr, flush=True),
    )
    result = {
        "layer_sizes": sizes,
        "neurons": net.n_neurons,
        "connections": net.n_connections,
        "connections_per_neuron": net.n_connections / net.n_neurons,
        "batch_size": BATCH,
        "build_seconds": time.perf_counter() - began,
        "built_gb": peak_gb(),
    }
    trainer = ts.Trainer(net, optimizer=ts.SGD(2 / HIDDEN[-1], momentum=0.0), evolution=ts.SET(0.3), batch_size=BATCH)
    losses, seconds = [], []
    for step in range(steps):  # two batches in turn, so that the loss is compared on the same samples
        here = slice(step % 2 * BATCH, (step % 2 + 1) * BATCH)
        began = time.perf_counter()
        losses.append(trainer.step(X[here], y[here]))
        seconds.append(time.perf_counter() - began)
        print(f"step {step}: loss {losses[-1]:.4f}, {seconds[-1]:.1f} s", file=sys.stderr, flush=True)
    began = time.perf_counter()
    replaced = trainer.evolve()
    result |= {
        "losses": losses,
        "step_seconds": seconds,
        "evolution_seconds": time.perf_counter() - began,
        "replaced": replaced,
        "trained_gb": peak_gb(),
        "predicted": {"gb": predicted.resident / 1e9, "seconds": predicted.seconds},
    }
    del trainer  # the activations of training make room for those of prediction
    began = time.perf_counter()
    ts.save(net, model)
    result |= {"save_seconds": time.perf_counter() - began, "file_gb": model.stat().st_size / 1e9}
    result["outputs"] = net.decision_function(X[2 * BATCH :], batch_size=BATCH).tolist()
    return result | {"peak_gb": peak_gb()}


def load_and_predict(model: Path) -> dict:
    began = time.perf_counter()
    net = ts.load(model)
    seconds = time.perf_counter() - began
    outputs = net.decision_function(samples()[0][2 * BATCH :], batch_size=BATCH).tolist()
    return {"load_seconds": seconds, "outputs": outputs, "peak_gb": peak_gb()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--part", choices=("train", "load"))
    options = parser.parse_args()
    model = options.folder / "billion.safetensors"
    if options.part:
        print(json.dumps(build_and_train(model, options.steps) if options.part == "train" else load_and_predict(model)))
        return
    parts = []
    for part in ("train", "load"):
        command = [sys.executable, __file__, "--folder", str(options.folder), "--steps", str(options.steps)]
        done = subprocess.run([*command, "--part", part], stdout=subprocess.PIPE, text=True, check=True)
        parts.append(json.loads(done.stdout.splitlines()[-1]))
    model.unlink()
    trained, loaded = parts
    same = trained.pop("outputs") == loaded.pop("outputs")
    result = {**trained, "loaded": loaded, "the loaded model predicts the same": same}
    save_json(Path(__file__).parent / "results" / "billion.json", {"machine": machine(2), "results": result})
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
