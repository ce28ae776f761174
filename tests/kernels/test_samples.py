"""Passes of a layer on matrices of samples that others own, against SciPy in float64."""

from __future__ import annotations

import ctypes
import ctypes.util
import os

import numpy as np
import pytest

from conftest import narrowed, random_connectivity
from trulysparse import _kernels
from trulysparse.connectivity import Connectivity, uniform

HELD = {"float32": _kernels.Held.FLOAT32, "bfloat16": _kernels.Held.BFLOAT16, "float64": _kernels.Held.FLOAT64}
COUNTS = (1, 2, 17, 128, 129, 300)


def prepared(con: Connectivity) -> _kernels.SampleLayer:
    return _kernels.SampleLayer(
        in_ptr=con.by_input.ptr,
        in_index=con.by_input.index,
        out_ptr=con.by_output.ptr,
        out_index=con.by_output.index,
        position=con.position,
        long_inputs=con.by_input.long,
        long_outputs=con.by_output.long,
    )


def place(samples: np.ndarray | None) -> tuple[int, int, int]:
    """Of an array (samples, features) in any of the two orders."""
    if samples is None:
        return 0, 1, 1
    rows, columns = (step // samples.itemsize for step in samples.strides)
    return samples.ctypes.data, rows, columns


def laid_out(values: np.ndarray, held: str, by_feature: bool, rng: np.random.Generator) -> np.ndarray:
    """The values as they are held, samples or features side by side, with a gap between the others."""
    typed = narrowed(values.astype(np.float32)).reshape(values.shape) if held == "bfloat16" else values.astype(held)
    wide = rng.standard_normal((typed.shape[1], typed.shape[0] + 3) if by_feature else (len(typed), typed.shape[1] + 3))
    out = wide.astype(typed.dtype)
    view = out[:, : len(typed)].T if by_feature else out[:, : typed.shape[1]]
    view[...] = typed
    return view


def widened(array: np.ndarray) -> np.ndarray:
    """As float64."""
    if array.dtype != np.uint16:
        return array.astype(np.float64)
    return (np.ascontiguousarray(array).astype(np.uint32) << 16).view(np.float32).astype(np.float64)


@pytest.mark.parametrize("by_feature", [False, True])
@pytest.mark.parametrize("held", list(HELD))
def test_both_passes(held: str, by_feature: bool, isa: str, rng: np.random.Generator) -> None:
    n_in, n_out = 37, 70
    con = random_connectivity(rng, n_in, n_out, 0.3)
    layer, kind = prepared(con), np.float64 if held == "float64" else np.float32
    weight, bias = rng.standard_normal(con.n_connections).astype(kind), rng.standard_normal(n_out).astype(kind)
    rows = np.repeat(np.arange(n_in), np.diff(con.by_input.ptr))
    dense = np.zeros((n_out, n_in))
    dense[con.by_input.index, rows] = weight
    near = {"float32": 1e-5, "bfloat16": 1e-2, "float64": 1e-13}[held]
    for count in COUNTS:
        x, dy = (laid_out(rng.standard_normal((count, n)), held, by_feature, rng) for n in (n_in, n_out))
        y, dx = (laid_out(np.zeros((count, n)), held, by_feature, rng) for n in (n_out, n_in))
        dw, db = np.full(con.n_connections, np.nan, kind), np.full(n_out, np.nan, kind)
        layer.forward(HELD[held], weight.ctypes.data, bias.ctypes.data, place(x), place(y), count, 2)
        expected = widened(x) @ dense.T + bias
        np.testing.assert_allclose(widened(y), expected, rtol=near, atol=near * 10)
        arguments = HELD[held], weight.ctypes.data, place(x), place(dy)
        layer.backward(*arguments, place(dx), dw.ctypes.data, db.ctypes.data, count, 2)
        np.testing.assert_allclose(widened(dx), widened(dy) @ dense, rtol=near, atol=near * 10)
        product = (widened(dy).T @ widened(x))[con.by_input.index, rows]
        exact = max(1e-5 if kind == np.float32 else 1e-13, 0)
        np.testing.assert_allclose(dw, product, rtol=exact * 10, atol=exact * 100)
        np.testing.assert_allclose(db, widened(dy).sum(0), rtol=exact * 10, atol=exact * 100)


def test_what_is_not_asked_for_is_not_written(rng: np.random.Generator) -> None:
    con = random_connectivity(rng, 20, 30, 0.3)
    layer, weight = prepared(con), rng.standard_normal(con.n_connections).astype(np.float32)
    x, dy = (rng.standard_normal((200, n)).astype(np.float32) for n in (20, 30))
    dw, again, db = (np.zeros(n, np.float32) for n in (con.n_connections, con.n_connections, 30))
    dx = np.zeros_like(x)
    arguments = HELD["float32"], weight.ctypes.data, place(x), place(dy)
    layer.backward(*arguments, place(dx), dw.ctypes.data, db.ctypes.data, 200, 1)
    layer.backward(*arguments, place(None), again.ctypes.data, 0, 200, 1)
    np.testing.assert_allclose(again, dw, rtol=1e-4, atol=1e-4)  # of another order of sums
    alone = np.zeros_like(dx)
    layer.backward(*arguments, place(alone), 0, 0, 200, 1)
    np.testing.assert_allclose(alone, dx, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [40, 1000])
def test_the_same_bits_for_any_threads(count: int, rng: np.random.Generator) -> None:
    con = uniform(300, 400, 9000, threads=1)
    layer, weight = prepared(con), rng.standard_normal(con.n_connections).astype(np.float32)
    x, dy = (rng.standard_normal((count, n)).astype(np.float32) for n in (300, 400))
    results = []
    for threads in (1, 2, 3):
        y, dx, dw = np.zeros_like(dy), np.zeros_like(x), np.zeros_like(weight)
        layer.forward(HELD["float32"], weight.ctypes.data, 0, place(x), place(y), count, threads)
        arguments = HELD["float32"], weight.ctypes.data, place(x), place(dy), place(dx), dw.ctypes.data, 0
        layer.backward(*arguments, count, threads)
        results.append((y, dx, dw))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_long_rows(rng: np.random.Generator) -> None:
    """A neuron of more connections than one thread takes at once, on both sides."""
    for n_in, n_out in ((40_000, 2), (2, 40_000)):
        con = uniform(n_in, n_out, 50_000, threads=1)
        layer, weight = prepared(con), rng.standard_normal(con.n_connections)
        x, dy = rng.standard_normal((3, n_in)), rng.standard_normal((3, n_out))
        y, dx, dw = np.zeros_like(dy), np.zeros_like(x), np.zeros_like(weight)
        layer.forward(HELD["float64"], weight.ctypes.data, 0, place(x), place(y), 3, 2)
        rows = np.repeat(np.arange(n_in), np.diff(con.by_input.ptr))
        expected = np.zeros_like(y)
        for sample in range(3):
            expected[sample] = np.bincount(con.by_input.index, weight * x[sample, rows], n_out)
        np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-9)
        layer.backward(HELD["float64"], weight.ctypes.data, place(x), place(dy), place(dx), dw.ctypes.data, 0, 3, 2)
        np.testing.assert_allclose(dw, (x[:, rows] * dy[:, con.by_input.index]).sum(0), rtol=1e-9, atol=1e-9)
        for sample in range(3):
            gathered = np.bincount(rows, weight * dy[sample, con.by_input.index], n_in)
            np.testing.assert_allclose(dx[sample], gathered, rtol=1e-9, atol=1e-9)


def test_on_the_threads_of_another_library(rng: np.random.Generator) -> None:
    name = ctypes.util.find_library("gomp")
    if name is None:
        pytest.skip("needs GCC's OpenMP library, libgomp")
    if "tsan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("ThreadSanitizer does not see how that library's threads wait for each other")
    con = uniform(300, 400, 9000, threads=1)
    layer, weight = prepared(con), rng.standard_normal(con.n_connections).astype(np.float32)
    x, results = rng.standard_normal((1000, 300)).astype(np.float32), []
    for address in (0, ctypes.cast(ctypes.CDLL(name).GOMP_parallel, ctypes.c_void_p).value):
        _kernels.borrow_threads(address)
        try:
            y = np.zeros((1000, 400), np.float32)
            layer.forward(HELD["float32"], weight.ctypes.data, 0, place(x), place(y), 1000, 3)
        finally:
            _kernels.borrow_threads(0)
        results.append(y)
    np.testing.assert_array_equal(*results)
