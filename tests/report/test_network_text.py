"""A network in text."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.report import network_text


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("sizes", [(64, 1000, 1000, 10), (1, 1), (2_000_000, 3, 2)])
def test_lines_fit_the_width(width, plain, sizes):
    lines = network_text(ts.SparseMLP(sizes, epsilon=2, seed=0), width=width, plain=plain).split("\n")
    assert len(lines) == len(sizes) + 1
    assert max(map(len, lines)) <= width
    assert not plain or all(line.isascii() for line in lines)


def test_bars_are_as_long_as_layers_are_wide():
    lines = network_text(ts.SparseMLP((100, 400, 200), epsilon=2, seed=0), plain=True).split("\n")[1:]
    bars = [line.count("#") for line in lines]
    assert bars[1] == 4 * bars[0] or abs(bars[1] - 4 * bars[0]) <= 2
    assert abs(bars[1] - 2 * bars[2]) <= 1


def test_figures_are_those_of_the_layers():
    net = ts.SparseMLP((100, 400, 200), epsilon=2, seed=0)
    lines = network_text(net).split("\n")[2:]
    for line, layer in zip(lines, net.layers, strict=True):
        assert f"{layer.n_connections:,}" in line
        assert line.endswith(" %")
        assert float(line.split()[-2]) == pytest.approx(100 * layer.connectivity.density, rel=0.06)


def test_layers_of_a_deep_network_are_left_out():
    lines = network_text(ts.SparseMLP((5,) * 100, epsilon=2, seed=0)).split("\n")
    assert len(lines) == 42
    assert "... 60 more layers" in lines


def test_a_skip_layer_has_a_line_of_its_own():
    net = ts.SparseMLP((100, 400, 200), epsilon=2, skip=True, seed=0)
    lines = network_text(net, width=70).split("\n")
    assert len(lines) == 5
    assert lines[-1].split() == ["skip", "inputs", "to", "outputs", "600", "3", "%"]
    assert {len(line) for line in lines[2:]} == {len(lines[0])}
