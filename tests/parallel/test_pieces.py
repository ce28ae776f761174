"""The pieces of parallel training against naive versions: updates from arrays, retained gradients, averages, shards."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from conftest import check_invariants, random_connectivity
from trulysparse import _kernels
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.parallel.average import average, keep_within_signs
from trulysparse.parallel.compression import Half, TopK, unpack
from trulysparse.parallel.gradient import Gradient, Topology, retain
from trulysparse.parallel.shards import BatchId, Shard, shard_rows
from trulysparse.pruning.remove_neurons import remove_neurons


def places(con):
    """(input, output) of each connection, in the order of by_input."""
    rows = np.repeat(np.arange(con.n_in), np.diff(con.by_input.ptr))
    return list(zip(rows.tolist(), con.by_input.index.tolist(), strict=True))


def table(con, values):
    return dict(zip(places(con), values.tolist(), strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [
    ts.SGD(0.1, 0), ts.SGD(0.1, 0.9, weight_decay=0.01), ts.SGD(0.1, 0.9, nesterov=True), ts.Adam(0.01)])  # fmt: skip
def test_an_update_from_arrays_is_the_fused_one(isa, rng, dtype, optimizer):
    X, y = rng.standard_normal((24, 30)), rng.integers(0, 4, 24)
    fused, arrays = (ts.SparseMLP((30, 40, 4), epsilon=4, seed=1, dtype=dtype) for _ in range(2))
    a, b = ts.Trainer(fused, optimizer=optimizer), ts.Trainer(arrays, optimizer=optimizer)
    for step in range(3):
        a.step(X, y)
        rule = optimizer.rule(step, 0, None)
        for layer, optimizer_state, (weight, bias) in zip(
            arrays.layers, b.optimizer_state, b.gradients(X, y)[1], strict=True
        ):
            along = np.empty_like(layer.values)
            along[layer.connectivity.position] = weight.data
            # In two parts that sum to the gradient.
            layer.update([(along, bias, 0.25), (3 * along, 3 * bias, 0.25)], optimizer_state, rule, 2)
    for one, other, s, t in zip(fused.layers, arrays.layers, a.optimizer_state, b.optimizer_state, strict=True):
        rtol = 1e-5 if dtype == "float64" else 2e-2
        scale = 1e-9 if dtype == "float64" else 2e-5
        np.testing.assert_allclose(one.values, other.values, rtol=rtol, atol=scale)
        np.testing.assert_allclose(one.bias, other.bias, rtol=rtol, atol=scale)
        for x, z in zip(s.weight, t.weight, strict=True):
            np.testing.assert_allclose(x, z, rtol=rtol, atol=scale)


@pytest.mark.parametrize("threads", [1, 3])
def test_carry_and_add_are_scipys(rng, threads):
    for n_in, n_out in ((1, 1), (40, 30), (300, 500)):
        a, b = (random_connectivity(rng, n_in, n_out, density) for density in (0.3, 0.2))
        u, v = rng.standard_normal(a.n_connections), rng.standard_normal(b.n_connections)
        A, B = (sp.csr_array((w, c.by_input.index, c.by_input.ptr), shape=(n_in, n_out)) for w, c in ((u, a), (v, b)))
        rows = (a.by_input.ptr, a.by_input.index), (b.by_input.ptr, b.by_input.index)
        out = np.empty_like(v)
        found = _kernels.carry(*rows[0], u, *rows[1], out, threads)
        np.testing.assert_array_equal(out, np.array([A[i, j] for i, j in places(b)]))
        assert found == len(set(places(a)) & set(places(b)))
        ptr, index, values = _kernels.add(*rows[0], u, *rows[1], v, threads)
        expected = sp.csr_array((values, index, ptr), shape=(n_in, n_out))
        np.testing.assert_allclose(expected.toarray(), (A + B).toarray(), rtol=1e-14)
        assert _kernels.first_invalid(ptr, index, n_out) == -1
        assert len(index) == len(set(places(a)) | set(places(b)))


def gradient_of(rng, net, version=0):
    return Gradient(
        BatchId(0, 0, 0),
        version,
        0,
        [rng.standard_normal(layer.n_connections) for layer in net.layers],
        [rng.standard_normal(layer.n_out) for layer in net.layers],
        0.0,
        1,
    )


@pytest.mark.parametrize("seed", range(5))
def test_retained_gradients_through_evolution_and_removed_neurons(seed):
    """Neurons carry names through two evolutions and two removals; a gradient must follow the names."""
    rng = np.random.default_rng(seed)
    net = ts.SparseMLP((15, 40, 30, 4), epsilon=1.2, seed=seed, dtype="float64")
    trainer = ts.Trainer(net, evolution=ts.SET(0.4), seed=seed)
    names = [np.arange(n) for n in net.layer_sizes]
    gradient = gradient_of(rng, net)
    named = [
        {(i, j): value for (i, j), value in table(layer.connectivity, g).items()}
        for layer, g in zip(net.layers, gradient.weights, strict=True)
    ]
    history = [Topology(0, [layer.connectivity for layer in net.layers])]
    for version in (1, 2, 3, 4):
        stays = None
        if version % 2:
            marks = [rng.random(n) > 0.3 for n in net.layer_sizes[1:-1]]
            stays = remove_neurons(net, trainer.optimizer_state, marks)
            trainer.resize()
            for number, kept in enumerate(stays, start=1):
                names[number] = names[number][kept]
        else:
            trainer.evolve()
        history[-1].keep_masks = stays
        history.append(Topology(version, [layer.connectivity for layer in net.layers]))
    for number, layer in enumerate(net.layers):
        weight, bias, dropped = retain(gradient, number, history, 2)
        found = 0
        for (i, j), value in table(layer.connectivity, weight).items():
            place = int(names[number][i]), int(names[number + 1][j])
            assert value == named[number].get(place, 0.0)
            found += place in named[number]
        np.testing.assert_array_equal(bias, gradient.biases[number][names[number + 1]])
        assert dropped == len(named[number]) - found > 0


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_average_is_the_dictionary_version(count):
    """Union of connections, absent ones 0, pruned back by magnitude within each sign, counts restored exactly."""
    nets = []
    for seed in range(count):
        net = ts.SparseMLP((20, 30, 25, 5), epsilon=3, seed=seed, dtype="float64")
        for layer in net.layers:
            layer.bias[:] = np.random.default_rng(seed).standard_normal(layer.n_out)
        nets.append(net)
    counts = [layer.n_connections for layer in nets[0].layers]
    mean = average(nets, counts, threads=2)
    for number, (layer, wanted) in enumerate(zip(mean.layers, counts, strict=True)):
        union: dict[tuple[int, int], float] = {}
        for net in nets:
            for place, value in table(net.layers[number].connectivity, net.layers[number].values).items():
                union[place] = union.get(place, 0.0) + value / count
        surplus = len(union) - wanted
        negative = sorted((p for p in union if union[p] < 0), key=lambda p: -union[p])
        positive = sorted((p for p in union if union[p] >= 0), key=lambda p: union[p])
        from_negative = round(surplus * len(negative) / len(union))
        for place in negative[:from_negative] + positive[: surplus - from_negative]:
            del union[place]
        assert layer.n_connections == wanted == len(union)
        found = table(layer.connectivity, layer.values)
        assert set(found) == set(union)
        np.testing.assert_allclose([found[p] for p in union], list(union.values()), rtol=1e-12)
        np.testing.assert_allclose(layer.bias, np.mean([net.layers[number].bias for net in nets], axis=0), rtol=1e-12)
        check_invariants(layer.connectivity)


def test_pruning_back_with_one_sign_only():
    for values in (np.arange(1.0, 9.0), -np.arange(1.0, 9.0)):
        np.testing.assert_array_equal(keep_within_signs(values, 3, 1), [0] * 5 + [1] * 3)
    assert keep_within_signs(np.array([-5.0, 1, 2, 3]), 0, 1).sum() == 0


def test_networks_of_different_shapes_are_not_averaged():
    nets = [ts.SparseMLP((5, n, 2), epsilon=1) for n in (6, 7)]
    with pytest.raises(ts.InputError, match=r"same layers; networks 0 and 1 have 5-6-2 and 5-7-2"):
        average(nets, [5, 5], 1)


@pytest.mark.parametrize(("n", "count", "batch"), [(1000, 3, 64), (10, 4, 128), (129, 2, 64), (7, 7, 2)])
def test_shards_hold_every_sample_once(n, count, batch):
    parts = [shard_rows(n, number, count, batch) for number in range(count)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= min(batch, n // count)
    shard = Shard(0, parts[0], batch, seed=1, shuffle=True)
    passes = [np.concatenate([shard.batch(BatchId(0, e, b)) for b in range(shard.n_batches)]) for e in (0, 1, 0)]
    for order in passes:
        np.testing.assert_array_equal(np.sort(order), parts[0])
    np.testing.assert_array_equal(passes[0], passes[2])  # whoever asks, and when


def test_compression(rng):
    gradient = rng.standard_normal(1000)
    half = Half().pack(gradient.copy())
    assert half.nbytes < 0.3 * gradient.nbytes
    np.testing.assert_allclose(unpack(half, gradient.dtype), gradient, rtol=1e-3, atol=1e-4)
    left = gradient.copy()
    largest = TopK(0.1).pack(left)
    sent = unpack(largest, gradient.dtype)
    assert np.count_nonzero(sent) == 100
    assert np.abs(sent[sent != 0]).min() >= np.abs(left).max()
    np.testing.assert_array_equal(sent + left, gradient)
    for empty in (Half().pack(np.zeros(0)), TopK().pack(np.zeros(0))):
        assert len(unpack(empty, gradient.dtype)) == 0


def test_shared_layers_lose_no_update():
    """Four threads add one to every weight, 200 times each, while others read: all arrive."""
    lock, net = _kernels.SharedLock(), ts.SparseMLP((300, 400), epsilon=20, dtype="float64", seed=0)
    layer = net.layers[0]
    layer.values[:] = 0
    rule = ts.SGD(1.0, 0).rule(0, 0, None)
    optimizer_state = ts.Trainer(net, optimizer=ts.SGD(1.0, 0)).optimizer_state[0]
    ones = (-np.ones(layer.n_connections), np.zeros(400), 1.0)
    torn = []

    def write():
        for _ in range(200):
            lock.acquire()
            layer.update([ones], optimizer_state, rule, 1)
            lock.release()

    def read():
        for _ in range(200):
            lock.acquire_shared()
            torn.append(len(np.unique(layer.values)))  # all weights have seen the same updates
            lock.release_shared()

    threads = [threading.Thread(target=target) for target in (write, read) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(layer.values, 800.0)
    assert set(torn) == {1}
    with pytest.raises(ValueError, match="not held"):
        lock.release()


def test_gradients_need_no_writable_weights(rng):
    net = ts.SparseMLP((10, 8, 3), epsilon=2)
    layer = net.layers[1]
    frozen = IndexedLayer(layer.connectivity, layer.values.copy(), layer.bias.copy(), layer.activation)
    frozen.values.flags.writeable = frozen.bias.flags.writeable = False
    X, y = rng.standard_normal((6, 10)), rng.integers(0, 3, 6)
    expected = ts.Trainer(net).gradients(X, y)
    found = ts.Trainer(net.with_layers([net.layers[0], frozen])).gradients(X, y)
    assert expected[0] == found[0]
    for (a, b), (c, d) in zip(expected[1], found[1], strict=True):
        np.testing.assert_array_equal(a.toarray(), c.toarray())
        np.testing.assert_array_equal(b, d)
