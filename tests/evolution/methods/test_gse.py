"""GSE: RigL's choice among random candidates."""

from __future__ import annotations

import pytest

import trulysparse as ts
from evolution.training import one_step, weights_of


def test_gse_with_all_coordinates_as_candidates_equals_rigl():
    networks = []
    for method in (ts.GSE(fraction=0.4, candidates=1000.0), ts.RigL(fraction=0.4)):
        trainer, batch, _ = one_step(method)
        trainer.evolve(*batch)
        networks.append(weights_of(trainer.net))
    assert networks[0] == networks[1]


@pytest.mark.parametrize("distribution", ["uniform", "bound"])
def test_gse_few_candidates_grow_something_else_than_rigl(distribution):
    networks = []
    for method in (ts.GSE(fraction=0.4, candidates=0.1, distribution=distribution), ts.RigL(fraction=0.4)):
        trainer, batch, before = one_step(method)
        trainer.evolve(*batch)
        networks.append(weights_of(trainer.net))
    assert networks[0] != networks[1]
    assert sum(map(len, networks[0])) == sum(map(len, before))


@pytest.mark.parametrize("arguments", [{"candidates": 0}, {"distribution": "normal"}])
def test_gse_bad_argument_is_refused(arguments):
    with pytest.raises(ts.InputError, match=next(iter(arguments))):
        ts.GSE(**arguments)
