"""Branches in groups: none too full, none forgotten, and the same equations as the branches have."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.grid.feeder import Feeder
from trulysparse.grid.power_flow.groups import make_groups, pack
from trulysparse.grid.power_flow.matrices import feeder_matrices


@pytest.mark.parametrize("sizes", [[14, 14, 14, 19, 19, 10, 10, 10, 32, 4], [1], [5, 5, 5], [0, 3, 0, 2, 1]])
def test_groups_hold_every_branch_with_homes_once(sizes: list[int]) -> None:
    groups = pack(sizes)
    assert sorted(b for group in groups for b in group) == [b for b, size in enumerate(sizes) if size]
    assert all(sum(sizes[b] for b in group) <= max(sizes) for group in groups)


@pytest.mark.parametrize("name", ["vorstadt", "dorf", "landnetz"])
def test_groups_give_the_voltages_of_branches(name: str) -> None:
    feeder = Feeder.named(name)
    matrices = feeder_matrices(feeder)
    groups = make_groups(feeder, matrices)
    n_groups, rows = groups.home.shape
    rng = np.random.default_rng(0)
    current = rng.normal(size=feeder.n_homes) + 1j * rng.normal(size=feeder.n_homes)
    column = np.zeros((n_groups, 2 * rows + 2))
    column[:, :rows], column[:, rows : 2 * rows] = current.real[groups.home], current.imag[groups.home]
    v_0 = groups.v_n[:, 0] - groups.busbar @ column.ravel()
    column[:, 2 * rows :] = v_0
    v = np.einsum("grc,gc->gr", groups.voltage, column)
    ours = (v[:, :rows] + 1j * v[:, rows:]).ravel()[groups.place]
    busbar = matrices.v_n - matrices.z_0 * sum(
        branch.a[feeder.home_bus[branch.homes] - branch.buses[0]] @ current[branch.homes]
        for branch in matrices.branches
    )
    assert v_0 == pytest.approx([busbar.real, busbar.imag])
    for branch in matrices.branches:
        at = branch.a * busbar - branch.z @ current[branch.homes]
        np.testing.assert_allclose(ours[branch.homes], at[feeder.home_bus[branch.homes] - branch.buses[0]], atol=1e-12)
