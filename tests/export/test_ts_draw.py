"""ts_draw.h: networks drawn on the device have the library's counts, places without bias and weights of its scale."""

from __future__ import annotations

import numpy as np
import pytest

from export.evolution_reference import FOR_DRAWING, FOR_WEIGHTS, Layer, he_limit, key, uniform
from export.td_driver import GELU, LEAKY, SIGMOID, TANH, Agent, build_driver
from trulysparse._kernels import Activation
from trulysparse.connectivity import epsilon_counts, from_matrix
from trulysparse.nn.initialization import StartSignals, WeightInit

KINDS = {LEAKY: Activation.LEAKY, TANH: Activation.TANH, SIGMOID: Activation.SIGMOID, GELU: Activation.GELU}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build_driver(tmp_path_factory)


def drawn(program, agent: Agent):
    agent.show()
    answer = agent.run(program)
    assert answer.status() == 0
    return agent.layers(answer)


@pytest.mark.parametrize(
    "sizes, epsilon, activation, slope, all_relu",
    [
        ((64, 100, 100, 10), 10.0, LEAKY, 0.0, 0),
        ((20, 31, 8, 40, 3), 1.5, LEAKY, 0.6, 1),  # halves; neurons without connections
        ((30, 25, 25, 4), 0.7, SIGMOID, 0.0, 0),
        ((9, 50, 6), 0.5, TANH, 0.0, 0),
        ((9, 12, 12, 2), 2.0, GELU, 0.0, 0),
        ((1, 1), 20.0, LEAKY, 0.0, 0),
    ],
)
def test_draws_as_the_library_does(program, sizes, epsilon, activation, slope, all_relu):
    agent = Agent(sizes, epsilon, activation, slope, all_relu, seed=len(sizes))
    layers = drawn(program, agent)
    assert [int(layer.there.sum()) for layer, _, _ in layers] == epsilon_counts(sizes, epsilon)
    signals, rule = StartSignals(), WeightInit()
    for k, (layer, bias, bias_target) in enumerate(layers):
        last = k == len(layers) - 1
        keys = key(agent.seed, FOR_DRAWING, 0, k), key(agent.seed, FOR_WEIGHTS, 0, k)
        naive = Layer(np.zeros_like(layer.there), *(np.zeros(layer.there.shape, np.float32) for _ in range(3)))
        naive.grow(int(layer.there.sum()), he_limit(sizes[k]), *keys)
        assert (layer.there == naive.there).all()
        assert (layer.target == layer.weight).all()
        assert not layer.velocity.any()
        assert not np.concatenate([bias, bias_target]).any()
        con = from_matrix(layer.there.T.astype(np.float32))[0]
        kind = (Activation.IDENTITY, 0.0) if last else (KINDS[activation], -slope if all_relu and k % 2 == 0 else slope)
        if not last:
            assert (layer.weight == naive.weight).all()
            signals = rule.signals_after(con, signals, kind)
            continue
        size = rule.output_scale(con, signals, kind).of(1)
        weights = layer.weight[layer.there]
        expected = [size * (2 * float(uniform(keys[1], n)) - 1) for n in range(len(weights))]
        np.testing.assert_allclose(weights, expected, rtol=2e-5, atol=1e-7)


def test_another_seed_draws_another_network(program):
    first, second, again = (drawn(program, Agent((12, 20, 5), 2.0, seed=seed))[0][0] for seed in (1, 2, 1))
    assert (first.there != second.there).any()
    assert (first.weight == again.weight).all()


@pytest.mark.parametrize("sizes, status", [((5,), -1), ((5, 0, 2), -1), ((5, 65537, 2), -7)])
def test_sizes_that_cannot_be(program, sizes, status):
    agent = Agent(sizes)
    assert agent.run(program).status() == status
