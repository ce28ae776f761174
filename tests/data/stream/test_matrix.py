"""Samples in files, read block by block: the same as read whole, in a bounded buffer, in the same order for a seed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

import trulysparse as ts
from trulysparse.data import Reader, fit_scaling
from trulysparse.data.files import read
from trulysparse.data.matrix import as_matrix
from trulysparse.data.readers.parquet import ParquetBlocks
from trulysparse.data.stream import blocks
from trulysparse.data.stream import matrix as stream
from trulysparse.data.stream.blocks import CsrBlocks, LibsvmBlocks, NpyBlocks
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.synthetic import MadelonLike


class Counted:
    """Blocks in memory that count what is read."""

    def __init__(self, X, rows: int) -> None:
        self.X, self.n_features = X, X.shape[1]
        self.bounds = np.append(np.arange(0, len(X), rows), len(X))
        self.block_bytes = rows * X.shape[1] * 8
        self.reads: list[int] = []

    def read(self, block: int):
        self.reads.append(block)
        return self.X[self.bounds[block] : self.bounds[block + 1]].copy()


@pytest.fixture
def table(rng):
    X = rng.normal(size=(103, 7)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(np.int64)


def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 200)


def loaded(reader: Reader, rows: np.ndarray, n_features: int = 7) -> np.ndarray:
    out = np.zeros((n_features, 16), np.float32)
    found = []
    for start in range(0, len(rows), 16):
        some = rows[start : start + 16]
        reader.load(some, out, None, 1)
        found.append(out[:, : len(some)].T.copy())
    return np.concatenate(found)


def npy(folder: Path, X: np.ndarray) -> NpyBlocks:
    np.save(folder / "X.npy", X)
    return NpyBlocks(folder / "X.npy")


def csr(folder: Path, X: np.ndarray) -> CsrBlocks:
    matrix = sp.csr_array(X)
    for part in ("indptr", "indices", "data"):
        np.save(folder / f"X_{part}.npy", getattr(matrix, part))
    return CsrBlocks(folder / "X")


def libsvm(folder: Path, X: np.ndarray) -> LibsvmBlocks:
    dump_svmlight_file(X, np.arange(len(X)) % 3, str(folder / "x.libsvm"), zero_based=False)
    return LibsvmBlocks(folder / "x.libsvm")


def parquet(folder: Path, X: np.ndarray) -> ParquetBlocks:
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    names = [f"f{i}" for i in range(X.shape[1])]
    pd.DataFrame(X, columns=names).to_parquet(folder / "x.parquet", row_group_size=10)
    return ParquetBlocks(folder / "x.parquet", names)


@pytest.mark.parametrize("kind", [npy, csr, libsvm, parquet])
def test_every_kind_of_file_gives_its_samples(kind, table, tmp_path, monkeypatch, rng):
    X, _ = table
    small_blocks(monkeypatch)
    found = kind(tmp_path, X)
    assert len(found.bounds) > 4
    matrix = StreamMatrix(found, buffer_bytes=3 * found.block_bytes)
    assert matrix.shape == X.shape
    order = matrix.order(np.arange(103), rng)
    np.testing.assert_array_equal(np.sort(order), np.arange(103))
    with matrix.reader(order) as reader:
        np.testing.assert_allclose(loaded(reader, order), X[order], rtol=1e-6)
    some = rng.integers(0, 103, 40)  # samples that nobody announced
    np.testing.assert_allclose(loaded(matrix, some), X[some], rtol=1e-6)
    part = matrix[np.arange(5, 90, 3)]
    np.testing.assert_allclose(loaded(part, np.arange(part.n_samples)), X[5:90:3], rtol=1e-6)
    for start in (0, 50):
        chunk = matrix.chunk(start, start + 30)
        chunk = chunk.toarray() if sp.issparse(chunk) else chunk
        np.testing.assert_allclose(chunk, X[start : start + 30], rtol=1e-6)


def test_each_block_is_read_once_an_epoch_and_few_are_held(rng):
    X = rng.normal(size=(1000, 5))
    found = Counted(X, 20)
    matrix = StreamMatrix(found, buffer_bytes=10 * found.block_bytes)
    held = []
    order = matrix.order(np.arange(1000), rng)
    with matrix.reader(order) as reader:
        for start in range(0, 1000, 16):
            loaded(reader, order[start : start + 16], 5)
            held.append(len(reader._buffer))
    assert sorted(found.reads) == list(range(50))
    assert max(held) <= 10
    assert threading.active_count() == 1 or all(not t.name.startswith("Thread-read") for t in threading.enumerate())


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


def test_an_error_while_reading_ahead_arrives(rng):
    found = Counted(rng.normal(size=(100, 5)), 10)
    matrix = StreamMatrix(found)

    def broken(block):
        raise OSError("the disk is gone")

    found.read = broken
    with pytest.raises(OSError, match="the disk is gone"), matrix.reader(np.arange(100)) as reader:
        loaded(reader, np.arange(100), 5)


def test_reader_loads_samples_out_of_its_order(rng):
    """Samples nobody announced, in an order that is not the announced one, blocks dropped before: nothing waits."""
    X = rng.normal(size=(200, 7)).astype(np.float32)
    found = Counted(X, 10)
    matrix = StreamMatrix(found, buffer_bytes=3 * found.block_bytes)

    def read_backwards():
        with matrix.reader(np.arange(150)) as reader:
            for rows in (np.arange(149, -1, -1), np.arange(200), np.arange(150)):
                np.testing.assert_array_equal(loaded(reader, rows), X[rows])

    in_time(read_backwards)


def in_time(work, seconds: float = 30) -> None:
    """Runs `work` in a thread; fails where it does not end."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(timeout=seconds)


def test_concurrent_readers_of_one_matrix_load_right_samples(rng):
    X = rng.normal(size=(600, 7)).astype(np.float32)
    found = Counted(X, 20)
    matrix = StreamMatrix(found, buffer_bytes=6 * found.block_bytes)

    def read(number: int) -> None:
        random = np.random.default_rng(number)
        for _ in range(3):
            order = matrix.order(np.arange(number, 600, 3), random)
            with matrix.reader(order if number else None) as reader:
                np.testing.assert_array_equal(loaded(reader, order), X[order])

    with ThreadPoolExecutor(4) as pool:
        for work in [pool.submit(read, number) for number in range(4)]:
            work.result(timeout=60)


def test_reader_without_order_keeps_as_many_blocks_as_are_shuffled_together(rng):
    X = rng.normal(size=(400, 7)).astype(np.float32)
    found = Counted(X, 20)
    matrix = StreamMatrix(found, buffer_bytes=8 * found.block_bytes)
    order = matrix.order(np.arange(400), rng)
    with matrix.reader() as reader:
        np.testing.assert_array_equal(loaded(reader, order), X[order])
        assert len(reader._buffer) <= matrix.n_pooled_blocks == 4
    assert sorted(found.reads) == list(range(20))


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


@pytest.mark.parametrize("from_zero", [True, False])
def test_libsvm_features_are_numbered_as_scikit_learn_does(tmp_path, rng, monkeypatch, from_zero):
    small_blocks(monkeypatch)
    X = sp.random_array((200, 9), density=0.4, rng=rng).tocsr()
    path = tmp_path / "x.libsvm"
    dump_svmlight_file(X, rng.integers(0, 2, 200), str(path), zero_based=from_zero, comment="made for a test")
    wanted, y = load_svmlight_file(str(path))
    found = LibsvmBlocks(path)
    np.testing.assert_array_equal(found.y, y)
    np.testing.assert_allclose(StreamMatrix(found).chunk(0, 200).toarray(), wanted.toarray(), rtol=1e-6)


def test_folders(tmp_path, table):
    X, y = table
    with pytest.raises(ts.InputError, match=r"has neither X\.npy nor"):
        read(str(tmp_path))
    np.save(tmp_path / "X.npy", X)
    with pytest.raises(ts.InputError, match=r"has no y\.npy"):
        read(str(tmp_path))
    np.save(tmp_path / "y.npy", y)
    assert read(str(tmp_path)).X.shape == X.shape
    np.save(tmp_path / "X_train.npy", X[:80])
    np.save(tmp_path / "y_train.npy", y[:80])
    with pytest.raises(ts.InputError, match="has X_train, but no X_test"):
        read(str(tmp_path))
    np.save(tmp_path / "X_test.npy", X[80:])
    np.save(tmp_path / "y_test.npy", y[80:])
    assert read(str(tmp_path)).X_test.shape == (23, 7)
    whole = (tmp_path / "X_train.npy").read_bytes()
    for damaged, match in (
        (whole[:50], "not a whole"),
        (whole[:-4], "not a whole"),
        (b"", "not a whole"),
    ):
        (tmp_path / "X_train.npy").write_bytes(damaged)
        with pytest.raises(ts.InputError, match=match):
            read(str(tmp_path))
    np.save(tmp_path / "X_train.npy", np.asfortranarray(X))
    with pytest.raises(ts.InputError, match="column by column"):
        read(str(tmp_path))
    np.save(tmp_path / "X_train.npy", X[0])
    with pytest.raises(ts.InputError, match="in 2 dimensions"):
        read(str(tmp_path))


def test_damaged_sparse_files(tmp_path, table):
    csr(tmp_path, table[0])
    indptr = np.load(tmp_path / "X_indptr.npy")
    np.save(tmp_path / "X_indptr.npy", indptr[:-1])
    with pytest.raises(ts.InputError, match="does not rise from 0"):
        CsrBlocks(tmp_path / "X")
    np.save(tmp_path / "X_indptr.npy", indptr)
    found = CsrBlocks(tmp_path / "X", n_features=3)
    with pytest.raises(ts.InputError, match="not below 3"):
        found.read(0)


def test_streamed_files(tmp_path, table):
    X, y = table
    csr_file = tmp_path / "x.libsvm"
    dump_svmlight_file(X, y, str(csr_file))
    assert read(str(csr_file), stream=True).X.shape == X.shape
    csr_file.write_text("1 1:2\n0 what\n")
    with pytest.raises(ts.InputError, match="line 2"):
        read(str(csr_file), stream=True)
    np.savez(tmp_path / "x.npz", X=X, y=y)
    with pytest.raises(ts.InputError, match="read as a whole"):
        read(str(tmp_path / "x.npz"), stream=True)


def test_madelon_like_is_the_same_however_it_is_made(tmp_path):
    task = MadelonLike(600, 40, seed=3)
    X, y = task.arrays()
    task.write(tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "X.npy"), X)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), y)
    longer = MadelonLike(700, 40, seed=3).arrays()[0]
    np.testing.assert_array_equal(longer[:600], X)
    assert abs(y.mean() - 0.5) < 0.05
    assert (MadelonLike(600, 40, seed=4).arrays()[0] != X).any()


def test_madelon_like_can_be_learned():
    from sklearn.linear_model import LogisticRegression

    X, y = MadelonLike(2000, 400, separation=0.8).arrays()
    model = LogisticRegression(max_iter=500).fit(X[:1500], y[:1500])
    assert model.score(X[1500:], y[1500:]) > 0.8
    shuffled = LogisticRegression(max_iter=500).fit(X[:1500], np.roll(y[:1500], 1))
    assert shuffled.score(X[1500:], y[1500:]) < 0.4


def test_a_set_of_any_size_by_name(tmp_path):
    table = read("madelon-like:300x40")
    assert table.X.shape == (300, 40)
    task = MadelonLike(300, 40)
    np.testing.assert_array_equal(table.X.chunk(0, 300), task.arrays()[0])
    np.testing.assert_array_equal(table.y, task.y)
    with pytest.raises(ts.InputError, match="DATA must be one of"):
        read("madelon-like:300x")
