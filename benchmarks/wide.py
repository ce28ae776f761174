"""Accuracy, time and memory on few samples with many features: the default estimator beside its peers.

Five folds. The sparse networks have the defaults of SparseMLPClassifier. Each peer has its library's defaults or, with
--inner, the setting of a few that is best in an inner cross-validation of the training part (nested cross-validation).
No model sees a test fold before it is scored. Seconds are of the processor, for one fit with what it tries.

    python benchmarks/wide.py leukemia.npz allaml.npz ...      (.npz with X and y)
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _run import keep
from lightgbm import LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

import trulysparse as ts
from trulysparse.bench.report import table

CS = (1.0, 1e-3, 1e-2, 1e-1)
# Each with the settings that --inner chooses from; the first is the default.
MODELS: dict[str, tuple[Callable[..., Any], list[dict[str, Any]]]] = {
    "sparse networks": (lambda threads: ts.SparseMLPClassifier(random_state=0, n_jobs=threads, dtype="float32"), [{}]),
    "linear SVM": (
        lambda threads, **s: make_pipeline(StandardScaler(), LinearSVC(random_state=0, **s)),
        [{"C": c} for c in CS],
    ),
    "logistic regression": (
        lambda threads, **s: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, **s)),
        [{"C": c} for c in CS],
    ),
    "random forest": (
        lambda threads, **s: RandomForestClassifier(random_state=0, n_jobs=threads, n_estimators=500, **s),
        [{}, {"max_features": 0.1}],
    ),
    "LightGBM": (
        lambda threads, **s: LGBMClassifier(random_state=0, n_jobs=threads, verbose=-1, **s),
        [{}, {"min_child_samples": 5}],
    ),
    "dense MLP": (
        lambda threads, **s: make_pipeline(StandardScaler(), MLPClassifier((1000,), random_state=0, **s)),
        [{}, {"alpha": 1.0}],
    ),
}


def samples(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Samples and classes; a class of a single sample cannot be held out and learned."""
    with np.load(path) as file:
        X, y = file["X"].astype(np.float32), np.unique(file["y"], return_inverse=True)[1]
    usable = np.bincount(y)[y] >= 2
    return X[usable], np.unique(y[usable], return_inverse=True)[1]


def run(path: Path, name: str, threads: int, inner: int, seed: int) -> dict:
    """A model on the five folds of a data set, in a process of its own."""
    warnings.filterwarnings("ignore")
    make, settings = MODELS[name]
    X, y = samples(path)
    before, scores, seconds = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, [], []
    with threadpool_limits(threads):
        for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y):
            began, setting = time.process_time(), settings[0]
            if inner and len(settings) > 1:
                folds = StratifiedKFold(inner, shuffle=True, random_state=seed)
                found = [
                    cross_val_score(make(threads, **each), X[train], y[train], cv=folds).mean() for each in settings
                ]
                setting = settings[int(np.argmax(found))]
            model = make(threads, **setting).fit(X[train], y[train])
            seconds.append(time.process_time() - began)
            scores.append(float(model.score(X[test], y[test])))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shape = {"samples": len(y), "features": X.shape[1], "classes": int(y.max()) + 1}
    memory = (peak - before) / 1024
    return {"data": path.stem, **shape, "name": name, "scores": scores, "seconds": seconds, "mb": memory}


def cell(rows: list[dict], data: str, name: str) -> str:
    found = [row for row in rows if (row["data"], row["name"]) == (data, name)]
    if not found:
        return ""
    row = found[0]
    return f"{100 * np.mean(row['scores']):.1f}; {np.mean(row['seconds']):.2g} s; {row['mb']:.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=1, help="1: processor time does not depend on other work")
    parser.add_argument("--inner", type=int, default=0, help="folds in which peers choose their setting; 0: defaults")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    given = parser.parse_args()
    rows: list[dict] = []
    for path in given.data:
        for name in given.models:
            # A process each: its peak of memory is the model's own.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                rows.append(pool.submit(run, path, name, given.threads, given.inner, given.seed).result())
            keep("wide", given.threads, rows)
    sets = {row["data"]: row for row in rows}
    table(
        f"Five folds: accuracy in %, seconds of a fit, growth of peak memory; {given.threads} threads",
        ["data", "samples x features", "classes", *given.models],
        [
            [data, f"{row['samples']} x {row['features']:,}", str(row["classes"])]
            + [cell(rows, data, name) for name in given.models]
            for data, row in sets.items()
        ]
        + [
            ["mean", "", ""]
            + [f"{100 * np.mean([np.mean(r['scores']) for r in rows if r['name'] == n]):.1f}" for n in given.models]
        ],
    )


if __name__ == "__main__":
    main()
