"""CTRE through the trainer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from evolution.training import one_step, problem, trained


def test_ctre_grows_the_largest_dense_cosines():
    """Against a dense network written in NumPy, through the trainer, where little of the choice was just removed."""
    X, y = problem(64)
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=1.5, seed=3, dtype="float64", activation="relu")
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), evolution=ts.CTRE(zeta=0.4, mix="seq"))
    trainer.step(X, y)
    x, expected = X.T.astype(float), []
    for layer in net.layers[:2]:
        weight = layer.weight.toarray()
        present = sp.csr_array((np.ones(layer.n_connections), layer.connectivity.indices, layer.connectivity.indptr),
                               shape=weight.shape).toarray() > 0  # fmt: skip
        out = np.maximum(weight @ x + layer.bias[:, None], 0)
        lengths = np.linalg.norm(out, axis=1)[:, None] * np.linalg.norm(x, axis=1)
        cosine = np.abs(np.divide(out @ x.T, lengths, out=np.zeros(lengths.shape), where=lengths > 0))
        places = np.argwhere(present.T)[:, ::-1]  # in the order of by_input
        drop = np.argsort(np.abs([weight[i, j] for i, j in places]), kind="stable")[: int(0.4 * len(places))]
        present[tuple(places[drop].T)] = False
        cosine[present] = -1
        best = np.argsort(-cosine.T, axis=None, kind="stable")[: len(drop)]  # equal ones: the first by input
        expected.append(
            set(map(tuple, np.argwhere(present))) | {(int(k % len(cosine)), int(k // len(cosine))) for k in best}
        )
        x = out
    trainer.evolve(X, y)
    for layer, places in zip(net.layers, expected, strict=False):
        rows = np.repeat(np.arange(layer.n_out), np.diff(layer.connectivity.indptr))
        assert set(zip(rows.tolist(), layer.connectivity.indices.tolist(), strict=True)) == places


@pytest.mark.parametrize("output_layer", [False, True])
def test_ctre_evolves_the_layers_it_should_with_weights_of_zero(output_layer):
    trainer, batch, before = one_step(ts.CTRE(0.5, output_layer=output_layer), sizes=(20, 30, 25, 8))
    trainer.evolve(*batch)
    for number, layer in enumerate(trainer.net.layers):
        places = set(zip(*np.nonzero(layer.to_csr(np.ones(layer.n_connections)).toarray().T), strict=True))
        old = set(before[number])
        assert (places != old) == (number < 2 or output_layer)
        for place, value in zip(
            zip(*layer.weight.tocoo().coords[::-1], strict=True), layer.weight.tocoo().data, strict=True
        ):
            assert value == (before[number][place] if place in old else 0)


@pytest.mark.parametrize("mix", ["sim", "seq"])
def test_ctre_trains_and_is_the_same_for_any_threads(mix):
    results = []
    for threads in (1, 3):
        trainer, history = trained(ts.CTRE(mix=mix, output_layer=True), threads=threads)
        results.append(
            ([record["loss"] for record in history], [layer.values.tobytes() for layer in trainer.net.layers])
        )
    assert results[0] == results[1]


def test_ctre_refuses_bad_arguments():
    with pytest.raises(ts.InputError, match="zeta"):
        ts.CTRE(1.5)
    with pytest.raises(ts.InputError, match="mix must be"):
        ts.CTRE(mix="both")
