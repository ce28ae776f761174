"""Autoencoders of very wide sparse samples: memory and speed, without a dense copy.

Counts of words are made up: each text has one of 50 topics, half of its words are drawn from the topic's 200, half from
all by Zipf's law, and words are hashed to features. The autoencoder, n-200-n of as many connections as --epsilon says,
is trained with Gaussian noise on scaled counts. Peak memory is beyond imports and the samples themselves; what a dense
copy of the samples (float32) and dense weights with Adam's state would take stands beside it.

    python benchmarks/unsupervised/wide.py                                     (20,000 texts, 100,000 features)
    python benchmarks/unsupervised/wide.py --features 1000000 --samples 5000 --batch-size 32
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

TOPICS, OF_TOPIC, LENGTH = 50, 200, 100


def texts(n_samples: int, n_features: int, seed: int) -> tuple[sp.csr_array, np.ndarray]:
    """(counts of words, topics)."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(TOPICS, size=n_samples)
    general = np.minimum(rng.zipf(1.3, (n_samples, LENGTH // 2)), 10 * n_features)
    own = 1 + topics[:, None] * OF_TOPIC + rng.integers(OF_TOPIC, size=(n_samples, LENGTH // 2))
    words = np.concatenate([general, 20 * n_features + own], axis=1).astype(np.uint64)
    features = (words * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(20)) % np.uint64(n_features)
    rows = np.repeat(np.arange(n_samples), LENGTH)
    ones = np.ones(len(rows), np.float32)
    counts = sp.coo_array((ones, (rows, features.ravel().astype(np.int64))), shape=(n_samples, n_features)).tocsr()
    return counts, topics


def run(data: tuple[sp.csr_array, np.ndarray], epsilon: float, epochs: int, batch_size: int) -> dict[str, Any]:
    """Trains, then encodes and scores samples that were not trained on."""
    X, topics = data
    rest = len(topics) // 10
    began = time.process_time()
    model = ts.SparseAutoencoder(
        (200,), epsilon=epsilon, epochs=epochs, batch_size=batch_size, random_state=0, n_jobs=1
    ).fit(X[rest:])
    seconds = time.process_time() - began
    wrong = X[:rest].copy()
    wrong.indices = np.random.default_rng(1).permutation(wrong.indices)  # words of no topic
    codes, new = model.transform(X[rest : 2 * rest]), model.transform(X[:rest])
    nearest = [topics[rest + np.argmin(np.square(codes - code).sum(axis=1))] for code in new[:500]]
    return {
        "connections": model.network_.n_connections,
        "score": model.score(X[:rest]),
        "score_of_mixed": model.score(wrong),
        "same_topic": float(np.mean(nearest == topics[: len(nearest)])),
        "samples_per_second": epochs * (len(topics) - rest) / seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=100_000)
    parser.add_argument("--epsilon", type=float, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=100)
    given = parser.parse_args()
    made = Made(texts, given.samples, given.features, 0)
    got = measured(run, made, given.epsilon, given.epochs, given.batch_size)
    row = {**vars(given), **got.result, "peak_mb": got.peak_mb, "seconds": got.seconds}
    row["dense_copy_mb"] = 4 * given.samples * given.features / 2**20
    row["dense_network_mb"] = 3 * 4 * 2 * 200 * given.features / 2**20
    keep("wide", row, ("samples", "features", "epsilon"))
    table("A wide sparse autoencoder", ("figure", "value"), list(row.items()))


if __name__ == "__main__":
    main()
