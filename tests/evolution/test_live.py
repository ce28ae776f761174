"""Live neurons, growth among them, and evolution that keeps every connection on a path."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from evolution.training import batch_of, coordinates, problem
from trulysparse.evolution import LayerView, grow
from trulysparse.evolution.live import Live, grow_among, live_neurons, revive
from trulysparse.evolution.methods.registry import WITHOUT_PERCOLATION

SIZES = (20, 60, 50, 40, 5)


def pattern(layer, mask=None):
    """(n_in, n_out) of ones and zeros."""
    dense = np.zeros((layer.n_in, layer.n_out), np.int64)
    rows = layer.connectivity.by_input
    owner = np.repeat(np.arange(layer.n_in), np.diff(rows.ptr))
    keep = slice(None) if mask is None else mask > 0
    dense[owner[keep], rows.index[keep]] = 1
    return dense


def live_by_products(patterns):
    """Reached from the inputs, and reaching the outputs, by interface."""
    reached = [np.ones(len(patterns[0]), bool)]
    for dense in patterns:
        reached.append(reached[-1] @ dense > 0)
    reaching = [np.ones(patterns[-1].shape[1], bool)]
    for dense in reversed(patterns):
        reaching.insert(0, dense @ reaching[0] > 0)
    return reached, reaching


def effective_share(net):
    """Share of the connections that lie on a path from an input to an output."""
    patterns = [pattern(layer) for layer in net.layers]
    reached, reaching = live_by_products(patterns)
    on_path = sum(int((dense * np.outer(reached[n], reaching[n + 1])).sum()) for n, dense in enumerate(patterns))
    return on_path / net.n_connections


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("masked", [False, True])
def test_live_neurons_are_those_of_matrix_products(epsilon, masked, rng):
    net = ts.SparseMLP(SIZES, epsilon=epsilon, seed=1)
    masks = [rng.integers(0, 2, layer.n_connections).astype(np.uint8) if masked else None for layer in net.layers]
    reached, reaching = live_by_products([pattern(*each) for each in zip(net.layers, masks, strict=True)])
    for number, live in enumerate(live_neurons(net.layers, masks)):
        np.testing.assert_array_equal(live.inputs, reached[number])
        np.testing.assert_array_equal(live.outputs, reaching[number + 1])


def some_view(count, *, fraction=0.5, dtype="float32"):
    """A layer whose connections lie between the even inputs and the outputs below 25; a part of them is removed."""
    dense = np.zeros((40, 30), dtype)  # outputs x inputs
    rng = np.random.default_rng(3)
    dense[:25, ::2] = rng.standard_normal((25, 15)) * (rng.random((25, 15)) < 0.2)
    layer = ts.SparseMLP.from_matrices([dense], dtype=dtype).layers[0]
    view = LayerView(layer, layer.new_state(ts.SGD(momentum=0.9)), 0, fraction, 9, 2, count=count)
    view.keep_mask = (rng.random(layer.n_connections) < 0.5).astype(np.uint8)
    view.set_batch(*(each.astype(dtype) for each in batch_of(layer, 2)))
    return view, Live(np.arange(30) % 2 == 0, np.arange(40) < 25)


def empty_pairs(view):
    return {
        (i, j)
        for i in range(view.layer.n_in)
        for j in range(view.layer.n_out)
        if (i, j) not in {p for p, k in zip(coordinates(view.layer), view.keep_mask, strict=True) if k}
    }


def pairs(grown):
    ptr, index = grown
    return list(zip(np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)).tolist(), index.tolist(), strict=True))


RULES = [grow.uniform, grow.uniform_excluding_pruned, grow.LargestGradient(), grow.GuidedGradient(),
         grow.GuidedGradient(distribution="bound"), grow.Active()]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("count", [1, 40, 200])
def test_growth_among_live_neurons_stays_there(rule, count):
    view, live = some_view(count)
    grown = pairs(grow_among(rule, view, live))
    assert len(set(grown)) == len(grown) == count
    assert set(grown) <= empty_pairs(view)
    assert all(live.inputs[i] and live.outputs[j] for i, j in grown)
    assert grown == sorted(grown)


def test_largest_gradient_among_live_neurons_is_the_largest_there():
    view, live = some_view(30)
    grown = set(pairs(grow_among(grow.LargestGradient(), view, live)))
    gradient = np.abs(view.x.astype(np.float64) @ view.dy.astype(np.float64).T)
    places = [p for p in empty_pairs(view) if live.inputs[p[0]] and live.outputs[p[1]]]
    assert grown == set(sorted(places, key=lambda place: -gradient[place])[:30])


def test_where_live_neurons_are_full_others_join():
    view, live = some_view(500)
    grown = pairs(grow_among(grow.uniform, view, live))
    inside = {p for p in empty_pairs(view) if live.inputs[p[0]] and live.outputs[p[1]]}
    assert len(set(grown)) == 500 > len(inside)
    assert inside < set(grown) <= empty_pairs(view)


def test_without_live_neurons_growth_is_anywhere():
    view, _ = some_view(50)
    nobody = Live(np.zeros(30, bool), np.zeros(40, bool))
    grown = pairs(grow_among(grow.LargestGradient(), view, nobody))
    assert len(set(grown)) == 50
    assert set(grown) <= empty_pairs(view)


def test_network_of_a_few_paths_gets_neurons_back():
    """The live neurons have no room for the connections: others come alive, until every connection is on a path."""
    net = ts.SparseMLP((50, 200, 200, 200, 10), epsilon=0.35, seed=0)
    states = [layer.new_state(ts.SGD()) for layer in net.layers]
    before = [layer.n_connections for layer in net.layers]
    assert effective_share(net) < 0.2
    method = ts.SET(0.3, percolate=True, output_layer=True)
    for key in range(12):
        method.evolve(net, states, key, 1)
    assert [layer.n_connections for layer in net.layers] == before
    assert effective_share(net) > 0.9
    method.evolve(net, states, 99, 1)
    assert effective_share(net) > 0.9


@pytest.mark.parametrize(
    "wanted", [{0: 100, 1: 100, 2: 100}, {0: 100, 1: 4000}, {1: 10_000}, {0: 3}, {0: 1, 1: 1, 2: 1}]
)
def test_revived_neurons_give_room(wanted):
    lives = []
    marks = [np.ones(20, bool), np.arange(60) < 3, np.arange(50) < 2, np.ones(5, bool)]
    lives = [Live(marks[n].copy(), marks[n + 1].copy()) for n in range(3)]
    revive(lives, wanted, key=3)
    for number, live in enumerate(lives):
        assert live.inputs[marks[number]].all()  # nobody dies
        assert live.outputs[marks[number + 1]].all()
        revived = number in wanted and number + 1 in wanted
        if not revived:
            np.testing.assert_array_equal(live.outputs, marks[number + 1])
        else:
            np.testing.assert_array_equal(live.outputs, lives[number + 1].inputs)
            room = live.inputs.sum() * live.outputs.sum()
            assert room >= min(wanted[number], live.inputs.sum() * len(live.outputs))
    if max(wanted.values()) <= 3:
        assert [int(live.outputs.sum()) for live in lives] == [3, 2, 5]


def methods():
    """Every method that can percolate, evolving often."""
    every = {
        "rigl": ts.RigL,
        "gse": ts.GSE,
        "set": ts.SET,
        "snfs": ts.SNFS,
        "granet": ts.GraNet,
        "chts": ts.CHTs,
        "ctre": ts.CTRE,
    }
    made = {name: kind(percolate=True, every_updates=3, until=1.0) for name, kind in every.items()}
    made["deepr"] = ts.DeepR(1e-3, 1e-2, percolate=True, every=3)
    made["dsr"] = ts.DSR(every=3, threshold=0.05, percolate=True)
    return made


@pytest.mark.parametrize("name", sorted(set(ts.evolution.NAMES) - set(WITHOUT_PERCOLATION)))
@pytest.mark.parametrize("threads", [1, 3])
def test_training_with_percolation_keeps_connections_on_paths(name, threads):
    X, y = problem(features=20, classes=5)
    net = ts.SparseMLP(SIZES, epsilon=2.0 if name == "granet" else 1.0, seed=0, threads=threads)
    method = methods()[name]
    method.output_layer = True
    before, share = net.n_connections, effective_share(net)
    assert share < 0.99
    ts.Trainer(net, evolution=method, optimizer=ts.SGD(0.05), batch_size=32, seed=0).fit(X, y, epochs=1)
    assert effective_share(net) == 1
    assert net.n_connections == before or name == "granet"
    for layer in net.layers:
        check_invariants(layer.connectivity)


def test_percolation_is_the_same_for_any_number_of_threads():
    X, y = problem(features=20, classes=5)
    results = []
    for threads in (1, 3):
        net = ts.SparseMLP(SIZES, epsilon=1.0, seed=0, threads=threads)
        ts.Trainer(net, evolution=ts.RigL(every=3, percolate=True), batch_size=32, seed=0).fit(X, y, epochs=2)
        results.append([each.tobytes() for layer in net.layers for each in (layer.connectivity.indices, layer.values)])
    assert results[0] == results[1]


def test_percolation_with_a_fixed_output_layer_counts_its_connections():
    """Neurons of the last hidden layer that the output layer does not use lose their inputs; those it uses do not."""
    net = ts.SparseMLP((20, 40, 30, 2), epsilon=1.0, seed=0)
    output = pattern(net.layers[-1])
    state = [layer.new_state(ts.SGD()) for layer in net.layers]
    ts.SET(0.3, percolate=True).evolve(net, state, 1, 1)
    np.testing.assert_array_equal(pattern(net.layers[-1]), output)
    unused = output.sum(axis=1) == 0
    assert unused.any()
    assert not pattern(net.layers[1])[:, unused].any()


@pytest.mark.parametrize("output_layer", [False, True])
def test_percolation_leaves_a_skip_layer_alone(output_layer):
    """It is no part of the chain: paths go through the other layers, and it evolves where the output layer does."""
    net = ts.SparseMLP((20, 60, 50, 5), epsilon=1.0, skip=True, seed=0)
    states = [layer.new_state(ts.SGD()) for layer in net.layers]
    before = [layer.n_connections for layer in net.layers]
    skipping = pattern(net.skip_layer)
    ts.SET(0.3, percolate=True, output_layer=output_layer).evolve(net, states, 1, 1)
    assert [layer.n_connections for layer in net.layers] == before
    assert np.array_equal(pattern(net.skip_layer), skipping) != output_layer
    reached, reaching = live_by_products([pattern(layer) for layer in net.chain])
    first, second = (pattern(layer) for layer in net.chain[:2])
    assert not first[:, ~reaching[1]].any()
    assert not second[~reached[1]].any()


def test_percolation_of_layers_that_do_not_follow_one_another_is_refused():
    layers = [ts.SparseMLP(sizes, epsilon=2).layers[0] for sizes in ((20, 30), (31, 10))]
    states = [layer.new_state(ts.SGD()) for layer in layers]
    with pytest.raises(ts.InputError, match="percolate needs layers that follow one another"):
        ts.Evolver(ts.SET(percolate=True, every_updates=1), layers, states)
    ts.Evolver(ts.SET(every_updates=1), layers, states)


def test_percolation_on_tiles_is_refused():
    net = ts.SparseMLP((20, 30, 3), epsilon=2, storage="compact")
    with pytest.raises(ts.InputError, match="percolation, which needs the index"):
        ts.Trainer(net, evolution=ts.SET(percolate=True))


def test_percolation_with_a_prune_rule_that_needs_gradients_is_refused():
    from trulysparse.evolution.prune import MagnitudeAndGradient

    with pytest.raises(ts.InputError, match="percolate must be False"):
        ts.Evolution(MagnitudeAndGradient(), grow.uniform, ts.Schedule(0.2, every_epochs=1), percolate=True)
    with pytest.raises(ts.InputError, match="percolate cannot be combined with evolution 'mest'"):
        ts.evolution.make_evolution("mest", percolate=True)
