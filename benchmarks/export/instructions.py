"""Instructions, flash, RAM and stack of exported networks on the emulated boards, per form.

    python benchmarks/export/instructions.py [--boards M4F,M7,M0,RISC-V] [--fashion FILE.ts]
    python benchmarks/export/instructions.py --model FILE.ts

Instructions are those of one call of NAME_scores, compiled with -O2, from entry to return, input scaling, activations
and output included; "a connection" divides by the stored weights. They repeat exactly. Code and constants are those of
the compiled file alone. The Fashion-MNIST network does not fit the M0 board (256 KiB).

The second table is of training: the whole step (ts_train_step, entry to return: forward pass, loss, gradients of all
sums, update of weights, momentum and biases), of it the forward pass, and what the step takes beyond; of SET, 30 %. A
sample's inputs are none of them 0, as inputs that are 0 cost nothing. On the boards with 4 MB of RAM.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from _devices import DIGITS, FASHION, Board, boards, digits_network, fashion_network, frozen_scores, random_samples
from _run import keep

import trulysparse as ts
from export.emulation import BuildError, forward, object_sizes, train
from trulysparse.bench.report import table

Row = dict[str, object]


def measured(label: str, net: ts.SparseMLP, board: Board, weights: str, index: str, optimise: str) -> Row | None:
    """One form on one board; None where it does not fit."""
    X = random_samples(net)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        calibrate = X if weights == "int8" else None
        size = ts.export.c(net, folder / "net.c", weights=weights, index=index, calibrate=calibrate)
        files = sorted(folder.iterdir())
        try:
            found = forward(files, board, folder, X[:5], net.layer_sizes[-1], optimise=optimise)
        except BuildError as error:
            if "overflowed" in str(error):
                return None
            raise
        sections = object_sizes({path.name: path for path in files}, board, folder, optimise)
    return {
        "network": label,
        "board": board.name,
        "form": f"{weights} {index}",
        "instructions": int(found.instructions.max()),
        "per_connection": float(found.instructions.max() / net.n_connections),
        "code": sections["code"],
        "constants": sections["constants"] + sections["data"],
        "ram": sections["bss"] + sections["data"],
        "stack": found.stack,
        "said_flash": size.flash,
        "said_ram": size.ram,
        "largest_difference": float(np.abs(found.scores - frozen_scores(net, X[:5])).max()),
    }


def trained(label: str, board: Board, activation: str, velocity: int, batch: int) -> Row:
    """Steps of training of a new network."""
    sizes, epsilon = {"digits": (DIGITS, 10), "fashion": (FASHION, 20)}[label]
    net = ts.SparseMLP(sizes, epsilon=epsilon, activation=activation, seed=0, threads=1)
    momentum = 0.9 if velocity else 0.0
    with tempfile.TemporaryDirectory() as name:
        X, y = random_samples(net, 4), np.arange(4)
        found = train(net, board, Path(name), X, y, 4, momentum=momentum, velocity=velocity, batch=batch, zeta=0.3)
    per = batch * net.n_connections
    return {
        "network": label,
        "board": board.name,
        "activation": activation,
        "momentum": ("none", "float32", "bfloat16")[velocity],
        "batch": batch,
        "step": int(found.step.max()),
        "step_per_connection": float(found.step.max() / per),
        "forward_per_connection": float(found.forward / per),
        "rest_per_connection": float((found.step[0] - found.forward) / per),
        "evolution_per_connection": float(found.evolve / net.n_connections),
        "memory": found.memory,
        "stack": found.stack,
    }


parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--boards", default="M4F,M7,M0,RISC-V")
parser.add_argument("--model", default="", help="a saved network to measure in place of the two")
parser.add_argument("--fashion", default="", help="a saved Fashion-MNIST network; without it an untrained one")
parser.add_argument("--optimise", default="-O2", help="for example --optimise=-O3")
given = parser.parse_args()
networks = {"digits": digits_network(), "fashion": fashion_network(given.fashion)}
if given.model:
    networks = {Path(given.model).stem: ts.load(given.model)}
rows = [
    row
    for board in boards(*given.boards.split(","))
    for label, net in networks.items()
    for weights in ("float32", "int8")
    for index in ("u16", "delta8")
    if (row := measured(label, net, board, weights, index, given.optimise))
]
columns = ("network", "board", "form", "instructions", "per_connection", "code", "constants", "ram", "stack")
table(
    f"One call of net_scores, {given.optimise}",
    ["network", "board", "form", "instructions", "a connection", "code, bytes", "constants", "RAM", "stack"],
    [[row[key] for key in columns] for row in rows],
)
if not given.model:
    steps = [
        trained(label, board, activation, velocity, batch)
        for board in boards(*(name for name in given.boards.split(",") if name != "M0"))
        for label, activation, velocity, batch in (
            ("digits", "relu", 1, 1),
            ("digits", "all_relu", 1, 1),
            ("digits", "relu", 0, 1),
            ("digits", "relu", 2, 1),
            ("digits", "relu", 1, 4),
            ("fashion", "relu", 1, 1),
            ("fashion", "all_relu", 1, 1),
        )
    ]
    table(
        "A sample's instructions in training a connection, -O2",
        ["network", "board", "activation", "momentum", "batch", "step", "forward", "rest", "SET", "memory", "stack"],
        [
            [
                *(row[key] for key in ("network", "board", "activation", "momentum", "batch")),
                *(row[f"{key}_per_connection"] for key in ("step", "forward", "rest", "evolution")),
                *(row[key] for key in ("memory", "stack")),
            ]
            for row in steps
        ],
    )
    keep("export_instructions", 1, {"forward": rows, "training": steps})
