"""Models exchanged between agents, against dictionaries of connections in float64."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from trulysparse._core import memory
from trulysparse.nn.fleet.exchange import average_over_owners, message_bytes
from trulysparse.nn.fleet.messages import decode_model, encode_model
from trulysparse.nn.fleet.neighbours import random_neighbours, ring_neighbours

SIZES = (9, 80, 6, 3)
DENSITIES = (0.05, 0.3, 0.7, 1.0, 0.3)


def new_fleet(dtype="float32", densities=DENSITIES, sizes=SIZES, seed=3):
    """Agents of different densities, with biases and optimizer state that are not zero."""
    rng = np.random.default_rng(seed)
    nets = [
        ts.SparseMLP(sizes, density=density, densities="uniform", output="identity", seed=i, threads=1, dtype=dtype)
        for i, density in enumerate(densities)
    ]
    fleet = ts.Fleet.from_networks(nets)
    states = [layer.new_state(ts.Adam()) for layer in fleet.layers]
    for layer, state in zip(fleet.layers, states, strict=True):
        layer.values[:] = rng.standard_normal(layer.values.shape)
        layer.bias[:] = rng.standard_normal(layer.bias.shape)
        for values in state.weight:
            values[:] = rng.standard_normal(values.shape)
    return fleet, states


def as_bfloat16(value):
    """Rounded to the nearest, ties to even, with Python's integers."""
    bits = int(np.float32(value).view(np.uint32))
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16
    return float(np.uint32(bits).view(np.float32))


SENT = {"bfloat16": as_bfloat16, "float32": lambda value: float(np.float32(value))}


def connections_of(fleet, states=None):
    """For each layer and agent: (input, output) -> (weight, optimizer state...)."""
    found = []
    for number, layer in enumerate(fleet.layers):
        n_in, n_out = fleet.layer_sizes[number : number + 2]
        rows = layer.connectivity.by_input
        arrays = [layer.values, *(states[number].weight if states else [])]
        agents = [{} for _ in range(fleet.n_agents)]
        for row in range(layer.n_in):
            for k in range(rows.ptr[row], rows.ptr[row + 1]):
                agents[row // n_in][row % n_in, rows.index[k] % n_out] = [float(values[k]) for values in arrays]
        found.append(agents)
    return found


def reference(fleet, states, groups, n_k, topology, values):
    """Connections and biases after an exchange, written as the papers have it."""
    sent, kind = SENT[values], fleet.dtype.type
    connections, biases = [], []
    for number, agents in enumerate(connections_of(fleet, states)):
        bias, made = fleet.layers[number].bias.reshape(fleet.n_agents, -1).astype(np.float64), []
        new_bias = np.empty_like(bias)
        for i, own in enumerate(agents):
            group = sorted({i, *groups[i]})
            places = sorted(own if topology == "own" else set().union(*(agents[j] for j in group)))
            average = {}
            for place in places:
                owners = [j for j in group if place in agents[j]]
                total = sum(n_k[j] * (agents[j][place][0] if j == i else sent(agents[j][place][0])) for j in owners)
                average[place] = kind(total / sum(n_k[j] for j in owners))
            kept = sorted(places, key=lambda place: (abs(average[place]), place))[len(places) - len(own) :]
            made.append({place: [average[place], *own.get(place, [0.0, 0.0, 0.0])[1:]] for place in kept})
            weighted = [n_k[j] * (bias[j] if j == i else np.array([sent(b) for b in bias[j]])) for j in group]
            new_bias[i] = sum(weighted) / sum(n_k[j] for j in group)
        connections.append(made)
        biases.append(new_bias)
    return connections, biases


RING = ring_neighbours(5, 2)
UNEVEN = np.array([[1, -1, 4], [-1, -1, -1], [3, 0, 1], [2, -1, -1], [-1, 3, -1]])
GROUPS = {"ring": RING, "random": random_neighbours(5, 3, seed=1), "uneven": UNEVEN, "all": "all"}


@pytest.mark.parametrize("topology", ["union", "own"])
@pytest.mark.parametrize("values", ["bfloat16", "float32"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GROUPS)
def test_averages_over_owners_as_dictionaries_do(name, dtype, values, topology):
    fleet, states = new_fleet(dtype)
    neighbours = GROUPS[name]
    groups = [range(5)] * 5 if name == "all" else [[j for j in row if j >= 0] for row in neighbours.tolist()]
    n_k = np.array([1, 2.5, 0.75, 4, 1])
    expected, biases = reference(fleet, states, groups, n_k, topology, values)
    before, counts = connections_of(fleet), [layer.connections_per_agent.copy() for layer in fleet.layers]
    done = average_over_owners(
        fleet, neighbours, n_k, topology=topology, values=values, optimizer_state=states, threads=2
    )
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    new = np.zeros(5, int)
    for number, (layer, agents) in enumerate(zip(fleet.layers, connections_of(fleet, states), strict=True)):
        check_invariants(layer.connectivity)
        np.testing.assert_array_equal(layer.connections_per_agent, counts[number])
        np.testing.assert_allclose(layer.bias.reshape(5, -1), biases[number], rtol=tolerance, atol=tolerance)
        for i, own in enumerate(agents):
            assert own.keys() == expected[number][i].keys()
            got, wanted = (np.array([each[place] for place in own]) for each in (own, expected[number][i]))
            np.testing.assert_allclose(got[:, 0], wanted[:, 0], rtol=tolerance, atol=tolerance)
            np.testing.assert_array_equal(got[:, 1:], wanted[:, 1:])
            new[i] += len(own.keys() - before[number][i].keys())
    np.testing.assert_array_equal(done.new_connections, new)
    assert new.any() == (topology == "union")


@pytest.mark.parametrize("neighbours", [RING, "all"])
def test_any_number_of_threads_gives_the_same_bits(neighbours):
    results = []
    for threads in (1, 2, 3):
        fleet, states = new_fleet(sizes=(40, 300, 3), densities=(0.1, 0.5, 0.2, 0.6, 0.3))
        average_over_owners(fleet, neighbours, optimizer_state=states, threads=threads)
        arrays = []
        for layer, state in zip(fleet.layers, states, strict=True):
            con = layer.connectivity
            arrays += [con.by_input.ptr, con.by_input.index, con.position, layer.values, layer.bias, *state.weight]
        results.append([array.tobytes() for array in arrays])
    assert results[0] == results[1] == results[2]


def test_everybody_by_name_is_everybody_by_number():
    one, _ = new_fleet()
    other, _ = new_fleet()
    numbers = np.array([[j for j in range(5) if j != i] for i in range(5)])
    assert_equal_exchanges(average_over_owners(one, "all"), average_over_owners(other, numbers))
    for a, b in zip(one.layers, other.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.connectivity.by_input.index, b.connectivity.by_input.index)


def assert_equal_exchanges(one, other):
    for name in ("bytes_sent", "bytes_received", "new_connections"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_connection_of_one_owner_keeps_its_weight():
    """Where sums over all agents would divide it by their number."""
    matrices = [np.diag([8.0, 4.0, 0, 0]), np.diag([0, 0, 2.0, 1.0])]
    fleet = ts.Fleet.from_networks([ts.SparseMLP.from_matrices([m], output="identity") for m in matrices])
    average_over_owners(fleet, [[1], [0]])
    for net in fleet:
        np.testing.assert_array_equal(net.layers[0].weight.toarray(), np.diag([8.0, 4.0, 0, 0]))


def test_equal_agents_stay_as_they_are():
    fleet, _ = new_fleet()
    same = fleet[[1, 1, 1]]
    for layer in same.layers:
        layer.values[:] = [as_bfloat16(value) for value in layer.values]
        layer.bias[:] = 0
    before = [(layer.connectivity, layer.values.copy()) for layer in same.layers]
    done = average_over_owners(same, ring_neighbours(3, 2))
    assert not done.new_connections.any()
    for layer, (con, values) in zip(same.layers, before, strict=True):
        assert layer.connectivity is con
        np.testing.assert_array_equal(layer.values, values)


def test_a_single_agent_and_no_neighbours_change_nothing():
    for fleet, neighbours in ((new_fleet()[0], np.full((5, 2), -1)), (new_fleet()[0][[2]], "all")):
        before = [layer.values.copy() for layer in fleet.layers]
        done = average_over_owners(fleet, neighbours)
        assert not done.bytes_sent.any()
        assert not done.bytes_received.any()
        for layer, values in zip(fleet.layers, before, strict=True):
            np.testing.assert_array_equal(layer.values, values)


def test_bytes_are_those_of_the_messages():
    fleet, _ = new_fleet()
    n_biases, counts = sum(SIZES[1:]), fleet.connections_per_agent
    assert [len(encode_model(fleet, agent)) for agent in range(5)] == message_bytes(fleet).tolist()
    done = average_over_owners(fleet, UNEVEN, values="float32")
    message = 6 * counts + 4 * n_biases
    assert done.bytes_sent.tolist() == (message * [1, 2, 1, 2, 1]).tolist()
    assert done.bytes_received.tolist() == [
        message[1] + message[4], 0, message[3] + message[0] + message[1], message[2], message[3]
    ]  # fmt: skip
    wide = ts.Fleet(2, (300, 300), density=0.01, bias=False)
    assert average_over_owners(wide, "all").bytes_sent.tolist() == [900 * 6] * 2


@pytest.mark.parametrize("values", ["bfloat16", "float32"])
def test_what_is_averaged_is_what_the_messages_say(values):
    """Two agents, of which one has only the other's message."""
    fleet, _ = new_fleet(densities=(0.3, 0.6))
    own = {place: weight for place, (weight,) in places_of(fleet, 0).items()}
    places, weights, biases = decode_model(fleet, encode_model(fleet, 1, values), values)
    theirs = dict(zip(places.tolist(), weights.tolist(), strict=True))
    bias = np.concatenate([layer.bias[: layer.n_out // 2] for layer in fleet.layers])
    average_over_owners(fleet, [[1], [-1]], values=values)
    for place, (weight,) in places_of(fleet, 0).items():
        owners = [each[place] for each in (own, theirs) if place in each]
        assert weight == np.float32(sum(owners) / len(owners))
    after = np.concatenate([layer.bias[: layer.n_out // 2] for layer in fleet.layers])
    np.testing.assert_array_equal(after, ((bias.astype(np.float64) + biases) / 2).astype(np.float32))


def places_of(fleet, agent):
    """Connections of an agent by their place among those of all its layers."""
    found, first = {}, 0
    for number, agents in enumerate(connections_of(fleet)):
        n_in, n_out = fleet.layer_sizes[number : number + 2]
        found |= {first + row * n_out + int(column): kept for (row, column), kept in agents[agent].items()}
        first += n_in * n_out
    return found


def test_wrong_input_is_refused_and_changes_nothing():
    fleet, states = new_fleet()
    before = [(layer.connectivity, layer.values, layer.values.copy()) for layer in fleet.layers]
    for wrong, message in [
        ({"fleet": fleet[0]}, "fleet must be a Fleet"),
        ({"neighbours": "some"}, "neighbours must be"),
        ({"neighbours": np.zeros((4, 2), int)}, r"integers of shape \(5, k\)"),
        ({"neighbours": RING + 0.5}, "integers of shape"),
        ({"neighbours": RING + 3}, "numbers from 0 to 4"),
        ({"neighbours": np.arange(5)[:, None]}, "those of agent 0 do not"),
        ({"neighbours": [[1, 2], [0, 2], [1, 0], [2, 2], [0, 1]]}, "those of agent 3 do not"),
        ({"weights": [1, 1, 0, 1, 1]}, "weights must be 5 numbers above 0"),
        ({"weights": [1, 1]}, "weights must be 5 numbers above 0"),
        ({"weights": "many"}, "weights must be 5 numbers above 0"),
        ({"topology": "theirs"}, "topology"),
        ({"values": "float16"}, "values"),
        ({"optimizer_state": states[:1]}, "optimizer_state must be of each of the 3 layers"),
        ({"optimizer_state": states[::-1]}, r"optimizer_state\[0\] must hold values"),
    ]:
        with pytest.raises(ts.InputError, match=message):
            average_over_owners(**({"fleet": fleet, "neighbours": RING} | wrong))
    fleet.layers[2].bias[4] = np.inf
    with pytest.raises(ts.InputError, match="agent 1 has weights or biases that are not finite in layer 2"):
        average_over_owners(fleet, RING)
    for layer, (con, values, copy) in zip(fleet.layers, before, strict=True):
        assert layer.connectivity is con
        assert layer.values is values
        np.testing.assert_array_equal(values, copy)


def test_memory_that_is_not_there_is_refused_before(monkeypatch):
    fleet, _ = new_fleet(sizes=(400, 500), densities=(0.9, 0.9))  # 360,000 connections of 16 bytes, and neurons
    values = fleet.layers[0].values
    monkeypatch.setattr(memory, "free_bytes", lambda: memory.MARGIN + 5_000_000)
    with pytest.raises(ts.NotEnoughMemoryError, match="the new layers of 2 agents"):
        average_over_owners(fleet, "all")
    assert fleet.layers[0].values is values
    monkeypatch.setattr(memory, "free_bytes", lambda: memory.MARGIN + 6_000_000)
    average_over_owners(fleet, "all")


@pytest.mark.parametrize("topology", ["own", "union"])
def test_training_goes_on_with_what_the_exchange_made(topology):
    """Nothing that was prepared for the arrays of before is used again."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5, 16, 9)), rng.standard_normal((5, 16, 3))
    fleet, _ = new_fleet()
    trainer = ts.FleetTrainer(fleet, optimizer=ts.Adam(0.01))
    trainer.step(X, y)
    average_over_owners(fleet, RING, topology=topology, optimizer_state=trainer.optimizer_state)
    twin = fleet.copy()
    other = ts.FleetTrainer(
        twin, optimizer=ts.Adam(0.01), optimizer_state=[state.copy() for state in trainer.optimizer_state]
    )
    other.step_count = 1
    for _ in range(2):
        np.testing.assert_array_equal(trainer.step(X, y), other.step(X, y))
    for ours, theirs in zip(fleet.layers, twin.layers, strict=True):
        np.testing.assert_array_equal(ours.values, theirs.values)
        np.testing.assert_array_equal(ours.bias, theirs.bias)
