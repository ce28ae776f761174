"""Readers of a stream: a bounded buffer, any order, any number of threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sample_files import Counted, loaded
from trulysparse.data.stream.matrix import StreamMatrix


def test_each_block_is_read_once_an_epoch_and_few_are_held(rng):
    X = rng.normal(size=(1000, 5))
    found = Counted(X, 20)
    matrix = StreamMatrix(found, buffer_bytes=10 * found.block_bytes)
    held, before = [], set(threading.enumerate())
    order = matrix.order(np.arange(1000), rng)
    with matrix.reader(order) as reader:
        assert len(set(threading.enumerate()) - before) == 1
        for start in range(0, 1000, 16):
            loaded(reader, order[start : start + 16], 5)
            held.append(len(reader._buffer))
    assert sorted(found.reads) == list(range(50))
    assert max(held) <= 10
    assert set(threading.enumerate()) <= before


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
