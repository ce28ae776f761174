"""Accuracy of evolution methods at 1 % of the dense network's hidden connections, by Zhang et al. (2025): three hidden
layers of twice the inputs (784-1568x3-10; with --width 3072 for CIFAR-10), the same density in each, a dense output
layer; ReLU, batch 32, SGD 0.025 with momentum 0.9 and weight decay 5e-4, here along a cosine. Test accuracy of the last
epoch.

Each run has its own process and one thread; seconds are processor seconds of training.

    python benchmarks/one_percent.py fashion_mnist.npz --runs er:static,er:set,er:chts,csti:chts-ri --seeds 3
    python benchmarks/one_percent.py fashion_mnist.npz --masks 300  # dense weights with masks, torch: 300 timed steps
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from _run import keep

import trulysparse as ts
from trulysparse.analysis import Exploration, Overlap
from trulysparse.bench.report import table
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.evolution import grow, prune
from trulysparse.evolution.live import live_neurons

DENSITY = 0.01
RATE, MOMENTUM, DECAY, BATCH = 0.025, 0.9, 5e-4, 32

EVERY_EPOCH = {"schedule": ts.Schedule(0.3, every_epochs=1), "fresh": "zero"}
METHODS = {
    "static": lambda: None,
    "set": ts.SET,
    "set-init": lambda: ts.SET(fresh="init"),
    "set-percolate": lambda: ts.SET(percolate=True),
    "rigl": lambda: ts.Evolution(prune.magnitude, grow.LargestGradient(), **EVERY_EPOCH),
    "rigl-100": ts.RigL,
    "gse": lambda: ts.Evolution(prune.magnitude, grow.GuidedGradient(), **EVERY_EPOCH),
    "mest": ts.MEST,
    "soft": lambda: ts.CHTs(growth="uniform"),
    "chts": ts.CHTs,
    "chts-3": lambda: ts.CHTs(end=3.0),
    "chts-ri": lambda: ts.CHTs(removal="ri"),
    "chts-ri-3": lambda: ts.CHTs(removal="ri", end=3.0),
    "chts-75": lambda: ts.CHTs(until=0.75),
    "chts-90": lambda: ts.CHTs(until=0.9),
    "chts-ri-75": lambda: ts.CHTs(removal="ri", until=0.75),
    "chts-ri-90": lambda: ts.CHTs(removal="ri", until=0.9),
    "chts-z20": lambda: ts.CHTs(0.2),
    "set-75": lambda: ts.SET(until=0.75),
    "chts-anywhere": lambda: ts.CHTs(percolate=False),
    "chtss": lambda: ts.CHTs(removal="ri", density=ts.SigmoidDensity(DENSITY / 0.5)),
}
NAMED_STARTS = {"er": "erdos_renyi", "brf": "brf"}  # 'dense' is a dense network of as many connections


def start_of(name: str, X: np.ndarray) -> object:
    """The connectivity that a network starts with; 'csti' and 'fields' look at the training samples."""
    if name in NAMED_STARTS:
        return NAMED_STARTS[name]
    return ts.connectivity.CSTI(X) if name == "csti" else ts.connectivity.CorrelatedFields(X)


def narrow_width(n_inputs: int, width: int, n_classes: int) -> int:
    """The width of a dense network of as many connections."""
    wanted = DENSITY * (n_inputs * width + 2 * width**2) + width * n_classes
    return max(w for w in range(1, width) if n_inputs * w + 2 * w**2 + w * n_classes <= wanted)


def load(path: str, held_out: int) -> tuple[np.ndarray, ...]:
    """Training and test samples or, with held_out, training samples without and with the last `held_out` of them."""
    with np.load(path) as file:
        X, y, X_test, y_test = (file[key] for key in ("X_train", "y_train", "X_test", "y_test"))
    return (X[:-held_out], y[:-held_out], X[-held_out:], y[-held_out:]) if held_out else (X, y, X_test, y_test)


def live(net: ts.SparseMLP) -> list[int]:
    """Of each hidden layer, the neurons that paths from inputs to outputs go through."""
    sides = live_neurons(net.layers, [None] * len(net.layers))
    return [int((before.outputs & after.inputs).sum()) for before, after in pairwise(sides)]


def one(given: argparse.Namespace) -> dict:
    name, seed = given.one.rsplit(":", 1)
    start, method = name.split(":")
    X, y, X_test, y_test = load(given.data, given.held_out)
    width, n_classes = given.width or 2 * X.shape[1], int(y.max()) + 1
    density = 0.5 if method == "chtss" else DENSITY
    if start == "dense":
        width, density, start = narrow_width(X.shape[1], width, n_classes), 1.0, "er"
    net = ts.SparseMLP(
        (X.shape[1], *[width] * 3, n_classes),
        density=density,
        densities="uniform",
        output_density=1.0,
        connectivity=start_of(start, X),
        activation="relu",
        fan="sparse",
        seed=int(seed),
        threads=1,
    )
    if given.scale == "global":  # one mean and deviation for all inputs
        mean, deviation = X.mean(dtype=np.float64), X.std(dtype=np.float64)
        X, X_test = (((each - mean) / deviation).astype(np.float32) for each in (X, X_test))
    else:
        net.scaling = fit_scaling(given.scale, as_matrix(X))
    initial = net.n_connections
    exploration = Exploration()
    trainer = ts.Trainer(
        net,
        optimizer=ts.SGD(ts.CosineRate(RATE), MOMENTUM, weight_decay=DECAY),
        evolution=METHODS[method](),
        batch_size=BATCH,
        seed=int(seed),
        threads=1,
    )
    began, clock = time.process_time(), time.perf_counter()
    history = trainer.fit(X, y, epochs=given.epochs, callbacks=[exploration, Overlap()])
    overlap = [each for each in history["overlap"] if each is not None]
    return {
        "accuracy": ts.evaluate(net, X_test, y_test)["accuracy"],
        "process_seconds": time.process_time() - began,
        "seconds": time.perf_counter() - clock,
        "initial_connections": initial,
        "connections": net.n_connections,
        "live": live(net),
        "explored": exploration.rate,
        "overlap": float(np.mean(overlap)) if overlap else None,
        "loss": history["loss"][-1],
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def masks(given: argparse.Namespace) -> dict:
    """Dense weights and momentum with masks, as torch codes of these methods hold them: some timed steps, from which an
    epoch follows."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    X, y, _, _ = load(given.data, 0)
    sizes = (X.shape[1], *[given.width or 2 * X.shape[1]] * 3, int(y.max()) + 1)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    kept = [(torch.rand_like(layer.weight) < DENSITY).float() for layer in layers[:-1]]
    optimizer = torch.optim.SGD([p for layer in layers for p in layer.parameters()], RATE, MOMENTUM, weight_decay=DECAY)
    samples, labels = torch.tensor(X[: BATCH * 64] / 255, dtype=torch.float32), torch.tensor(y.astype(np.int64))
    began, warm = time.process_time(), 10
    for step in range(given.masks + warm):
        if step == warm:
            began = time.process_time()
        rows = slice(step % 64 * BATCH, step % 64 * BATCH + BATCH)
        a = samples[rows]
        for layer in layers[:-1]:
            a = torch.relu(layer(a))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(layers[-1](a), labels[rows]).backward()
        optimizer.step()
        with torch.no_grad():
            for layer, mask in zip(layers, kept, strict=False):
                layer.weight.mul_(mask)
    per_step = (time.process_time() - began) / given.masks
    return {
        "timed_steps": given.masks,
        "seconds_per_epoch": per_step * -(-len(X) // BATCH),
        "weights": sum(layer.weight.numel() for layer in layers),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("data", help=".npz with X_train, y_train, X_test, y_test")
parser.add_argument("--runs", default="er:static,er:set,er:rigl,er:gse,er:chts,csti:set,csti:chts-ri")
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--first-seed", type=int, default=0)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--width", type=int, default=0, help="of hidden layers; 0: twice the inputs")
parser.add_argument("--scale", default="standard", help="of inputs: standard (one by one), global, minmax or none")
parser.add_argument("--held-out", type=int, default=0, help="training samples to test on in place of the test set")
parser.add_argument("--masks", type=int, default=0, help="timed steps of dense weights with masks")
parser.add_argument("--name", default="one_percent", help="results/NAME.json")
parser.add_argument("--one", help=argparse.SUPPRESS)
given = parser.parse_args()
if given.one or given.masks:
    print(json.dumps(one(given) if given.one else masks(given)))
    sys.exit()

rows: dict[str, list[dict]] = {}
for seed in range(given.first_seed, given.first_seed + given.seeds):
    for run in given.runs.split(","):
        command = [sys.executable, str(Path(__file__).resolve()), given.data, "--epochs", str(given.epochs)]
        command += ["--width", str(given.width), "--scale", given.scale, "--held-out", str(given.held_out)]
        done = subprocess.run([*command, "--one", f"{run}:{seed}"], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{run}: {done.stderr[-200:].strip() or done.returncode}", file=sys.stderr)
            continue
        rows.setdefault(run, []).append({"seed": seed, **json.loads(done.stdout.splitlines()[-1])})
        print(run, rows[run][-1], file=sys.stderr, flush=True)
        settings = {"epochs": given.epochs, "scale": given.scale, "held_out": given.held_out}
        keep(given.name, 1, {**settings, "data": Path(given.data).stem, "rows": rows})


def mean(runs: list[dict], key: str) -> float:
    return float(np.mean([run[key] for run in runs]))


table(
    f"{Path(given.data).stem}, {given.epochs} epochs",
    ["start", "method", "seeds", "connections", "accuracy, %", "sd", "process s", "peak MB", "live", "explored"],
    [
        [
            *name.split(":"),
            str(len(runs)),
            f"{mean(runs, 'connections'):,.0f}",
            f"{100 * mean(runs, 'accuracy'):.2f}",
            f"{100 * np.std([run['accuracy'] for run in runs], ddof=len(runs) > 1):.2f}",
            f"{mean(runs, 'process_seconds'):.0f}",
            f"{mean(runs, 'peak_rss_mb'):.0f}",
            " ".join(f"{n:.0f}" for n in np.mean([run["live"] for run in runs], axis=0)),
            f"{mean(runs, 'explored'):.3f}",
        ]
        for name, runs in rows.items()
    ],
)
