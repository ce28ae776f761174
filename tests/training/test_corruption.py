"""Corruption of training samples: its distribution, its seeds, and where it acts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

import trulysparse as ts
from trulysparse import _kernels
from trulysparse._core.random import stream_key
from trulysparse.data import as_matrix
from trulysparse.data.scaling_figures import fit_scaling
from trulysparse.training.corruption import Corruption
from trulysparse.training.passes import BatchPasses, checked_batch


def corrupted(shape=(400, 512), n_samples=500, key=3, threads=1, dtype=np.float32, value=0.0, **settings):
    x = np.full(shape, value, dtype)
    Corruption(**settings).apply(x, n_samples, key, threads)
    return x


SETTINGS = [{"noise": 1.0}, {"dropout": 0.4}, {"noise": 0.3, "dropout": 0.2}, {"noise": 0.3, "masking": 0.2}]


@pytest.mark.parametrize("isa", _kernels.available_isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_is_normal_and_independent(isa, dtype):
    before = _kernels.current_isa()
    _kernels.use_isa(isa)
    try:
        x = corrupted(noise=0.5, dtype=dtype)
    finally:
        _kernels.use_isa(before)
    assert not x[:, 500:].any()
    values = x[:, :500].astype(np.float64) / 0.5
    assert stats.kstest(values.ravel(), "norm").pvalue > 1e-3
    assert stats.kurtosis(values.ravel()) == pytest.approx(0, abs=0.05)
    limit = 5 / np.sqrt(values.size)
    for power in (1, 2):
        z = values**power - (power == 2)
        for shift in ((0, 1), (1, 0), (0, 8), (0, 16), (1, 1)):
            moved = np.roll(z, shift, (0, 1))
            assert abs(np.mean(z * moved)) < power * limit, shift


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_are_set_to_zero_and_others_keep_the_mean(dtype):
    x = corrupted(value=2.0, dropout=0.25, dtype=dtype)
    assert (x[:, 500:] == 2).all()
    kept = x[:, :500] != 0
    np.testing.assert_allclose(x[:, :500][kept], 2 / 0.75, rtol=1e-6)
    assert kept.mean() == pytest.approx(0.75, abs=5 * np.sqrt(0.75 * 0.25 / kept.size))
    for shift in ((0, 1), (1, 0), (0, 8), (0, 16)):
        both = (kept & np.roll(kept, shift, (0, 1))).mean()
        assert both == pytest.approx(0.75**2, abs=5 / np.sqrt(kept.size))


def test_zeros_come_after_noise_and_do_not_depend_on_it():
    both, zeros = corrupted(noise=0.1, dropout=0.5), corrupted(value=1.0, dropout=0.5)
    np.testing.assert_array_equal(both[:, :500] == 0, zeros[:, :500] == 0)
    noise = corrupted(noise=0.1)
    kept = both[:, :500] != 0
    np.testing.assert_allclose(both[:, :500][kept], 2 * noise[:, :500][kept], rtol=1e-6)


@pytest.mark.parametrize("columns", [1, 2, 4, 8, 16, 48, 130])
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_value_depends_on_key_feature_and_sample_alone(columns, settings):
    whole = corrupted((20, 160), 160, value=1.0, **settings)
    stride = int(_kernels.padded_batch(columns))
    part = corrupted((20, stride), columns, value=1.0, **settings)
    np.testing.assert_array_equal(part[:, :columns], whole[:, :columns])
    assert (part[:, columns:] == 1).all()
    for threads in (2, 3):
        np.testing.assert_array_equal(corrupted((20, 160), 160, value=1.0, threads=threads, **settings), whole)
    assert not np.array_equal(corrupted((20, 160), 160, value=1.0, key=4, **settings), whole)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_masking": 1.0}, r"input_masking must lie in \[0, 1\)"),
        ({"input_swap": 1.1}, r"input_swap must lie in \[0, 1\]"),
        ({"input_masking": 0.1, "input_dropout": 0.1}, "input_masking cannot be combined with input_dropout"),
        ({"input_noise": -0.1}, r"input_noise must lie in \[0, inf\)"),
        ({"input_noise": np.inf}, "input_noise"),
        ({"input_dropout": 1.0}, r"input_dropout must lie in \[0, 1\)"),
        ({"input_dropout": "much"}, "input_dropout"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    net = ts.SparseMLP((4, 6, 2), epsilon=3)
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(net, **settings)
    with pytest.raises(ts.InputError, match=message):
        ts.SparseMLPClassifier(epochs=1, **settings).fit(np.eye(4), [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_swap": 0.1, "redraw_input_noise": False}, "input_swap needs redraw_input_noise=True"),
        ({"redraw_input_noise": False}, "redraw_input_noise must be True where there is no noise"),
        ({"redraw_input_noise": 1, "input_noise": 1.0}, "redraw_input_noise must be True or False, not 1"),
        ({"input_swap": 0.1, "batch_size": 1}, "input_swap needs at least 2 samples at a time"),
        ({"input_swap": 0.1, "micro_batch_size": 1}, "input_swap needs at least 2 samples at a time"),
    ],
)
def test_corruption_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(ts.SparseMLP((4, 6, 2), epsilon=3), **settings)


def test_what_a_trainer_is_set_to_is_checked():
    trainer = ts.Trainer(ts.SparseMLP((4, 6, 2), epsilon=3), input_noise=0.1)
    trainer.input_masking, trainer.redraw_input_noise = 0.2, False
    assert (trainer.input_noise, trainer.input_masking, trainer.redraw_input_noise) == (0.1, 0.2, False)
    for name, value in (("input_swap", 0.1), ("input_dropout", 0.1), ("input_masking", -1)):
        with pytest.raises(ts.InputError, match="input_"):
            setattr(trainer, name, value)
    assert (trainer.input_swap, trainer.input_dropout, trainer.input_masking) == (0, 0, 0.2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masking_sets_the_values_to_zero_that_dropout_does_and_leaves_the_others(dtype):
    masked, dropped = (corrupted(value=2.0, dtype=dtype, **{name: 0.25}) for name in ("masking", "dropout"))
    np.testing.assert_array_equal(masked == 0, dropped == 0)
    assert set(np.unique(masked)) == {0, 2}


@pytest.mark.parametrize("isa", _kernels.available_isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_swapped_values_are_those_of_another_sample(isa, dtype):
    """Each value says which feature and sample it is of."""
    n_features, n, share = 300, 61, 0.3
    own = np.arange(n_features)[:, None] * 1000.0 + np.arange(64)
    before = _kernels.current_isa()
    _kernels.use_isa(isa)
    try:
        x, threaded = own.astype(dtype), own.astype(dtype)
        Corruption(swap=share).apply(x, n, 5, 1)
        Corruption(swap=share).apply(threaded, n, 5, 3)
    finally:
        _kernels.use_isa(before)
    np.testing.assert_array_equal(x, threaded)
    np.testing.assert_array_equal(x[:, n:], own[:, n:])
    np.testing.assert_array_equal(x // 1000, own // 1000)
    origin, swapped = (x % 1000).astype(int)[:, :n], (x != own)[:, :n]
    assert origin.max() < n
    assert swapped.mean() == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / swapped.size))
    for shift in ((0, 1), (1, 0), (0, 8)):
        assert (swapped & np.roll(swapped, shift, (0, 1))).mean() == pytest.approx(share**2, abs=5 / np.sqrt(x.size))
    away = (origin - np.arange(n))[swapped] % n  # any other sample, each as often
    assert stats.chisquare(np.bincount(away, minlength=n)[1:]).pvalue > 1e-3


def test_all_values_can_be_swapped_and_a_single_sample_has_no_other():
    x = np.arange(32.0).reshape(2, 16)
    Corruption(swap=1).apply(x, 2, 1, 1)
    assert x[:, :3].tolist() == [[1, 0, 2], [17, 16, 18]]
    Corruption(swap=1).apply(x, 1, 1, 1)
    assert x[:, :3].tolist() == [[1, 0, 2], [17, 16, 18]]


def test_noise_comes_after_the_swap():
    x, noise = np.tile(np.arange(64.0), (50, 1)) * 10, corrupted((50, 64), 64, key=9, dtype=np.float64, noise=0.1)
    swapped = x.copy()
    Corruption(swap=0.5).apply(swapped, 64, 9, 1)
    Corruption(noise=0.1, swap=0.5).apply(x, 64, 9, 1)
    np.testing.assert_allclose(x, swapped + noise, rtol=1e-12)


@pytest.mark.parametrize("isa", _kernels.available_isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("settings", SETTINGS)
def test_what_is_not_redrawn_depends_on_the_row(rng, isa, dtype, settings):
    """Row 37 is corrupted in any batch as the column 37 of a batch of all rows."""
    clean = rng.standard_normal((21, 208)).astype(dtype)
    before = _kernels.current_isa()
    _kernels.use_isa(isa)
    try:
        whole = clean.copy()
        Corruption(**settings).apply(whole, 200, 4, 1)
        for n in (1, 16, 45, 200):
            rows = rng.permutation(200)[:n]
            x = np.full((21, 208), 7, dtype)
            x[:, :n] = clean[:, rows]
            Corruption(**settings, redraw=False).apply(x, n, 4, 2, rows)
            np.testing.assert_array_equal(x[:, :n], whole[:, rows])
            assert (x[:, n:] == 7).all()
    finally:
        _kernels.use_isa(before)


def samples(n=96):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 12)).astype(np.float32), rng.integers(0, 3, n)


def trained(threads=1, **settings):
    X, y = samples()
    net = ts.SparseMLP((12, 20, 3), epsilon=6, seed=1, threads=threads)
    given = {"batch_size": 32, "input_noise": 0.3, "input_dropout": 0.2, "seed": 4, **settings}
    history = ts.Trainer(net, **given).fit(X, y, epochs=3)
    return [layer.values for layer in net.layers], history["loss"]


def test_same_bits_for_any_number_of_threads_and_storage_of_samples():
    values, losses = trained()
    for threads in (2, 3):
        others, again = trained(threads)
        assert losses == again
        for a, b in zip(values, others, strict=True):
            np.testing.assert_array_equal(a, b)
    assert trained(seed=5)[1] != losses != trained(input_noise=0)[1]


def test_sparse_samples_are_corrupted_as_dense_ones():
    X, y = samples()
    X[np.abs(X) < 1] = 0
    found = []
    for given in (X, sp.csr_array(X)):
        net = ts.SparseMLP((12, 20, 3), epsilon=6, seed=1)
        trainer = ts.Trainer(net, input_noise=0.3, input_dropout=0.2, batch_size=32)
        found.append(trainer.fit(given, y, epochs=2)["loss"])
    np.testing.assert_allclose(*found, rtol=1e-6)


def test_loss_is_that_of_the_samples_as_corrupted_in_units_of_the_scaled_features():
    X, y = samples(32)
    X *= 50
    net = ts.SparseMLP((12, 20, 3), epsilon=6, seed=1)
    net.scaling = fit_scaling("standard", as_matrix(X))
    passes = BatchPasses(net, input_noise=0.5)
    value = passes.gradients(checked_batch(net, passes.loss, X, y), key=9)[0]
    x = np.zeros((12, 32), np.float32)
    checked_batch(net, passes.loss, X, y).reader.load(np.arange(32), x, net.scaling, 1)
    Corruption(0.5).apply(x, 32, 9, 1)
    plain = net.copy()
    plain.scaling = None
    expected = -np.log(plain.predict_proba(x.T.copy())[np.arange(32), y]).mean()
    assert value == pytest.approx(float(expected), rel=1e-4)


def test_gradients_and_predictions_see_the_samples_themselves():
    X, y = samples(32)
    net = ts.SparseMLP((12, 20, 3), epsilon=6, seed=1)
    plain, noisy = ts.Trainer(net), ts.Trainer(net, input_noise=1.0, input_dropout=0.5)
    assert plain.gradients(X, y)[0] == noisy.gradients(X, y)[0]
    before = net.predict_proba(X)
    noisy.net.predict(X)
    np.testing.assert_array_equal(net.predict_proba(X), before)


@pytest.mark.parametrize("micro", [None, 16])
def test_targets_that_are_the_samples_stay_clean(micro):
    """An autoencoder: with a learning rate of 0 the loss is that of the clean samples."""
    X, _ = samples(48)
    net = ts.SparseMLP((12, 20, 12), epsilon=6, output="identity", seed=1, dtype="float32")
    losses = []
    for targets in (X, X.copy()):  # the very object, which is not loaded twice, and another of the same values
        trainer = ts.Trainer(
            net.copy(), optimizer=ts.SGD(1e-3), batch_size=48, micro_batch_size=micro, input_noise=0.5, seed=2
        )
        losses.append([trainer.step(X, targets) for _ in range(3)])
    np.testing.assert_array_equal(*losses)
    if micro is None:
        x = X.T.copy()
        Corruption(0.5).apply(x, 48, stream_key(2, "dropout", 0), 1)
        expected = ((net.predict(x.T.copy()) - X) ** 2).mean()
        assert losses[0][0] == pytest.approx(float(expected), rel=1e-5)
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("parallel", [ts.WASSP(2, phase2_epochs=0), ts.WASSP(2, phase1_epochs=0)])
def test_workers_corrupt_their_batches(parallel):
    found = [trained(parallel=parallel, **more)[1] for more in ({}, {}, {"input_noise": 0.0, "input_dropout": 0.0})]
    assert found[0] == found[1] != found[2]


def test_resumed_training_goes_on_with_the_same_noise(tmp_path):
    X, y = samples()

    def trainer():
        net = ts.SparseMLP((12, 20, 3), epsilon=6, seed=1)
        return ts.Trainer(net, input_noise=0.3, input_dropout=0.1, batch_size=32, seed=4)

    whole = trainer()
    whole.fit(X, y, epochs=4)

    class Break(ts.Callback):
        def on_epoch_end(self, trainer, record):
            if record["epoch"] == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer().fit(X, y, epochs=4, callbacks=[ts.Checkpointer(tmp_path, every=2), Break()])
    resumed = trainer()
    resumed.fit(X, y, epochs=4, resume=tmp_path)
    for a, b in zip(whole.net.layers, resumed.net.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)


@pytest.mark.parametrize("storage", ["array", "csr"])
@pytest.mark.parametrize("more", [{}, {"parallel": ts.WASSP(2, phase2_epochs=0)}, {"parallel": ts.WASSP(2, 0)}])
def test_noise_that_is_not_redrawn_is_that_of_a_training_set_made_noisy_before(storage, more):
    """Whatever the order of the samples, the size of the batches and the number of workers."""
    X, y = samples()
    noisy = np.zeros((12, 96), np.float32)
    noisy[:] = X.T
    Corruption(0.3, masking=0.2).apply(noisy, 96, stream_key(4, "corruption"), 1)
    found = []
    for given, settings in (
        (sp.csr_array(X) if storage == "csr" else X, {"input_noise": 0.3, "input_masking": 0.2}),
        (np.ascontiguousarray(noisy.T), {}),
    ):
        net = ts.SparseMLP((12, 20, 3), epsilon=6, seed=1)
        settings["redraw_input_noise"] = not settings
        trainer = ts.Trainer(net, batch_size=20, micro_batch_size=10, seed=4, **settings, **more)
        found.append(trainer.fit(given, y, epochs=2)["loss"] + trainer.fit(given, y, epochs=1)["loss"])
    assert found[0] == found[1]


def test_noise_follows_the_seed_where_it_is_not_redrawn():
    X, y = samples()
    trainers = [ts.Trainer(ts.SparseMLP((12, 20, 3), seed=1), input_noise=1.0, redraw_input_noise=False) for _ in "ab"]
    first = [trainer.step(X, y) for trainer in trainers]
    assert first[0] == first[1]
    trainers[1].seed = 5
    again = [trainer.step(X, y) for trainer in trainers]
    assert again[0] != again[1]


@pytest.mark.parametrize("settings", [{"input_swap": 0.4}, {"input_masking": 0.3, "redraw_input_noise": False}])
def test_resumed_training_is_corrupted_as_one_that_was_not_broken_off(tmp_path, settings):
    X, y = samples()

    def trainer():
        return ts.Trainer(ts.SparseMLP((12, 20, 3), epsilon=6, seed=1), batch_size=32, seed=4, **settings)

    whole, part = trainer(), trainer()
    losses = whole.fit(X, y, epochs=4)["loss"]

    class Break(ts.Callback):
        def on_epoch_end(self, trainer, record):
            if record["epoch"] == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        part.fit(X, y, epochs=4, callbacks=[ts.Checkpointer(tmp_path, every=2), Break()])
    assert trainer().fit(X, y, epochs=4, resume=tmp_path)["loss"] == losses
    assert losses != trained(input_noise=0, input_dropout=0)[1]
