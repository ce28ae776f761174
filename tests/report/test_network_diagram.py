"""A network drawn."""

from __future__ import annotations

import re

import pytest

import trulysparse as ts
from pictures import SVG, floats, found, parsed, texts
from trulysparse.report import network_diagram


def lines_between(svg, layer):
    [*paths] = found(svg, "path")
    return paths[layer].get("d").count("M")


def test_small_network_is_drawn_with_all_its_connections():
    matrices = [[[1.0, 0, 0], [0, 1.0, 1.0]], [[1.0, 0]]]
    svg = network_diagram(ts.SparseMLP.from_matrices(matrices))
    assert len(found(svg, "circle")) == 6
    assert [lines_between(svg, layer) for layer in (0, 1)] == [3, 1]
    circles = {tuple(round(v) for v in floats(circle, "cx", "cy")) for circle in found(svg, "circle")}
    ends = [tuple(map(int, pair)) for path in found(svg, "path") for pair in re.findall(r"(\d+) (\d+)", path.get("d"))]
    assert set(ends) <= circles


def test_denser_layers_have_more_lines():
    drawn = [network_diagram(ts.SparseMLP((500, 400, 2), density=d, seed=0)) for d in (0.05, 0.3, 0.9)]
    assert lines_between(drawn[0], 0) < lines_between(drawn[1], 0) < lines_between(drawn[2], 0)


@pytest.mark.parametrize("storage", ["indexed", "compact"])
@pytest.mark.parametrize("sizes", [(1, 1), (3, 100_000, 2), (10,) * 7, (20,) * 8, (20,) * 120])
def test_pictures_of_all_sizes(sizes, storage):
    net = ts.SparseMLP(sizes, epsilon=2, seed=0, storage=storage)
    svg = network_diagram(net)
    root = parsed(svg)
    width, height = (float(root.get(side)) for side in ("width", "height"))
    assert all(0 < x < width and 0 < y < height for x, y in (floats(c, "cx", "cy") for c in found(svg, "circle")))
    columns = {floats(circle, "cx")[0] for circle in found(svg, "circle")}
    assert len(columns) == (len(sizes) if len(sizes) <= 7 else 6)
    assert len(svg) < 40_000
    if len(sizes) > 7:
        assert str(len(sizes) - 6) in texts(svg)
    assert "input" in texts(svg)
    assert "output" in texts(svg)


def test_same_network_same_picture_and_network_unchanged():
    net = ts.SparseMLP((30, 40, 3), epsilon=3, seed=0)
    before = net.layers[0].values.copy()
    assert network_diagram(net) == network_diagram(net)
    assert (net.layers[0].values == before).all()


def test_standalone_brings_its_own_themes():
    net = ts.SparseMLP((3, 4, 2), epsilon=2, seed=0)
    [style] = found(network_diagram(net, standalone=True), "style")
    assert "prefers-color-scheme:dark" in style.text
    assert f"{SVG}style" not in [child.tag for child in parsed(network_diagram(net))]
