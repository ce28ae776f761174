"""FleetPasses against the passes of each agent's network alone, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError, NotEnoughMemoryError
from trulysparse.nn.fleet.passes import FleetPasses
from trulysparse.nn.sinks import Gradients, InputGradient, Update
from trulysparse.nn.tile_pass import TilePass

N, SIZES = 16, (6, 11, 9, 3)  # at 144 columns enough work for several threads


def fleets(activation: str = "all_relu", dtype: str = "float32") -> list[ts.Fleet]:
    """Two fleets whose agents differ in their numbers of connections."""
    made = [
        ts.Fleet(N, SIZES, density=0.5, activation=activation, output="identity", dtype=dtype, seed=seed, threads=1)
        for seed in (0, 1)
    ]
    for fleet in made:
        fleet[2] = ts.SparseMLP(
            SIZES, density=0.9, activation=activation, output="identity", dtype=dtype, seed=9, threads=1
        )
    return made


def alone(fleet: ts.Fleet, columns: int) -> list[TilePass]:
    return [TilePass(net, net.workspace().signals(columns, 1.0)) for net in fleet]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("columns", "activation", "dtype"),
    [
        (1, "all_relu", "float32"),
        (4, "tanh", "float32"),
        (16, "gelu", "float64"),
        (32, "relu", "float32"),
        (64, "all_relu", "float32"),
        (144, "silu", "float32"),
    ],
)
@pytest.mark.parametrize("optimizer", [ts.SGD(0.1), ts.SGD(0.1, momentum=0.9, nesterov=True), ts.Adam(0.01)])
def test_updates_are_those_of_each_network(
    optimizer: ts.SGD | ts.Adam, columns: int, activation: str, dtype: str, threads: int
) -> None:
    both = fleets(activation, dtype)
    singles = [alone(fleet, columns) for fleet in both]
    passes = FleetPasses(both, columns, threads)
    states = [[layer.new_state(optimizer) for layer in fleet.layers] for fleet in both]
    own = [[[layer.new_state(optimizer) for layer in tile.net.layers] for tile in tiles] for tiles in singles]
    random = np.random.default_rng(0)
    for step in range(3):
        passes.x[:] = random.standard_normal(passes.x.shape)
        dys = [random.standard_normal((N, 3, columns)).astype(dtype) for _ in both]
        rule = optimizer.rule(step, 0, None)
        outputs, hidden = passes.forward(), [[h.copy() for h in passes.hidden(number)] for number in range(2)]
        for number, tiles in enumerate(singles):
            for agent, tile in enumerate(tiles):
                tile.signals[0].values[:] = passes.x[agent]
                tile.forward(0, 1)
                assert np.array_equal(tile.signals[-1].values, outputs[number][agent])
                for signal, values in zip(tile.signals[1:-1], hidden[number], strict=True):
                    assert np.array_equal(signal.values, values[agent])
                tile.backward(dys[number][agent], Update(own[number][agent], rule), 1)
        passes.backward(dys, [Update(state, rule) for state in states], [None, None])
    for fleet, tiles in zip(both, singles, strict=True):
        for net, tile in zip(fleet, tiles, strict=True):
            for layer, other in zip(net.layers, tile.net.layers, strict=True):
                assert np.array_equal(layer.values, other.values)
                assert np.array_equal(layer.bias, other.bias)


@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_are_those_of_each_network(threads: int) -> None:
    both, columns = fleets("tanh"), 8
    passes, random = FleetPasses(both, columns, threads), np.random.default_rng(1)
    passes.x[:] = random.standard_normal(passes.x.shape)
    dys = [random.standard_normal((N, 3, columns)).astype(np.float32) for _ in both]
    dxs = [np.empty((N, 6, columns), np.float32) for _ in both]
    arrays = [layer.new_gradient() for layer in both[0].layers]
    passes.forward()
    passes.backward(dys, [Gradients(arrays), InputGradient()], dxs)
    for number, fleet in enumerate(both):
        for agent, tile in enumerate(alone(fleet, columns)):
            tile.signals[0].values[:] = passes.x[agent]
            tile.forward(0, 1)
            gradients = [layer.new_gradient() for layer in tile.net.layers]
            dx = np.empty((6, columns), np.float32)
            tile.backward(dys[number][agent], Gradients(gradients), 1, dx)
            assert np.array_equal(dx, dxs[number][agent])
            if number == 0:
                for layer, (weight, bias), (all_weight, all_bias) in zip(fleet.layers, gradients, arrays, strict=True):
                    start, stop = fleet.blocks(layer)[agent : agent + 2]
                    assert np.array_equal(all_weight[start:stop], weight)
                    assert np.array_equal(all_bias.reshape(N, -1)[agent], bias)
    alike = np.empty_like(dxs[1])
    passes.forward(1)
    passes.input_gradient(1, dys[1], alike)
    assert np.array_equal(alike, dxs[1])


def test_an_activation_of_ones_own() -> None:
    class Square:
        name = "square"

        def forward(self, z: np.ndarray) -> np.ndarray:
            return z * z

        def derivative(self, z: np.ndarray) -> np.ndarray:
            return 2 * z

    fleet = ts.Fleet(3, SIZES, density=0.5, activation=Square(), output="identity", seed=0, threads=1)
    X = np.random.default_rng(0).standard_normal((3, 5, 6)).astype(np.float32)
    for agent, net in enumerate(fleet):
        assert np.array_equal(fleet.predict(X)[agent], net.predict(X[agent]))


def test_connections_between_agents_are_refused() -> None:
    fleet = ts.Fleet(2, (2, 2), epsilon=10, seed=0, threads=1)
    con = fleet.layers[0].connectivity
    index = con.by_input.index.copy()
    index[0] = 3
    index[:2].sort()
    fleet.layers[0].connectivity = type(con).from_inputs(4, 4, con.by_input.ptr, index, 1)
    with pytest.raises(InputError, match="from one agent to another"):
        fleet.passes(1).forward()


def test_bad_input() -> None:
    fleet = ts.Fleet(2, SIZES, density=0.5, seed=0, threads=1)
    with pytest.raises(InputError, match="columns must be a power of two"):
        fleet.passes(3)
    with pytest.raises(InputError, match=r"fleets\[1\] must have 2 agents"):
        FleetPasses([fleet, fleet.repeat(2)], 16, 1)
    passes = fleet.passes(4)
    passes.forward()
    with pytest.raises(InputError, match="dy must be a contiguous array"):
        passes.backward([np.zeros((3, 2, 4), np.float32)], [InputGradient()], [None])


def test_memory_is_asked_for_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trulysparse._core.memory.free_bytes", lambda: 2**28)
    with pytest.raises(NotEnoughMemoryError, match="the activations of 16 agents on 1048576 samples each needs about"):
        fleets()[0].passes(2**20)


@pytest.mark.parametrize(
    "dy",
    [
        np.zeros((N, 3, 16)),
        np.zeros((N, 2, 16), np.float32),
        np.zeros((N, 16, 3), np.float32).transpose(0, 2, 1),
        [[0.0]],
    ],
)
def test_other_gradients_are_refused(dy: np.ndarray) -> None:
    passes = fleets()[0].passes(16)
    passes.forward()
    with pytest.raises(InputError, match=r"dy must be a contiguous array, float32 of shape \(16, 3, 16\), not"):
        passes.backward([dy], [InputGradient()], [None])
    dx = np.zeros((N, 6, 16), np.float32)
    dx.flags.writeable = False
    with pytest.raises(InputError, match="dx must be a contiguous and writable array"):
        passes.input_gradient(0, np.zeros((N, 3, 16), np.float32), dx)


def test_fleets_of_other_types_are_refused() -> None:
    with pytest.raises(InputError, match=r"fleets\[1\] must have 16 agents .* in float32, not 16 of .* in float64"):
        FleetPasses([fleets()[0], fleets(dtype="float64")[0]], 16, 1)
    with pytest.raises(InputError, match="at least one"):
        FleetPasses([], 16, 1)
