"""WASSP-SGD and WASAP-SGD with 1 to 16 workers as threads, beside training without workers.

Accuracy, seconds, samples per second, staleness, and the share of gradient values whose connection was gone. All runs
of a seed follow each other, so that slow minutes of the machine affect all contenders.

    python benchmarks/parallel.py fashion_mnist.npz cifar10.npz --epochs 10
    python benchmarks/parallel.py fashion_mnist.npz --validation 10000 --kinds wasap,phase1  # to choose settings by
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _run import keep

import trulysparse as ts
from trulysparse._core import checks
from trulysparse.bench.report import table
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.parallel import Half, TopK

SETTINGS = {"fashion_mnist": ((1000, 1000, 1000), 0.6), "cifar10": ((4000, 1000, 4000), 0.75)}

KINDS: dict[str, tuple[str, Callable[[int], ts.WASAP]]] = {
    "wasap": ("WASAP, {} workers", ts.WASAP),
    "ignore": ("WASAP, {}, staleness ignored", lambda n: ts.WASAP(n, staleness="ignore")),
    "divide": ("WASAP, {}, divided by staleness", lambda n: ts.WASAP(n, staleness="divide")),
    "phase1": ("WASAP, {}, phase 1 alone", lambda n: ts.WASAP(n, phase2_epochs=0)),
    "compensated": ("WASAP, {}, delay compensation", lambda n: ts.WASAP(n, delay_compensation=1.0)),
    "wassp": ("WASSP, {} workers", ts.WASSP),
}


def run(data: tuple[np.ndarray, ...], name: str, threads: int, config: ts.WASAP | None, epochs: int, seed: int) -> dict:
    X, y, X_test, y_test = data
    hidden, alpha = SETTINGS[name]
    sizes = (X.shape[1], *hidden, int(y.max()) + 1)
    net = ts.SparseMLP(sizes, epsilon=20, activation=ts.AllReLU(alpha), seed=seed, threads=threads)
    net.scaling = fit_scaling("standard", as_matrix(X))
    trainer = ts.Trainer(
        net,
        optimizer=ts.SGD(0.01, 0.9, weight_decay=2e-4),
        evolution=ts.SET(0.3),
        batch_size=128,
        dropout=0.3,
        seed=seed,
        parallel=config,
    )
    began, worked = time.perf_counter(), time.process_time()
    try:
        history = trainer.fit(X, y, epochs=epochs)
    except ts.DivergenceError:
        return {"diverged": True}
    finally:
        processor = time.process_time() - worked
    seconds = time.perf_counter() - began
    first = [record for record in history if record.get("phase") == 1]
    updates = -(-len(X) // 128) * len(first)
    return {
        "accuracy": ts.evaluate(net, X_test, y_test)["accuracy"],
        "seconds": seconds,
        "processor_seconds": processor,
        "samples_per_second": epochs * len(X) / seconds,
        "staleness": float(np.mean([record["staleness"] for record in first])) if first else 0.0,
        "staleness_max": max((record["staleness_max"] for record in first), default=0),
        "dropped": sum(record["dropped"] for record in first) / (max(1, updates) * net.n_connections),
        "phase1_loss": first[-1]["loss"] if first else None,
        "gradient_mb": sum(record["gradient_mb"] for record in first) / max(1, len(first)),
    }


def row(label: str, runs: list[dict], one: float) -> list[str]:
    """A row of the table; `one`: samples per second on one thread."""
    runs = [r for r in runs if "diverged" not in r]
    if not runs:
        return [label, "diverged", *["-"] * 8]
    speed = np.median([r["samples_per_second"] for r in runs])
    return [
        label,
        f"{100 * np.mean([r['accuracy'] for r in runs]):.2f}",
        f"{100 * np.std([r['accuracy'] for r in runs], ddof=len(runs) > 1):.2f}",
        f"{np.median([r['seconds'] for r in runs]):.1f}",
        f"{speed:,.0f}",
        f"{speed / one:.2f}",
        f"{np.mean([r['staleness'] for r in runs]):.2f}",
        f"{max(r['staleness_max'] for r in runs)}",
        f"{100 * np.mean([r['dropped'] for r in runs]):.2f}",
        f"{np.mean([r['gradient_mb'] for r in runs]):.0f}",
    ]


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", nargs="+", type=Path, help=".npz with X_train, y_train, X_test, y_test")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--first-seed", type=int, default=0)
parser.add_argument("--workers", default="1,2,4,8,16")
parser.add_argument("--kinds", default="wasap,ignore", help=f"of {', '.join(KINDS)}")
parser.add_argument("--validation", type=int, default=0, help="samples to measure on that are held out of the training")
parser.add_argument("--compression", action="store_true", help="two workers with compressed gradients instead")
parser.add_argument("--name", default="parallel", help="results/NAME.json")
given = parser.parse_args()
cores = checks.thread_count(None)
counts = [int(n) for n in given.workers.split(",")]
contenders: list[tuple[str, int, ts.WASAP | None]] = [("one thread", 1, None)]
if given.compression:
    for compression in (None, Half(), TopK(0.1), TopK(0.01)):
        contenders.append((f"WASAP, 2 workers, {compression}", cores, ts.WASAP(2, compression=compression)))
else:
    contenders += [
        (KINDS[kind][0].format(n), cores, KINDS[kind][1](n)) for n in counts for kind in given.kinds.split(",")
    ]
results = []
for path in given.data:
    with np.load(path) as file:
        data = tuple(file[key] for key in ("X_train", "y_train", "X_test", "y_test"))
    if given.validation:
        order = np.random.default_rng(123).permutation(len(data[0]))
        held_out, rest = order[: given.validation], order[given.validation :]
        data = data[0][rest], data[1][rest], data[0][held_out], data[1][held_out]
    runs: dict[str, list[dict]] = {label: [] for label, _, _ in contenders}
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        for label, threads, config in contenders:
            runs[label].append(run(data, path.stem, threads, config, given.epochs, seed))
            print(path.stem, seed, label, runs[label][-1], flush=True)
    results.append({"data": path.stem, "epochs": given.epochs, "runs": runs})
    keep(given.name, cores, results)
for result in results:
    one = np.median([r["samples_per_second"] for r in result["runs"]["one thread"]])
    table(
        f"{result['data']}, {given.epochs} epochs, {given.seeds} seeds, {cores} cores",
        [
            "training",
            "accuracy, %",
            "sd",
            "seconds",
            "samples/s",
            "ratio",
            "staleness",
            "most",
            "dropped, %",
            "MB/epoch",
        ],
        [row(label, runs, one) for label, runs in result["runs"].items()],
    )
