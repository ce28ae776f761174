"""Samples that stay in files: trained on and checked as in memory, in the same order for a seed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import trulysparse as ts
from sample_files import Counted, csr, libsvm, npy, parquet, parquet_table, read_as, small_blocks
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.data.files import read
from trulysparse.data.stream import blocks
from trulysparse.data.stream import matrix as stream
from trulysparse.data.stream.blocks import LibsvmBlocks
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.task.dataset import make_dataset
from trulysparse.task.options import TaskOptions


@pytest.fixture
def table(rng):
    X = rng.normal(size=(103, 7)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(np.int64)


def test_the_order_is_shuffled_by_blocks(rng):
    found = Counted(np.zeros((1000, 5)), 20)
    matrix = StreamMatrix(found, buffer_bytes=10 * found.block_bytes)
    orders = [matrix.order(np.arange(1000), np.random.default_rng(seed)) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any()
    # A batch draws on as many blocks as half of the buffer holds, and pools come from all over the file.
    assert len(np.unique(orders[0][:32] // 20)) == 5
    assert np.abs(np.diff([pool.mean() for pool in orders[0].reshape(10, 100)])).mean() > 100


@pytest.mark.parametrize("shuffle", [True, False])
def test_trains_with_the_same_bits_as_from_memory_in_that_order(table, tmp_path, monkeypatch, shuffle):
    X, y = table
    small_blocks(monkeypatch)
    matrix = StreamMatrix(npy(tmp_path, X))

    def train(data, order):
        monkeypatch.setattr(type(as_matrix(data)), "order", lambda self, rows, rng: order(rows, rng), raising=False)
        net = ts.SparseMLP((7, 30, 2), seed=0)
        ts.Trainer(net, batch_size=16).fit(data, y, epochs=2, shuffle=shuffle)
        return net.predict_proba(X)

    wanted = matrix.order
    np.testing.assert_array_equal(train(matrix, wanted), train(X, wanted))


def in_time(work, seconds: float = 30) -> None:
    """Runs `work` in a thread; fails where it does not end."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(timeout=seconds)


@pytest.mark.parametrize("plan", [ts.WASAP(2, phase2_epochs=2), ts.WASSP(2, phase2_epochs=2)], ids=["wasap", "wassp"])
def test_workers_train_on_a_folder_as_on_the_same_samples_in_memory(tmp_path, rng, monkeypatch, plan):
    X = rng.normal(size=(1200, 7)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] > 0).astype(np.int64)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1500)
    monkeypatch.setattr(stream, "BUFFER_BYTES", 12_000)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    streamed = read(str(tmp_path)).X
    halved = streamed.shared_by(2)
    assert len(streamed.blocks.bounds) > 20
    networks = {}

    def train(data) -> None:
        net = ts.SparseMLP((7, 30, 2), seed=0)
        ts.Trainer(net, optimizer=ts.SGD(0.1), batch_size=16, parallel=plan).fit(data, y, epochs=4)
        networks[type(data).__name__] = net

    in_time(lambda: train(streamed), 60)
    monkeypatch.setattr(type(as_matrix(X)), "order", lambda self, rows, rng: halved.order(rows, rng))
    train(X)
    folder, memory = networks["StreamMatrix"], networks["ndarray"]
    if plan.synchronous:  # the other kind varies from run to run
        np.testing.assert_array_equal(folder.predict_proba(X), memory.predict_proba(X))
    for net in (folder, memory):
        assert ts.evaluate(net, streamed, y)["accuracy"] > 0.93


def test_value_that_is_not_finite_is_named_by_its_place_in_the_file(table, tmp_path, monkeypatch):
    X, y = table
    small_blocks(monkeypatch)
    X[17, 3] = np.nan
    matrix = StreamMatrix(npy(tmp_path, X))
    with pytest.raises(ts.InputError, match=r"X\[17, 3\] is nan; features must be finite"):
        ts.Trainer(ts.SparseMLP((7, 10, 2))).fit(matrix, y, epochs=1)
    part = matrix[np.arange(10, 100)]
    with pytest.raises(ts.InputError, match=r"X\[17, 3\] is nan; features must be finite"):
        ts.SparseMLP((7, 10, 2)).predict(part)
    with pytest.raises(ts.InputError, match=r"X\[17, 3\] is nan; features must be finite"):
        fit_scaling("standard", part)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("scale", ["standard", "minmax"])
@pytest.mark.parametrize("kind", [npy, csr, libsvm, parquet])
def test_scaling_of_a_stream_names_what_is_not_finite(kind, scale, value, table, tmp_path, monkeypatch):
    X, _ = table
    small_blocks(monkeypatch)
    X[23, 4] = 777 if kind is libsvm else value  # which scikit-learn does not write
    samples = kind(tmp_path, X)
    if kind is libsvm:
        text = (tmp_path / "x.libsvm").read_text().replace(":777", f":{value}")
        (tmp_path / "x.libsvm").write_text(text)
        samples = LibsvmBlocks(tmp_path / "x.libsvm")
    name = "'f4'" if kind is parquet else "4"  # by its column, where columns have names
    with pytest.raises(ts.InputError, match=rf"X\[23, {name}\] is {value}; features must be finite numbers"):
        fit_scaling(scale, StreamMatrix(samples))


def test_stream_beyond_the_range_of_the_network_is_refused(table, tmp_path):
    X, _ = table
    wide = X.astype(np.float64)
    wide[5, 2] = 1e39
    for kind in (npy, csr):
        with pytest.raises(ts.InputError, match=r"X\[5, 2\] is 1e\+39; .* range of float32"):
            ts.SparseMLP((7, 10, 2)).predict_proba(StreamMatrix(kind(tmp_path, wide)))


def test_scaling_passes_over_the_file(table, tmp_path, monkeypatch):
    X, _ = table
    small_blocks(monkeypatch)
    streamed, whole = (fit_scaling("standard", as_matrix(x)) for x in (StreamMatrix(npy(tmp_path, X)), X))
    for a, b in zip(streamed.arrays(), whole.arrays(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_errors_of_streamed_samples_name_the_files_row_and_column(tmp_path, rng):
    X = rng.normal(size=(60, 3))
    X[41, 1] = np.nan
    labels = np.arange(60) % 2
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", labels)
    sources = [(read(str(tmp_path)), r"X\[41, 1\] is nan")]
    try:
        path = parquet_table(tmp_path, left=X[:, 0], middle=X[:, 1], right=X[:, 2], target=labels)
        sources.append((read_as(str(path), stream=True), r"X\[41, 'middle'\] is nan"))
    except pytest.skip.Exception:
        pass
    for table, match in sources:
        data = make_dataset(table, TaskOptions())
        part = data.train.X if 41 in data.train.X.sample_numbers else data.test.X
        net = ts.SparseMLP((3, 4, 2), seed=0)
        with pytest.raises(ts.InputError, match=match):
            ts.Trainer(net, batch_size=7).fit(part, np.arange(part.n_samples) % 2, epochs=1)
        with pytest.raises(ts.InputError, match=match):
            net.predict_proba(part)
        with pytest.raises(ts.InputError, match=match):
            ts.data.check_finite(part)
