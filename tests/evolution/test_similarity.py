"""Growth by cosines against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.views import BATCH, check_coordinates, existing, pruned, view_of
from trulysparse.evolution import similarity
from trulysparse.evolution.similarity import CosineSimilarity, own_output


def cosines(view, samples):
    """|cos| of each input and each output neuron, in float64, y computed by a dense product."""
    x = view.x[:, :samples].astype(float)
    y = view.layer.weight.toarray().astype(float) @ x + view.layer.bias.astype(float)[:, None]
    slope = view.layer.activation[1]
    y = np.where(y > 0, y, slope * y)
    lengths = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)
    return np.abs(np.divide(x @ y.T, lengths, out=np.zeros(lengths.shape), where=lengths > 0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 3, 32, 129])
@pytest.mark.parametrize("sizes", [(30, 40), (7, 300), (65, 129), (40, 4)])
def test_takes_the_largest_cosines(isa, sizes, batch, dtype, monkeypatch):
    monkeypatch.setattr(similarity, "_with_random", lambda *_: pytest.fail("something was removed"))
    view = view_of(sizes, 1.0, dtype=dtype, batch=batch)
    view.layer.bias[:] = np.linspace(-1, 1, sizes[1])
    view.x[:, batch:] = 9  # padding of hidden layers is anything
    view.x[2] = 0
    view.keep_mask = np.ones(view.layer.n_connections, np.uint8)
    view.count = min(30, view.n_empty)
    wanted = cosines(view, batch)
    chosen = check_coordinates(view, CosineSimilarity()(view))
    for i, j in existing(view):
        wanted[i, j] = -1
    least = np.sort(wanted.ravel())[-view.count]
    assert min(wanted[i, j] for i, j in chosen) >= least - 1e-4
    assert all(wanted[i, j] >= least - 1e-4 for i, j in chosen)


def test_own_output_is_that_of_the_layer():
    net = ts.SparseMLP((20, 30, 3), epsilon=4, activation="tanh", seed=0)
    view = view_of((20, 30))
    view.layer = net.layers[0]
    net.layers[0].bias[:] = 0.5
    expected = np.tanh(net.layers[0].weight.toarray() @ view.x + 0.5)
    np.testing.assert_allclose(own_output(view), expected, rtol=1e-5, atol=1e-6)
    assert view.x.shape == (20, BATCH)


def test_sim_replaces_what_was_just_removed_by_random_ones():
    view = pruned(view_of((60, 50), 6.0, 0.5))
    removed = existing(view) - existing(view, kept_only=True)
    first = check_coordinates(view, CosineSimilarity("seq")(view))
    assert first & removed
    chosen = check_coordinates(view, CosineSimilarity("sim")(view))
    assert first - removed <= chosen
    others = chosen - first
    assert len(chosen & first) >= len(first - removed)
    assert len(others) > 0.5 * len(first & removed)  # the few empty coordinates may be drawn again
    view.key += 1
    again = check_coordinates(view, CosineSimilarity("sim")(view))
    assert again != chosen
    assert first - removed <= again


def test_seq_goes_over_to_random_growth_and_remembers():
    """All cosines of one sample are 1, so the first empty coordinates are chosen: those of the first four inputs."""
    view = view_of((20, 20), 8.0, batch=1)
    view.x[:] = view.dy[:] = 1
    view.layer.bias[:] = 10
    view.layer.values[:] = 1
    rule = CosineSimilarity("seq")
    view.keep_mask, view.count = np.ones(view.layer.n_connections, np.uint8), 10
    rule(view)
    assert view.rule_state == {}
    view.keep_mask[: view.layer.connectivity.by_input.ptr[4]] = 0
    view.count = view.removed
    first = check_coordinates(view, rule(view))
    assert max(i for i, _ in first) == 3
    assert view.rule_state == {"random_growth": 1.0}
    view.x = view.dy = None  # no longer looked at
    assert max(i for i, _ in check_coordinates(view, rule(view))) > 3


def test_trailing_samples_without_gradient_count_as_padding():
    view = view_of((30, 40), batch=32)
    view.keep_mask, view.count = np.ones(view.layer.n_connections, np.uint8), 20
    view.dy[:, 20:] = 0
    with_rest = CosineSimilarity()(view)[1]
    view.x[:, 20:] = 100
    np.testing.assert_array_equal(CosineSimilarity()(view)[1], with_rest)
    view.dy[:] = 0  # nothing is learned from any: all count
    assert not np.array_equal(CosineSimilarity()(view)[1], with_rest)


def test_same_coordinates_for_any_threads():
    results = []
    for threads in (1, 2, 3):
        view = pruned(view_of((300, 400), 5.0, threads=threads))
        ptr, index = CosineSimilarity()(view)
        results.append((ptr.tobytes(), index.tobytes()))
    assert results[0] == results[1] == results[2]


def test_giant_layers_and_unknown_mixes_are_refused(monkeypatch):
    view = pruned(view_of((30, 40)))
    monkeypatch.setattr(similarity, "MAX_MULTIPLY_ADDS", 30 * 40 * BATCH - 1)
    with pytest.raises(ts.InputError, match="exact cosines of a layer 30 x 40"):
        CosineSimilarity()(view)
    with pytest.raises(ts.InputError, match="mix must be"):
        CosineSimilarity("none")
    view.x = None
    with pytest.raises(ts.InputError, match="needs gradients"):
        CosineSimilarity()(view)
