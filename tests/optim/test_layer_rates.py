"""Learning rates by layer against updates computed one layer at a time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

import trulysparse as ts
from trulysparse.data.synthetic import MadelonLike
from trulysparse.optim import LayerOptimizers, LayerRates, rate_at
from trulysparse.optim.layer_rates import make_layer_rates

FACTORS = [0.5, 2.0, 0.25]


class Fixed:
    """Factors as given."""

    def __init__(self, factors=FACTORS):
        self.given = factors

    def factors(self, fan_in):
        return self.given


def network(storage="indexed", folder=None, **options):
    where = {"storage": "compact", "folder": folder} if storage == "mapped" else {"storage": storage}
    return ts.SparseMLP((12, 20, 15, 3), epsilon=3, seed=1, threads=1, **where, **options)


def samples(n=40):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 12)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


def parameters(net):
    return [np.array(each) for layer in net.layers for each in (layer.values, layer.bias)]


class ArraySGD:
    """SGD in arrays."""

    n_slots = 0

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate

    def rule(self, step, epoch, epochs):
        return ArraySGD(rate_at(self.learning_rate, epoch, epochs))

    def update(self, values, gradient, slots, is_bias):
        values -= np.float32(self.learning_rate) * gradient


def test_supar_divides_by_the_mean_number_of_inputs():
    assert ts.SuPar(30).factors([1.0, 30.0, 1000.0]) == pytest.approx([30, 1, 0.03])
    assert ts.SuPar(4, exponent=0.5).factors([1.0, 16.0]) == pytest.approx([2, 0.5])
    net = network()
    rule = LayerOptimizers(ts.SGD(0.1), ts.SuPar(5)).rule(net.layers, 0, 0.0, None)
    wanted = [0.1 * 5 * layer.n_out / layer.n_connections for layer in net.layers]
    assert [each.learning_rate for each in rule.rules] == pytest.approx(wanted)


@pytest.mark.parametrize("storage", ["indexed", "compact", "mapped"])
@pytest.mark.parametrize("make", [ts.SGD, ts.Adam, ArraySGD])
@pytest.mark.parametrize("options", [{}, {"micro_batch_size": 7}, {"max_gradient_norm": 0.3}, {"recompute": 2}])
def test_each_layer_moves_as_under_an_optimizer_of_its_own_rate(storage, make, options, tmp_path):
    if storage == "mapped" and make is ArraySGD:
        pytest.skip("layers in files take rules of the kernels")
    (X, y), n_steps = samples(), 1
    net = network(storage, tmp_path / "a")
    before = parameters(net)
    ts.Trainer(net, optimizer=make(0.1), layer_rates=Fixed(), batch_size=40, **options).step(X, y)
    after = parameters(net)
    for number, factor in enumerate(FACTORS):
        alone = network(storage, tmp_path / f"b{number}")
        trainer = ts.Trainer(alone, optimizer=make(0.1 * factor), batch_size=40, **options)
        for _ in range(n_steps):
            trainer.step(X, y)
        for part in (2 * number, 2 * number + 1):
            np.testing.assert_allclose(after[part], parameters(alone)[part], rtol=2e-6, atol=1e-7)
            assert not np.array_equal(after[part], before[part])


def test_a_schedule_and_a_growing_network_are_followed():
    net, optimizer = network(), ts.SGD(ts.StepRate(0.1, every=1, factor=0.5))
    by_layer = LayerOptimizers(optimizer, ts.SuPar(1))
    first = [each.learning_rate for each in by_layer.rule(net.layers, 0, 0.0, 4).rules]
    later = [each.learning_rate for each in by_layer.rule(net.layers, 0, 1.0, 4).rules]
    np.testing.assert_allclose(later, np.array(first) / 2)
    denser = ts.SparseMLP((12, 20, 15, 3), density=1.0, threads=1)
    found = [each.learning_rate for each in by_layer.rule(denser.layers, 0, 0.0, 4).rules]
    np.testing.assert_allclose(found, [0.1 / 12, 0.1 / 20, 0.1 / 15])


def test_another_optimizer_of_a_trainer_keeps_the_layer_rates():
    X, y = samples()
    nets = [network() for _ in range(2)]
    trainer = ts.Trainer(nets[0], optimizer=ts.SGD(0.5, momentum=0), layer_rates=Fixed(), batch_size=40)
    trainer.optimizer = ts.SGD(0.1, momentum=0)
    trainer.step(X, y)
    ts.Trainer(nets[1], optimizer=ts.SGD(0.1, momentum=0), layer_rates=Fixed(), batch_size=40).step(X, y)
    for a, b in zip(parameters(nets[0]), parameters(nets[1]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", [ts.WASAP, ts.WASSP])
@pytest.mark.parametrize("phase1", [0, 2])
def test_workers_and_server_use_the_rates_of_layers(kind, phase1):
    X, y = samples(128)
    net = network()
    before = parameters(net)
    trainer = ts.Trainer(
        net, optimizer=ts.SGD(0.1), layer_rates=Fixed([1e-30, 1.0, 1e-30]), batch_size=16, parallel=kind(2, phase1)
    )
    trainer.fit(X, y, epochs=2)
    moved = [not np.array_equal(a, b) for a, b in zip(before, parameters(net), strict=True)]
    # Biases begin with 0, where even the least step shows.
    assert moved[::2] == [False, True, False]


class Break(ts.Callback):
    """Ctrl-C in the third epoch."""

    def on_step_end(self, trainer, loss):
        if trainer.step_count == 10:
            raise KeyboardInterrupt


def test_training_goes_on_with_the_same_bits(tmp_path):
    X, y = samples(64)
    options = {"optimizer": ts.Adam(0.01), "layer_rates": "supar", "evolution": ts.SET(), "batch_size": 16}
    whole, part, later = network(), network(), network()
    ts.Trainer(whole, **options).fit(X, y, epochs=4)
    with pytest.raises(KeyboardInterrupt):
        ts.Trainer(part, **options, callbacks=[ts.Checkpointer(tmp_path, every=1), Break()]).fit(X, y, epochs=4)
    ts.Trainer(later, **options).fit(X, y, epochs=4, resume=tmp_path)
    for a, b in zip(parameters(whole), parameters(later), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("mup", "layer_rates must be one of"),
        (ts.SuPar, "layer_rates must be 'supar', an object"),
        (3, "layer_rates must be 'supar', an object"),
    ],
)
def test_what_is_no_layer_rates_is_refused(given, message):
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(network(), layer_rates=given)


@pytest.mark.parametrize("factors", [[1.0], [1.0, 0.0, 1.0], [1.0, float("nan"), 1.0]])
def test_factors_that_do_not_fit_are_refused(factors):
    trainer = ts.Trainer(network(), layer_rates=Fixed(factors), batch_size=16)
    before = parameters(trainer.net)
    with pytest.raises(ts.InputError, match="layer_rates"):
        trainer.step(*samples(16))
    for a, b in zip(before, parameters(trainer.net), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_optimizer_without_a_rate_is_refused():
    class Stubborn:
        n_slots = 0

        def rule(self, step, epoch, epochs):
            return ts.SGD(0.1).rule(step, epoch, epochs)

    with pytest.raises(ts.InputError, match="no attribute learning_rate"):
        ts.Trainer(network(), optimizer=Stubborn(), layer_rates="supar")
    with pytest.raises(ts.InputError, match="base_fan_in must lie in"):
        ts.SuPar(0)


def test_names_and_objects_are_taken():
    rates: LayerRates = Fixed()
    assert make_layer_rates(None) is None
    assert make_layer_rates("supar") == ts.SuPar()
    assert make_layer_rates(rates) is rates


def accuracy_after_one_pass(epsilon, rate, layer_rates, width=20_000, features=16_384):
    """Of the networks of benchmarks/scale/ladder.py, smaller."""
    X, y = MadelonLike(2500, features).arrays()
    net = ts.SparseMLP(
        (features, width, width, 2),
        epsilon=epsilon,
        storage="compact",
        weights="bfloat16",
        signals="bfloat16",
        activation=ts.AllReLU(0.05),
        fan="sparse",
        seed=0,
    )
    trainer = ts.Trainer(net, optimizer=ts.SGD(rate, momentum=0.0), layer_rates=layer_rates, batch_size=32)
    order = np.random.default_rng(0).permutation(2000)
    for step in range(63):
        rows = np.take(order, np.arange(32 * step, 32 * step + 32), mode="wrap")
        trainer.step(X[rows], y[rows])
    return (net.predict(X[2000:]) == y[2000:]).mean()


@pytest.mark.slow
def test_wide_networks_learn_at_one_rate_whatever_their_epsilon():
    assert accuracy_after_one_pass(1, 0.15, "supar") > 0.75
    assert accuracy_after_one_pass(5, 0.15, "supar") > 0.75
    # The rate by the width of the last hidden layer, which is right at epsilon 1, lets epsilon 5 oscillate.
    assert accuracy_after_one_pass(5, 10 / 20_000, None) < 0.6


def best_rate(density, layer_rates, X, y):
    """Of rates a factor of sqrt(10) apart, by the loss of held-out samples."""
    losses = {}
    for rate in 10 ** np.arange(-3, -0.9, 0.5):
        net = ts.SparseMLP((64, 300, 300, 300, 10), density=density, activation="relu", fan="sparse", seed=0, threads=1)
        optimizer = ts.Adam(ts.CosineRate(rate))
        ts.Trainer(net, optimizer=optimizer, layer_rates=layer_rates, batch_size=32).fit(X[:1200], y[:1200], epochs=4)
        p = net.predict_proba(X[1200:])[np.arange(len(X) - 1200), y[1200:]]
        losses[rate] = -np.log(np.maximum(p, 1e-9)).mean()
    return min(losses, key=losses.get)


@pytest.mark.slow
def test_the_best_rate_of_adam_moves_less_with_density():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = (X[order] - X.mean()) / X.std(), y[order]
    moved = {}
    for name, layer_rates in (("one", None), ("supar", ts.SuPar()), ("root", ts.SuPar(exponent=0.5))):
        rates = np.log10([best_rate(density, layer_rates, X, y) for density in (1.0, 0.03)])
        moved[name] = np.ptp(rates)
    assert moved["root"] == 0
    assert moved["supar"] < moved["one"]
