"""A denoising autoencoder of a million inputs: bytes beside the least there can be, and samples per second.

Samples are sparse and made up: each belongs to three of 10 topics, which have 300 features each; it has a third of
their features, and 20 of all others. The network, 1,000,000-1000-1,000,000 with epsilon 13, learns the samples from
corrupted ones, with Adam, on one thread. Peak memory is beyond imports and samples. The floor counts what training
cannot do without: index, weights and optimizer state of the connections (28 bytes each; of tied ends index and state
once), and two arrays of inputs x samples at a time, the corrupted samples and the outputs. What a dense copy of the
samples, and dense weights with Adam's state, would take is printed below. The error is that of samples which were not
trained on, summed over features, as a share of the error of the training samples' mean.

    python benchmarks/unsupervised/million.py
    python benchmarks/unsupervised/million.py --features 100000 --samples 20000
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import scipy.sparse as sp
from _measure import Made, measured
from _results import keep

import trulysparse as ts
from trulysparse.bench.report import table

TOPICS, OF_TOPIC, OTHERS, HELD_OUT, HIDDEN, PASSES = 10, 300, 20, 128, 1000, 2

ROWS: dict[str, dict[str, Any]] = {
    "Gaussian noise 0.2": {"input_noise": 0.2},
    "masking 0.2": {"input_masking": 0.2},
    "masking 0.2, tied ends": {"input_masking": 0.2, "tied": True},
    "masking 0.2, batches of 128 in tiles of 16": {"input_masking": 0.2, "batch_size": 128, "micro_batch_size": 16},
}


def samples(n_samples: int, n_features: int, seed: int = 0) -> sp.csr_array:
    """Sparse samples of topics, 0 and 1."""
    rng = np.random.default_rng(seed)
    features = rng.permutation(n_features)[: TOPICS * OF_TOPIC].reshape(TOPICS, OF_TOPIC)
    rows = []
    for _ in range(n_samples):
        own = features[rng.choice(TOPICS, 3, replace=False)].ravel()
        own = own[rng.random(len(own)) < 1 / 3]
        rows.append(np.unique(np.concatenate([own, rng.integers(n_features, size=OTHERS)])))
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    index = np.concatenate(rows).astype(np.int32)
    return sp.csr_array((np.ones(len(index), np.float32), index, ptr), shape=(n_samples, n_features))


def error(net: ts.SparseMLP, X: sp.csr_array) -> float:
    """Squared error summed over features, the mean over samples, 16 of them at a time."""
    total = 0.0
    for start in range(0, X.shape[0], 16):
        part = X[start : start + 16]
        values = net.predict(part, batch_size=16)
        total += float(np.square(values, dtype=np.float64).sum())
        total += float(sum(1 - 2 * values[i, part[[i]].indices].sum(dtype=np.float64) for i in range(part.shape[0])))
        total += part.nnz - part.shape[0]
    return total / X.shape[0]


def run(X: sp.csr_array, settings: dict[str, Any], epsilon: float) -> dict[str, Any]:
    """Trains, and looks at samples that were not trained on."""
    tied, n = settings.get("tied", False), X.shape[1]
    settings = {"batch_size": 32, **{name: value for name, value in settings.items() if name != "tied"}}
    train, new = X[:-HELD_OUT], X[-HELD_OUT:]
    net = ts.SparseMLP(
        (n, HIDDEN, n), epsilon=epsilon, activation="relu", output="identity", fan="sparse", tied=tied, threads=1
    )
    trainer = ts.Trainer(net, optimizer=ts.Adam(0.005), loss=ts.MeanSquaredError(reduction="sum"), **settings)
    began = time.process_time()
    trainer.fit(train, train, epochs=PASSES)
    seconds = time.process_time() - began
    mean = np.asarray(train.mean(axis=0)).ravel()
    of_mean = float((new.sum() - 2 * (new @ mean).sum()) / HELD_OUT + mean @ mean)
    return {
        "connections": net.n_connections,
        "columns": settings.get("micro_batch_size", settings["batch_size"]),
        "samples_per_second": PASSES * train.shape[0] / seconds,
        "error_share": error(net, new) / of_mean,
    }


def floor_mb(n_features: int, connections: int, columns: int, tied: bool, tiles: bool) -> float:
    """Index, weights and state of connections (Adam), two tiles, and gradients where a batch has several tiles."""
    of_connection = 16 + 4 + 8 + 4 * tiles  # both orders of the index with positions, weight, state
    if tied:  # of two connections: one index, two orders of positions and of the weights, one state
        of_connection = (8 + 8 + 8 + 8 + 8 * tiles) / 2
    return (connections * of_connection + 2 * 4 * n_features * columns) / 2**20


def main() -> None:
    """Runs each row in a process of its own and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--epsilon", type=float, default=13.0)
    parser.add_argument("--rows", type=int, nargs="*", default=list(range(len(ROWS))), help="Numbers of rows, from 0.")
    given = parser.parse_args()
    lines, n = [], given.features
    for name in [list(ROWS)[number] for number in given.rows]:
        settings = ROWS[name]
        found = measured(run, Made(samples, given.samples + HELD_OUT, n), settings, given.epsilon)
        result = found.result
        floor = floor_mb(
            n, result["connections"], result["columns"], settings.get("tied", False), "micro_batch_size" in settings
        )
        row = {
            "case": f"{n:,} inputs, {name}",
            **result,
            "samples": given.samples,
            "peak_mb": found.peak_mb,
            "floor_mb": floor,
            "dense_samples_mb": 4 * given.samples * n / 2**20,
            "dense_weights_mb": 3 * 4 * 2 * n * HIDDEN / 2**20,
            "seconds": found.seconds,
        }
        keep("million", row, ["case"])
        lines.append(row)
    table(
        f"{n:,}-{HIDDEN}-{n:,}, {given.samples:,} samples, {PASSES} passes",
        ["corruption", "connections", "peak MB", "floor MB", "samples/s", "error, share of the mean's"],
        [
            [
                each["case"].split(" inputs, ", 1)[1],
                f"{each['connections']:,}",
                f"{each['peak_mb']:,.0f}",
                f"{each['floor_mb']:,.0f}",
                f"{each['samples_per_second']:.0f}",
                f"{each['error_share']:.2f}",
            ]
            for each in lines
        ],
    )
    print(
        f"dense copy of the samples {lines[-1]['dense_samples_mb']:,.0f} MB, dense weights with Adam's state "
        f"{lines[-1]['dense_weights_mb']:,.0f} MB"
    )


if __name__ == "__main__":
    main()
