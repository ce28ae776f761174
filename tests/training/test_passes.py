"""Both passes of a batch, against dense matrices; batches in parts."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse._core.arrays import widened
from trulysparse._core.random import stream_key
from trulysparse.data import as_matrix
from trulysparse.data.stream.blocks import NpyBlocks
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.nn.passes import backward_layers, forward_layers
from trulysparse.nn.sinks import Gradients
from trulysparse.training.passes import BatchPasses, checked_batch

STORAGES = {
    "indexed": {},
    "float64": {"dtype": "float64"},
    "compact": {"storage": "compact"},
    "bfloat16": {"storage": "compact", "weights": "bfloat16", "signals": "bfloat16"},
}


def network(storage="indexed", **options):
    return ts.SparseMLP((9, 14, 12, 11, 3), epsilon=4, seed=2, **STORAGES[storage], **options)


def samples(rng, n=21):
    return rng.standard_normal((n, 9)), rng.integers(0, 3, n)


def dense_backward(net, X, dy, slopes):
    """Gradients by the definition on dense matrices in float64: weights, biases and input."""
    weights = [layer.weight.toarray().astype(np.float64) for layer in net.layers]
    biases = [widened(layer.bias).astype(np.float64) for layer in net.layers]
    activations, derivatives = [X.T], []
    for w, b, slope in zip(weights, biases, slopes, strict=True):
        z = w @ activations[-1] + b[:, None]
        derivatives.append(np.where(z > 0, 1.0, slope))
        activations.append(np.where(z > 0, z, slope * z))
    found = []
    for number in reversed(range(len(weights))):
        found.append(((dy @ activations[number].T) * (weights[number] != 0), dy.sum(axis=1)))
        dy = weights[number].T @ dy
        if number:
            dy = dy * derivatives[number - 1]
    return found[::-1], dy


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("storage", ["indexed", "float64", "compact"])
def test_backward_gives_gradients_of_parameters_and_input(rng, storage, every):
    """Against the definition, for a loss gradient of anyone's own."""
    net = network(storage, activation=ts.AllReLU(0.5))
    X, n = rng.standard_normal((21, 9)), 21
    work = net.workspace(every=every)
    signals = work.signals(n, 1.0)
    stride = signals[0].values.shape[1]
    signals[0].values[:] = 0
    signals[0].values[:, :n] = X.T
    keys = [0] * len(net.layers)
    forward_layers(net, signals, keys, 2)
    dy = np.zeros((3, stride), net.dtype)
    dy[:, :n] = rng.standard_normal((3, n))
    sink, dx = Gradients([layer.new_gradient() for layer in net.layers]), np.empty((9, stride), net.dtype)
    backward_layers(net, signals, dy, sink, threads=2, input_gradient=dx, keys=keys, every=every)
    expected, expected_dx = dense_backward(net, X, dy[:, :n].astype(np.float64), [-0.5, 0.5, -0.5, 1.0])
    for layer, (weights, bias), (weight_wanted, bias_wanted) in zip(net.layers, sink.arrays, expected, strict=True):
        np.testing.assert_allclose(layer.to_csr(layer.in_order(weights)).toarray(), weight_wanted, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(bias, bias_wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(dx[:, :n], expected_dx, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("micro", [1, 5, 21, 40])
def test_parts_add_up_to_the_whole(rng, storage, micro):
    net = network(storage)
    batch = checked_batch(net, ts.SoftmaxCrossEntropy(), *samples(rng), rng.random(21))
    whole = BatchPasses(net).gradients(batch)
    parts = BatchPasses(net, micro_batch_size=micro).gradients(batch)
    tolerance = 2e-2 if storage == "bfloat16" else 1e-5
    assert parts[0] == pytest.approx(whole[0], rel=tolerance)
    for a, b in zip(parts[1], whole[1], strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def trained(net, X, y, steps=3, **options):
    trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), batch_size=len(X), **options)
    losses = [trainer.step(X, y) for _ in range(steps)]
    return trainer, losses


@pytest.mark.parametrize("storage", ["indexed", "float64", "compact"])
@pytest.mark.parametrize("n", [129, 256, 1000])
def test_a_large_batch_in_tiles_takes_the_step_of_the_whole(rng, storage, n):
    """Against the batch as one tile, to rounding; and with the same bits for any number of threads."""

    def wide(threads=2):
        return ts.SparseMLP((9, 700, 500, 3), epsilon=2, seed=2, threads=threads, **STORAGES[storage])

    X, y = rng.standard_normal((n, 9)), rng.integers(0, 3, n)
    weight = rng.random(n)
    tiles, whole = ts.Trainer(wide()), ts.Trainer(wide(), batch_size=n, micro_batch_size=n)
    assert tiles.training_step.passes.tile_size == 128
    one = ts.Trainer(wide(threads=1))
    for _ in range(3):
        losses = [trainer.step(X, y, weight) for trainer in (tiles, whole, one)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
        assert losses[0] == losses[2]
    for a, b, c in zip(tiles.net.layers, whole.net.layers, one.net.layers, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(a.bias, b.bias, rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(a.values, c.values)


def test_memory_for_activations_does_not_grow_with_the_batch(rng):
    net = ts.SparseMLP((9, 2000, 3), epsilon=1)
    trainer, _ = trained(net, *(samples(rng, n=2000)), steps=1)
    assert trainer.training_step.passes._work.stride == 128


def test_a_loss_that_is_not_finite_in_a_later_tile_changes_nothing(rng):
    net = ts.SparseMLP((9, 2000, 3), epsilon=1, output="identity", dtype="float64")
    X, y = rng.standard_normal((300, 9)), np.zeros((300, 3))
    y[290] = 1e200
    before = [layer.values.copy() for layer in net.layers]
    with pytest.raises(ts.DivergenceError):
        ts.Trainer(net, batch_size=300).step(X, y)
    for layer, values in zip(net.layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)


def norm(gradients):
    return np.sqrt(sum(np.square(array, dtype=np.float64).sum() for pair in gradients for array in pair))


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("n", [21, 300])
@pytest.mark.parametrize("share", [0.3, 3.0])
def test_gradients_of_a_greater_norm_are_clipped(rng, storage, n, share):
    def network():
        return ts.SparseMLP((9, 700, 3), epsilon=2, seed=2, **STORAGES[storage])

    X, y = samples(rng, n)
    net, optimizer = network(), ts.SGD(0.1, momentum=0.0)
    batch = checked_batch(net, ts.SoftmaxCrossEntropy(), X, y)
    _, gradients = BatchPasses(net).gradients(batch)
    limit = float(share * norm(gradients))
    trainer = ts.Trainer(network(), optimizer=optimizer, batch_size=n, max_gradient_norm=limit)
    trainer.step(X, y)
    factor = min(1.0, share)
    tolerance = 2e-2 if storage == "bfloat16" else 1e-5
    for layer, start, (weight, bias) in zip(trainer.net.layers, net.layers, gradients, strict=True):
        expected = widened(start.values) - 0.1 * factor * weight
        np.testing.assert_allclose(widened(layer.values), expected, rtol=tolerance, atol=tolerance)
        expected = widened(start.bias) - 0.1 * factor * bias
        np.testing.assert_allclose(widened(layer.bias), expected, rtol=tolerance, atol=tolerance)
    _, clipped = BatchPasses(net, max_gradient_norm=limit).gradients(batch, clip=True)
    assert norm(clipped) == pytest.approx(factor * norm(gradients), rel=1e-4)


def test_workers_clip_their_gradients(rng):
    X, y = samples(rng, 200)
    options = {"batch_size": 50, "optimizer": ts.SGD(1.0, momentum=0.0), "parallel": ts.WASSP(2, phase1_epochs=1)}
    free, held = network("float64"), network("float64")
    start = [layer.values.copy() for layer in free.layers]
    ts.Trainer(free, **options).fit(X, y, epochs=1)
    ts.Trainer(held, max_gradient_norm=1e-3, **options).fit(X, y, epochs=1)
    moved = [
        np.linalg.norm([np.linalg.norm(a.values - s) for a, s in zip(net.layers, start, strict=True)])
        for net in (free, held)
    ]
    assert 0 < moved[1] <= 4 * 1e-3 < moved[0]


def test_copies_and_pickles_leave_memory_for_batches_behind(rng):
    """And go on with the same bits."""
    net = ts.SparseMLP((20, 500, 500, 3), epsilon=3, seed=0, threads=1)
    trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), batch_size=128)
    X, y = rng.standard_normal((128, 20)).astype(np.float32), rng.integers(0, 3, 128)
    trainer.step(X, y)
    data = pickle.dumps(trainer)
    assert len(data) < 24 * 1.2 * net.n_connections + 30_000 < 128 * 4 * 1000
    twin = pickle.loads(data)
    for each in (trainer, twin, copy.deepcopy(trainer)):
        each.step(X, y)
    np.testing.assert_array_equal(twin.net.layers[1].values, trainer.net.layers[1].values)


# ---- augmentation ----

IMAGES = ts.ImageAugmentation((3, 3), rotation=40, shift=0.3, flip=True)


def same(a, b):
    return all(np.array_equal(p.weight.toarray(), q.weight.toarray()) for p, q in zip(a.layers, b.layers, strict=True))


@pytest.mark.parametrize("storage", STORAGES)
def test_an_update_on_augmented_samples_is_one_on_what_augmentation_makes_of_them(rng, storage):
    """Each part of a batch has its own random numbers, and each update too."""
    X, y = samples(rng, 40)
    net = network(storage)
    net.scaling = ts.data.Scaling("standard", rng.random(9), rng.random(9) + 0.5)
    passes = BatchPasses(net, augmentation=IMAGES, micro_batch_size=16)
    found = passes.gradients(checked_batch(net, passes.loss, X, y), key=77)[1]
    parts = []
    for part, start in enumerate(range(0, 40, 16)):
        key = stream_key(77, "part", part) if part else 77
        out = np.empty((9, 16), net.dtype)
        IMAGES.load(as_matrix(X), np.arange(start, min(40, start + 16)), out, None, key, 1)
        parts.append(out[:, : min(40, start + 16) - start].T)
    made = np.concatenate(parts)
    assert np.abs(made - X).mean() > 0.1
    plain = BatchPasses(net, micro_batch_size=16)
    expected = plain.gradients(checked_batch(net, plain.loss, made, y))[1]
    for a, b in zip(found, expected, strict=True):
        for p, q in zip(a, b, strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-3, atol=2e-2 if storage == "bfloat16" else 1e-6)


@pytest.mark.parametrize("storage", STORAGES)
def test_augmented_training_has_the_same_bits_for_any_number_of_threads(rng, storage):
    X, y = samples(rng, 300)
    nets = [network(storage) for _ in range(3)]
    for net, threads in zip(nets, (1, 2, 5), strict=True):
        trainer = ts.Trainer(net, augmentation=IMAGES, evolution=ts.SET(), batch_size=64, seed=4, threads=threads)
        trainer.fit(X, y, epochs=2)
        trainer.step(X[:20], y[:20])
    assert same(nets[0], nets[1])
    assert same(nets[0], nets[2])
    other = network(storage)
    trainer = ts.Trainer(other, evolution=ts.SET(), batch_size=64, seed=4)
    trainer.fit(X, y, epochs=2)
    assert not same(nets[0], other)


def test_augmented_training_resumes_with_the_same_bits(rng, tmp_path):
    X, y = samples(rng, 100)

    def trainer():
        return ts.Trainer(network(), optimizer=ts.Adam(0.01), augmentation=IMAGES, batch_size=16, dropout=0.2, seed=3)

    whole = trainer()
    whole.fit(X, y, epochs=3)
    first = trainer()

    class Break(ts.Callback):
        def on_step_end(self, trainer, loss):
            if trainer.step_count == 10:
                raise KeyboardInterrupt

    keep = ts.Checkpointer(tmp_path, every=1)
    with pytest.raises(KeyboardInterrupt):
        first.fit(X, y, epochs=3, callbacks=[keep, Break()])
    second = trainer()
    second.fit(X, y, epochs=3, callbacks=[ts.Checkpointer(tmp_path, every=1)], resume=tmp_path)
    assert same(whole.net, second.net)


def test_scores_and_gradients_are_of_the_samples_as_given(rng):
    X, y = samples(rng, 60)
    net = network()
    plain, augmented = ts.Trainer(net.copy()), ts.Trainer(net.copy(), augmentation=IMAGES)
    assert plain.gradients(X, y)[0] == augmented.gradients(X, y)[0]
    assert ts.evaluate(plain.net, X, y) == ts.evaluate(augmented.net, X, y)


@pytest.mark.parametrize("rewire", [ts.RigL(every_updates=2), ts.GSE()])
def test_methods_that_look_at_gradients_see_augmented_samples_too(rng, rewire):
    X, y = samples(rng, 64)
    trainer = ts.Trainer(network(), augmentation=IMAGES, evolution=rewire, batch_size=16)
    assert np.isfinite(trainer.fit(X, y, epochs=3)["loss"]).all()


@pytest.mark.parametrize("parallel", [ts.WASAP(1), ts.WASSP(2)])
def test_workers_augment(rng, parallel):
    X, y = samples(rng, 128)
    nets = [network() for _ in range(3)]
    for net, augmentation in zip(nets, (IMAGES, IMAGES, None), strict=True):
        ts.Trainer(net, augmentation=augmentation, batch_size=16, parallel=parallel).fit(X, y, epochs=4)
    assert same(nets[0], nets[1])
    assert not same(nets[0], nets[2])


@pytest.mark.parametrize("form", ["map", "csr", "stream"])
def test_samples_of_every_form_are_augmented(rng, tmp_path, form):
    """In the same order, whatever holds them: that of a stream depends on its blocks."""
    X, y = samples(rng, 100)
    X = X.astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    given = {
        "map": lambda: np.load(tmp_path / "x.npy", mmap_mode="r"),
        "csr": lambda: sp.csr_array(X),
        "stream": lambda: StreamMatrix(NpyBlocks(tmp_path / "x.npy")),
    }[form]()
    nets = network(), network(), network()
    for net, (x, augmentation) in zip(nets, [(X, IMAGES), (given, IMAGES), (given, None)], strict=True):
        ts.Trainer(net, augmentation=augmentation, batch_size=16).fit(x, y, epochs=2, shuffle=False)
    for a, b in zip(nets[0].layers, nets[1].layers, strict=True):
        np.testing.assert_allclose(a.weight.toarray(), b.weight.toarray(), rtol=1e-5, atol=1e-6)
    assert not same(nets[1], nets[2])


def test_what_augmentation_cannot_do_is_refused(rng):
    X, _ = samples(rng)
    with pytest.raises(ts.InputError, match="an image of 4 x 4 has 16 values, but the network has 9"):
        ts.Trainer(network(), augmentation=ts.ImageAugmentation((4, 4), flip=True))
    with pytest.raises(ts.InputError, match="augmentation must be an ImageAugmentation or None, not 'flip'"):
        ts.Trainer(network(), augmentation="flip")
    coder = ts.SparseMLP((9, 5, 9), epsilon=4, output="identity")
    trainer = ts.Trainer(coder, augmentation=IMAGES)
    before = coder.copy()
    for train in (lambda: trainer.fit(X, X, epochs=1), lambda: trainer.step(X, X)):
        with pytest.raises(ts.InputError, match="cannot be combined with targets that are the samples themselves"):
            train()
    assert same(before, coder)
