"""A policy against its network, normalisation and head written in NumPy with float64."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import trulysparse as ts
from own_activations import Softsign
from trulysparse import _kernels
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.rl.policy import Policy

LOW, HIGH = np.array([-2.0, 0.0, -1.0, 5.0]), np.array([2.0, 1.0, 3.0, 5.0])
OBSERVATIONS = 11


def network(seed=0, sizes=(OBSERVATIONS, 40, 30, 6), **settings) -> ts.SparseMLP:
    settings = {"density": 0.3, "activation": "relu", "output": "identity", "threads": 1} | settings
    net = ts.SparseMLP(sizes, seed=seed, **settings)
    for layer in net.layers:
        layer.bias[:] = np.random.default_rng(seed).normal(size=layer.bias.size)
    return net


def change(net, seed=3) -> None:
    """Other weights and biases, in place."""
    rng = np.random.default_rng(seed)
    for layer in net.layers:
        layer.values += rng.standard_normal(layer.n_connections).astype(layer.values.dtype) / 5
        layer.bias += rng.standard_normal(layer.bias.size).astype(layer.values.dtype) / 5


def evolve(net) -> None:
    ts.SET(0.3, fresh="init").evolve(net, [layer.new_state(ts.SGD(0.1)) for layer in net.layers], 1, 1)


def outputs(net, X, offset=0.0, factor=1.0) -> np.ndarray:
    """By dense matrices."""
    X = (np.asarray(X, np.float64) - offset) * factor
    for number, layer in enumerate(net.layers):
        X = X @ layer.weight.toarray().astype(np.float64).T + layer.bias
        X = np.maximum(X, 0) if number < len(net.layers) - 1 else X
    return X


def in_units(z) -> np.ndarray:
    return LOW + (np.tanh(z[..., :4]) + 1) / 2 * (HIGH - LOW)


def tanh_policy(net, **scale) -> Policy:
    return Policy(net, head="tanh", n_actions=4, low=LOW, high=HIGH, **scale)


@pytest.fixture
def scale(rng):
    return {"offset": rng.normal(size=OBSERVATIONS), "factor": rng.random(OBSERVATIONS) + 0.5}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("normalized", [False, True])
def test_every_head_against_numpy(rng, isa, scale, dtype, normalized):
    net, X = network(dtype=dtype), rng.normal(size=(50, OBSERVATIONS))
    given = scale if normalized else {}
    z = outputs(net, X, **given)
    tolerance = {"rtol": 2e-5, "atol": 2e-5} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}
    tanh, identity = tanh_policy(net, **given), Policy(net, head="identity", n_actions=6, **given)
    argmax = Policy(net, head="argmax", n_actions=3, **given)
    for policy, wanted in ((tanh, in_units(z)), (identity, z), (argmax, z[:, :3].argmax(axis=1))):
        actions, state = policy.predict(X)
        assert state is None
        assert actions.dtype == (np.int64 if policy is argmax else dtype)
        np.testing.assert_allclose(actions, wanted, **tolerance)
        for x, action in zip(X, actions, strict=True):  # the same bits one by one
            np.testing.assert_array_equal(policy(x), action)
            single, state = policy.predict(x, state=None, episode_start=np.ones(1), deterministic=True)
            np.testing.assert_array_equal(single, action)
            assert np.shape(single) == action.shape
        np.testing.assert_allclose(policy.outputs(X), z, **tolerance)
        np.testing.assert_array_equal(policy.outputs(X[:1])[0], policy.outputs(X)[0])
    assert isinstance(argmax(X[0]), np.int64)


def test_actions_stay_within_their_bounds(rng):
    net = network()
    net.layers[-1].bias[:] = [100, -100, 100, -100, 0, 0]
    low, high = (rng.normal(size=4).astype(np.float32) for _ in range(2))
    low, high = np.minimum(low, high), np.maximum(low, high)
    actions = Policy(net, head="tanh", n_actions=4, low=low, high=high)(np.zeros(OBSERVATIONS))
    np.testing.assert_array_equal(actions, np.where([True, False, True, False], high, low))
    actions = Policy(net, head="tanh", n_actions=4)(np.zeros(OBSERVATIONS))
    np.testing.assert_array_equal(actions, [1, -1, 1, -1])
    net.layers[-1].bias[:] = 0
    net.layers[-1].values[:] = 0
    assert Policy(net, head="argmax", n_actions=6)(np.zeros(OBSERVATIONS)) == 0  # of equal ones the first


def test_any_type_and_layout_of_observations(rng):
    policy = tanh_policy(network())
    X = rng.integers(0, 2, (20, OBSERVATIONS))
    wanted = policy.predict(X.astype(np.float32))[0]
    wide = np.zeros((40, 2 * OBSERVATIONS))
    wide[::2, ::2] = X
    kinds = [
        X.astype(kind) for kind in (bool, np.int8, np.uint8, np.int32, np.float16, np.float64, ">f4", "longdouble")
    ]
    for each in [*kinds, np.asfortranarray(X), wide[::2, ::2], X[::-1][::-1], X.tolist(), list(X.astype(np.float32))]:
        np.testing.assert_array_equal(policy.predict(each)[0], wanted)
        np.testing.assert_array_equal(policy(each[3]), wanted[3])
        np.testing.assert_array_equal(policy.outputs(each), policy.outputs(X))
        policy.check(each)
    assert policy.predict(X[:0])[0].shape == (0, 4)


@pytest.mark.parametrize("ask", ["__call__", "predict", "check", "outputs"])
@pytest.mark.parametrize("kind", [np.float32, np.float64, list])
def test_observations_that_are_refused(rng, ask, kind):
    policy = tanh_policy(network())
    question = getattr(policy, ask)

    def of(array):
        return array.tolist() if kind is list else array.astype(kind)

    X = rng.normal(size=(30, OBSERVATIONS))
    forms = {"__call__": [(11,)], "outputs": [(30, 11)]}.get(ask, [(11,), (30, 11)])
    for form in forms:
        for value in (np.nan, np.inf, -np.inf):
            bad = np.array(X if len(form) == 2 else X[0])
            bad[(20, 5) if len(form) == 2 else 5] = value
            place = r"20, 5" if len(form) == 2 else "5"
            with pytest.raises(ts.InputError, match=rf"observation\[{place}\] is {value}; observations must be finite"):
                question(of(bad))
    for shape in ((), (10,), (12,), (3, 10), (1, 1, 11)):
        with pytest.raises(ts.InputError, match="observation must have shape"):
            question(of(np.zeros(shape)))
    for wrong in ({"position": 1.0}, "left", None, [1j] * 11):
        with pytest.raises(ts.InputError, match="observation must"):
            question(wrong)


def test_one_dimension_more_or_less_is_said():
    policy = tanh_policy(network())
    with pytest.raises(ts.InputError, match=r"observation must have shape \(11,\), not \(2, 11\)"):
        policy(np.zeros((2, 11)))
    with pytest.raises(ts.InputError, match=r"observation must have shape \(n, 11\), not \(11,\)"):
        policy.outputs(np.zeros(11))


def test_a_value_that_normalisation_makes_too_large():
    net = network()
    policy = tanh_policy(net, offset=np.zeros(11), factor=np.full(11, 1e30))
    x = np.zeros(11)
    x[4] = 1e20
    with pytest.raises(ts.InputError, match=r"observation\[4\] is 1e\+20, which is too large once it is normalised"):
        policy(x)


def test_refresh_gives_the_bits_of_a_new_policy(rng, scale):
    net, X = network(), rng.normal(size=(20, OBSERVATIONS))
    policy = tanh_policy(net)
    for step in range(6):
        change(net, step)
        if step == 3:
            evolve(net)
        given = scale if step % 2 else {}
        kernels = policy._kernels
        policy.refresh(net, **given)
        assert (policy._kernels is kernels) == (step != 3)
        np.testing.assert_array_equal(policy.predict(X)[0], tanh_policy(net, **given).predict(X)[0])
        policy = pickle.loads(pickle.dumps(policy)) if step == 4 else policy  # its topology is found anew
        policy.refresh(net, **given)
        np.testing.assert_array_equal(policy.predict(X)[0], tanh_policy(net, **given).predict(X)[0])


def test_updates_of_the_network_do_not_reach_it(rng):
    net, x = network(), rng.normal(size=OBSERVATIONS)
    policy = tanh_policy(net)
    before = policy(x)
    change(net)
    np.testing.assert_array_equal(policy(x), before)


def test_refresh_refuses_what_does_not_fit(scale):
    policy = tanh_policy(network(), **scale)
    before = policy(np.ones(11))
    for net, given, message in (
        (network(sizes=(11, 41, 30, 6)), {}, "net must have layer_sizes"),
        (network(dtype="float64"), {}, "net must have dtype float32"),
        ("net", {}, "net must be a network, not str"),
        (network(), {"offset": np.zeros(11)}, "offset and factor must be given together"),
        (network(), {"offset": np.zeros(10), "factor": np.ones(11)}, r"offset must have shape \(11,\), not \(10,\)"),
        (network(), {"offset": np.zeros(11), "factor": np.full(11, np.inf)}, r"factor\[0\] must be finite, not inf"),
        (network(activation=Softsign()), {}, "built-in activations only, not Softsign"),
    ):
        with pytest.raises(ts.InputError, match=message):
            policy.refresh(net, **given)
        np.testing.assert_array_equal(policy(np.ones(11)), before)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"head": "softmax"}, "head must be one of tanh, argmax, identity"),
        ({"n_actions": 7}, "n_actions must be between 1 and 6, not 7"),
        ({"n_actions": 0}, "n_actions must be between 1 and 6, not 0"),
        ({"low": [0, 0, 0]}, r"low must have shape \(4,\), not \(3,\)"),
        ({"low": [0, 0, 2, 0]}, r"low\[2\] must be at most high\[2\], 1, not 2"),
        ({"high": [1, np.inf, 1, 1]}, r"high\[1\] must be finite"),
        ({"head": "argmax", "low": [0] * 4}, "low and high are for head='tanh', not 'argmax'"),
        ({"head": "identity", "high": [0] * 4}, "low and high are for head='tanh', not 'identity'"),
        ({"factor": np.ones(11)}, "offset and factor must be given together"),
        ({"offset": "x", "factor": np.ones(11)}, "offset must be an array of numbers"),
    ],
)
def test_arguments_that_are_refused(given, message):
    with pytest.raises(ts.InputError, match=message):
        Policy(network(), **({"head": "tanh", "n_actions": 4} | given))


def test_networks_that_are_refused():
    labelled = network()
    labelled.labels = np.arange(6)
    with pytest.raises(ts.InputError, match="net must have no labels"):
        tanh_policy(labelled)
    with pytest.raises(ts.InputError, match=r"net\.indexed\(\)"):
        tanh_policy(network(storage="compact"))
    with pytest.raises(ts.InputError, match="net must be a network, not NoneType"):
        tanh_policy(None)
    scaled = network()
    scaled.scaling = fit_scaling("standard", as_matrix(np.random.default_rng(0).random((9, 11))))
    with pytest.raises(ts.InputError, match="cannot be combined with a network that has a scaling"):
        tanh_policy(scaled, offset=np.zeros(11), factor=np.ones(11))


def test_a_networks_own_scaling_normalises(rng, tmp_path):
    net, X = network(), rng.random((20, 11)) * 5
    net.scaling = fit_scaling("standard", as_matrix(X))
    policy = tanh_policy(net)
    np.testing.assert_allclose(policy.outputs(X), net.decision_function(X), rtol=1e-4, atol=1e-5)
    policy.save(tmp_path / "p")
    np.testing.assert_array_equal(Policy.load(tmp_path / "p").predict(X)[0], policy.predict(X)[0])


def test_threads_ask_while_one_refreshes():
    """Each answer is that of one state: weights and offset are all 1, or all 2."""
    nets = [network(sizes=(50, 80, 4), density=0.5) for _ in range(2)]
    scales = []
    for number, net in enumerate(nets, start=1):
        for layer in net.layers:
            layer.values[:] = number / 100
            layer.bias[:] = number
        scales.append({"offset": np.full(50, float(number)), "factor": np.full(50, 1.0)})
    nets[1] = nets[0].with_layers([layer.copy() for layer in nets[0].layers])
    for layer in nets[1].layers:
        layer.values *= 2
        layer.bias *= 2
    X = np.full((40, 50), 5.0)
    policy = Policy(nets[0], head="identity", n_actions=4, **scales[0])
    wanted = [
        Policy(net, head="identity", n_actions=4, **scale).predict(X)[0]
        for net, scale in zip(nets, scales, strict=True)
    ]
    assert not np.allclose(*wanted)
    wrong, done = [], threading.Event()

    def ask(single: bool) -> None:
        while not done.is_set():
            answer = policy(X[0]) if single else policy.predict(X)[0]
            if not any(np.array_equal(answer, each[0] if single else each) for each in wanted):
                wrong.append(answer)

    askers = [threading.Thread(target=ask, args=(single,)) for single in (True, False, False)]
    for asker in askers:
        asker.start()
    for step in range(400):
        policy.refresh(nets[step % 2], **scales[step % 2])
    done.set()
    for asker in askers:
        asker.join()
    assert not wrong


@pytest.mark.parametrize(
    "settings", [{}, {"dtype": "float64"}, {"skip": True}, {"bias": False}, {"activation": "tanh"}]
)
@pytest.mark.parametrize("head", ["tanh", "argmax", "identity"])
def test_files_and_copies_answer_with_the_same_bits(rng, tmp_path, scale, head, settings):
    net, X = network(**settings), rng.normal(size=(20, 11))
    given = {"low": LOW, "high": HIGH} if head == "tanh" else {}
    for normalized in ({}, scale):
        policy = Policy(net, head=head, n_actions=4, **given, **normalized)
        change(net)
        policy.refresh(net, **normalized)
        path = tmp_path / "policy.safetensors"
        policy.save(path)
        wanted = policy.predict(X)[0]
        for same in (
            Policy.load(path),
            ts.load(path),
            copy.deepcopy(policy),
            copy.copy(policy),
            pickle.loads(pickle.dumps(policy)),
        ):
            assert type(same) is Policy
            assert repr(same) == repr(policy)
            np.testing.assert_array_equal(same.predict(X)[0], wanted)
            assert same(X[0]).dtype == policy(X[0]).dtype
        same.save(tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_file_needs_no_gymnasium(rng, tmp_path):
    policy, x = tanh_policy(network()), rng.normal(size=11)
    policy.save(tmp_path / "policy.safetensors")
    code = (
        "import sys\n"
        "class Refused:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('gymnasium', 'torch', 'pettingzoo', 'sklearn', 'pandas'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refused())\n"
        "import trulysparse as ts, trulysparse.rl\n"
        "from trulysparse.rl import Policy\n"
        f"x = {x.tolist()!r}\n"
        f"for load in (Policy.load, ts.load):\n"
        f"    print(load({str(tmp_path / 'policy.safetensors')!r}).predict(x)[0].tolist())\n"
        "try:\n    import gymnasium\nexcept ImportError:\n    print('none')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(policy(x).tolist())] * 2 + ["none"]


def test_files_that_are_cut_or_changed(tmp_path, scale):
    path = tmp_path / "policy"
    tanh_policy(network(), **scale).save(path)
    whole = path.read_bytes()
    for end in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ts.InputError, match="truncated or not a trulysparse model"):
            Policy.load(path)
    path.write_bytes(whole[:-3] + bytes([whole[-3] ^ 64]) + whole[-2:])
    with pytest.raises(ts.InputError, match=r"its checksum differs|must be finite|holds"):
        Policy.load(path)
    path.unlink()
    with pytest.raises(ts.InputError, match="policy does not exist"):
        Policy.load(path)
    path.write_bytes(b"PK\x03\x04 a zip of torch")
    with pytest.raises(ts.InputError, match="truncated or not a trulysparse model"):
        ts.load(path)


def test_files_of_other_models(tmp_path):
    ts.save(network(), tmp_path / "net")
    with pytest.raises(ts.InputError, match=r"holds a SparseMLP, not a policy: read it with trulysparse\.load"):
        Policy.load(tmp_path / "net")
    tanh_policy(network()).save(tmp_path / "policy")
    with pytest.raises(ts.InputError, match="folder is for a network, but this file holds a Policy"):
        ts.load(tmp_path / "policy", folder=tmp_path / "folder")


@pytest.mark.parametrize(
    ("change_file", "message"),
    [
        (lambda config, arrays: config["config"].update(head="softmax"), "head must be one of"),
        (lambda config, arrays: config["config"].update(n_actions=7), "n_actions must be between"),
        (lambda config, arrays: config["config"].pop("head"), "damaged settings"),
        (lambda config, arrays: config["networks"].clear(), "a policy has one network"),
        (lambda config, arrays: arrays.update({"arrays.low": np.full(4, np.nan)}), r"low\[0\] must be finite"),
        (lambda config, arrays: config["arrays"].remove("factor"), "offset and factor must be given together"),
    ],
)
def test_settings_of_files_that_do_not_hold_together(tmp_path, scale, change_file, message):
    path = tmp_path / "policy"
    tanh_policy(network(), **scale).save(path)
    with safe_open(path, "np") as file:
        arrays, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    config = json.loads(metadata["trulysparse"])
    change_file(config, arrays)
    save_file(arrays, path, {"trulysparse": json.dumps(config)})
    with pytest.raises(ts.InputError, match=message):
        Policy.load(path)


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "missing" / "policy"
    with pytest.raises(OSError, match="cannot be written"):
        tanh_policy(network()).save(path)
    assert not path.parent.exists()


def test_kernels_refuse_arrays_that_do_not_fit():
    net = network()
    frozen = net.freeze()
    head, low, high = _kernels.Head.TANH, np.zeros(4, np.float32), np.ones(4, np.float32)

    def made(*arguments):
        return _kernels.FrozenPolicy32(frozen.kernels, *arguments)

    for arguments, message in (
        ((head, 7, low, high, None, None), "fewer outputs than actions"),
        ((head, 4, None, None, None, None), "tanh alone has a range"),
        ((_kernels.Head.ARGMAX, 4, low, high, None, None), "tanh alone has a range"),
        ((head, 4, low[:3], high, None, None), "low has"),
        ((head, 4, low, high, np.zeros(10), np.zeros(11)), "offset has"),
        ((head, 4, low, high, np.zeros(11), None), "offset and factor must be given together"),
    ):
        with pytest.raises(ValueError, match=message):
            made(*arguments)
    policy = made(head, 4, low, high, None, None)
    for out, message in ((np.empty(3, np.float32), "another size"), (np.empty(4), "another type")):
        with pytest.raises(ValueError, match=message):
            policy.run(np.zeros(11), out, 1)
    with pytest.raises(ValueError, match="one dimension or two"):
        policy.run(np.zeros(11), np.empty(4, np.float32), 3)
    weights, biases = [layer.values for layer in net.layers], [layer.bias for layer in net.layers]
    with pytest.raises(ValueError, match="not been prepared"):
        policy.refresh(weights, biases, None, None)
    assert frozen.stands(net)
    with pytest.raises(ValueError, match="factor has"):
        policy.refresh(weights, biases, np.zeros(11), np.zeros(12))
    policy.refresh(weights, biases, None, None)
