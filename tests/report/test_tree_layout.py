"""Where the buses of a radial feeder are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.report.tree_layout import tree_layout


def test_distances_are_those_along_the_cables(rng):
    parent = np.array([-1, *(rng.integers(0, bus) for bus in range(1, 200))])
    length = np.concatenate([[0.0], rng.random(199)])
    x, _ = tree_layout(parent, length)

    def way(bus):
        return 0.0 if bus == 0 else length[bus] + way(parent[bus])

    assert x == pytest.approx([way(bus) for bus in range(200)])


def test_a_street_with_a_house_at_each_joint_is_a_row_with_houses_on_both_sides():
    n = 6
    parent = np.array([-1, *range(n), *range(1, n + 1)])  # joints 1 to 6, houses 7 to 12
    _, y = tree_layout(parent, np.ones(len(parent)))
    assert (y[1 : n + 1] == 0).all()
    houses = y[n + 1 : -1]
    assert sorted(set(houses.tolist())) == [-0.36, 0.36]
    assert (np.diff(houses) != 0).all()
    assert y[-1] in (0, 0.36, -0.36)


def test_rows_are_each_a_street_and_side_streets_follow_theirs():
    # Two streets from the busbar; the first has a side street of two joints at its second joint.
    parent = np.array([-1, 0, 1, 2, 3, 2, 5, 0, 7])
    _, y = tree_layout(parent, np.ones(9))
    assert y[[1, 2, 3, 4]].tolist() == [0, 0, 0, 0]
    assert y[[5, 6]].tolist() == [1, 1]
    assert y[[7, 8]].tolist() == [2, 2]
    assert y[0] == 1


def test_buses_of_a_row_do_not_lie_on_each_other(rng):
    parent = np.array([-1, *(rng.integers(max(0, bus - 8), bus) for bus in range(1, 300))])
    x, y = tree_layout(parent, np.concatenate([[0.0], rng.random(299) + 0.1]))
    assert len({(round(a, 9), b) for a, b in zip(x, y, strict=True)}) == 300


def test_a_bus_alone():
    x, y = tree_layout(np.array([-1]), np.zeros(1))
    assert (x.tolist(), y.tolist()) == ([0.0], [0.0])
