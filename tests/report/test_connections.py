"""Degrees, samples and strengths of connections, of both storages, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.connectivity import TiledConnectivity
from trulysparse.report import connections
from trulysparse.report.connections import degrees, input_strength, sampled

SHAPES = [(1, 1, 1), (10, 20, 50), (1000, 300, 4000), (70, 2000, 0), (5000, 3, 9000), (130, 130, 16900)]


@pytest.mark.parametrize("n_in, n_out, count", SHAPES)
@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_degrees_of_tiles(n_in, n_out, count, chunk, monkeypatch):
    monkeypatch.setattr(connections, "_CHUNK", chunk)
    con = TiledConnectivity.draw(n_in, n_out, count, seed=0, threads=1)
    matrix = con.matrix(np.ones(count))
    found = degrees(con)
    assert np.array_equal(found.inputs, np.diff(matrix.indptr))
    assert np.array_equal(found.outputs, np.diff(matrix.tocsc().indptr))
    assert not found.is_part


def test_degrees_of_indexed_connections():
    layer = ts.SparseMLP((50, 70, 3), epsilon=4, seed=1).layers[0]
    found = degrees(layer.connectivity)
    assert np.array_equal(found.inputs, np.diff(layer.weight.indptr))
    assert np.array_equal(found.outputs, np.diff(layer.weight.tocsc().indptr))


def test_degrees_of_a_part_are_exact_for_its_neurons():
    con = TiledConnectivity.draw(20_000, 10_000, 300_000, seed=0, threads=1)
    matrix, size = con.matrix(np.ones(300_000)), 1 << con.shift
    found = degrees(con, most=100_000)
    assert found.is_part
    for some, whole in ((found.inputs, np.diff(matrix.indptr)), (found.outputs, np.diff(matrix.tocsc().indptr))):
        assert 0 < len(some) < len(whole) / 2
        assert some.mean() == pytest.approx(whole.mean(), rel=0.1)
        blocks = [whole[i : i + size] for i in range(0, len(whole), size)]
        assert all(
            any(np.array_equal(some[i : i + size], block) for block in blocks) for i in range(0, len(some) - size, size)
        )


@pytest.mark.parametrize("storage", ["indexed", "compact"])
@pytest.mark.parametrize("count", [1, 40, 200, 10**6])
def test_sampled_connections_exist_and_are_different(storage, count):
    layer = ts.SparseMLP((60, 80, 3), epsilon=3, seed=0, storage=storage).layers[0]
    rows, columns = sampled(layer.connectivity, count)
    assert len(rows) == min(count, layer.n_connections)
    exists = layer.weight.copy()
    exists.data[:] = 1
    assert (exists[rows, columns] == 1).all()
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == len(rows)
    again = sampled(layer.connectivity, count)
    assert np.array_equal(rows, again[0])


def test_sampled_connections_are_spread():
    layer = ts.SparseMLP((1000, 1000, 3), epsilon=20, seed=0).layers[0]
    rows, columns = sampled(layer.connectivity, 2000)
    for index in (rows, columns):
        counts = np.bincount(index // 100, minlength=10)
        assert np.abs(counts - 200).max() < 75  # five standard deviations


@pytest.mark.parametrize("options", [{}, {"storage": "compact"}, {"storage": "compact", "weights": "bfloat16"}])
@pytest.mark.parametrize("chunk", [5, 1 << 20])
def test_input_strength(options, chunk, monkeypatch):
    monkeypatch.setattr(connections, "_CHUNK", chunk)
    net = ts.SparseMLP((300, 90, 3), epsilon=4, seed=0, **options)
    wanted = np.abs(net.layers[0].weight).sum(axis=0)
    assert np.allclose(input_strength(net), wanted, rtol=1e-5)


def test_input_strength_of_layers_in_files(tmp_path):
    net = ts.SparseMLP((300, 90, 3), epsilon=4, seed=0, storage="compact", folder=tmp_path / "layers")
    assert np.allclose(input_strength(net), np.abs(net.layers[0].weight).sum(axis=0), rtol=1e-5)
    assert degrees(net.layers[0].connectivity).inputs.sum() == net.layers[0].n_connections
