"""Receptive fields by correlation, against the rule written naively on dense matrices."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.connectivity import CorrelatedFields
from trulysparse.errors import InputError
from trulysparse.recipe import Recipe


def signals(rng, n=300, groups=6, size=5, noise=0.1):
    """Features of a group are about the same."""
    return np.repeat(rng.standard_normal((n, groups)), size, axis=1) + noise * rng.standard_normal((n, groups * size))


def inputs_of(con):
    ptr, index = con.by_output.ptr, con.by_output.index
    return [index[a:b] for a, b in pairwise(ptr)]


def test_fields_are_the_most_correlated_inputs(rng):
    """Each field is that of some input, and every input is the centre of as many neurons as any other, or one fewer."""
    X = rng.standard_normal((500, 12)) @ rng.standard_normal((12, 12))
    first = CorrelatedFields(X).draw_network((12, 30, 3), (30 * 4, 90), seed=3)[0]
    first.check()
    close = np.abs(np.corrcoef(X.T))
    fields = {tuple(np.sort(np.argsort(-close[centre])[:4])): centre for centre in range(12)}
    assert len(fields) == 12
    centres = [fields[tuple(field)] for field in inputs_of(first)]
    assert set(np.bincount(centres, minlength=12)) <= {2, 3}


def test_deeper_layers_stay_within_what_is_correlated(rng):
    """From independent groups of inputs, no path leads from one group to another but through the output layer."""
    layers = CorrelatedFields(signals(rng)).draw_network((30, 60, 30, 4), (300, 240, 60), seed=0)
    reach = np.arange(30) // 5
    for con in layers[:-1]:
        groups = [np.unique(reach[field]) for field in inputs_of(con)]
        assert all(len(group) == 1 for group in groups)
        reach = np.array([group[0] for group in groups])
        assert set(reach) == set(range(6))


@pytest.mark.parametrize("counts", [(100, 70, 30), (97, 71, 29), (10, 31, 3), (600, 900, 60), (0, 5, 3)])
def test_counts_are_exact_and_even(rng, counts):
    layers = CorrelatedFields(signals(rng, groups=4)).draw_network((20, 30, 30, 3), counts, seed=1)
    for con, count in zip(layers, (min(counts[0], 600), *counts[1:]), strict=True):
        con.check()
        degree = np.diff(con.by_output.ptr)
        assert con.n_connections == count
        assert degree.max() - degree.min() <= 1


def test_fewer_neurons_than_inputs_have_different_centres(rng):
    first = CorrelatedFields(signals(rng, noise=0.5)).draw_network((30, 10, 2), (50, 20), seed=0)[0]
    fields = [tuple(field) for field in inputs_of(first)]
    assert len(fields) == 10
    assert len(set(fields)) > 3


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csc_matrix, lambda x: x.astype(np.float32)])
def test_every_form_of_samples(rng, kind):
    X = signals(rng) * (rng.random((300, 30)) < 0.9)
    expected = CorrelatedFields(X).draw_network((30, 40, 3), (160, 60), seed=2)[0]
    got = CorrelatedFields(kind(X)).draw_network((30, 40, 3), (160, 60), seed=2, threads=2)[0]
    same = np.mean(got.by_output.index == expected.by_output.index)
    assert same > 0.99  # float32 may change the order of nearly equal correlations


def test_constant_features_are_the_centre_of_none(rng):
    X = np.hstack([signals(rng, groups=2), np.full((300, 10), 7.0)])
    first, second, _ = CorrelatedFields(X).draw_network((20, 40, 20, 2), (160, 80, 40), seed=0)
    assert max(field.max() for field in inputs_of(first)) < 10
    assert second.n_connections == 80


def test_scale_and_offset_of_features_do_not_matter(rng):
    X = signals(rng)
    scaled = X * 10.0 ** rng.integers(-200, 200, 30)
    a, b = (CorrelatedFields(x).draw_network((30, 40, 3), (160, 60), seed=2)[0] for x in (X, scaled))
    assert np.mean(a.by_output.index == b.by_output.index) > 0.99


def test_the_same_seed_gives_the_same_connections(rng):
    fields = CorrelatedFields(signals(rng))
    a, b, other = (fields.draw_network((30, 40, 20, 3), (160, 99, 60), seed=s) for s in (2, 2, 3))
    assert all(np.array_equal(p.by_output.index, q.by_output.index) for p, q in zip(a, b, strict=True))
    assert not np.array_equal(a[0].by_output.index, other[0].by_output.index)


def test_many_samples_are_drawn_from(rng, monkeypatch):
    monkeypatch.setattr("trulysparse.connectivity.fields._BLOCK_VALUES", 100)
    layers = CorrelatedFields(signals(rng), max_samples=100).draw_network((30, 60, 4), (240, 60), seed=0)
    assert all(len(set(field // 5)) == 1 for field in inputs_of(layers[0]))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros(4), "X must hold numbers of shape"),
        (np.full((3, 4), "a"), "X must hold numbers of shape"),
        (np.zeros((0, 4)), "X must hold numbers of shape"),
        (np.zeros((5, 4)), "no feature that varies"),
        (np.full((5, 4), np.nan), r"X\[0, 0\] is nan; features must be finite numbers"),
        (np.ones((5, 3)), "X has 3 features, but the network has 4 inputs"),
    ],
)
def test_samples_of_no_use_are_refused(X, message):
    with pytest.raises(InputError, match=message):
        CorrelatedFields(X).draw_network((4, 5, 2), (10, 10))


def test_a_network_is_drawn_by_it_and_learns(rng):
    X, y = signals(rng, 400), rng.integers(0, 2, 400)
    X[:, 10:15] += 3 * y[:, None]
    net = ts.SparseMLP((30, 60, 30, 2), epsilon=3, connectivity=CorrelatedFields(X), seed=1, threads=1)
    ts.Trainer(net, optimizer=ts.Adam(0.01), batch_size=32).fit(X, y, epochs=5)
    assert ts.evaluate(net, X, y)["accuracy"] > 0.9


def test_recipes_take_it_by_name(rng):
    X = signals(rng)
    recipe = Recipe(hidden=(40, 20), density=0.1, densities="uniform", output_density=1.0, connectivity="correlated")
    net = recipe.network(30, 3, samples=(X, None), threads=1)
    assert [layer.n_connections for layer in net.layers] == [120, 80, 60]
    assert all(len(set(field // 5)) == 1 for field in inputs_of(net.layers[0].connectivity))
    with pytest.raises(InputError, match="connectivity='correlated' needs X, the training samples"):
        ts.SparseMLP((30, 40, 3), connectivity="correlated")
