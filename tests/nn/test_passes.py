"""Layer after layer: how many samples at a time. Both passes against dense matrices: tests/training/test_passes.py."""

from __future__ import annotations

import pytest

from trulysparse.nn.passes import tile_columns


@pytest.mark.parametrize(
    ("sizes", "columns"),
    [((784, 1000, 10), 128), ((100_000, 10), 128), ((23, 256, 256, 1), 256), ((24, 32, 32, 2), 1024), ((1, 1), 1024)],
)
def test_narrow_networks_take_more_samples_at_a_time(sizes, columns):
    assert tile_columns(sizes) == columns
