"""Accuracy on newsgroup text (sparse counts of words) with a network of a million neurons.

A fifth of the samples is held out. Writes results/text.json.

    python benchmarks/scale/text.py basehock.npz pcmac.npz relathe.npz
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.bench.report import machine, save_json, table
from trulysparse.task.dataset import split

HIDDEN = (500_000, 500_000)


def run(path: Path, epochs: int, seed: int) -> dict:
    with np.load(path) as archive:
        X, labels = sp.csr_array(np.asarray(archive["X"], np.float32)), archive["y"]
    X.data = np.log1p(X.data)
    y = np.unique(labels, return_inverse=True)[1].astype(np.int32)
    train, test = split(y, test_size=0.2, seed=seed)
    net = ts.SparseMLP(
        (X.shape[1], *HIDDEN, 2),
        epsilon=1,
        storage="compact",
        weights="bfloat16",
        signals="bfloat16",
        activation=ts.AllReLU(0.05),
        fan="sparse",
        seed=seed,
    )
    trainer = ts.Trainer(
        net,
        optimizer=ts.SGD(ts.CosineRate(40 / HIDDEN[-1]), momentum=0.9, state="bfloat16"),
        evolution=ts.SET(0.1),
        batch_size=32,
    )
    began = time.perf_counter()
    history = trainer.fit(X[train], y[train], epochs=epochs)
    return {
        "data": path.stem,
        "samples": len(y),
        "features": int(X.shape[1]),
        "seed": seed,
        "seconds": time.perf_counter() - began,
        "loss": history["loss"][-1],
        "accuracy": float((net.predict(X[test]) == y[test]).mean()),
        "most_frequent_class": float(np.bincount(y[test]).max() / len(test)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    results = [run(path, options.epochs, seed) for path in options.files for seed in range(options.seeds)]
    save_json(Path(__file__).parent / "results" / "text.json", {"machine": machine(2), "results": results})
    table(
        f"{HIDDEN[0] + HIDDEN[1]:,} hidden neurons, {options.epochs} epochs",
        ["data", "samples", "features", "seed", "seconds", "accuracy", "most frequent class"],
        [
            [
                r["data"],
                r["samples"],
                r["features"],
                r["seed"],
                f"{r['seconds']:.1f}",
                f"{r['accuracy']:.3f}",
                f"{r['most_frequent_class']:.3f}",
            ]
            for r in results
        ],
    )


if __name__ == "__main__":
    main()
