"""Each option of Trainer with each storage, alone and in parallel: it does what it must, or is refused at once."""

from __future__ import annotations

import inspect
from dataclasses import fields

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.activations_buffer import TrainingWorkspace
from trulysparse.parallel.compression import Half
from trulysparse.parallel.worker import WorkerOptions, worker_options
from trulysparse.training.loop import TrainingLoop
from trulysparse.training.options import TrainingOptions, auto_batch_size
from trulysparse.training.step import BatchPasses

STORAGES = ["indexed", "compact", "bfloat16", "folder"]
PLANS = {"alone": None, "wasap": ts.WASAP(2), "wassp": ts.WASSP(2), "apart": ts.WASAP(2, phase1_epochs=0)}
BATCH = 64  # workspaces of 64 and of 16 samples differ in size
EPOCHS = 4


def network(storage, folder):
    if storage == "indexed":
        return ts.SparseMLP((6, 30, 24, 20, 3), epsilon=4, seed=1)
    kind = "bfloat16" if storage == "bfloat16" else "float32"
    where = folder / "layers" if storage == "folder" else None
    return ts.SparseMLP(
        (6, 30, 24, 20, 3), epsilon=4, seed=1, storage="compact", weights=kind, signals=kind, folder=where
    )


def samples(n=400):
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, n)
    return rng.standard_normal((3, 6))[y] + 0.3 * rng.standard_normal((n, 6)), y


def fitted(storage, folder, parallel, **options):
    """(trainer, losses) of a short training."""
    folder.mkdir()
    trainer = ts.Trainer(network(storage, folder), parallel=parallel, batch_size=BATCH, seed=5, **options)
    return trainer, trainer.fit(*samples(), epochs=EPOCHS)["loss"]


def weights_of(trainer):
    return [layer.weight.toarray() for layer in trainer.net.layers]


def differ(a, b):
    return any(
        (p.shape != q.shape) or not np.array_equal(p, q) for p, q in zip(weights_of(a), weights_of(b), strict=True)
    )


@pytest.fixture
def workspaces(monkeypatch):
    """What workspaces for activations were asked for: (samples, every)."""
    asked = set()
    signals = TrainingWorkspace.signals

    def watched(self, batch, keep_probability):
        asked.add((batch, self._every))
        return signals(self, batch, keep_probability)

    monkeypatch.setattr(TrainingWorkspace, "signals", watched)
    return asked


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(
    "option",
    ["optimizer", "evolution", "dropout", "input_noise", "augmentation", "micro_batch_size", "recompute", "threads"],
)
def test_option_works_or_is_refused(tmp_path, workspaces, option, storage, plan):
    given = {
        "optimizer": ts.SGD(0.03, 0.5),
        "evolution": ts.SET(0.3),
        "dropout": 0.4,
        "input_noise": 0.3,
        "augmentation": ts.ImageAugmentation((2, 3), shift=0.3, flip=True),
        "micro_batch_size": 16,
        "recompute": 2,
        "threads": 1,
    }
    # One worker for each shard, or a result that does not depend on who comes first: WASAP's does.
    parallel = PLANS[plan]
    if storage != "indexed" and parallel is not None:
        with pytest.raises(ts.InputError, match="parallel training needs a network with storage='indexed'"):
            fitted(storage, tmp_path / "a", parallel, **{option: given[option]})
        return
    if plan == "wasap":
        parallel = ts.WASAP(1)
    plain, before = fitted(storage, tmp_path / "a", parallel)
    assert workspaces == {(BATCH, 1), (400 % BATCH, 1)} or plan != "alone"
    workspaces.clear()
    other, after = fitted(storage, tmp_path / "b", parallel, **{option: given[option]})
    assert np.isfinite(after).all()
    if option in ("optimizer", "evolution", "dropout", "input_noise", "augmentation"):
        assert differ(plain, other)
    elif option == "micro_batch_size":
        assert max(batch for batch, _ in workspaces) == 16
        tolerance = 0.05 if storage == "bfloat16" else 1e-3
        np.testing.assert_allclose(after, before, rtol=tolerance)
    elif option == "recompute":
        assert {every for _, every in workspaces} == {2}
        assert not differ(plain, other)
    else:
        assert not differ(plain, other)


@pytest.mark.parametrize("plan", PLANS)
def test_given_state_acts_or_is_refused(tmp_path, plan):
    states = []
    trainer = ts.Trainer(network("indexed", tmp_path), batch_size=BATCH)
    trainer.fit(*samples(), epochs=1)
    states = trainer.optimizer_state
    parallel = ts.WASAP(1) if plan == "wasap" else PLANS[plan]
    plain, _ = fitted("indexed", tmp_path / "a", parallel)
    if plan == "apart":
        with pytest.raises(ts.InputError, match="optimizer_state is used in phase 1"):
            fitted("indexed", tmp_path / "b", parallel, optimizer_state=states)
        return
    other, _ = fitted("indexed", tmp_path / "b", parallel, optimizer_state=states)
    assert differ(plain, other)


@pytest.mark.parametrize("micro", [1, 7, 16])
@pytest.mark.parametrize("plan", [ts.WASAP(1, phase2_epochs=0), ts.WASSP(3, phase2_epochs=0)])
def test_parts_of_a_workers_batch_add_up(tmp_path, micro, plan):
    """Weighted samples too."""
    X, y = samples()
    weight = np.random.default_rng(0).random(400)
    nets = []
    for size in (None, micro):
        net = ts.SparseMLP((6, 30, 3), epsilon=4, seed=1, dtype="float64")
        trainer = ts.Trainer(net, parallel=plan, batch_size=BATCH, micro_batch_size=size)
        trainer.fit(X, y, epochs=2, sample_weight=weight)
        nets.append(net)
    for a, b in zip(*(net.layers for net in nets), strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("storage", STORAGES)
def test_gradients_keep_to_the_micro_batch(tmp_path, workspaces, storage):
    X, y = samples(100)
    found = []
    for size in (None, 16):
        (tmp_path / f"{size}").mkdir()
        net = network(storage, tmp_path / f"{size}")
        trainer = ts.Trainer(net, batch_size=100, micro_batch_size=size)
        workspaces.clear()
        found.append(trainer.gradients(X, y))
        assert max(batch for batch, _ in workspaces) == (size or 100)
    tolerance = 0.02 if storage == "bfloat16" else 1e-5
    assert found[0][0] == pytest.approx(found[1][0], rel=tolerance)
    for (a, bias), (b, other) in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(a.toarray(), b.toarray(), rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(bias, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"evolution": ts.RigL(), "micro_batch_size": 8}, "micro_batch_size must be None where evolution=RigL"),
        ({"evolution": ts.SNFS(), "micro_batch_size": 8}, "micro_batch_size must be None where evolution=SNFS"),
        ({"optimizer": ts.SGD(state="bfloat16")}, "needs storage='compact'"),
        ({"micro_batch_size": BATCH + 1}, "micro_batch_size must"),
        ({"recompute": 0}, "recompute must be at least 1"),
        ({"callbacks": [ts.EarlyStopping()]}, "needs validation_data"),
        ({"evolution": ts.RigL(), "parallel": ts.WASAP(2)}, "looks at the training data"),
        ({"evolution": ts.GraNet(), "parallel": ts.WASAP(2, phase1_epochs=0)}, "lets the number of connections fall"),
    ],
)
def test_refused_before_any_update(tmp_path, options, message):
    net = network("indexed", tmp_path)
    before = [layer.values.copy() for layer in net.layers]
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(net, batch_size=BATCH, **options).fit(*samples(), epochs=EPOCHS)
    for layer, values in zip(net.layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)


def test_pruning_that_falls_due_while_workers_are_alone_takes_place(tmp_path):
    net = network("indexed", tmp_path)
    sizes = net.layer_sizes
    plan = ts.WASAP(2, phase1_epochs=3)
    pruning = ts.ImportancePruning(30, start=4, every=10)
    ts.Trainer(net, parallel=plan, batch_size=BATCH, callbacks=[pruning]).fit(*samples(), epochs=6)
    assert net.layer_sizes != sizes


def test_each_fit_begins_its_schedule_anew_and_keeps_the_state(tmp_path):
    rates = []

    class Note(ts.Callback):
        def on_step_end(self, trainer, loss):
            rates.append((trainer.step_count, trainer.optimizer.rule(0, trainer.epoch, trainer.epochs).learning_rate))

    X, y = samples(BATCH)
    net = network("indexed", tmp_path)
    trainer = ts.Trainer(net, optimizer=ts.SGD(ts.StepRate(0.1, every=1, factor=0.5)), batch_size=BATCH)
    for _ in range(2):
        history = trainer.fit(X, y, epochs=3, callbacks=[Note()])
        assert history["learning_rate"] == [0.1, 0.05, 0.025]
        assert history["epoch"] == [1, 2, 3]
    assert rates == [(i + 1, 0.1 * 0.5 ** (i % 3)) for i in range(6)]
    momentum = [optimizer_state.weight[0].copy() for optimizer_state in trainer.optimizer_state]
    assert all(values.any() for values in momentum)
    fresh = ts.Trainer(net.copy(), optimizer=trainer.optimizer, batch_size=BATCH)
    trainer.step(X, y)
    fresh.step(X, y)
    assert differ(trainer, fresh)


OTHER_VALUES = {
    "optimizer": ts.Adam(0.004),
    "layer_rates": ts.SuPar(20),
    "loss": ts.SoftmaxCrossEntropy(),
    "evolution": ts.SET(0.2),
    "batch_size": 48,
    "micro_batch_size": 24,
    "max_gradient_norm": 0.5,
    "recompute": 2,
    "dropout": 0.25,
    "input_noise": 0.1,
    "input_dropout": 0.2,
    "input_masking": 0.0,
    "input_swap": 0.0,
    "redraw_input_noise": False,
    "augmentation": ts.ImageAugmentation((3, 2), flip=True),
    "seed": 9,
}
# Those that do not go with the ones above.
ALTERNATIVE_VALUES = OTHER_VALUES | {
    "input_dropout": 0.0,
    "input_masking": 0.3,
    "input_swap": 0.2,
    "redraw_input_noise": True,
}
given_values = pytest.mark.parametrize("values", [OTHER_VALUES, ALTERNATIVE_VALUES])


def parameters(function):
    """Keyword parameters with their defaults."""
    found = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in found if each.default is not each.empty}


def test_training_options_are_arguments_of_the_trainer_with_the_same_defaults():
    given = parameters(ts.Trainer)
    for each in fields(TrainingOptions):
        if each.name != "optimizer":  # None there: SGD()
            assert given[each.name] == each.default, each.name
    assert TrainingOptions().optimizer == ts.SGD()


@given_values
def test_trainer_options_have_every_value_that_was_given(tmp_path, values):
    assert set(values) == {each.name for each in fields(TrainingOptions)}
    trainer = ts.Trainer(network("indexed", tmp_path), **values)
    assert trainer.options == TrainingOptions(**values)
    assert TrainingOptions(**trainer.options.as_arguments()) == trainer.options


@given_values
def test_loop_with_options_of_another_has_the_same_options(tmp_path, values):
    options = TrainingOptions(**values)
    loop = TrainingLoop.with_options(network("indexed", tmp_path), options, threads=1)
    assert loop.options == options
    assert loop.threads == 1


def test_every_option_of_the_passes_reaches_them():
    known = set(parameters(BatchPasses)) - {"threads"}
    assert set(TrainingOptions().for_passes()) == known - {"noise_seed"}  # which is the seed's
    assert set(WorkerOptions().for_passes()) == known


@given_values
@pytest.mark.parametrize("step_count", [0, 7])
def test_workers_get_every_option_of_the_training(tmp_path, step_count, values):
    trainer = ts.Trainer(network("indexed", tmp_path), **values)
    trainer.step_count = step_count
    given = worker_options(trainer, ts.WASSP(2, compression=Half()))
    for each in fields(TrainingOptions):
        if each.name == "seed":  # a later call of fit takes other random numbers
            assert (given.seed == values["seed"]) == (step_count == 0)
        else:
            assert getattr(given, each.name) == values[each.name], each.name
    assert given.noise_seed == values["seed"]
    assert (given.compression, given.synchronous) == (Half(), True)


def test_few_samples_make_small_batches():
    assert [auto_batch_size(n) for n in (1, 256, 400, 1024, 10**6)] == [32, 32, 50, 128, 128]
