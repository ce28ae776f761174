"""Networks and policies drawn at random, with the shapes that an exported form may get wrong: no connections in a row
or a layer, all of them, one neuron, 65,536 of them, gaps between connections around what a byte holds."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

import trulysparse as ts
from trulysparse.connectivity import Connectivity
from trulysparse.data.scaling import Scaling
from trulysparse.nn.settings import NetworkSettings
from trulysparse.rl.policy import Policy

WIDE = 65_536
ACTIVATIONS = (
    *(ts.AllReLU(alpha) for alpha in (0.0, 0.6, 1.0)),
    ts.ReLU(),
    ts.LeakyReLU(0.2),
    *(ts.Tanh(), ts.Sigmoid(), ts.Identity(), ts.GELU(), ts.SiLU()),
)
PATTERNS = ("sparse", "sparse", "sparse", "empty rows", "empty", "full", "one each", "gaps", "last only", "dense")
LEAST_FACTOR = 1e-3


@dataclass(frozen=True)
class Case:
    """A model, samples for it, and what it is: words for a message."""

    model: Any
    X: np.ndarray
    words: str
    n_inputs: int
    n_outputs: int  # of the exported network: of a policy those alone that its head takes
    n_actions: int  # of a policy with actions of numbers, else 0
    widest: int  # inputs of its widest layer
    policy: bool
    network: ts.SparseMLP  # the model, or the policy's


def draw(seed: int) -> Case:
    """The case of a seed."""
    rng = np.random.default_rng([21, seed])
    sizes = _sizes(rng, seed)
    policy = rng.random() < 0.2
    output = "identity" if policy else ("softmax", "sigmoid", "identity")[rng.integers(3)]
    skip = len(sizes) > 2 and rng.random() < 0.25
    pairs = [*itertools.pairwise(sizes), *([(sizes[0], sizes[-1])] if skip else [])]
    patterns = [str(rng.choice(PATTERNS)) for _ in pairs]
    cons = [connectivity(rng, *pair, pattern) for pair, pattern in zip(pairs, patterns, strict=True)]
    dtype = "float64" if rng.random() < 0.15 else "float32"
    # Weights keep signals at about the size of the inputs, whatever the pattern.
    values = [(rng.standard_normal(con.n_connections) * _spread(con)).astype(dtype) for con in cons]
    biases = [rng.standard_normal(con.n_out if rng.random() < 0.8 else 0).astype(dtype) for con in cons]
    if skip:
        biases[-1] = biases[-1][:0]  # the last layer's are enough
    activation = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
    settings = NetworkSettings(epsilon=1.0, activation=activation, output=output, dtype=dtype, skip=skip, threads=1)
    net = ts.SparseMLP.from_layers(cons, values, biases, settings)
    X = rng.standard_normal((4, sizes[0])) * rng.choice([1.0, 10.0])
    X[0, rng.random(sizes[0]) < 0.5] = 0
    if rng.random() < 0.5:
        net.scaling = _scaling(rng, sizes[0])
    if output == "identity" and not policy and rng.random() < 0.5:
        net.target_scaling = _scaling(rng, sizes[-1])
    words = f"seed {seed}: {'-'.join(map(str, sizes))} {patterns} {activation!r} {output} {dtype}"
    words += "".join(f" {name}" for name in ("scaling", "target_scaling") if getattr(net, name) is not None)
    model, n_outputs, n_actions = net, sizes[-1], 0
    if policy:
        model = _policy(rng, net)
        n_outputs = model.n_actions
        n_actions = 0 if model.head == "argmax" else n_outputs
        words += f" policy {model.head} of {n_outputs}"
    widest = max(con.n_in for con in cons)
    return Case(model, X.astype(np.float32), words, sizes[0], n_outputs, n_actions, widest, policy, net)


def connectivity(rng: np.random.Generator, n_in: int, n_out: int, pattern: str) -> Connectivity:
    """Connections of a pattern, at most some 40,000."""
    rows, columns = _coordinates(rng, n_in, n_out, pattern)
    flat = np.unique(rows.astype(np.int64) * n_in + columns)
    ptr = np.zeros(n_out + 1, np.int64)
    np.cumsum(np.bincount(flat // n_in, minlength=n_out), out=ptr[1:])
    return Connectivity.from_outputs(n_in, n_out, ptr, (flat % n_in).astype(np.int32), 1)[0]


def _coordinates(rng: np.random.Generator, n_in: int, n_out: int, pattern: str) -> tuple[np.ndarray, np.ndarray]:
    """(outputs, inputs) of connections, some of them more than once."""
    few = n_in * n_out <= 40_000
    if pattern == "empty":
        return np.empty(0, int), np.empty(0, int)
    if pattern in ("full", "dense") and few:
        rows, columns = np.divmod(np.arange(n_in * n_out), n_in)
        kept = np.ones(len(rows), bool) if pattern == "full" else rng.random(len(rows)) < 0.9
        return rows[kept], columns[kept]
    if pattern == "one each":
        return np.arange(n_out), rng.integers(n_in, size=n_out)
    if pattern == "last only":
        return np.arange(n_out), np.full(n_out, n_in - 1)
    if pattern == "gaps":  # differences of 255, 256, 510, 511 and their like in a few rows
        steps = (
            rng.choice([1, 254, 255, 256, 257, 509, 510, 511, 512, 766], size=(min(n_out, 8), 200)).cumsum(axis=1) - 1
        )
        steps += rng.choice([0, 254, 255, 256], size=(len(steps), 1))
        rows = np.repeat(np.arange(len(steps)), steps.shape[1])
        kept = steps.ravel() < n_in
        return rows[kept], steps.ravel()[kept]
    count = int(min(rng.choice([1, 3, 10]) * (n_in + n_out), n_in * n_out, 40_000 if n_out < 1000 else 100_000))
    rows, columns = rng.integers(n_out, size=count), rng.integers(n_in, size=count)
    if pattern == "empty rows":
        kept = (rows % 3 != 1) & (columns % 4 != 2)
        rows, columns = rows[kept], columns[kept]
    return rows, columns


def _sizes(rng: np.random.Generator, seed: int) -> tuple[int, ...]:
    """Few networks are wide, because their sources are long: one in 20 has 65,536 inputs, one in 100 hidden neurons."""
    sizes = [int(rng.choice([1, 2, 3, 5, 17, 64, 100, 256, 257, 700])) for _ in range(rng.integers(2, 6))]
    sizes[-1] = int(rng.choice([1, 1, 2, 3, 10, 33]))
    if seed % 20 == 7:
        sizes[0] = WIDE if seed % 40 == 7 else WIDE + 1
    if seed % 100 == 13:
        sizes[1 : max(len(sizes) - 1, 2)] = [WIDE]
        sizes[2:] = [int(rng.choice([1, 4]))]
    return tuple(sizes)


def _spread(con: Connectivity) -> float:
    rows = np.diff(con.by_output.ptr)
    return float(1.5 / np.sqrt(max(rows.mean(), 1.0)))


def _scaling(rng: np.random.Generator, n: int) -> Scaling:
    """Of features some of which are constant."""
    factor = np.maximum(np.exp(rng.standard_normal(n)), LEAST_FACTOR)
    factor[rng.random(n) < 0.1] = 0
    return Scaling("standard", rng.standard_normal(n), factor)


def _policy(rng: np.random.Generator, net: ts.SparseMLP) -> Policy:
    n_outputs = net.layer_sizes[-1]
    n_actions = int(rng.integers(1, n_outputs + 1))
    head = ("tanh", "argmax", "identity")[rng.integers(3)]
    bounds = {}
    if head == "tanh":
        low = rng.standard_normal(n_actions)
        bounds = {"low": low, "high": low + np.exp(rng.standard_normal(n_actions))}
    return Policy(net, head=head, n_actions=n_actions, **bounds)
