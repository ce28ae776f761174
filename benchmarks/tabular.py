"""Tables beside LightGBM, a linear model and a dense MLP, with the same protocol for all.

For each seed 60 % of the rows are for training, 20 % for validation and 20 % for testing. Each model tries eight
settings on the validation rows. The best is fitted anew to training and validation rows together, and sees the test
rows once.

    python benchmarks/tabular.py --data FOLDER      (madelon.npz and arcene.npz in it; without it, the other tables)
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from _run import keep
from _tables import Task, tables
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import trulysparse as ts
from trulysparse.bench.report import table

HIDDEN = (200, 200)  # of both networks


def sparse_mlp(task: Task, batch: int, seed: int, **setting: Any) -> Any:
    kind = ts.SparseMLPRegressor if task.regression else ts.SparseMLPClassifier
    common = {"activation": "relu", "fan": "sparse", "batch_size": batch, "dtype": "float32", "n_jobs": given.threads}
    return kind(HIDDEN, **common, **setting, random_state=seed)


def light_gbm(task: Task, batch: int, seed: int, **setting: Any) -> Any:
    kind = LGBMRegressor if task.regression else LGBMClassifier
    return kind(learning_rate=0.05, **setting, random_state=seed, n_jobs=given.threads, verbose=-1)


def linear(task: Task, batch: int, seed: int, *, penalty: float) -> Any:
    model = Ridge(alpha=penalty) if task.regression else LogisticRegression(C=1 / penalty, max_iter=1000)
    return make_pipeline(StandardScaler(), model)


def dense_mlp(task: Task, batch: int, seed: int, **setting: Any) -> Any:
    kind = MLPRegressor if task.regression else MLPClassifier
    network = kind(hidden_layer_sizes=HIDDEN, batch_size=batch, random_state=seed, **setting)
    if task.regression:  # as ours does
        network = TransformedTargetRegressor(network, transformer=StandardScaler())
    return make_pipeline(StandardScaler(), network)


def combinations(**options: tuple) -> list[dict]:
    return [dict(zip(options, values, strict=True)) for values in product(*options.values())]


MODELS: dict[str, tuple[Callable[..., Any], list[dict]]] = {
    "sparse MLP": (sparse_mlp, combinations(epsilon=(5, 20), dropout=(0.0, 0.3), epochs=(30, 150))),
    "LightGBM": (light_gbm, combinations(n_estimators=(100, 400), num_leaves=(7, 31), min_child_samples=(5, 20))),
    "linear": (linear, combinations(penalty=(1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4))),
    "dense MLP": (dense_mlp, combinations(alpha=(1e-4, 0.01, 1.0, 10.0), max_iter=(30, 150))),
}


def fitted(name: str, task: Task, rows: np.ndarray, seed: int, setting: dict) -> tuple[Any, float]:
    """A model fitted to these rows, and the seconds of processor time it took."""
    model = MODELS[name][0](task, min(128, max(32, len(rows) // 8)), seed, **setting)
    if task.mixed:
        model = make_pipeline(ts.TablePreprocessor(sparse_threshold=0), model)
    began = time.process_time()
    return model.fit(*task.take(rows)), time.process_time() - began


def run(name: str, task: Task, seed: int) -> dict:
    train, validation, test = task.split(seed)
    settings, began = MODELS[name][1][:: 7 if given.quick else 1], time.process_time()
    scores = [fitted(name, task, train, seed, setting)[0].score(*task.take(validation)) for setting in settings]
    searched, best = time.process_time() - began, settings[int(np.argmax(scores))]
    model, seconds = fitted(name, task, np.concatenate([train, validation]), seed, best)
    score = float(model.score(*task.take(test)))
    return {"setting": best, "validation": float(max(scores)), "test": score, "fit": seconds, "search": searched}


def text(task: Task, runs: list[dict]) -> str:
    """Mean and deviation of the test scores, and seconds of a fit."""
    scores = np.array([run["test"] for run in runs]) * (1 if task.regression else 100)
    digits = 3 if task.regression else 1
    seconds = np.median([run["fit"] for run in runs])
    return f"{scores.mean():.{digits}f} ± {scores.std(ddof=1):.{digits}f}; {seconds:.2f}"


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", type=Path)
parser.add_argument("--seeds", type=int, default=5)
parser.add_argument("--threads", type=int, default=1, help="1: processor time does not depend on other work")
parser.add_argument("--quick", action="store_true", help="two settings, two seeds, and nothing is written")
given = parser.parse_args()
warnings.simplefilter("ignore", ConvergenceWarning)  # that the dense MLP stops at max_iter is a setting here
warnings.filterwarnings("ignore", "X does not have valid feature names")
results, lines = [], []
with threadpool_limits(given.threads):
    for data, task in tables(given.data).items():
        runs: dict[str, list[dict]] = {name: [] for name in MODELS}
        for seed in range(2 if given.quick else given.seeds):
            for name, own in runs.items():
                own.append(run(name, task, seed))
        score = "R2" if task.regression else "%"
        results.append({"data": data, "shape": task.X.shape, "score": score, "runs": runs})
        lines.append([data, "{:,} x {:,}".format(*task.X.shape), score, *(text(task, own) for own in runs.values())])
        if not given.quick:
            keep("tabular", given.threads, results)
table(
    f"Test accuracy or R2, mean ± deviation over seeds; median processor seconds of a fit, {given.threads} threads",
    ["data", "rows x columns", "score", *MODELS],
    lines,
)
