"""What methods of selection share."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.unsupervised.selection.settings import ReportEpochs, epochs_for, hidden_sizes


@pytest.mark.parametrize("given, sizes", [(7, (7,)), (np.int64(7), (7,)), ([3, 4], (3, 4)), (np.array([3]), (3,))])
def test_sizes_are_a_tuple(given, sizes):
    assert hidden_sizes(given) == sizes


@pytest.mark.parametrize("given", [0, True, "12", (), 1.5, [3, 0], None])
def test_other_sizes_are_refused(given):
    with pytest.raises(InputError, match="hidden_layer_sizes"):
        hidden_sizes(given)


@pytest.mark.parametrize("n, batch, wanted, epochs", [(2, 100, 2000, 100), (2000, 100, 2000, 100), (10**7, 100, 9, 1)])
def test_epochs_make_about_so_many_updates(n, batch, wanted, epochs):
    assert epochs_for(n, batch, wanted) == epochs


def test_each_epoch_is_reported():
    said = []
    net = ts.SparseMLP((4, 8, 2), epsilon=3, threads=1)
    reports = ReportEpochs(lambda *told: said.append(told), 3)
    ts.Trainer(net, callbacks=[reports]).fit(np.ones((4, 4)), [0, 1, 0, 1], epochs=3)
    assert said == [("selecting", 1.0, 3), ("selecting", 2.0, 3), ("selecting", 3.0, 3)]
