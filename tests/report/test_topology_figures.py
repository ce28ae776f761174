"""Figures of the trained network."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from pictures import floats, found, parsed, tables, texts
from trulysparse.report.topology_figures import degree_distributions, image_shape, input_importance, network


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_network_and_its_layers(storage):
    net = ts.SparseMLP((20, 30, 5), epsilon=3, seed=0, storage=storage)
    drawn, table = network(net)
    parsed(drawn.svg)
    [shown] = tables(table.html())
    assert [row[0] for row in shown[1:]] == ["1: 20\xa0x\xa030", "2: 30\xa0x\xa05"]
    assert [row[1] for row in shown[1:]] == [f"{layer.n_connections:,}" for layer in net.layers]
    assert [row[-1] for row in shown[1:]] == ["AllReLU", "softmax"]


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_degrees_of_all_neurons_are_counted(storage):
    net = ts.SparseMLP((200, 300, 5), epsilon=5, seed=0, storage=storage)
    figures = degree_distributions(net)
    assert len(figures) == 4
    for layer, (inputs, outputs) in zip(net.layers, zip(figures[::2], figures[1::2], strict=True), strict=True):
        matrix = layer.weight
        for figure, degrees in ((inputs, np.diff(matrix.indptr)), (outputs, np.diff(matrix.tocsc().indptr))):
            rows = [[cell.replace(",", "") for cell in row] for row in tables(figure.html())[0][1:]]
            assert sum(int(row[1]) for row in rows) == len(degrees)
            for name, count in rows:
                low, _, high = name.partition(" to ")
                assert int(count) == np.count_nonzero((degrees >= int(low)) & (degrees <= int(high or low)))
            assert f"From {degrees.min():,} to {degrees.max():,}" in figure.caption


def test_degrees_of_a_deep_network_first_and_last_layers():
    figures = degree_distributions(ts.SparseMLP((10,) * 9, epsilon=3, seed=0))
    assert [figure.title.split(":")[0] for figure in figures[::2]] == ["Layer 1", "Layer 2", "Layer 3", "Layer 8"]
    assert "4 of 8 layers" in figures[0].caption


def test_importance_by_name_largest_first():
    values = np.array([0.5, 4.0, 2.0])
    [figure] = input_importance(values, ["a", "<b>", "c"])
    assert texts(figure.svg)[::2] == ["<b>", "c", "a"]
    lengths = [floats(rect, "width")[0] for rect in found(figure.svg, "rect")]
    assert lengths == pytest.approx([lengths[0], lengths[0] / 2, lengths[0] / 8], abs=0.02)
    assert [row[2] for row in tables(figure.html())[0][1:]] == ["61.5 %", "30.8 %", "7.7 %"]


@pytest.mark.parametrize(
    "n, names, titles",
    [
        (784, None, ["Map of the inputs", "The most important inputs", "All inputs"]),
        (
            64,
            [f"pixel{i}" for i in range(64)],
            ["Map of the inputs", "The most important inputs", "All inputs"],
        ),
        (64, [f"gene{i}" for i in range(64)], ["The most important inputs", "All inputs"]),
        (30, None, ["Inputs by importance"]),
    ],
)
def test_inputs_that_are_pixels_are_an_image(n, names, titles):
    figures = input_importance(np.random.default_rng(0).random(n), names)
    assert [figure.title for figure in figures] == titles
    for figure in figures:
        parsed(figure.svg)


def test_importance_of_a_million_inputs_is_a_small_page():
    values = np.random.default_rng(0).gamma(0.1, size=1_000_000)
    html = "".join(figure.html() for figure in input_importance(values, [f"g{i}" for i in range(1_000_000)]))
    assert len(html) < 40_000
    assert f"g{values.argmax()}" in html


@pytest.mark.parametrize("values", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_odd_importance(values):
    for figure in input_importance(values, None):
        parsed(figure.svg)


@pytest.mark.parametrize("n, shape", [(35, None), (36, (1, 6, 6)), (25, None), (108, (3, 6, 6)), (0, None)])
def test_image_shape(n, shape):
    assert image_shape(n) == shape
