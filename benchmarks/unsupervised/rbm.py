"""Restricted Boltzmann machines: SparseRBM beside scikit-learn's BernoulliRBM.

    python benchmarks/unsupervised/rbm.py coil20 --data FOLDER --seeds 0 1 2 3 4
    python benchmarks/unsupervised/rbm.py rates --data FOLDER
    python benchmarks/unsupervised/rbm.py digits
    python benchmarks/unsupervised/rbm.py likelihood
    python benchmarks/unsupervised/rbm.py wide

coil20: FOLDER/coil20.npz, values in [0, 1], a third of the rows, drawn by the seed, is the test. 1,024 visible and 200
hidden units, batches of 10, as Mocanu et al. (2018): SET with weights that start again at 0 (the default) or are drawn
anew (as published), and the same sparse machine without evolution; BernoulliRBM with all 204,800 weights, and with 12
hidden units, whose 12,288 weights are as many as the sparse machine has. The error is the mean squared difference
between the test rows and what is made of them through hidden states that are drawn (as published) and through
probabilities, after some epochs of one training.
rates: the learning rates of BernoulliRBM and of one SparseRBM by the error on a fifth of the training rows after 50
epochs, the mean over seeds; the others have the published one, 0.1.
digits: scikit-learn's digits through a machine into a logistic regression; settings by 3-fold cross-validation on the
training rows, the test rows looked at once.
likelihood: scikit-learn's digits, binary, 1,024 weights each: a dense machine of 16 hidden units, whose partition
function is a sum over 65,536 states, and sparse ones of 100, whose is estimated by annealed importance sampling (2,000
temperatures, 200 chains). Nats per row, on a fifth of the training rows, by whose mean over seeds a learning rate is to
be chosen, and on the test rows.
wide: 100,000 binary features of which a sample has 50, CSR.

Each run is a process of its own: processor seconds of one thread, without those of the scores, and MB of memory beyond
imports and data. Results go to benchmarks/results/unsupervised_rbm.json.
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from _measure import Made, measured
from _results import keep, read
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import trulysparse as ts

NAME = "rbm"
EPOCHS = (1, 10, 50, 100, 500, 1000)
MODELS = ("set", "set as published", "static", "set, rate by validation", "BernoulliRBM 200", "BernoulliRBM 12")
RATES = (1.0, 0.3, 0.1, 0.03, 0.01)
Rows = NDArray[np.float32]


def coil20(folder: Path, seed: int, validation: bool) -> tuple[Rows, Rows]:
    """Training and test rows; validation: both are of the training rows."""
    with np.load(folder / "coil20.npz") as file:
        X = np.asarray(file["X"], np.float32).reshape(len(file["X"]), -1)
    if X.min() < 0 or X.max() > 1:
        raise SystemExit("coil20.npz must hold values from 0 to 1")
    train, test = train_test_split(X, test_size=1 / 3, random_state=seed)
    return train_test_split(train, test_size=0.2, random_state=seed) if validation else (train, test)


def make(model: str, rate: float, seed: int) -> Any:
    """An unfitted machine of this name."""
    if model.startswith("BernoulliRBM"):
        return BernoulliRBM(int(model.split()[1]), learning_rate=rate, batch_size=10, n_iter=1, random_state=seed)
    evolution = {"set as published": ts.SET(0.3, fresh="init"), "static": None}.get(model, "set")
    return ts.SparseRBM(200, learning_rate=rate, evolution=evolution, n_jobs=1, random_state=seed)


def errors(machine: Any, X: Rows) -> tuple[float, float]:
    """Of the reconstruction through drawn hidden states, and through their probabilities."""
    p = np.asarray(machine.transform(X), np.float64)
    states = (np.random.default_rng(0).random(p.shape) < p).astype(np.float64)
    weight, bias = machine.components_, np.asarray(machine.intercept_visible_, np.float64)
    found = []
    for hidden in (states, p):
        v = 1 / (1 + np.exp(-(hidden @ weight + bias)))
        found.append(float(np.square(v - X).mean()))
    return found[0], found[1]


def curve(data: tuple[Rows, Rows], model: str, rate: float, seed: int, epochs: tuple[int, ...]) -> list[dict[str, Any]]:
    """One training: errors on the test rows, and seconds until then, after each of `epochs`."""
    train, test = data
    machine, found, began, scoring = make(model, rate, seed), [], time.process_time(), 0.0

    def note(epoch: int) -> None:
        nonlocal scoring
        if epoch not in epochs:
            return
        now = time.process_time()
        drawn, means = errors(machine, test)
        found.append({"epochs": epoch, "error": drawn, "error_of_means": means, "seconds": now - began - scoring})
        scoring += time.process_time() - now

    if model.startswith("BernoulliRBM"):
        # What its fit does after its checks; the rows are in a random order.
        rng, machine.n_iter = np.random.RandomState(seed), 0
        machine.fit(train)  # parameters at their start
        batches = [train[start : start + machine.batch_size] for start in range(0, len(train), machine.batch_size)]
        for epoch in range(1, epochs[-1] + 1):
            for batch in batches:
                machine._fit(batch, rng)
            note(epoch)
    else:
        machine.set_params(n_iter=epochs[-1], progress=lambda _, done, total: note(done))
        machine.fit(train)
    return found


def run_curves(folder: Path, models: list[str], seeds: list[int], epochs: tuple[int, ...], part: str) -> None:
    """coil20 and rates."""
    for seed in seeds:
        for model in models:
            for rate in RATES if part == "rates" else (chosen_rate(model),):
                data = Made(coil20, folder, seed, part == "rates")
                found = measured(curve, data, model, rate, seed, epochs)
                row = {"part": part, "model": model, "seed": seed, "rate": rate, "peak_mb": found.peak_mb}
                for each in found.result:
                    keep(NAME, {**row, **each}, ("part", "model", "seed", "rate", "epochs"))
                    print(row | each, flush=True)


def chosen_rate(model: str) -> float:
    """The best of RATES on validation rows, and 0.1, the published one, of what is not tuned."""
    rows = [row for row in read(NAME) if row["part"] == "rates" and row["model"] == model and row["epochs"] == 50]
    means = {rate: np.mean([row["error"] for row in rows if row["rate"] == rate]) for rate in RATES if rows}
    return min(means, key=lambda rate: means[rate]) if means else 0.1


# ---- classification ----


def digits(model: str, seed: int) -> dict[str, Any]:
    """Accuracy on a fifth of the digits."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.2, random_state=seed, stratify=y)
    last = LogisticRegression(max_iter=2000)
    grid: dict[str, Any] = {"logisticregression__C": [1.0, 30.0, 1000.0]}
    if model == "pixels":
        pipeline = make_pipeline(MinMaxScaler(clip=True), last)
    else:
        first: Any = BernoulliRBM(200, n_iter=30, random_state=seed)
        if model != "BernoulliRBM":
            first = ts.SparseRBM(200, epsilon=10, n_iter=30, n_jobs=1, random_state=seed)
        pipeline = make_pipeline(MinMaxScaler(clip=True), first, last)
        grid[f"{type(first).__name__.lower()}__learning_rate"] = [0.02, 0.06, 0.2]
    search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)
    began = time.process_time()
    once = clone(search.best_estimator_).fit(X_train, y_train)
    seconds = time.process_time() - began
    weights = 64 * 200 if model == "BernoulliRBM" else once[1].components_.nnz if model == "SparseRBM" else 0
    accuracy, validation = float(search.score(X_test, y_test)), float(search.best_score_)
    return {"accuracy": accuracy, "validation": validation, "fit_seconds": seconds, "weights": weights}


# ---- likelihood ----

LIKELIHOOD: dict[str, dict[str, Any]] = {
    "SparseRBM, CD": {},
    "SparseRBM, persistent": {"persistent": True},
    "SparseRBM, persistent, static": {"persistent": True, "evolution": None},
    "BernoulliRBM 16": {},
}
LIKELIHOOD_RATES = (0.1, 0.03, 0.01)


def log_likelihood(machine: Any, X: Rows) -> float:
    """The mean over rows, in nats."""
    if isinstance(machine, ts.SparseRBM):
        return float(-machine.free_energy(X).mean() - machine.log_partition(200, 2000).value)
    hidden = np.array(list(product([0.0, 1.0], repeat=machine.n_components)))
    sums = hidden @ machine.components_ + machine.intercept_visible_
    log_z = np.logaddexp.reduce(hidden @ machine.intercept_hidden_ + np.logaddexp(0, sums).sum(axis=1))
    return float(-machine._free_energy(X).mean() - log_z)


def likelihood(model: str, seed: int) -> dict[str, Any]:
    """Of a fifth of the digits."""
    X = (load_digits().data > 7).astype(np.float64)
    train, test = train_test_split(X, test_size=0.2, random_state=seed)
    parts = train_test_split(train, test_size=0.2, random_state=seed)

    def fitted(rate: float, rows: Rows) -> Any:
        if model.startswith("BernoulliRBM"):
            return BernoulliRBM(16, learning_rate=rate, n_iter=100, random_state=seed).fit(rows)
        options = LIKELIHOOD[model]
        return ts.SparseRBM(
            100, density=0.16, learning_rate=rate, n_iter=100, n_jobs=1, random_state=seed, **options
        ).fit(rows)

    found = {}
    for rate in LIKELIHOOD_RATES:
        validation = log_likelihood(fitted(rate, parts[0]), parts[1])
        began = time.process_time()
        machine = fitted(rate, train)
        seconds = time.process_time() - began
        found[rate] = {"validation": validation, "nats": log_likelihood(machine, test), "fit_seconds": seconds}
    return {"rates": found}


# ---- a hundred thousand features ----


def texts(n: int, n_features: int, per_sample: int, seed: int) -> sp.csr_matrix:
    """Binary samples whose features come from one of twenty groups."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_features, size=(20, 2000))
    rows = np.repeat(np.arange(n), per_sample)
    columns = groups[np.repeat(rng.integers(20, size=n), per_sample), rng.integers(2000, size=n * per_sample)]
    X = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(n, n_features))
    X.data[:] = 1
    return X


def wide(X: sp.csr_matrix, model: str, seed: int) -> dict[str, Any]:
    """Two epochs."""
    if model == "BernoulliRBM":
        machine: Any = BernoulliRBM(200, batch_size=100, n_iter=2, learning_rate=0.05, random_state=seed)
    else:
        machine = ts.SparseRBM(200, batch_size=100, n_iter=2, learning_rate=0.05, n_jobs=1, random_state=seed)
    machine.fit(X)
    weights = machine.components_.nnz if sp.issparse(machine.components_) else machine.components_.size
    return {"weights": int(weights)}


def run_others(part: str, models: list[str], seeds: list[int]) -> None:
    """digits, likelihood and wide."""
    for seed in seeds:
        for model in models:
            if part != "wide":
                found = measured(digits if part == "digits" else likelihood, model, seed)
            else:
                found = measured(wide, Made(texts, 2000, 100_000, 50, seed), model, seed)
            row = {"part": part, "model": model, "seed": seed, "seconds": found.seconds, "peak_mb": found.peak_mb}
            keep(NAME, row | found.result, ("part", "model", "seed"))
            print(row | found.result, flush=True)


def main() -> None:
    """Runs one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("coil20", "rates", "digits", "likelihood", "wide"))
    parser.add_argument("--data", type=Path, help="folder of coil20.npz")
    parser.add_argument("--models", nargs="+", help="names; all by default")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    args = parser.parse_args()
    known = {*MODELS, *LIKELIHOOD, "SparseRBM", "BernoulliRBM", "pixels"}
    if unknown := set(args.models or ()) - known:
        parser.error(f"--models must be among {', '.join(sorted(known))}, not {', '.join(sorted(unknown))}")
    if args.part in ("digits", "likelihood", "wide"):
        names = ["SparseRBM", "BernoulliRBM", *(["pixels"] if args.part == "digits" else [])]
        return run_others(
            args.part, args.models or (list(LIKELIHOOD) if args.part == "likelihood" else names), args.seeds
        )
    if args.data is None:
        parser.error("--data FOLDER is needed")
    epochs = EPOCHS if args.part == "coil20" else (50,)
    tuned = [name for name in MODELS if name.startswith("Bernoulli") or "validation" in name]
    models = list(MODELS) if args.part == "coil20" else tuned
    run_curves(args.data, args.models or models, args.seeds, epochs, args.part)
    return None


if __name__ == "__main__":
    main()
