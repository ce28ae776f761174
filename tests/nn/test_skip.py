"""Skip layers: what a network with one computes, learns and keeps, against dense float64 references."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.connectivity import from_matrix
from trulysparse.nn.activations_buffer import PREPARED_CONNECTIONS
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.passes import tile_columns
from trulysparse.nn.skip import check_skip_layer, layer_pairs, sizes_of
from trulysparse.training.passes import BatchPasses, checked_batch

SIZES = [(6, 4), (6, 9, 4), (6, 9, 8, 7, 4)]


def filled(sizes=(6, 9, 4), seed=1, **settings):
    """A network whose skip layer and biases are not 0."""
    given = {"epsilon": 2, "skip": True, "seed": seed, **settings}
    net = ts.SparseMLP(sizes, **given)
    rng = np.random.default_rng(seed)
    for layer in net.layers:
        layer.bias[:] = 0.3 * rng.standard_normal(layer.bias.size)
    net.skip_layer.values[:] = rng.standard_normal(net.skip_layer.n_connections)
    return net


def samples(n=50, n_in=6, n_out=4):
    rng = np.random.default_rng(3)
    return rng.standard_normal((n, n_in)), rng.integers(0, n_out, n)


def dense(net, X):
    """The outputs before their activation, by dense matrices in float64."""
    h = X.astype(np.float64)
    for number, layer in enumerate(net.chain):
        z = h @ layer.weight.toarray().astype(np.float64).T + layer.bias.astype(np.float64)
        h = z if number == len(net.chain) - 1 else np.where(z > 0, z, layer.activation[1] * z)
    return h + X @ net.skip_layer.weight.toarray().astype(np.float64).T


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [1, 7, 50, 1500])
def test_outputs_are_those_of_dense_matrices(sizes, n):
    X, _ = samples(n)
    net = filled(sizes, dtype="float64")
    np.testing.assert_allclose(net.decision_function(X), dense(net, X), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(net.forward(X).output, dense(net, X), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(net.freeze().decision_function(X), dense(net, X), rtol=1e-10, atol=1e-12)
    assert len(net.forward(X).hidden) == len(sizes) - 2
    z = dense(net, X)
    proba = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    np.testing.assert_allclose(net.predict_proba(X), proba, rtol=1e-9)


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_a_new_skip_layer_changes_nothing(storage):
    X, y = samples()
    nets = [ts.SparseMLP((6, 9, 4), epsilon=2, seed=1, skip=skip, storage=storage) for skip in (False, True)]
    for a, b in zip(nets[0].layers, nets[1].chain, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
    np.testing.assert_array_equal(*(net.predict_proba(X) for net in nets))
    losses = [ts.Trainer(net, optimizer=ts.SGD(0.1), seed=2).step(X, y) for net in nets]
    assert losses[0] == losses[1]
    for a, b in zip(nets[0].layers, nets[1].chain, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
    assert nets[1].skip_layer.values.any()


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"epsilon": 2}, 2 * 1003),
        ({"epsilon": 5}, 3 * 1000),
        ({"epsilon": 1, "skip_density": 0.1}, 300),
        ({"density": 0.05}, None),
        ({"epsilon": 1, "skip_density": 1e-9}, 1),
    ],
)
def test_number_of_connections(settings, count):
    net = ts.SparseMLP((1000, 50, 3), skip=True, **settings)
    if count is None:  # as many per neuron at either end as the layers that are not full have
        rest = [layer for layer in net.chain if layer.connectivity.density < 1]
        ends = sum(layer.n_in + layer.n_out for layer in rest)
        count = round(sum(layer.n_connections for layer in rest) / ends * 1003)
    assert net.skip_layer.n_connections == count
    assert net.n_connections == sum(layer.n_connections for layer in net.layers)
    assert net.density == net.n_connections / (1000 * 50 + 50 * 3 + 1000 * 3)
    assert not net.skip_layer.values.any()
    assert net.skip_layer.bias.shape == (0,)
    net.skip_layer.connectivity.check()


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("settings", [{}, {"micro_batch_size": 16}, {"recompute": 2}, {"recompute": 3}])
def test_gradients_are_central_differences(sizes, settings):
    X, y = samples()
    net = filled(sizes, dtype="float64")
    trainer = ts.Trainer(net, batch_size=50, **settings)
    _, gradients = trainer.gradients(X, y)
    assert len(gradients) == len(net.layers)

    def loss():
        z = dense(net, X)
        return (np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]).mean()

    step = 1e-6
    for layer, (weight, bias) in zip(net.layers, gradients, strict=True):
        along = layer.in_order(np.arange(layer.n_connections))
        for array, found, order in ((layer.values, weight.data, along), (layer.bias, bias, np.arange(len(bias)))):
            for place, number in enumerate(order.tolist()):
                value, ends = array[number], []
                for change in (step, -step):
                    array[number] = value + change
                    ends.append(loss())
                array[number] = value
                assert found[place] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("storage", ["indexed", "compact"])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("updated", [False, True])
@pytest.mark.parametrize("n", [5, 1500])
def test_input_gradient_is_that_of_both_ways(sizes, storage, updated, n):
    X, _ = samples(n)
    assert (n > tile_columns(sizes)) == (n == 1500)
    net = filled(sizes, storage=storage, output="identity")
    dY = np.random.default_rng(0).standard_normal((n, 4)).astype(np.float32)
    expected = np.empty((n, 6))
    for i in range(6):
        ends = [dense(net, X + change * np.eye(6)[i]) for change in (1e-5, -1e-5)]
        expected[:, i] = ((ends[0] - ends[1]) / 2e-5 * dY).sum(1)
    state = [layer.new_state(ts.SGD(0.1)) for layer in net.layers] if updated else None
    rule = ts.SGD(0.1).rule(0, 0.0, None) if updated else None
    before = net.skip_layer.values.copy()
    found = net.forward(X).backward(dY, state, rule, input_gradient=True)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-4)
    assert np.array_equal(net.skip_layer.values, before) != updated


@pytest.mark.parametrize("optimizer", [ts.SGD(0.05, 0.9), ts.Adam(0.01, weight_decay=1e-3)])
@pytest.mark.parametrize("n", [40, 1500])
def test_a_step_is_that_of_two_networks_whose_outputs_are_added(optimizer, n):
    X, _ = samples(n)
    net = filled((6, 9, 4), output="identity", dtype="float64")
    deep = ts.SparseMLP.from_matrices(
        [layer.weight for layer in net.chain], [layer.bias for layer in net.chain], output="identity", dtype="float64"
    )
    con, values = from_matrix(net.skip_layer.weight)
    linear = ts.SparseMLP.from_matrices([net.skip_layer.weight], [np.zeros(0)], output="identity", dtype="float64")
    assert linear.n_connections == con.n_connections == len(values)
    states = [[layer.new_state(optimizer) for layer in each.layers] for each in (net, deep, linear)]
    target = np.random.default_rng(1).standard_normal((n, 4))
    for count in range(3):
        rule = optimizer.rule(count, 0.0, None)
        tape = net.forward(X)
        parts = [deep.forward(X), linear.forward(X)]
        total = parts[0].output + parts[1].output
        np.testing.assert_allclose(tape.output, total, rtol=1e-10, atol=1e-12)
        dx = tape.backward((tape.output - target) / n, states[0], rule, input_gradient=True)
        both = [
            part.backward((total - target) / n, state, optimizer.rule(count, 0.0, None), input_gradient=True)
            for part, state in zip(parts, states[1:], strict=True)
        ]
        np.testing.assert_allclose(dx, sum(both), rtol=1e-9, atol=1e-12)
    for layer, other in zip(net.layers, [*deep.layers, *linear.layers], strict=True):
        np.testing.assert_allclose(layer.weight.toarray(), other.weight.toarray(), rtol=1e-9, atol=1e-12)
        if layer.bias.size:
            np.testing.assert_allclose(layer.bias, other.bias, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layer_rates", [None, "supar"])
def test_prepared_calls_and_single_layers_give_the_same_bits(monkeypatch, layer_rates):
    X, y = samples(200)
    found = []
    for limit in (PREPARED_CONNECTIONS, 0):
        monkeypatch.setattr("trulysparse.nn.layers.indexed.IndexedLayer.largest_prepared", limit)
        monkeypatch.setattr("trulysparse.nn.activations_buffer.PREPARED_CONNECTIONS", limit)
        net = filled()
        given = {"batch_size": 64, "dropout": 0.2, "evolution": ts.SET(0.2), "layer_rates": layer_rates}
        trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), **given)
        losses = trainer.fit(X, y, epochs=3)["loss"]
        state = [layer.new_state(ts.SGD()) for layer in net.layers]
        dx = net.forward(X).backward(np.ones((200, 4)), state, ts.SGD().rule(0, 0.0, None), input_gradient=True)
        found.append((losses, dx, *(layer.values for layer in net.layers)))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_dropout_leaves_the_skip_layer_alone():
    X, _ = samples()
    net = filled((6, 9, 4), output="identity")
    net.chain[-1].values[:] = 0
    net.chain[-1].bias[:] = 0
    np.testing.assert_allclose(net.forward(X, training=True, dropout=0.5, key=1).output, dense(net, X), rtol=1e-5)


def everywhere(method):
    """The method with the layers to the outputs evolving too."""
    method.output_layer = True
    return method


EVOLUTIONS = {
    "none": lambda: None,
    "set": lambda: ts.SET(0.3),
    "set of all layers": lambda: everywhere(ts.SET(0.3)),
    "rigl": lambda: everywhere(ts.RigL(every_updates=3)),
    "chts": lambda: everywhere(ts.CHTs()),
}


def whole_training(evolution, threads=1, storage="indexed", resume=None, epochs=4, stop=None, **settings):
    X, y = samples(200)
    net = ts.SparseMLP((6, 20, 15, 4), epsilon=2, seed=1, skip=True, skip_density=0.5, storage=storage, threads=threads)
    given = {"optimizer": ts.Adam(0.02), "batch_size": 64, "dropout": 0.1, "seed": 3, **settings}
    trainer = ts.Trainer(net, evolution=EVOLUTIONS[evolution](), **given)
    callbacks = [] if stop is None else [ts.Checkpointer(stop, every=2), Break()]
    trainer.fit(X, y, epochs=epochs, resume=resume, callbacks=callbacks)
    return trainer


class Break(ts.Callback):
    def on_epoch_end(self, trainer, record):
        if record["epoch"] == 3:
            raise KeyboardInterrupt


def assert_same(a, b):
    for layer, other in zip(a.net.layers, b.net.layers, strict=True):
        np.testing.assert_array_equal(layer.weight.toarray(), other.weight.toarray())
        np.testing.assert_array_equal(layer.bias, other.bias)


@pytest.mark.parametrize(
    ("evolution", "storage"),
    [*((name, "indexed") for name in EVOLUTIONS), ("set", "compact"), ("set of all layers", "compact")],
)
def test_same_bits_for_any_number_of_threads_and_after_a_resume(tmp_path, evolution, storage):
    whole = whole_training(evolution, storage=storage)
    for threads in (2, 3):
        assert_same(whole, whole_training(evolution, threads, storage=storage))
    with pytest.raises(KeyboardInterrupt):
        whole_training(evolution, storage=storage, stop=tmp_path)
    assert_same(whole, whole_training(evolution, storage=storage, resume=tmp_path))


def test_the_skip_layer_evolves_where_the_output_layer_does():
    start = whole_training("none").net
    for name, moved in (("set", False), ("set of all layers", True), ("rigl", True)):
        skip = whole_training(name).net.skip_layer
        assert skip.n_connections == start.skip_layer.n_connections
        same = np.array_equal(skip.weight.toarray() != 0, start.skip_layer.weight.toarray() != 0)
        assert same != moved, name


def test_growth_by_gradient_takes_the_largest_gradients():
    """RigL on the skip layer: of the places without a connection those of the largest |gradient|."""
    X, y = samples(60)
    net = filled((6, 9, 4), skip_density=0.4, dtype="float64")
    skip = net.skip_layer
    z = dense(net, X)
    share = np.exp(z) / np.exp(z).sum(1, keepdims=True) - np.eye(4)[y]
    gradient = np.abs(share.T @ X)
    held = skip.weight.toarray() != 0
    weights = np.abs(skip.weight.toarray())
    state = [layer.new_state(ts.SGD()) for layer in net.layers]
    step = everywhere(ts.RigL(fraction=0.3)).start(net, state, key=1, threads=1, training_progress=0.0)
    passes = BatchPasses(net)
    tile, _ = passes.forward(checked_batch(net, passes.loss, X, y))
    count = step.views[2].fraction * skip.n_connections
    passes.backward(tile, step)
    n_moved = round(count)
    now = skip.connectivity.pattern().toarray() != 0
    removed = held & (weights <= np.sort(weights[held])[n_moved - 1])
    left = held & ~removed
    empty = ~left
    grown = now & ~left
    assert grown.sum() == removed.sum() == n_moved > 0
    assert gradient[grown].min() >= gradient[empty & ~grown].max()


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_copies_pickles_and_files_are_the_same_network(tmp_path, storage):
    X, _ = samples()
    net = filled(storage=storage)
    ts.save(net, tmp_path / "net.safetensors")
    twins = [net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net)), ts.load(tmp_path / "net.safetensors")]
    for twin in twins:
        assert twin.skip
        assert (twin.layer_sizes, twin.n_connections) == (net.layer_sizes, net.n_connections)
        np.testing.assert_array_equal(twin.predict_proba(X), net.predict_proba(X))
        twin.skip_layer.values[:] = 0
        assert net.skip_layer.values.all()
    np.testing.assert_allclose(net.indexed().predict_proba(X), net.predict_proba(X), rtol=1e-5)


def test_a_file_says_version_3_and_does_not_open_without_its_layer(tmp_path):
    net = filled()
    path = tmp_path / "net.safetensors"
    ts.save(net, path)
    data = path.read_bytes()
    assert b'\\"version\\": 3' in data
    assert b'\\"skip\\": true' in data
    path.write_bytes(data.replace(b'\\"skip\\": true', b'\\"skip\\": 1234'))
    with pytest.raises(ts.InputError, match="skip must be True or False"):
        ts.load(path)
    ts.save(ts.SparseMLP((6, 9, 4), epsilon=2), path)
    assert b'\\"version\\": 1' in path.read_bytes()
    assert b"skip" not in path.read_bytes()


def test_checkpoints_of_the_other_kind_are_refused(tmp_path):
    X, y = samples()
    trainers = [ts.Trainer(ts.SparseMLP((6, 9, 4), epsilon=2, skip=skip)) for skip in (False, True)]
    for number, trainer in enumerate(trainers):
        trainer.fit(X, y, epochs=1, callbacks=[ts.Checkpointer(tmp_path / f"{number}")])
    for number, trainer in enumerate(trainers):
        with pytest.raises(ts.InputError, match="skip layer, unlike this one"):
            trainer.fit(X, y, epochs=1, resume=tmp_path / f"{1 - number}")


def test_soft_updates():
    target, source = filled(seed=1, skip_density=0.5), filled(seed=2, skip_density=0.5)
    expected = 0.75 * target.skip_layer.weight.toarray() + 0.25 * source.skip_layer.weight.toarray()
    n = source.skip_layer.n_connections
    target.soft_update(source, 0.25)
    found = target.skip_layer.weight.toarray()
    largest = np.sort(np.abs(expected).ravel())[-n:].min()
    np.testing.assert_allclose(found, np.where(np.abs(expected) >= largest, expected, 0), rtol=1e-6)
    target.soft_update(source, 1)
    np.testing.assert_array_equal(target.skip_layer.values, source.skip_layer.values)
    with pytest.raises(ts.InputError, match="source must have a skip layer"):
        target.soft_update(ts.SparseMLP((6, 9, 4), epsilon=2), 0.5)


def test_several_networks_on_one_batch():
    X, _ = samples()
    nets = [filled(seed=1), ts.SparseMLP((6, 9, 4), epsilon=2), filled(seed=2)]
    together = ts.forward_all(nets, X)
    for net, tape in zip(nets, together, strict=True):
        np.testing.assert_array_equal(tape.output, net.forward(X).output)
    gradients = together.gradients(np.ones((50, 4)), input_gradient=True)
    for net, gradient in zip(nets, gradients, strict=True):
        alone = net.forward(X).gradients(np.ones((50, 4)), input_gradient=True)
        np.testing.assert_array_equal(gradient.input, alone.input)
        for a, b in zip(gradient.parameters, alone.parameters, strict=True):
            np.testing.assert_array_equal(a[0], b[0])


def test_pruning_leaves_the_skip_layer():
    X, _ = samples()
    net = filled((6, 30, 20, 4), epsilon=1)
    before, skip = net.decision_function(X), net.skip_layer
    report = ts.prune_neurons(net, percentile=0)
    assert net.skip_layer is skip
    np.testing.assert_allclose(net.decision_function(X), before, rtol=1e-4, atol=1e-5)
    for score in ("incoming", "both", "activation"):
        report = ts.prune_neurons(net, percentile=20, score=score, X=X)
        assert report.neurons[1] < report.neurons[0]
    assert net.layer_sizes[0::3] == (6, 4)
    np.testing.assert_allclose(net.decision_function(X), dense(net, X), rtol=1e-4, atol=1e-5)


def test_pruning_in_training_and_early_stopping_keep_the_sizes():
    X, y = samples(200)
    net = ts.SparseMLP((6, 30, 4), epsilon=3, skip=True)
    stopping = ts.EarlyStopping("loss", patience=1, min_delta=10)
    pruning = ts.ImportancePruning(20, start=1, every=1)
    ts.Trainer(net, evolution=ts.SET(), batch_size=32).fit(X, y, epochs=4, callbacks=[pruning, stopping])
    assert (net.layer_sizes[0], net.layer_sizes[-1]) == (6, 4)
    net.check_layers()
    np.testing.assert_allclose(net.decision_function(X), dense(net, X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("plan", [ts.WASSP(2, phase2_epochs=0), ts.WASSP(2, phase1_epochs=0), ts.WASSP(2, 2, rounds=2)])
def test_parallel_training(plan):
    found = [whole_training("set of all layers", parallel=plan) for _ in range(2)]
    assert_same(*found)
    assert found[0].net.skip_layer.values.any()
    assert found[0].net.skip_layer.n_connections == whole_training("none", epochs=1).net.skip_layer.n_connections


def test_asynchronous_training_learns():
    trainer = whole_training("set", parallel=ts.WASAP(2))
    assert np.isfinite(trainer.net.skip_layer.values).all()
    assert trainer.net.skip_layer.values.any()


def test_a_synchronous_worker_does_what_a_trainer_does():
    settings = {"dropout": 0.0, "optimizer": ts.SGD(0.05, 0.9), "batch_size": 200}
    alone = whole_training("none", **settings)
    other = whole_training("none", parallel=ts.WASSP(1, phase2_epochs=0, warmup_epochs=0), **settings)
    assert alone.net.skip_layer.values.any()
    for a, b in zip(alone.net.layers, other.net.layers, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("clip", [None, 0.01])
def test_compact_networks_learn_as_indexed_ones(clip):
    X, y = samples(100)
    compact = ts.SparseMLP((6, 20, 4), epsilon=2, seed=1, skip=True, skip_density=0.5, storage="compact")
    indexed = compact.indexed()
    for net in (compact, indexed):
        trainer = ts.Trainer(net, optimizer=ts.SGD(0.1, 0.9), batch_size=50, max_gradient_norm=clip)
        trainer.fit(X, y, epochs=3)
    for a, b in zip(compact.layers, indexed.layers, strict=True):
        np.testing.assert_allclose(a.weight.toarray(), b.weight.toarray(), rtol=1e-3, atol=1e-5)


def test_values_of_two_bytes():
    X, _ = samples(200)
    net = ts.SparseMLP((6, 20, 4), epsilon=2, skip=True, storage="compact", weights="bfloat16", signals="bfloat16")
    history = ts.Trainer(net, optimizer=ts.SGD(0.1), batch_size=50).fit(X, (X[:, 0] > 0).astype(int), epochs=20)
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_a_linear_problem_is_learned_by_the_skip_layer():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 30))
    Y = X @ rng.standard_normal((30, 2))
    net = ts.SparseMLP((30, 5, 2), epsilon=0.5, skip=True, skip_density=1.0, output="identity")
    history = ts.Trainer(net, optimizer=ts.Adam(0.02), batch_size=50).fit(X, Y, epochs=60)
    assert history["loss"][-1] < 0.01 * history["loss"][0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"skip": 1}, "skip must be True or False"),
        ({"skip_density": 0.5}, "skip_density is for a network with skip=True"),
        ({"skip": True, "skip_density": 0.0}, r"skip_density must lie in \(0, 1\]"),
        ({"skip": True, "skip_density": 1.5}, r"skip_density must lie in \(0, 1\]"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ts.InputError, match=message):
        ts.SparseMLP((6, 9, 4), **settings)


def test_layers_in_files_are_refused(tmp_path):
    with pytest.raises(ts.InputError, match="skip must be False where layers live in a folder"):
        ts.SparseMLP((6, 9, 4), skip=True, storage="compact", folder=tmp_path / "layers")
    ts.save(filled(storage="compact"), tmp_path / "net.safetensors")
    with pytest.raises(ts.InputError, match="skip must be False"):
        ts.load(tmp_path / "net.safetensors", folder=tmp_path / "layers")


def test_layers_that_do_not_fit_are_refused():
    net = filled()
    with pytest.raises(ts.InputError, match="beside the skip layer"):
        net.with_layers(net.layers[:1])
    with pytest.raises(ts.InputError, match="connects"):
        net.with_layers([*net.chain, net.chain[0]])
    skip = net.skip_layer
    for layer in (
        IndexedLayer(skip.connectivity, skip.values, np.zeros(4, np.float32), skip.activation),
        IndexedLayer(skip.connectivity, skip.values, skip.bias, net.chain[0].activation),
    ):
        with pytest.raises(ts.InputError, match="must have neither biases nor an activation"):
            check_skip_layer(layer, 2)
        with pytest.raises(ts.InputError, match="neither biases nor an activation"):
            net.with_layers([*net.chain, layer])
    del net.layers[-1]
    with pytest.raises(ts.InputError, match="layers must have 3 entries, not 2"):
        net.predict(np.zeros((1, 6)))


def test_shapes():
    assert layer_pairs((5, 4, 3), skip=False) == [(5, 4), (4, 3)]
    assert layer_pairs((5, 3), skip=True) == [(5, 3), (5, 3)]
    assert sizes_of(filled((6, 9, 8, 4)).chain) == (6, 9, 8, 4)
