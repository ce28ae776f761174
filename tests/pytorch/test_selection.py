from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")

from trulysparse.torch.selection import places, select  # noqa: E402

nn = torch.nn


def test_the_first_glob_that_matches_counts():
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 8))
    chosen = select(model, ["1", "*"], None, named=True).chosen
    assert [(names, glob) for names, glob in chosen.values()] == [(["0"], "*"), (["1"], "1")]


def test_places_of_a_module():
    shared = nn.ReLU()
    model = nn.Sequential(shared, nn.Sequential(shared))
    assert [(parent is model, name) for parent, name in places(model, shared)] == [(True, "0"), (False, "0")]
