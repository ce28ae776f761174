"""Training on the device, against a reference in float64, the library's own Trainer, and itself resumed."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from export.train_driver import Outcome, Scenario, compiled, run
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.export.blob import blob_of, train_memory
from trulysparse.io.blob_format import unpack
from trulysparse.io.blobs import network_of

RATE = 0.05


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory):
    """The sanitized program, compiled once."""
    return compiled(tmp_path_factory.mktemp("train"))


def network(rng: np.random.Generator, output: str = "softmax", **options) -> ts.SparseMLP:
    sizes = options.pop("layer_sizes", (9, 14, 11, 1 if output == "binary" else 4))
    output = "sigmoid" if output == "binary" else output
    net = ts.SparseMLP(sizes, epsilon=4, output=output, seed=int(rng.integers(99)), threads=1, **options)
    for layer in net.layers:
        layer.bias[:] = rng.normal(size=layer.bias.shape) / 4
    return net


def samples(rng: np.random.Generator, net: ts.SparseMLP, n: int) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(n, net.layer_sizes[0])).astype(np.float32)
    X[rng.random(X.shape) < 0.3] = 0  # what is 0 is skipped
    n_out = net.layer_sizes[-1]
    if net.output == "softmax":
        return X, rng.integers(n_out, size=n)
    y = rng.normal(size=(n, n_out)) if net.output == "identity" else rng.integers(2, size=(n, n_out))
    return X, y.astype(np.float32)


def trained(
    device, net: ts.SparseMLP, X: np.ndarray, y: np.ndarray, batch: int, rate: float = RATE, **config
) -> Outcome:
    """What a device says after a pass over the samples in batches."""
    scenario = Scenario(blob_of(net), batch=batch, **config)
    for start in range(0, len(X), batch):
        scenario.step(X[start : start + batch], y[start : start + batch], rate)
    return run(device, scenario.scores(X).save(), net.layer_sizes[-1])


def differences(net: ts.SparseMLP, blob: bytes) -> float:
    """The largest between a network's parameters and a blob's."""
    found = unpack(blob)
    largest = 0.0
    for layer, kept in zip(net.layers, found.layers, strict=True):
        np.testing.assert_array_equal(kept.index, layer.connectivity.by_input.index)
        largest = max(largest, float(np.abs(kept.weight - layer.values).max()))
        if layer.bias.size:
            largest = max(largest, float(np.abs(kept.bias - layer.bias).max()))
    return largest


@pytest.mark.parametrize("activation", ["all_relu", "relu", "tanh", "sigmoid", "gelu", "silu", "identity"])
def test_steps_are_those_of_the_trainer(device, activation: str, rng: np.random.Generator) -> None:
    net = network(rng, activation=activation)
    X, y = samples(rng, net, 12)
    outcome = trained(device, net, X, y, 1)
    trainer = ts.Trainer(net, optimizer=ts.SGD(RATE, momentum=0.9), seed=0)
    losses = [trainer.step(X[i : i + 1], y[i : i + 1]) for i in range(12)]
    assert outcome.statuses == [0] * 12
    np.testing.assert_allclose(outcome.losses, losses, rtol=2e-4, atol=1e-5)
    assert differences(net, outcome.blobs[0]) < 5e-6
    np.testing.assert_allclose(outcome.scores[0], net.decision_function(X), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(outcome.predictions[0], net.predict(X))


@pytest.mark.parametrize(
    "output, options, rule, config",
    [
        ("softmax", {}, {"momentum": 0.9}, {}),
        ("binary", {}, {"momentum": 0.9}, {}),
        ("sigmoid", {"skip": True}, {"momentum": 0.5}, {"momentum": 0.5}),
        ("identity", {"bias": False}, {"momentum": 0.0}, {"momentum": 0.0, "velocity": 0}),
        ("identity", {"skip": True}, {"momentum": 0.9, "nesterov": True}, {"nesterov": 1}),
        ("softmax", {}, {"momentum": 0.9, "weight_decay": 0.01}, {"l2": 0.01}),
        (
            "softmax",
            {},
            {"momentum": 0.9, "weight_decay": 0.01, "weight_decay_mode": "direct"},
            {"decay": 0.01},
        ),
    ],
)
@pytest.mark.parametrize("batch", [1, 5])
def test_losses_rules_and_batches(device, output, options, rule, config, batch: int, rng) -> None:
    net = network(rng, output, activation="all_relu", **options)
    if output == "identity":
        net.target_scaling = Scaling("standard", rng.normal(size=4), rng.uniform(0.5, 2, 4))
    net.scaling = Scaling("standard", rng.normal(size=9), rng.uniform(0.5, 2, 9))
    X, y = samples(rng, net, 10)
    rate = RATE / 5 if output == "identity" else RATE
    outcome = trained(device, net, X, y, batch, rate, **config)
    twin = net.copy()
    targets = y
    if output == "identity":  # a step takes targets as the network is trained on them
        targets = ((y - net.target_scaling.offset) * net.target_scaling.factor).astype(np.float32)
    twin.target_scaling = None
    trainer = ts.Trainer(twin, optimizer=ts.SGD(rate, **rule), seed=0)
    losses = [trainer.step(X[i : i + batch], targets[i : i + batch]) for i in range(0, 10, batch)]
    np.testing.assert_allclose(outcome.losses, losses, rtol=3e-4, atol=1e-5)
    assert differences(twin, outcome.blobs[0]) < 1e-5
    twin.target_scaling = net.target_scaling
    expected = twin.predict(X) if output == "identity" else twin.decision_function(X)
    np.testing.assert_allclose(outcome.scores[0], expected, rtol=1e-3, atol=1e-3)


def test_a_step_goes_down_the_slope(device, rng: np.random.Generator) -> None:
    """Central differences of the loss, computed in float64 here."""
    net = network(rng, "softmax", activation="tanh", layer_sizes=(6, 7, 3))
    X, y = samples(rng, net, 4)
    outcome = run(
        device, Scenario(blob_of(net), batch=4, momentum=0, velocity=0).step(X, y, RATE).save(), net.layer_sizes[-1]
    )

    def loss(matrices, biases) -> float:
        h = np.tanh(X @ matrices[0].T + biases[0])
        z = h @ matrices[1].T + biases[1]
        return float(np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(4), y]))

    matrices = [layer.weight.toarray().astype(np.float64) for layer in net.layers]
    biases = [layer.bias.astype(np.float64) for layer in net.layers]
    assert abs(outcome.losses[0] - loss(matrices, biases)) < 1e-5
    after = network_of(unpack(outcome.blobs[0]), 1)
    for number, layer in enumerate(after.layers):
        rows, columns = layer.weight.nonzero()
        for o, i in list(zip(rows, columns, strict=True))[::3]:
            slopes = []
            for sign in (1, -1):
                moved = [matrix.copy() for matrix in matrices]
                moved[number][o, i] += sign * 1e-5
                slopes.append(loss(moved, biases))
            slope = (slopes[0] - slopes[1]) / 2e-5
            step = matrices[number][o, i] - layer.weight[o, i]
            assert abs(step - RATE * slope) < 2e-5


@pytest.mark.parametrize("velocity", [0, 1, 2])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_resumed_training_gives_the_same_bits(device, velocity: int, batch: int, rng: np.random.Generator) -> None:
    net = network(rng)
    X, y = samples(rng, net, 12)
    blobs = []
    for broken_off in (False, True):
        config = {"velocity": velocity, "momentum": 0.9 if velocity else 0.0, "dropout": 0.3, "seed": 5}
        scenario = Scenario(blob_of(net), batch=batch, **config)
        for start in range(0, 12, batch):
            scenario.step(X[start : start + batch], y[start : start + batch], RATE)
            if broken_off and start == 6:
                scenario.resume()
        blobs.append(run(device, scenario.save()).blobs[-1])
    assert blobs[0] == blobs[1]


def test_dropout_drops_its_share_and_scales_the_rest(device, rng: np.random.Generator) -> None:
    """Of a linear network of fixed weights, the mean of many noisy losses is that of inverted dropout."""
    sizes = (3, 400, 1)
    net = ts.SparseMLP(sizes, density=1.0, output="identity", activation="identity", seed=1, threads=1)
    for layer in net.layers:
        layer.values[:] = 1
        layer.bias[:] = 0
    x, y = np.ones((1, 3), np.float32), np.zeros((1, 1), np.float32)
    scenario = Scenario(blob_of(net), dropout=0.25, momentum=0, velocity=0)
    for _ in range(200):
        scenario.step(x, y, 0.0)
    outputs = np.sqrt(run(device, scenario).losses)  # 3 / 0.75 for each neuron that is kept
    kept = outputs / 4
    assert abs(kept.mean() - 300) < 5 * np.sqrt(400 * 0.25 * 0.75 / 200)
    assert 0.7 < kept.std() / np.sqrt(400 * 0.25 * 0.75) < 1.3


def test_momentum_in_bfloat16_has_the_same_mean(device, rng: np.random.Generator) -> None:
    """Rounded up or down at random: without a bias, updates far below its resolution are not lost."""
    net = network(rng, "identity", layer_sizes=(4, 3), bias=False)  # all connections exist
    x, y = np.ones((1, 4), np.float32), np.ones((1, 3), np.float32)
    moved = []
    for velocity in (1, 2):
        scenario = Scenario(blob_of(net), velocity=velocity, momentum=0.999, seed=3)
        for _ in range(300):
            scenario.step(x, y, 1e-4)
        found = unpack(run(device, scenario.save()).blobs[0]).layers[0].weight
        moved.append(found - net.layers[0].values)
    exact, rounded = (each.reshape(4, 3).mean(0) for each in moved)  # of four inputs that are alike
    np.testing.assert_allclose(rounded, exact, rtol=0.1)
    assert np.abs(moved[1] - moved[0]).max() > 0  # it was rounded


def test_memory_is_what_python_says(device, rng: np.random.Generator) -> None:
    """The program gives the runtime exactly so many bytes; the sanitizer sees one more."""
    for options in ({}, {"skip": True}, {"bias": False}):
        net = network(rng, **options)
        for velocity, name in ((0, None), (1, "float32"), (2, "bfloat16")):
            for batch, target in ((1, 0), (7, 1)):
                config = {"velocity": velocity, "momentum": 0.5 if velocity else 0.0}
                outcome = run(device, Scenario(blob_of(net), batch=batch, target_network=target, **config))
                said = train_memory(net, velocity=name, batch=batch, target_network=bool(target), pointer_bytes=8)
                assert outcome.status == 0
                assert outcome.needed == said


def test_what_a_device_refuses(device, rng: np.random.Generator) -> None:
    net = network(rng)
    X, _ = samples(rng, net, 1)
    good = blob_of(net)
    far = np.full_like(X, np.inf)
    outcome = run(
        device,
        Scenario(good)
        .step(X, np.array([4.0]), RATE)
        .step(X, np.array([0.5]), RATE)
        .step(X, np.array([-1.0]), RATE)
        .step(X, np.array([np.nan]), RATE)
        .step(X, np.array([1.0]), np.nan)
        .step(far, np.array([1.0]), RATE)
        .save(),
    )
    assert outcome.statuses == [-2, -2, -2, -2, -1, -3]
    kept, given = unpack(outcome.blobs[0]), unpack(good)
    assert kept.step == 0
    for before, after in zip(given.layers, kept.layers, strict=True):
        np.testing.assert_array_equal(after.weight, before.weight)
        np.testing.assert_array_equal(after.bias, before.bias)
    for config in (
        {"batch": 0},
        {"momentum": 1.0},
        {"dropout": 1.0},
        {"momentum": 0.9, "velocity": 0},
        {"velocity": 3},
    ):
        assert run(device, Scenario(good, **config)).status < 0, config


def test_changed_and_cut_off_blobs(device, rng: np.random.Generator) -> None:
    good = blob_of(network(rng))
    for cut in (0, 3, 4, 39, 60, len(good) - 1):
        assert run(device, Scenario(good[:cut])).status in (-5, -6), cut
    for at in rng.integers(len(good), size=12):
        changed = bytearray(good)
        changed[at] ^= 1 << int(rng.integers(8))
        assert run(device, Scenario(bytes(changed))).status in (-5, -6), at


def test_what_a_device_has_learned_comes_back(device, tmp_path: Path, rng: np.random.Generator) -> None:
    """Trained here, continued there on new data, loaded again: the same predictions on both sides."""
    net = network(rng)
    net.labels = np.array(["ash", "elm", "fir", "oak"])
    net.scaling = Scaling("standard", rng.normal(size=9), rng.uniform(0.5, 2, 9))
    X, y = samples(rng, net, 40)
    ts.Trainer(net, optimizer=ts.SGD(RATE), seed=0).fit(X[:20], y[:20], epochs=2)
    outcome = trained(device, net, X[20:], y[20:], 1)
    path = tmp_path / "back.blob"
    path.write_bytes(outcome.blobs[0])
    back = ts.load(path, threads=1)
    scores = back.decision_function(X[20:])
    np.testing.assert_allclose(scores, outcome.scores[0], rtol=1e-5, atol=1e-5)
    assert back.predict(X[20:]).tolist() == net.labels[outcome.predictions[0]].tolist()
    assert np.abs(scores - net.decision_function(X[20:])).max() > 1e-3  # it did learn


def mix(x: int) -> int:
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def key_of(seed: int, purpose: int, step: int, layer: int) -> int:
    """ts_key, written again."""
    golden, mask = 0x9E3779B9, 0xFFFFFFFF
    key = mix(seed + golden * purpose & mask)
    key = mix(key + golden * (step + 1) & mask)
    return mix(key + golden * (layer + 1) & mask)


def hash_of(key: int, position: int) -> int:
    """ts_hash, written again."""
    x = position * 0x9E3779B9 + key & 0xFFFFFFFF
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15 ^ key
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


@pytest.mark.parametrize("batch", [1, 3])
def test_dropout_is_a_function_of_seed_step_layer_and_position(device, batch: int, rng: np.random.Generator) -> None:
    net = network(rng, "identity", layer_sizes=(5, 12, 2), activation="all_relu")
    X, y = samples(rng, net, 4 * batch)
    config = {"momentum": 0.0, "velocity": 0, "dropout": 0.4, "seed": 17}
    outcome = trained(device, net, X, y, batch, **config)
    (w1, w2), (b1, b2) = (
        [layer.weight.toarray().astype(float) for layer in net.layers],
        [layer.bias.astype(float) for layer in net.layers],
    )
    there1, there2 = w1 != 0, w2 != 0
    threshold = int(np.float32(1 - np.float32(0.4)) * 65536 + 0.5)
    for step in range(4):
        x, target = X[step * batch : (step + 1) * batch].astype(float), y[step * batch : (step + 1) * batch]
        key = key_of(17, 1, step, 0)
        kept = np.array([[hash_of(key, o * batch + b) >> 16 < threshold for o in range(12)] for b in range(batch)])
        z = x @ w1.T + b1
        factor = kept / 0.6
        h = np.where(z > 0, z, -0.6 * z) * factor
        error = h @ w2.T + b2 - target
        assert abs(outcome.losses[step] - np.mean(error**2)) < 1e-4
        dy = 2 * error / error.size
        dz = dy @ w2 * factor * np.where(z > 0, 1, -0.6)
        w2, b2 = w2 - RATE * (dy.T @ h) * there2, b2 - RATE * dy.sum(0)
        w1, b1 = w1 - RATE * (dz.T @ x) * there1, b1 - RATE * dz.sum(0)
    after = network_of(unpack(outcome.blobs[0]), 1)
    np.testing.assert_allclose(after.layers[0].weight.toarray(), w1, atol=2e-5)
    np.testing.assert_allclose(after.layers[1].weight.toarray(), w2, atol=2e-5)


def test_momentum_in_bfloat16_is_rounded_by_the_numbers_of_its_row(device, rng: np.random.Generator) -> None:
    net = network(rng, "identity", layer_sizes=(6, 3))
    x, y = np.abs(rng.normal(size=(1, 6))).astype(np.float32) + 1, np.ones((1, 3), np.float32)
    outcome = run(device, Scenario(blob_of(net), velocity=2, seed=3).step(x, y, RATE).save())
    given, found = unpack(blob_of(net)).layers[0], unpack(outcome.blobs[0]).layers[0]
    z = given.bias.copy()
    for i in range(6):  # in float32, in the order of the device
        row = slice(given.start[i], given.start[i + 1])
        z[given.index[row]] += given.weight[row] * x[0, i]
    dy = np.float32(2) * (z - y[0]) * (np.float32(1) / np.float32(3))
    for i in range(6):
        random = hash_of(key_of(3, 2, 0, 0), int(given.start[i]))
        for k in range(given.start[i], given.start[i + 1]):
            random = random * 1664525 + 1013904223 & 0xFFFFFFFF
            bits = (-(x[0, i] * np.float32(RATE) * dy[given.index[k]])).view(np.uint32)
            assert found.velocity[k] == (int(bits) + (random >> 16)) >> 16


def test_hostile_blobs_with_a_right_checksum(device, rng: np.random.Generator) -> None:
    """The device and Python refuse the same ones, and the sanitizer sees no access beside the blob."""
    refused = 0
    for case in range(60):
        net = network(rng, layer_sizes=(4, 5, 3), skip=bool(case % 2))
        data = bytearray(blob_of(net))
        for _ in range(2):
            at = int(rng.integers(16, 100 if case % 3 else len(data) - 400))
            data[at] = int(rng.choice([0, 1, 128, 255]))
        data[12:16] = zlib.crc32(bytes(data[16:]), zlib.crc32(bytes(data[:12]))).to_bytes(4, "little")
        status = run(device, Scenario(bytes(data))).status
        try:
            unpack(bytes(data))
            assert status == 0
        except InputError:
            assert status in (-6, -7)
            refused += 1
    assert refused > 20
