"""What a preset of `trulysparse train` reaches: test accuracy after the last epoch, connections, processor seconds.

Variants stand beside it: 'random', with connections drawn uniformly; 'static', without evolution; 'dense', a dense
network of as many connections. With --held-out, the last training samples take the place of the test samples.

    python benchmarks/presets.py fashion_mnist.npz fashion-mnist-5min --seeds 3
    python benchmarks/presets.py cifar10.npz cifar10-30min --variants preset,random,dense --epochs 40 --held-out 10000
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from _run import keep

import trulysparse as ts
from trulysparse._core import checks
from trulysparse.bench.report import table
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.recipe import Recipe


def variant(name: str, preset: str, n_connections: int, n_inputs: int, n_outputs: int, **changes: object) -> Recipe:
    """The preset, or what stands beside it."""
    if name == "random":
        changes["connectivity"] = "fixed_fan_in"
    if name in ("static", "dense"):
        changes["evolution"] = "none"
    if name == "dense":  # two equal hidden layers
        width = next(w for w in range(1, 10_000) if n_inputs * w + w * w + w * n_outputs > n_connections) - 1
        changes |= {"hidden": (width, width), "density": 1.0, "connectivity": "erdos_renyi"}
    return Recipe.preset(preset, **changes)


def trained(recipe: Recipe, data: tuple[np.ndarray, ...], threads: int) -> dict[str, float]:
    """What a training comes to."""
    X, y, X_test, y_test = data
    began, wall = time.process_time(), time.perf_counter()
    net = recipe.network(X.shape[1], int(y.max()) + 1, samples=(X, y), threads=threads)
    net.scaling = fit_scaling(recipe.scale, as_matrix(X), augmentation=recipe.make_augmentation())
    history = recipe.trainer(net).fit(X, y, epochs=recipe.epochs)
    seconds = {"processor_seconds": time.process_time() - began, "seconds": time.perf_counter() - wall}
    accuracy = ts.evaluate(net, X_test, y_test)["accuracy"]
    return {"accuracy": accuracy, "loss": history["loss"][-1], "connections": net.n_connections, **seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("preset")
    parser.add_argument("--variants", default="preset")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="default: the preset's")
    parser.add_argument("--held-out", type=int, default=0)
    parser.add_argument("--threads", type=int, default=checks.thread_count(None))
    options = parser.parse_args()
    with np.load(options.data) as file:
        X, y, X_test, y_test = (file[key] for key in ("X_train", "y_train", "X_test", "y_test"))
    if n := options.held_out:
        X, y, X_test, y_test = X[:-n], y[:-n], X[-n:], y[-n:]
    changes = {} if options.epochs is None else {"epochs": options.epochs}
    size = X.shape[1], int(y.max()) + 1
    n_connections = Recipe.preset(options.preset).network(*size, samples=(X, y), threads=1).n_connections
    results = []
    for name in options.variants.split(","):
        for seed in range(options.seeds):
            recipe = variant(name, options.preset, n_connections, *size, seed=seed, **changes)
            found = trained(recipe, (X, y, X_test, y_test), options.threads)
            results.append({"variant": name, "seed": seed, "epochs": recipe.epochs, "held_out": n, **found})
            print(results[-1], flush=True)
    columns = ["variant", "seed", "connections", "accuracy", "processor_seconds", "seconds"]
    table(options.preset, columns, [[each[column] for column in columns] for each in results])
    keep(f"presets_{options.preset}", options.threads, results)


if __name__ == "__main__":
    main()
