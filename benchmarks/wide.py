"""Accuracy and time of a SET-MLP on few samples with many features, beside an SVM, a random forest and a dense MLP.

Five folds; one setting for all data sets, none tuned on a test fold.

    python benchmarks/wide.py leukemia.npz allaml.npz ...      (.npz with X and y)
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from _run import keep
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import trulysparse as ts
from trulysparse.bench.report import table

HIDDEN = (1000, 1000)


def contenders(threads: int) -> dict:
    return {
        "SET-MLP": lambda: ts.SparseMLPClassifier(
            HIDDEN,
            epsilon=10,
            epochs=100,
            batch_size=16,
            dropout=0.3,
            random_state=0,
            n_jobs=threads,
            dtype="float32",
        ),
        "linear SVM": lambda: make_pipeline(StandardScaler(), LinearSVC(random_state=0)),
        "random forest": lambda: RandomForestClassifier(500, random_state=0, n_jobs=threads),
        "dense MLP": lambda: make_pipeline(StandardScaler(), MLPClassifier(HIDDEN, batch_size=16, random_state=0)),
    }


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", nargs="+", type=Path)
parser.add_argument("--threads", type=int, default=2)
given = parser.parse_args()
rows = []
for path in given.data:
    with np.load(path) as file:
        X, y = file["X"].astype(np.float32), np.unique(file["y"], return_inverse=True)[1]
    # No more folds than the rarest class has samples; classes with a single one cannot be held out and learned.
    counts = np.bincount(y)
    usable = counts[y] >= 2
    X, y = X[usable], np.unique(y[usable], return_inverse=True)[1]
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    for name, make in contenders(given.threads).items():
        scores, began = [], time.perf_counter()
        for train, test in folds:
            scores.append(float(make().fit(X[train], y[train]).score(X[test], y[test])))
        rows.append(
            {
                "data": path.stem,
                "samples": len(y),
                "features": X.shape[1],
                "classes": int(y.max()) + 1,
                "name": name,
                "scores": scores,
                "seconds": time.perf_counter() - began,
            }
        )
        keep("wide", given.threads, rows)
names = list(contenders(1))
table(
    f"5-fold accuracy in %, and seconds of all folds, {given.threads} threads",
    ["data", "samples x features", "classes", *names],
    [
        [
            data,
            f"{part[0]['samples']} x {part[0]['features']:,}",
            str(part[0]["classes"]),
            *(f"{100 * np.mean(r['scores']):.1f} ({r['seconds']:.1f} s)" for r in part),
        ]
        for data in dict.fromkeys(r["data"] for r in rows)
        for part in [[r for r in rows if r["data"] == data]]
    ],
)
