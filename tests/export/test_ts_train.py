"""ts_train.h against the library's own training in float64, through a sanitized program."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import trulysparse as ts
from export.train_driver import Scenario, compiled, run
from trulysparse.io.blob_format import unpack

VELOCITY = {None: 0, "float32": 1, "bfloat16": 2}
CORRUPT, NOT_A_BLOB, BAD_ARGUMENT, BAD_TARGET, DIVERGED = -6, -5, -1, -2, -3


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("train"), ["-O0"])


def network(output: str, **options) -> ts.SparseMLP:
    options = {"epsilon": 3, "activation": "relu", "seed": 1, "dtype": "float64", "threads": 1} | options
    net = ts.SparseMLP((7, 9, 8, 3), output=output, **options)
    rng = np.random.default_rng(5)
    for layer in net.layers:
        layer.values[:] = rng.standard_normal(len(layer.values)).astype(np.float32)  # the same in both types
        layer.bias[:] = rng.standard_normal(len(layer.bias)).astype(np.float32)
    return net


def samples(output: str, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, and targets as the library and as the device take them."""
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, 7)).astype(np.float32)
    if output == "softmax":
        y = rng.integers(0, 3, n)
        return X, y, y.astype(np.float32)
    y = rng.integers(0, 2, (n, 3)) if output == "sigmoid" else rng.standard_normal((n, 3)).astype(np.float32)
    return X, y, np.asarray(y, np.float32)


def compare(program, net: ts.SparseMLP, output: str, batch: int, optimizer: ts.SGD, **config) -> None:
    """Six steps and the scores after them, on both sides."""
    scenario = Scenario(ts.export.blob_of(net), batch=batch, **config)
    trainer = ts.Trainer(net, optimizer=optimizer, batch_size=batch, evolution=ts.Static())
    losses = []
    for number in range(6):
        X, y, given = samples(output, batch + 10 * number)
        X, y, given = X[:batch], y[:batch], given[:batch]
        losses.append(trainer.step(X, y))
        scenario.step(X, given, optimizer.learning_rate)
    X = samples(output, 40)[0]
    found = run(program, scenario.scores(X).save(), 3)
    assert found.status == 0
    assert found.needed > 0
    assert found.statuses == [0] * 6
    assert np.allclose(found.losses, losses, rtol=2e-5, atol=1e-6)
    z = net.decision_function(X)
    assert np.allclose(found.scores[0], z, atol=2e-5 * np.abs(z).max())
    assert (found.predictions[0] == z.argmax(axis=1)).all()
    assert unpack(found.blobs[0]).step == 6


@pytest.mark.parametrize("output, batch", list(product(("softmax", "sigmoid", "identity"), (1, 4))))
def test_steps_are_those_of_the_library(program, output, batch):
    compare(program, network(output), output, batch, ts.SGD(0.05, momentum=0.9))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "optimizer, config",
    [
        (ts.SGD(0.05, momentum=0.0), {"velocity": 0, "momentum": 0.0}),
        (ts.SGD(0.05, momentum=0.9, nesterov=True), {"nesterov": 1}),
        (ts.SGD(0.05, momentum=0.5, weight_decay=0.01), {"momentum": 0.5, "l2": 0.01}),
        (ts.SGD(0.05, momentum=0.9, weight_decay=0.01, weight_decay_mode="direct"), {"decay": 0.01}),
    ],
)
def test_optimizers_are_those_of_the_library(program, batch, optimizer, config):
    compare(program, network("softmax"), "softmax", batch, optimizer, **config)


@pytest.mark.parametrize("activation", [ts.AllReLU(0.6), "tanh", "sigmoid", "gelu", "silu", ts.LeakyReLU(0.1)])
def test_activations_are_those_of_the_library(program, activation):
    for batch in (1, 2):
        net = network("identity", activation=activation)
        compare(program, net, "identity", batch, ts.SGD(0.02, momentum=0.9))


def test_skip_layers_and_networks_without_biases_learn_too(program):
    for options in ({"skip": True}, {"bias": False}):
        compare(program, network("softmax", **options), "softmax", 1, ts.SGD(0.05, momentum=0.9))


def test_momentum_in_bfloat16_stays_near_that_in_float32(program):
    net = network("softmax")
    given = [samples("softmax", 10 + number) for number in range(30)]
    ends = []
    for velocity in ("float32", "bfloat16"):
        scenario = Scenario(ts.export.blob_of(net), velocity=VELOCITY[velocity])
        for X, _, y in given:
            scenario.step(X[:1], y[:1], 0.02)
        ends.append(run(program, scenario.scores(given[0][0]), 3))
    before = net.decision_function(given[0][0])
    moved = np.abs(ends[0].scores[0] - before).max()
    assert np.abs(ends[1].scores[0] - ends[0].scores[0]).max() < 0.05 * moved
    assert ends[1].needed < ends[0].needed


@pytest.mark.parametrize("velocity", ["float32", "bfloat16"])
def test_a_training_that_is_broken_off_gives_the_same_bits(program, velocity):
    blob = ts.export.blob_of(network("softmax"))
    ends = []
    for at in (None, 3):
        scenario = Scenario(blob, velocity=VELOCITY[velocity], seed=4, dropout=0.3, batch=2)
        for number in range(6):
            X, _, y = samples("softmax", 10 + number)
            scenario.step(X[:2], y[:2], 0.05)
            if number == at:
                scenario.resume()
        ends.append(run(program, scenario.save(), 3).blobs[-1])
    assert ends[0] == ends[1]


def test_dropout_drops_its_share_and_keeps_the_mean(program):
    """One hidden layer of 600 that passes its input on: the mean output over steps is that without dropout."""
    net = ts.SparseMLP((1, 600, 1), density=1.0, activation="relu", output="identity", bias=False, threads=1)
    for layer in net.layers:
        layer.values[:] = 1.0
    scenario = Scenario(ts.export.blob_of(net), dropout=0.25, momentum=0.0, velocity=0)
    for _ in range(40):
        scenario.step(np.ones((1, 1)), np.zeros((1, 1)), 0.0)
    kept = 0.75 * np.sqrt(run(program, scenario, 1).losses)  # the square of the output: kept neurons / 0.75
    assert kept == pytest.approx(np.rint(kept), abs=1e-2)
    assert 0.75 * 600 - 6 < kept.mean() < 0.75 * 600 + 6
    assert len(np.unique(np.rint(kept))) > 10


def test_what_cannot_be_trained_changes_nothing(program):
    net = network("softmax")
    blob = ts.export.blob_of(net)
    assert run(program, Scenario(blob, batch=0)).status == BAD_ARGUMENT
    assert run(program, Scenario(blob, momentum=1.0)).status == BAD_ARGUMENT
    assert run(program, Scenario(b"safetensors" + blob)).status == NOT_A_BLOB
    for at in (13, 50, len(blob) // 2, len(blob) - 1):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        assert run(program, Scenario(changed)).status == CORRUPT, at
    assert run(program, Scenario(blob[:-8])).status == CORRUPT
    X = np.ones((1, 7), np.float32)
    scenario = Scenario(blob).save()
    scenario.step(X, [3.0], 0.1).step(X, [0.5], 0.1).step(np.full((1, 7), 3e38), [0.0], 0.1).save()
    found = run(program, scenario)
    assert found.statuses == [BAD_TARGET, BAD_TARGET, DIVERGED]
    assert found.blobs[0] == found.blobs[1]
