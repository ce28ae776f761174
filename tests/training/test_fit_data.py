"""Checked samples and their batches."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from sample_files import Counted
from training_helpers import sparse_samples
from trulysparse import _kernels
from trulysparse.data import Scaling, as_matrix, fit_scaling
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.training.fit_data import FitData


def data_of(rng, n=10, **options):
    net = ts.SparseMLP((4, 6, 3))
    y = rng.integers(0, 3, n)
    return FitData.checked(net, ts.SoftmaxCrossEntropy(), rng.normal(size=(n, 4)), y, **options), y


def test_order_takes_each_sample_once_shuffled_or_not(rng):
    data, _ = data_of(rng)
    shuffled = data.order(np.random.default_rng(1))
    assert sorted(shuffled) == list(range(10))
    assert list(shuffled) != list(range(10))
    still, _ = data_of(rng, shuffle=False)
    assert list(still.order(np.random.default_rng(1))) == list(range(10))


@pytest.mark.parametrize(
    ("X", "y", "weight", "message"),
    [
        (np.zeros((3, 4)), [0, 1], None, "held-out X has 3 samples, but held-out y has 2"),
        (np.zeros((3, 5)), [0, 1, 2], None, "held-out X has 5 features"),
        (np.zeros((3, 4)), [0, 1, 2], [1, 2], "sample_weight must have shape"),
        (np.zeros((3, 4)), [0, 1, 2], [1, -2, 1], r"sample_weight\[1\] is -2"),
    ],
)
def test_samples_that_do_not_fit_are_refused_by_name(X, y, weight, message):
    net = ts.SparseMLP((4, 6, 3))
    with pytest.raises(ts.InputError, match=message):
        FitData.checked(net, ts.SoftmaxCrossEntropy(), X, y, weight, names=("held-out X", "held-out y"))


# ---- targets wherever they lie ----


def memory_map(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


FORMS = {
    "dense": lambda X, folder: X,
    "csr": lambda X, folder: sp.csr_array(X),
    "csc": lambda X, folder: sp.csc_array(X),
    "map": memory_map,
    "stream": lambda X, folder: StreamMatrix(Counted(X, 8)),
    "frame": lambda X, folder: pytest.importorskip("pandas").DataFrame(X),
}


def trained(X, y, *, output="identity", scaling=None, validation=None, n_outputs=6, **options):
    net = ts.SparseMLP((6, 12, n_outputs), epsilon=4, output=output, seed=0, threads=2)
    net.scaling = scaling
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), batch_size=16, seed=3, **options)
    history = trainer.fit(X, y, epochs=3, shuffle=False, validation_data=validation)
    return [history[key] for key in history.records[0] if key != "seconds"], [
        array for layer in net.layers for array in (layer.values, layer.bias)
    ]


def assert_same(found, wanted):
    assert found[0] == wanted[0]
    for a, b in zip(found[1], wanted[1], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("output", ["identity", "sigmoid"])
@pytest.mark.parametrize("scaled", [False, True])
def test_input_as_target_trains_with_the_same_bits_in_every_form(rng, tmp_path, form, output, scaled):
    X = sparse_samples(rng)
    scaling = fit_scaling("standard", as_matrix(X)) if scaled else None
    given = FORMS[form](X, tmp_path)
    options = {"output": output, "scaling": scaling}
    found = trained(given, given, **options, validation=(given, given))
    samples = given if scaled else X  # sparse samples are scaled in another order of operations than dense ones
    assert_same(found, trained(samples, X.copy(), **options, validation=(samples, X.copy())))


@pytest.mark.parametrize("X_form", ["dense", "csr", "stream"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", [{}, {"micro_batch_size": 5}, {"dropout": 0.3, "recompute": 2}], ids=str)
def test_values_of_their_own_train_with_the_same_bits_in_every_form(rng, tmp_path, X_form, form, options):
    X, y = sparse_samples(rng), sparse_samples(rng, n_features=4)
    given = FORMS[X_form](X, tmp_path), FORMS[form](y, tmp_path)
    assert_same(trained(*given, n_outputs=4, **options), trained(X, y, n_outputs=4, **options))


@pytest.mark.parametrize("form", FORMS)
def test_one_step_is_the_same_in_every_form(rng, tmp_path, form):
    X = sparse_samples(rng)
    found = []
    for given in (X, FORMS[form](X, tmp_path)):
        trainer = ts.Trainer(ts.SparseMLP((6, 12, 6), output="identity", seed=0, threads=1), micro_batch_size=16)
        found.append([trainer.step(given, given), trainer.gradients(given, given)[0], trainer.step(given, given)])
    assert found[0] == found[1]


@pytest.mark.parametrize("options", [{"micro_batch_size": 5}, {"dropout": 0.3, "recompute": 2}], ids=str)
@pytest.mark.parametrize("storage", [{}, {"storage": "compact", "weights": "bfloat16", "signals": "bfloat16"}], ids=str)
def test_input_as_target_stays_whole_until_the_loss_has_seen_it(rng, options, storage):
    X, found = sparse_samples(rng), []
    for y in (X, X.copy()):
        net = ts.SparseMLP((6, 12, 9, 6), output="identity", seed=0, threads=2, **storage)
        trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), batch_size=16, **options)
        found.append(trainer.fit(X, y, epochs=2)["loss"])
    assert found[0] == found[1]


@pytest.fixture
def copies(monkeypatch):
    """Counts what is laid out: (calls for samples, calls for targets)."""
    calls = []
    for name in ("load_dense", "load_sparse"):
        kernel = getattr(_kernels, name)
        monkeypatch.setattr(_kernels, name, lambda *args, kernel=kernel: (calls.append(1), kernel(*args))[1])
    return calls


@pytest.mark.parametrize("form", ["dense", "csr", "map", "stream"])
def test_input_as_target_is_laid_out_once(rng, tmp_path, copies, form):
    X = FORMS[form](sparse_samples(rng), tmp_path)
    trained(X, X)
    assert len(copies) == 3 * 5
    del copies[:]
    scaled = Scaling("minmax", np.zeros(6), np.ones(6))  # targets are in the unit of y, so that they differ
    trained(X, X, scaling=scaled)
    assert len(copies) == 2 * 3 * 5


def test_streamed_input_as_target_is_read_once(rng):
    blocks = Counted(sparse_samples(rng), 10)
    X = StreamMatrix(blocks)
    trained(X, X)
    assert sorted(blocks.reads) == sorted([*range(7)] * 3)


def test_order_is_that_of_the_targets_where_samples_are_in_memory(rng):
    """A random order of single samples would read each block of a file again and again."""
    X, y = sparse_samples(rng, 400), sparse_samples(rng, 400, 4)
    net = ts.SparseMLP((6, 8, 4), output="identity", threads=1)
    blocks = Counted(y, 10)
    stream = StreamMatrix(blocks, buffer_bytes=4 * blocks.block_bytes)
    data = FitData.checked(net, ts.MeanSquaredError(), X, stream)
    order = data.order(np.random.default_rng(0))
    assert sorted(order) == list(range(400))
    np.testing.assert_array_equal(order, stream.order(data.rows, np.random.default_rng(0)))
    ts.Trainer(net, batch_size=16).fit(X, stream, epochs=2)
    assert sorted(blocks.reads) == sorted([*range(40)] * 2)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (sp.csr_array(np.ones((70, 5))), r"y must have shape \(n_samples, 6\), .* not \(70, 5\)"),
        (sp.csr_array(np.ones((69, 6))), "X has 70 samples, but y has 69"),
        (sp.csr_array(np.full((70, 6), np.nan)), r"y\[0, 0\] is nan; targets must be finite numbers"),
        (StreamMatrix(Counted(np.ones((70, 5)), 8)), r"y must have shape \(n_samples, 6\)"),
        (StreamMatrix(Counted(np.full((70, 6), np.inf), 8)), r"y\[0, 0\] is inf; targets must be finite numbers"),
        (
            StreamMatrix(Counted(np.full((70, 6), 2.0), 8)),
            r"y\[0, 0\] is 2.0; targets of this loss must lie in \[0, 1\]",
        ),
    ],
)
def test_values_that_do_not_fit_are_refused_before_an_update(rng, y, message):
    X = sparse_samples(rng)
    net = ts.SparseMLP((6, 8, 6), output="sigmoid", threads=1)
    trainer = ts.Trainer(net, batch_size=16)
    for use in (lambda: trainer.step(X, y), lambda: trainer.fit(X, y, epochs=1, shuffle=False)):
        with pytest.raises(ts.InputError, match=message):
            use()
    assert trainer.step_count == 0


def test_labels_in_files_or_sparse_are_refused(rng):
    net = ts.SparseMLP((6, 8, 3), threads=1)
    X = sparse_samples(rng)
    for y in (sp.csr_array(np.ones((70, 1))), StreamMatrix(Counted(np.ones((70, 1)), 8))):
        with pytest.raises(ts.InputError, match=r"y must be one label per sample .* not of shape \(70, 1\)"):
            ts.Trainer(net).fit(X, y, epochs=1)
