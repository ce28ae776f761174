"""Optimizers of a user's own: the same as the built-in ones where they say the same, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import trulysparse as ts
from parallel_helpers import problem as parallel_problem
from parallel_helpers import trainer_for
from trulysparse.optim import Update, UpdateRule, check_optimizer, rate_at
from trulysparse.optim.optimizer import state_type, with_schedule
from trulysparse.planning.plan import PlanRequest, plan
from trulysparse.training.step import TrainingStep


class MomentumRule:
    def __init__(self, learning_rate, momentum, decay):
        self.learning_rate, self.momentum, self.decay = learning_rate, momentum, decay

    def update(self, values, gradient, slots, is_bias):
        if not is_bias:
            gradient += self.decay * values
        step = self.learning_rate * gradient
        if slots:
            slots[0][:] = self.momentum * slots[0] - step
            values += slots[0]
        else:
            values -= step


class Momentum:
    """SGD in NumPy."""

    def __init__(self, learning_rate=0.05, momentum=0.9, decay=0.0):
        self.learning_rate, self.momentum, self.decay = learning_rate, momentum, decay
        self.n_slots = int(momentum > 0)

    def rule(self, step, epoch, epochs):
        return MomentumRule(rate_at(self.learning_rate, epoch, epochs), self.momentum, self.decay)


class AdamRule:
    def __init__(self, learning_rate, t):
        self.learning_rate, self.t = learning_rate, t

    def update(self, values, gradient, slots, is_bias):
        m, v = slots
        m += 0.1 * (gradient - m)
        v += 0.001 * (gradient**2 - v)
        values -= (
            self.learning_rate * (m / (1 - 0.9**self.t)) / (np.sqrt(v / (1 - 0.999**self.t)) + 1e-8)
        )  # Kingma and Ba, algorithm 1


@dataclass
class NumpyAdam:
    """Adam in NumPy."""

    learning_rate: object = 0.01
    fresh_slots = ("zero", "median")
    n_slots = 2

    def rule(self, step, epoch, epochs):
        return AdamRule(rate_at(self.learning_rate, epoch, epochs), step + 1)


class Fused:
    """What the kernels' SGD does, by a class that is not theirs."""

    n_slots = 1

    def rule(self, step, epoch, epochs):
        return UpdateRule(Update.SGD, learning_rate=0.05, momentum=0.9)


def trained(optimizer, *, storage="indexed", dtype="float64", epochs=3, batch_size=16, evolution=None, **settings):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(70, 6)), rng.integers(0, 3, 70)
    net = ts.SparseMLP((6, 20, 16, 3), epsilon=3, seed=1, storage=storage, dtype=dtype)
    trainer = ts.Trainer(
        net, optimizer=optimizer, batch_size=batch_size, evolution=evolution or ts.SET(), seed=2, **settings
    )
    history = trainer.fit(X, y, epochs=epochs)
    return trainer, history


def assert_close(a, b, tolerance):
    for x, y in zip(a.net.layers, b.net.layers, strict=True):
        np.testing.assert_array_equal(x.weight.indices, y.weight.indices)
        np.testing.assert_allclose(x.weight.data, y.weight.data, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(x.bias, y.bias, rtol=tolerance, atol=tolerance)
    for x, y in zip(a.optimizer_state, b.optimizer_state, strict=True):
        for ours, theirs in zip([*x.weight, *x.bias], [*y.weight, *y.bias], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


PAIRS = [
    (Momentum(), ts.SGD(0.05)),
    (Momentum(momentum=0.0), ts.SGD(0.05, momentum=0.0)),
    (Momentum(ts.CosineRate(0.05), decay=0.01), ts.SGD(ts.CosineRate(0.05), weight_decay=0.01)),
    (NumpyAdam(), ts.Adam(0.01, fresh_state="typical")),
]


@pytest.mark.parametrize("storage, dtype, tolerance", [("indexed", "float64", 1e-10), ("compact", "float32", 2e-4)])
@pytest.mark.parametrize("in_arrays, built_in", PAIRS)
def test_rule_in_arrays_agrees_with_the_kernels(in_arrays, built_in, storage, dtype, tolerance):
    (ours, our_history), (theirs, their_history) = (
        trained(optimizer, storage=storage, dtype=dtype) for optimizer in (in_arrays, built_in)
    )
    assert_close(ours, theirs, tolerance)
    assert our_history["learning_rate"] == their_history["learning_rate"]


@pytest.mark.parametrize("settings", [dict(micro_batch_size=5), dict(recompute=2), dict(dropout=0.2)])
def test_rule_in_arrays_goes_with_every_way_of_training(settings):
    ours, theirs = (trained(optimizer, **settings)[0] for optimizer in (Momentum(), ts.SGD(0.05)))
    assert_close(ours, theirs, 1e-10)


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_rule_in_arrays_gives_the_same_bits_for_any_number_of_threads(storage):
    one, two = (trained(NumpyAdam(), storage=storage, dtype="float32", threads=n)[0].net for n in (1, 2))
    for a, b in zip(one.layers, two.layers, strict=True):
        assert a.values.tobytes() == b.values.tobytes()
        assert a.bias.tobytes() == b.bias.tobytes()


@pytest.mark.parametrize("storage, weights", [("indexed", None), ("compact", "float32"), ("compact", "bfloat16")])
def test_fused_rule_of_a_users_class_gives_the_bits_of_sgd(storage, weights):
    nets = []
    for optimizer in (Fused(), ts.SGD(0.05, momentum=0.9)):
        net = ts.SparseMLP((6, 20, 3), epsilon=3, seed=1, storage=storage, weights=weights)
        trainer = ts.Trainer(net, optimizer=optimizer, evolution=ts.SET(), batch_size=16)
        rng = np.random.default_rng(0)
        trainer.fit(rng.normal(size=(70, 6)), rng.integers(0, 3, 70), epochs=3)
        nets.append(net)
    for a, b in zip(*(net.layers for net in nets), strict=True):
        assert a.values.tobytes() == b.values.tobytes()


@pytest.mark.parametrize("kind", [ts.WASAP, ts.WASSP])
@pytest.mark.parametrize("in_arrays, built_in", PAIRS[::3])
def test_parallel_training_takes_a_users_optimizer(kind, in_arrays, built_in):
    X, y = parallel_problem()
    nets = []
    for optimizer in (in_arrays, built_in):
        config = kind(1, phase1_epochs=2, **({"momentum_correction": False} if kind is ts.WASSP else {}))
        trainer = trainer_for(config, optimizer=optimizer, evolution=ts.SET())
        trainer.fit(X, y, epochs=3)
        nets.append(trainer.net)
    for a, b in zip(*(net.layers for net in nets), strict=True):
        np.testing.assert_array_equal(a.connectivity.by_input.index, b.connectivity.by_input.index)
        np.testing.assert_allclose(a.values, b.values, rtol=1e-9, atol=1e-11)


def test_synchronous_training_needs_a_learning_rate_to_scale():
    X, y = parallel_problem()
    with pytest.raises(ts.InputError, match="Fused has no attribute learning_rate"):
        trainer_for(ts.WASSP(2), optimizer=Fused()).fit(X, y, epochs=2)
    trainer_for(ts.WASAP(2), optimizer=Fused()).fit(X, y, epochs=2)


@pytest.mark.parametrize("optimizer", [Momentum(), NumpyAdam(), Fused()])
def test_estimators_take_a_users_optimizer(rng, optimizer):
    X = rng.normal(size=(90, 5))
    y = (X[:, 0] > 0).astype(int)
    model = ts.SparseMLPClassifier((16,), epsilon=4, optimizer=optimizer, epochs=8, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.7
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1])
    assert model.score(X, y) > 0.7


class Logged:
    """An optimizer that notes what `rule` is called with."""

    n_slots = 0

    def __init__(self):
        self.calls = []

    def rule(self, step, epoch, epochs):
        self.calls.append((step, epoch, epochs))
        return ts.SGD(0.1, momentum=0.0).rule(step, epoch, epochs)


def test_rule_is_told_step_and_epoch():
    optimizer = Logged()
    trained(optimizer, batch_size=35, epochs=2)
    assert optimizer.calls[:2] == [(0, 0.0, 2), (1, 0.5, 2)]
    assert (2, 1.0, 2) in optimizer.calls


class Lacking:
    def __init__(self, **members):
        self.__dict__.update(members)

    def __repr__(self):
        return "Lacking()"


def rule(step, epoch, epochs):
    return UpdateRule(Update.SGD, learning_rate=0.1)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (ts.Adam, r"must be an optimizer, not the class Adam: write Adam\(\)"),
        (Momentum, r"not the class Momentum: write Momentum\(\)"),
        (0.1, r"must be an optimizer such as SGD\(\) or Adam\(\), not 0.1, which has no n_slots and no rule"),
        (Lacking(n_slots=1), r"not Lacking\(\), which has no rule\(step, epoch, epochs\)"),
        (Lacking(rule=rule), r"not Lacking\(\), which has no n_slots"),
        (Lacking(n_slots=1, rule=0.1), "has no rule"),
        (Lacking(n_slots=3, rule=rule), r"\.n_slots must be between 0 and 2, not 3"),
        (Lacking(n_slots=-1, rule=rule), r"\.n_slots must be between 0 and 2"),
        (Lacking(n_slots="1", rule=rule), r"\.n_slots must be an integer"),
        (Lacking(n_slots=1, rule=rule, state="float16"), "state must be one of float32, bfloat16"),
        (Lacking(n_slots=1, rule=rule, fresh_slots=("mean",)), "must name zero or median for each of 1 slots"),
        (Lacking(n_slots=1, rule=rule, fresh_slots=("zero", "median")), "for each of 1 slots"),
        (Lacking(n_slots=1, rule=rule, fresh_slots="zero"), "for each of 1 slots"),
        (Lacking(n_slots=1, rule=rule, learning_rate="fast"), "learning_rate must be a number or a schedule"),
    ],
)
def test_what_is_no_optimizer_is_refused_wherever_one_is_given(optimizer, message):
    net = ts.SparseMLP((4, 8, 2), epsilon=3)
    trainer = ts.Trainer(net)

    def replaced():
        trainer.optimizer = optimizer
        trainer.step(np.ones((3, 4)), np.zeros(3, int))

    for refused in (
        lambda: check_optimizer(optimizer),
        lambda: ts.Trainer(net, optimizer=optimizer),
        lambda: TrainingStep(net, optimizer),
        lambda: net.layers[0].new_state(optimizer),
        lambda: plan(PlanRequest((4, 8, 2), epsilon=3, optimizer=optimizer), measure=False),
        lambda: ts.SparseMLPClassifier(optimizer=optimizer).fit(np.ones((9, 4)), np.arange(9) % 2),
        replaced,
    ):
        with pytest.raises(ts.InputError, match=message):
            refused()


def test_names_in_messages_are_those_of_the_argument():
    with pytest.raises(ts.InputError, match="--optimizer must be an optimizer"):
        check_optimizer(None, "--optimizer")


@pytest.mark.parametrize("make_result", [lambda: None, lambda: 0.1, lambda: MomentumRule, UpdateRule])
def test_rule_that_returns_something_else_is_refused_and_nothing_changes(make_result):
    net = ts.SparseMLP((4, 8, 2), epsilon=3)
    before = [layer.values.copy() for layer in net.layers]
    trainer = ts.Trainer(net, optimizer=Lacking(n_slots=0, rule=lambda *_: make_result()))
    with pytest.raises(ts.InputError, match=r"must return an UpdateRule, or an object|must be one that updates"):
        trainer.step(np.ones((3, 4)), np.zeros(3, int))
    assert trainer.step_count == 0
    for layer, values in zip(net.layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)


@pytest.mark.parametrize(
    ("settings", "state", "message"),
    [
        (dict(weights="bfloat16"), None, "needs weights of float32"),
        (dict(), "bfloat16", "needs state of float32"),
        (dict(folder=True), None, "layers in files"),
    ],
)
def test_rule_in_arrays_is_refused_where_values_are_no_arrays_of_floats(tmp_path, settings, state, message):
    if "folder" in settings:
        settings = {"folder": tmp_path / "layers"}
    optimizer = Momentum()
    optimizer.state = state
    net = ts.SparseMLP((4, 8, 2), epsilon=3, storage="compact", **settings)
    before = [(layer.values.tobytes(), layer.bias.tobytes()) for layer in net.layers]
    trainer = ts.Trainer(net, optimizer=optimizer)
    with pytest.raises(ts.InputError, match=message):
        trainer.step(np.ones((3, 4)), np.zeros(3, int))
    assert [(layer.values.tobytes(), layer.bias.tobytes()) for layer in net.layers] == before


def test_with_schedule_copies_and_leaves_the_optimizer_alone():
    for optimizer in (ts.SGD(0.1), ts.Adam(0.1), Momentum(0.1), NumpyAdam(0.1)):
        changed = with_schedule(optimizer, lambda rate: ts.ScaledRate(rate, 3.0, warmup=0))
        assert changed.rule(0, 0.0, None).learning_rate == pytest.approx(0.3)
        assert optimizer.rule(0, 0.0, None).learning_rate == 0.1
        assert type(changed) is type(optimizer)


def test_with_schedule_of_a_rate_that_cannot_be_set_is_refused():
    class Fixed(Fused):
        @property
        def learning_rate(self):
            return 0.05

    with pytest.raises(ts.InputError, match="Fixed has no attribute learning_rate that can be set"):
        with_schedule(Fixed(), lambda rate: rate)


def test_state_type_is_optional():
    assert state_type(Fused()) is None
    assert state_type(ts.SGD(state="bfloat16")) == "bfloat16"
