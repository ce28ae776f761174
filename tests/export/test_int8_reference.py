"""The NumPy reference against one connection at a time in Python's integers, and against the network it stands for."""

import numpy as np
import pytest

import trulysparse as ts
from export.random_networks import draw
from trulysparse.errors import InputError
from trulysparse.export.calibration import calibrate
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.export.int8_reference import Int8Reference, tanh_table
from trulysparse.export.quantize import quantize
from trulysparse.rl.policy import Policy

SMALL = [0, 1, 4, 5, 9, 11, 14, 22, 29, 35, 40]


def reference_of(model, X):
    network = DeviceNetwork.of(model)
    return Int8Reference(quantize(network, calibrate(network, X)))


def row_sum(layer, o, values):
    """In Python's integers."""
    sum_ = 0
    for k in range(layer.ptr[o], layer.ptr[o + 1]):
        sum_ += int(layer.weight[k]) * int(values[layer.index[k]])
    return sum_


def scores_one_by_one(quantized, q):
    values = [int(each) for each in q]
    for layer in quantized.chain[:-1]:
        after = []
        for o in range(layer.n_out):
            sum_ = row_sum(layer, o, values) + int(layer.bias[o])
            assert abs(sum_) < 2**31
            factor = int(layer.multiplier[o]) * (layer.negative if sum_ < 0 else 2**15)
            value = min(127, max(-127, (2 * sum_ * factor + 2**layer.shift) // 2 ** (layer.shift + 1)))
            after.append(value if layer.table is None else int(layer.table[value + 128]))
        values = after
    layer, z = quantized.chain[-1], []
    for o in range(layer.n_out):
        sum_ = row_sum(layer, o, values) + int(layer.bias[o])
        if quantized.skip_layer is not None:
            sum_ += row_sum(quantized.skip_layer, o, q)
        score = np.float32(sum_) * layer.scale[o]
        offset = quantized.network.target_offset
        z.append(score if offset is None else score + offset[o])
    return np.array(z, np.float32)


@pytest.mark.parametrize("seed", SMALL)
def test_scores_are_those_of_one_connection_at_a_time(seed, rng):
    case = draw(seed)
    reference = reference_of(case.model, case.X)
    q = rng.integers(-128, 128, (3, case.n_inputs)).astype(np.int8)
    q[0] = reference.quantized_inputs(case.X)[0]
    expected = [scores_one_by_one(reference.quantized, each) for each in q]
    assert np.array_equal(reference.scores_of(q), expected)


def test_inputs_are_rounded_to_the_nearest_step():
    net = ts.SparseMLP.from_matrices([np.ones((1, 3))])
    reference = reference_of(net, np.array([[127.0, 0, 0]]))  # a step of 1
    X = np.array([[1.4, -1.4, 1.5], [-1.5, 126.6, 1e30], [-1e30, np.inf, -np.inf], [np.nan, 0, -0.5]])
    expected = [[1, -1, 2], [-1, 127, 127], [-127, 127, -127], [-127, 0, 0]]
    assert reference.quantized_inputs(X).tolist() == expected


@pytest.mark.parametrize("activation", [ts.AllReLU(0.6), ts.ReLU(), ts.Tanh(), ts.Sigmoid(), ts.GELU(), ts.SiLU()])
def test_scores_are_near_the_networks(rng, activation):
    net = ts.SparseMLP(
        (50, 80, 80, 4), epsilon=8, activation=activation, output="identity", skip=True, seed=0, threads=1
    )
    X = rng.standard_normal((500, 50))
    for layer in net.layers:
        layer.values[:] = rng.standard_normal(layer.values.shape) / np.sqrt(layer.n_connections / layer.n_out)
    z = net.decision_function(X)
    error = reference_of(net, X).scores(X) - z
    assert np.sqrt(np.mean(error**2)) < 0.03 * z.std()


def test_targets_in_their_own_unit(rng):
    X = rng.standard_normal((400, 6))
    y = 1e4 + 50 * X[:, 0]
    model = ts.SparseMLPRegressor((40,), density=1.0, epochs=30, random_state=0).fit(X, y)
    expected = model.predict(X)
    found = reference_of(model, X).scores(X)[:, 0]
    assert np.abs(found - expected).max() < 0.05 * expected.std()


def test_predictions():
    two = ts.SparseMLP.from_matrices([np.eye(2)])
    X = np.array([[1.0, 3.0], [3.0, 3.0], [2.0, -1.0]])
    assert reference_of(two, X).predict(X).tolist() == [1, 0, 0]
    one = [[1.0, 0.0]]
    for output, expected in (("sigmoid", [1, 0]), ("identity", [1, 0]), ("softmax", [0, 0])):
        net = ts.SparseMLP.from_matrices([one], output=output)
        assert reference_of(net, X).predict(np.array([[1.0, 0], [-1, 0]])).tolist() == expected
    policy = Policy(ts.SparseMLP.from_matrices([one], output="identity"), head="argmax", n_actions=1)
    assert reference_of(policy, X).predict(X).tolist() == [0, 0, 0]


def test_tanh_by_straight_lines(rng):
    """Actions, apart from the rounding of weights: of one connection of weight 1 there is none."""
    net = ts.SparseMLP.from_matrices([[[1.0]]], output="identity")
    policy = Policy(net, head="tanh", n_actions=1, low=[-3], high=[1])
    z = np.linspace(-20, 20, 255)[:, np.newaxis]
    actions = reference_of(policy, z).act(z)
    assert np.abs(actions - (-1 + 2 * np.tanh(np.round(z * 127 / 20) * 20 / 127))).max() < 2 * 5e-4
    assert (actions.min(), actions.max()) == (-3, 1)
    assert tanh_table()[-1] == 2**15


def test_actions_near_the_policys(rng):
    net = ts.SparseMLP((8, 32, 32, 3), epsilon=8, activation=ts.ReLU(), output="identity", seed=0, threads=1)
    X = rng.standard_normal((300, 8))
    for head, bounds in (("tanh", {"low": [-2, 0, 1], "high": [2, 5, 1.5]}), ("identity", {})):
        policy = Policy(net, head=head, n_actions=3, offset=X.mean(axis=0), factor=1 / X.std(axis=0), **bounds)
        expected, found = policy.predict(X)[0], reference_of(policy, X).act(X)
        assert np.all(np.abs(found - expected).max(axis=0) < 0.1 * np.ptp(expected, axis=0) + 1e-6)


def test_wrong_shapes_and_heads():
    net = ts.SparseMLP.from_matrices([np.eye(2)])
    reference = reference_of(net, np.ones((1, 2)))
    for call in (reference.scores, reference.predict, reference.quantized_inputs, reference.scores_of):
        with pytest.raises(InputError, match=r"X must have shape \(n_samples, 2\), not \(1, 3\)"):
            call(np.ones((1, 3)))
    with pytest.raises(InputError, match="model must be a policy of head 'tanh' or 'identity', not None"):
        reference.act(np.ones((1, 2)))
