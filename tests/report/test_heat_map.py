"""Shades of tables and images."""

from __future__ import annotations

import numpy as np
import pytest

from pictures import SVG, floats, found, parsed, texts
from trulysparse.report.heat_map import heat_map, image

LABELS = {"title": "t", "row_label": "true", "column_label": "predicted"}


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_cells_have_shade_and_place_of_their_values(n):
    shade = np.random.default_rng(n).random((n, n))
    svg = heat_map(shade, [f"<{i}>" for i in range(n)], **LABELS, shown=lambda i, j: f"{i}{j}")
    cells = found(svg, "rect")
    opacity = np.array([floats(cell, "fill-opacity")[0] for cell in cells]).reshape(n, n)
    assert np.allclose(opacity, 0.04 + 0.96 * shade, atol=0.006)
    at = np.array([floats(cell, "x", "y") for cell in cells]).reshape(n, n, 2)
    assert (np.ptp(at[..., 0], axis=0) == 0).all()
    assert (np.ptp(at[..., 1], axis=1) == 0).all()
    assert (np.diff(at[0, :, 0]) > 0).all()
    assert (np.diff(at[:, 0, 1]) > 0).all()
    assert cells[-1].find(f"{SVG}title").text.startswith(f"true <{n - 1}>, predicted <{n - 1}>: ")
    width, height = (float(parsed(svg).get(side)) for side in ("width", "height"))
    assert all(
        x + w <= width and y + h <= height for x, y, w, h in (floats(c, "x", "y", "width", "height") for c in cells)
    )


def test_long_names_are_shortened():
    svg = heat_map(np.eye(12), ["long name of a class " * 3] * 12, **LABELS)
    assert max(map(len, texts(svg))) <= 14


@pytest.mark.parametrize("n", [21, 200])
def test_many_classes_are_one_image(n):
    svg = heat_map(np.eye(n), [], **LABELS)
    assert len(found(svg, "image")) == 1
    assert len(svg) < 20_000
    assert {"true", "predicted"} <= set(texts(svg))


@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (28, 28)])
def test_image_keeps_its_proportions(shape):
    svg = image(np.ones(shape), title="t")
    [shown] = found(svg, "image")
    width, height = floats(shown, "width", "height")
    assert width / height == pytest.approx(shape[1] / shape[0], rel=0.02)
    assert width <= 400
    assert shown.get("href").startswith("data:image/png;base64,")
