"""Tied ends against central differences, a naive rule in NumPy and networks of plain layers; what becomes of them in
training, evolution and files; what is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from evolution.training import METHODS, quick
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.layers.tied import TiedLayer, transposed
from trulysparse.nn.passes import tile_columns

SIZES = {"shallow": (12, 7, 12), "deep": (12, 7, 4, 7, 12)}


def autoencoder(sizes=SIZES["shallow"], **settings):
    given = {"epsilon": 3, "activation": "sigmoid", "output": "identity", "dtype": "float64", "seed": 1, "threads": 1}
    return ts.SparseMLP(sizes, tied=True, **given | settings)


def samples(n=48, n_features=12):
    return np.random.default_rng(0).standard_normal((n, n_features))


def plain(net):
    """The same network without tied ends, of the same weights in other arrays."""
    layers = [IndexedLayer(a.connectivity, a.values.copy(), a.bias.copy(), a.activation) for a in net.layers]
    return net.with_layers(layers)


def assert_tied(net):
    first, last = net.layers[0], net.layers[-1]
    assert net.tied
    check_invariants(last.connectivity)
    assert last.follows(first)
    np.testing.assert_array_equal(last.weight.toarray(), first.weight.toarray().T)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("connectivity", ["erdos_renyi", "fixed_fan_in", "connected", "brf"])
def test_ends_have_the_same_connections_and_weights(sizes, connectivity):
    net = autoencoder(sizes, connectivity=connectivity, dtype="float32")
    assert_tied(net)
    first, last = net.layers[0], net.layers[-1]
    assert (last.bias.size, first.bias.size) == (12, 7)
    assert last.connectivity.by_input is first.connectivity.by_output  # no second index
    assert last.connectivity.by_output is first.connectivity.by_input
    untied = ts.SparseMLP(sizes, epsilon=3, connectivity="erdos_renyi", seed=1)
    if connectivity == "erdos_renyi":
        np.testing.assert_array_equal(untied.layers[0].connectivity.indices, first.connectivity.indices)


def test_transposed_twice_is_the_same(rng):
    con = ts.SparseMLP((30, 20), epsilon=2).layers[0].connectivity
    again = transposed(transposed(con))
    check_invariants(transposed(con))
    np.testing.assert_array_equal(again.position, con.position)
    np.testing.assert_array_equal(transposed(con).pattern().toarray(), con.pattern().toarray().T)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("loss", ["mean_squared_error", "sum_squared_error"])
def test_gradients_of_both_ends_add_up_to_that_of_the_weight(sizes, loss):
    net, X = autoencoder(sizes), samples(9)
    trainer = ts.Trainer(net, loss=loss)
    gradients = trainer.gradients(X, X)[1]
    total = gradients[0][0].toarray() + gradients[-1][0].toarray().T
    weight = net.layers[0].weight.tocoo()
    for k in range(0, weight.nnz, 5):
        losses = []
        for step in (1e-5, -1e-5):
            moved = net.copy()
            layer = moved.layers[0]
            layer.values[layer.connectivity.position[k]] += step
            moved.layers[-1].follow(layer)
            assert_tied(moved)
            losses.append(ts.evaluate(moved, X, X, loss=loss)["loss"])
        expected = (losses[0] - losses[1]) / 2e-5
        assert total[weight.row[k], weight.col[k]] == pytest.approx(expected, rel=1e-5, abs=1e-8)


class OwnMomentum:
    """Momentum as arrays: a rule that kernels do not know."""

    n_slots = 1

    def __init__(self, rate=0.05, momentum=0.9):
        self.learning_rate, self.momentum = rate, momentum

    def rule(self, step, epoch, epochs):
        return self

    def update(self, values, gradient, slots, is_bias):
        slots[0][:] = self.momentum * slots[0] + gradient
        values -= self.learning_rate * slots[0]


UPDATES = {
    "one tile": {},
    "tiles": {"micro_batch_size": 10},
    "recompute": {"recompute": 2},
    "clipped": {"max_gradient_norm": 0.05},
    "clipped tiles": {"max_gradient_norm": 0.05, "micro_batch_size": 10},
    "own rule": {"optimizer": OwnMomentum()},
    "own rule, tiles": {"optimizer": OwnMomentum(), "micro_batch_size": 10},
    "threads": {"threads": 3},
    "rates": {"layer_rates": "supar"},
}


@pytest.mark.parametrize("settings", UPDATES.values(), ids=UPDATES)
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_updates_are_those_of_one_weight_with_one_state(sizes, settings):
    """A naive rule in NumPy on the gradients that a network of plain layers has."""
    net, X = autoencoder(sizes), samples()
    settings = {"optimizer": ts.SGD(0.05, momentum=0.9), **settings}
    trainer = ts.Trainer(net, batch_size=48, **settings)
    assert [len(state.weight[0]) for state in trainer.optimizer_state][-1] == 0
    rates = [0.05] * len(net.layers)
    if "layer_rates" in settings:
        fan_in = [each.n_connections / each.n_out for each in net.layers]
        rates = [0.05 * factor for factor in ts.SuPar().factors(fan_in)]
    dense = [layer.weight.toarray() for layer in net.layers[:-1]]
    biases = [layer.bias.copy() for layer in net.layers]
    moments = [np.zeros_like(each) for each in (*dense, *biases)]
    for _ in range(4):
        gradients = ts.Trainer(plain(net)).gradients(X, X)[1]
        weights = [weight.toarray() for weight, _ in gradients]
        weights[0] += weights.pop().T
        parts = [*weights, *(bias for _, bias in gradients)]
        if "max_gradient_norm" in settings:
            norm = np.sqrt(sum((part**2).sum() for part in parts))
            parts = [part * min(1.0, 0.05 / norm) for part in parts]
            assert norm > 0.05
        for part, moment, values, rate in zip(parts, moments, [*dense, *biases], [*rates[:-1], *rates], strict=True):
            moment[:] = 0.9 * moment + part
            np.subtract(values, rate * moment, out=values)
        trainer.step(X, X)
        assert_tied(net)
        for layer, values in zip(net.layers, dense, strict=False):
            np.testing.assert_allclose(layer.weight.toarray(), values, rtol=1e-9, atol=1e-12)
        for layer, bias in zip(net.layers, biases, strict=True):
            np.testing.assert_allclose(layer.bias, bias, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("optimizer", [ts.SGD(0.05), ts.Adam(0.01), OwnMomentum()], ids=["sgd", "adam", "own"])
@pytest.mark.parametrize("n_tiles", [1, 3])
def test_a_loop_of_ones_own_updates_as_the_trainer(optimizer, n_tiles):
    net = autoencoder(activation="relu")
    X = samples(tile_columns(net.layer_sizes) * (n_tiles - 1) + 48)
    own, trainer = net.copy(), ts.Trainer(net, optimizer=optimizer, batch_size=len(X))
    state = [layer.new_state(optimizer) for layer in own.layers]
    for step in range(3):
        trainer.step(X, X)
        tape = own.forward(X)
        tape.backward(2 * (tape.output - X) / X.size, state, optimizer.rule(step, 0.0, None))
        assert_tied(own)
        np.testing.assert_allclose(own.layers[0].values, net.layers[0].values, rtol=1e-9)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("output_layer", [False, True])
def test_the_last_layer_follows_where_the_first_evolves(name, output_layer):
    net, X = autoencoder((20, 15, 20), dtype="float32"), samples(64, 20)
    settings = {} if name == "static" else {"output_layer": output_layer}
    if name == "chts":
        settings["percolate"] = False
    method = ts.CHTs(**settings) if name == "chts" else quick(name, **settings)
    found = []
    for threads in (1, 3):
        twin = net.copy()
        twin.threads = threads
        trainer = ts.Trainer(twin, optimizer=ts.SGD(0.5), evolution=method, batch_size=16)
        history = trainer.fit(X, X, epochs=4)
        assert_tied(twin)
        found.append(twin)
        assert history["loss"][-1] < history["loss"][0]
        assert trainer.optimizer_state[-1].bias[0].any()
    first, other = (each.layers[0] for each in found)
    np.testing.assert_array_equal(first.values, other.values)
    same = np.array_equal(first.connectivity.indices, net.layers[0].connectivity.indices)
    assert same == (name == "static")


def test_a_density_that_falls_takes_both_ends():
    net, X = autoencoder((20, 15, 20)), samples(64, 20)
    method = ts.SET(density=ts.CubicDensity(0.5))
    ts.Trainer(net, evolution=method, batch_size=16).fit(X, X, epochs=4)
    assert_tied(net)
    assert net.layers[-1].n_connections < 105


def test_evolution_by_hand_keeps_the_state_of_the_biases():
    """Momentum of the last layer's biases survives an evolution outside the trainer."""
    net, X = autoencoder((20, 15, 20)), samples(64, 20)
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.1, momentum=0.9), batch_size=64)
    trainer.step(X, X)
    before = trainer.optimizer_state[-1].bias[0].copy()
    ts.SET(0.3).evolve(net, trainer.optimizer_state, 1, 1)
    assert_tied(net)
    np.testing.assert_array_equal(trainer.optimizer_state[-1].bias[0], before)
    assert before.any()
    trainer.step(X, X)
    assert_tied(net)


@pytest.mark.parametrize("method", [ts.SET(0.3, every_updates=2), ts.RigL(every_updates=2)], ids=["set", "rigl"])
def test_an_evolver_in_a_loop_of_ones_own_takes_both_ends(method):
    net, X = autoencoder((20, 15, 20), activation="relu"), samples(64, 20)
    before, optimizer = net.layers[0].connectivity, ts.SGD(0.1)
    state = [layer.new_state(optimizer) for layer in net.layers]
    evolver = ts.Evolver(method, net, state, total_updates=8)
    for step in range(8):
        tape = net.forward(X)
        dy = 2 * (tape.output - X) / X.size
        if evolver.due() and method.needs_gradient:
            tape.backward_to(dy, evolver.start())
        else:
            if evolver.due():
                evolver.evolve()
                tape = net.forward(X)
            tape.backward(dy, state, optimizer.rule(step, 0.0, None))
        evolver.step_done()
        assert_tied(net)
    assert not np.array_equal(net.layers[0].connectivity.indices, before.indices)


def other_forms(net, folder):
    ts.save(net, folder / "net.safetensors")
    yield ts.load(folder / "net.safetensors")
    yield net.copy()
    yield copy.deepcopy(net)
    yield pickle.loads(pickle.dumps(net))
    yield net.indexed()


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_files_copies_and_pickles_stay_tied(tmp_path, sizes):
    net, X = autoencoder(sizes), samples()
    ts.Trainer(net, evolution=ts.SET(), batch_size=16).fit(X, X, epochs=3)
    for twin in other_forms(net, tmp_path):
        assert_tied(twin)
        np.testing.assert_array_equal(twin.predict(X), net.predict(X))
        ts.Trainer(twin, evolution=ts.SET(), batch_size=16).fit(X, X, epochs=3)
        assert_tied(twin)
        assert_tied(net)
        assert not np.array_equal(twin.layers[0].values, net.layers[0].values)
    np.testing.assert_allclose(net.freeze().predict(X), net.predict(X), rtol=1e-6)


def test_a_file_holds_the_weights_once(tmp_path):
    tied, untied = autoencoder((400, 50, 400)), ts.SparseMLP((400, 50, 400), epsilon=3, dtype="float64")
    sizes = []
    for net in (tied, untied):
        ts.save(net, tmp_path / "net")
        sizes.append((tmp_path / "net").stat().st_size)
    assert sizes[0] < 0.65 * sizes[1]


def test_resumed_training_has_the_same_bits(tmp_path):
    X = samples()

    def trainer():
        return ts.Trainer(autoencoder(), optimizer=ts.Adam(0.01), evolution=ts.SET(), batch_size=16, input_noise=0.2)

    whole = trainer()
    losses = whole.fit(X, X, epochs=4)["loss"]

    class Break(ts.Callback):
        def on_epoch_end(self, trainer, record):
            if record["epoch"] == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer().fit(X, X, epochs=4, callbacks=[ts.Checkpointer(tmp_path, every=2), Break()])
    resumed = trainer()
    assert resumed.fit(X, X, epochs=4, resume=tmp_path)["loss"] == losses
    assert_tied(resumed.net)
    np.testing.assert_array_equal(resumed.net.layers[0].values, whole.net.layers[0].values)
    untied = ts.SparseMLP((12, 7, 12), epsilon=3, activation="sigmoid", output="identity", dtype="float64")
    with pytest.raises(ts.InputError, match="it holds a network with tied ends, unlike this one"):
        ts.Trainer(untied, optimizer=ts.Adam(0.01), batch_size=16).fit(X, X, epochs=4, resume=tmp_path)


def test_early_stopping_puts_both_ends_back():
    net, X = autoencoder(), samples()
    stop = ts.EarlyStopping(patience=1)
    ts.Trainer(net, optimizer=ts.SGD(0.5), evolution=ts.SET(), batch_size=16, callbacks=[stop]).fit(
        X, X, epochs=30, validation_data=(samples(13), samples(13))
    )
    assert_tied(net)
    net.predict(X)


def test_encoder_and_decoder_are_networks_of_the_same_arrays():
    net, X = autoencoder(), samples()
    encoder, decoder = net.with_layers(net.layers[:1]), net.with_layers(net.layers[1:])
    assert not encoder.tied
    assert not decoder.tied
    code = encoder.decision_function(X)
    np.testing.assert_allclose(decoder.decision_function(code), net.decision_function(X), rtol=1e-9)
    ts.Trainer(net).step(X, X)  # in place, but for the evolution of connections
    code = encoder.decision_function(X)
    np.testing.assert_allclose(decoder.decision_function(code), net.decision_function(X), rtol=1e-9)


def test_weights_that_are_set_are_followed_or_missed():
    net, X = autoencoder(), samples()
    net.predict(X)
    net.layers[0].values = net.layers[0].values * 2
    with pytest.raises(ts.InputError, match=r"layers\[1\] is tied to layers\[0\] but has other weights"):
        net.predict(X)
    net.layers[-1].follow(net.layers[0])
    net.predict(X)
    assert_tied(net)


@pytest.mark.parametrize(
    ("sizes", "settings", "message"),
    [
        ((12, 7, 10), {}, "tied needs a last layer of the first one's sizes, transposed, .* not 12-7-10"),
        ((12, 7, 6, 12), {}, "not 12-7-6-12"),
        ((12, 12), {}, "not 12-12"),
        ((12, 7, 12), {"skip": True}, "tied cannot be combined with skip"),
        ((12, 7, 12), {"storage": "compact", "dtype": "float32"}, "tied needs storage='indexed'"),
        ((12, 7, 12), {"output_density": 1.0}, "tied cannot be combined with output_density"),
        (
            (12, 7, 12),
            {"epsilon": None, "density": (0.1, 0.2)},
            "tied needs one density for both ends, not 0.1 and 0.2",
        ),
        ((12, 7, 12), {"tied": "yes"}, "tied must be True or False, not 'yes'"),
    ],
)
def test_networks_whose_ends_cannot_be_tied(sizes, settings, message):
    with pytest.raises(ts.InputError, match=message):
        ts.SparseMLP(sizes, **{"epsilon": 3, "output": "identity", "tied": True, **settings})


def test_what_a_network_with_tied_ends_cannot_do():
    net, X = autoencoder(), samples()
    for call, message in (
        (lambda: ts.Trainer(net, parallel=ts.WASSP(2)), "parallel must be None of a network with tied ends"),
        (lambda: ts.Trainer(net, evolution=ts.CHTs()), "evolution 'chts' needs percolate=False"),
        (lambda: ts.prune_neurons(net, percentile=20), "neurons of a network with tied ends cannot be removed"),
        (lambda: net.soft_update(net.copy(), 0.1), "a soft update works on networks without tied ends"),
        (lambda: ts.SET().evolve(net.layers, [None] * 2, 1, 1), "layers must be the network where its ends are tied"),
        (
            lambda: ts.SET().evolve(net, ts.Trainer(net).optimizer_state, 1, 1, evolving=[1]),
            "evolving must not name layer 1, which is tied to layer 0",
        ),
    ):
        with pytest.raises(ts.InputError, match=message):
            call()
    ts.Trainer(net, batch_size=48).step(X, X)
    assert_tied(net)


def test_without_biases():
    net, X = autoencoder(bias=False), samples()
    assert isinstance(net.layers[-1], TiedLayer)
    losses = [trainer.step(X, X) for trainer in [ts.Trainer(net, optimizer=ts.SGD(0.5))] for _ in range(5)]
    assert losses[-1] < losses[0]
    assert_tied(net)


def test_weights_are_brought_into_order_block_by_block(monkeypatch):
    monkeypatch.setattr("trulysparse.nn.layers.tied._BLOCK", 5)
    net, X = autoencoder(), samples()
    assert net.layers[0].n_connections % 5
    ts.Trainer(net, evolution=ts.SET(), batch_size=16).fit(X, X, epochs=3)
    assert_tied(net)
