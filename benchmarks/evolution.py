"""Accuracy, time, memory and exploration rate of every evolution method on the same data, and of the dense network.

Each run has its own process, so that its peak memory is its own.

    python benchmarks/evolution.py fashion_mnist.npz --seeds 3 --epochs 20
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
from trulysparse.analysis import Exploration
from trulysparse.bench.report import table
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.evolution import NAMES, make_evolution

HIDDEN = (1000, 1000, 1000)
RATE, MOMENTUM, DECAY, DROPOUT, BATCH, ALPHA = 0.01, 0.9, 2e-4, 0.3, 128, 0.6

VARIANTS = {"set-init": lambda: ts.SET(fresh="init"), "mest-soft": lambda: ts.MEST(1 / 6, soft=True)}
DENSER = {"granet": 2.0, "mest-soft": 1.2}


def load(path: str) -> tuple[np.ndarray, ...]:
    with np.load(path) as file:
        return tuple(file[key] for key in ("X_train", "y_train", "X_test", "y_test"))


def sparse(method: str, epsilon: float, seed: int, epochs: int, threads: int, path: str) -> dict:
    X, y, X_test, y_test = load(path)
    # These start denser and end where the others are.
    start = epsilon * DENSER.get(method, 1)
    sizes = (X.shape[1], *HIDDEN, int(y.max()) + 1)
    net = ts.SparseMLP(sizes, epsilon=start, activation=ts.AllReLU(ALPHA), seed=seed, threads=threads)
    net.scaling = fit_scaling("standard", as_matrix(X))
    exploration = Exploration()
    trainer = ts.Trainer(
        net,
        optimizer=ts.SGD(RATE, MOMENTUM, weight_decay=DECAY),
        evolution=VARIANTS[method]() if method in VARIANTS else make_evolution(method),
        batch_size=BATCH,
        dropout=DROPOUT,
        seed=seed,
    )
    began = time.perf_counter()
    trainer.fit(X, y, epochs=epochs, callbacks=[exploration])
    seconds = time.perf_counter() - began
    accuracy = ts.evaluate(net, X_test, y_test)["accuracy"]
    return {
        "accuracy": accuracy,
        "seconds": seconds,
        "connections": net.n_connections,
        "exploration": exploration.rate,
    }


def dense(seed: int, epochs: int, threads: int, path: str) -> dict:
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    X, y, X_test, y_test = load(path)
    mean, deviation = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    deviation[deviation == 0] = 1
    train, test = (torch.tensor(((a - mean) / deviation).astype(np.float32)) for a in (X, X_test))
    labels = torch.tensor(y.astype(np.int64))
    sizes = (X.shape[1], *HIDDEN, int(y.max()) + 1)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    parameters = [{"params": [w.weight for w in layers], "weight_decay": DECAY}, {"params": [w.bias for w in layers]}]
    optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=MOMENTUM)

    def outputs(a: torch.Tensor, dropout: float) -> torch.Tensor:
        for number, layer in enumerate(layers[:-1], start=1):
            a = torch.nn.functional.leaky_relu(layer(a), ALPHA * (-1) ** number)
            a = torch.nn.functional.dropout(a, dropout, training=dropout > 0)
        return layers[-1](a)

    began = time.perf_counter()
    for _ in range(epochs):
        for rows in torch.randperm(len(train)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(outputs(train[rows], DROPOUT), labels[rows]).backward()
            optimizer.step()
    seconds = time.perf_counter() - began
    with torch.no_grad():
        accuracy = float((outputs(test, 0.0).argmax(dim=1).numpy() == y_test).mean())
    connections = sum(w.weight.numel() for w in layers)
    return {"accuracy": accuracy, "seconds": seconds, "connections": connections, "exploration": 1.0}


def one(given: argparse.Namespace) -> None:
    method, epsilon, seed = given.one.split(",")
    if method == "dense":
        result = dense(int(seed), given.epochs, given.threads, given.data)
    else:
        result = sparse(method, float(epsilon), int(seed), given.epochs, given.threads, given.data)
    print(json.dumps({**result, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", help=".npz with X_train, y_train, X_test, y_test")
parser.add_argument("--epsilons", default="20,3")
parser.add_argument("--methods", default=",".join([*NAMES[1:], *VARIANTS, "dense"]))
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--name", default="evolution", help="results/NAME.json")
parser.add_argument("--one", help=argparse.SUPPRESS)
given = parser.parse_args()
if given.one:
    one(given)
    sys.exit()

rows = []
for number, epsilon in enumerate(given.epsilons.split(",")):
    for method in given.methods.split(","):
        if method == "dense" and number:
            continue  # it has no epsilon
        command = [sys.executable, str(Path(__file__).resolve()), given.data, "--epochs", str(given.epochs)]
        command += ["--threads", str(given.threads), "--one"]
        runs = []
        for seed in range(given.seeds):
            done = subprocess.run([*command, f"{method},{epsilon},{seed}"], capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{method}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                break
            runs.append(json.loads(done.stdout.splitlines()[-1]))
        if runs:
            rows.append({"method": method, "epsilon": None if method == "dense" else float(epsilon), "runs": runs})
            keep(given.name, given.threads, {"epochs": given.epochs, "rows": rows})


def mean(row: dict, key: str) -> float:
    return float(np.mean([run[key] for run in row["runs"]]))


table(
    f"{Path(given.data).stem}, {given.epochs} epochs, {given.seeds} seeds",
    ["method", "epsilon", "connections", "accuracy, %", "sd", "seconds", "peak MB", "explored"],
    [
        [
            r["method"],
            "-" if r["epsilon"] is None else f"{r['epsilon']:g}",
            f"{mean(r, 'connections'):,.0f}",
            f"{100 * mean(r, 'accuracy'):.2f}",
            f"{100 * np.std([run['accuracy'] for run in r['runs']], ddof=len(r['runs']) > 1):.2f}",
            f"{mean(r, 'seconds'):.1f}",
            f"{mean(r, 'peak_rss_mb'):.0f}",
            f"{mean(r, 'exploration'):.3f}",
        ]
        for r in rows
    ],
)
