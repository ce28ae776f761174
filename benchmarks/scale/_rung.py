"""Builds, trains, evolves and tests one network of ladder.py in its own process; prints one JSON object."""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time

import numpy as np

import trulysparse as ts
from trulysparse._core.random import stream_key
from trulysparse.data import as_matrix
from trulysparse.data.synthetic import MadelonLike
from trulysparse.nn.losses import SoftmaxCrossEntropy
from trulysparse.nn.sinks import Update
from trulysparse.optim import LayerOptimizers
from trulysparse.planning import plan as planning
from trulysparse.training.batch import Batch
from trulysparse.training.passes import BatchPasses

FEATURES, TRAIN, TEST = 65536, 2000, 500
RATE = 0.15


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, nargs="+")
    parser.add_argument("--epsilon", type=float)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--recompute", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--save")
    options = parser.parse_args()
    sizes = (FEATURES, *options.hidden, 2)
    request = planning.PlanRequest(
        sizes,
        options.epsilon,
        options.batch,
        weights=options.precision,
        signals=options.precision,
        recompute=options.recompute,
    )
    predicted = planning.plan(request)

    data = MadelonLike(TRAIN + TEST, FEATURES)
    X, y = data.arrays()
    before = peak_gb()
    began = time.perf_counter()
    net = ts.SparseMLP(
        sizes,
        epsilon=options.epsilon,
        storage="compact",
        weights=options.precision,
        signals=options.precision,
        activation=ts.AllReLU(0.05),
        fan="sparse",
        seed=0,
        threads=options.threads,
    )
    built = time.perf_counter() - began
    built_gb = peak_gb()
    # The last layer sums over the whole layer before it, hidden neurons over a few: each has a rate of its own.
    optimizer = ts.SGD(RATE, momentum=0.0)
    rules = LayerOptimizers(optimizer, ts.SuPar())
    trainer = ts.Trainer(
        net,
        optimizer=optimizer,
        layer_rates=rules.layer_rates,
        evolution=ts.SET(0.3),
        batch_size=options.batch,
        recompute=options.recompute,
    )
    passes = BatchPasses(net, SoftmaxCrossEntropy(), recompute=options.recompute)
    matrix, labels = as_matrix(X), y.astype(np.int32)
    order = np.random.default_rng(0).permutation(TRAIN)
    losses, forward, backward, one_pass = [], [], [], None
    needed = -(-TRAIN // options.batch)
    for step in range(options.steps):
        rows = np.take(order, np.arange(step * options.batch, (step + 1) * options.batch), mode="wrap")
        start = time.perf_counter()
        signals, loss = passes.forward(Batch(matrix, rows, labels[rows], None))
        middle = time.perf_counter()
        passes.backward(
            signals, Update(trainer.optimizer_state, rules.rule(net.layers, step, 0, None), stream_key(0, "step", step))
        )
        backward.append(time.perf_counter() - middle)
        forward.append(middle - start)
        losses.append(loss)
        if step + 1 == needed:
            one_pass = float((net.predict(X[TRAIN:]) == y[TRAIN:]).mean())
    start = time.perf_counter()
    replaced = trainer.evolve()
    evolution = time.perf_counter() - start
    result = {
        "layer_sizes": sizes,
        "neurons": net.n_neurons,
        "learning_rate": RATE,
        "threads": net.threads,
        "epsilon": options.epsilon,
        "batch_size": options.batch,
        "precision": options.precision,
        "connections": net.n_connections,
        "build_seconds": built,
        "built_gb": built_gb,
        "data_gb": before,
        "peak_gb": peak_gb(),
        "forward_seconds": statistics.median(forward),
        "backward_seconds": statistics.median(backward),
        "evolution_seconds": evolution,
        "replaced": replaced,
        "samples_per_second": options.batch / (statistics.median(forward) + statistics.median(backward)),
        "loss_first_ten": statistics.fmean(losses[:10]),
        "loss_last_ten": statistics.fmean(losses[-10:]),
        "loss_start": losses[0],
        "steps": len(losses),
        "accuracy_after_one_pass": one_pass,
        "predicted": {
            "gb": (predicted.resident + X.nbytes) / 1e9,
            "forward_seconds": predicted.seconds["forward"],
            "backward_seconds": predicted.seconds["backward and update"],
            "evolution_seconds": predicted.seconds["evolution"],
        },
    }
    if options.save:
        start = time.perf_counter()
        ts.save(net, options.save)
        result["save_seconds"] = time.perf_counter() - start
    print(json.dumps(result))


if __name__ == "__main__":
    main()
