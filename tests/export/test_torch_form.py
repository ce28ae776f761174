from __future__ import annotations

import doctest
import sys
import warnings

import numpy as np
import pytest

import trulysparse as ts
from export.random_networks import draw
from trulysparse.data import Scaling
from trulysparse.rl.policy import Policy

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")

ACTIVATIONS = ("all_relu", "relu", "leaky_relu", "tanh", "sigmoid", "identity", "gelu", "silu")


@pytest.fixture(autouse=True)
def quiet():
    """torch says that its sparse tensors are new."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        yield


def network(rng, layer_sizes=(12, 20, 4), **options) -> ts.SparseMLP:
    net = ts.SparseMLP(layer_sizes, epsilon=3, seed=1, threads=1, **options)
    for layer in net.layers:
        layer.bias[:] = rng.normal(size=layer.bias.shape)
        if layer is net.skip_layer:
            layer.values[:] = rng.normal(size=layer.values.shape)
    net.scaling = Scaling("standard", rng.normal(size=12), rng.random(12))
    return net


def saved(model, folder) -> bytes:
    """All that a model file keeps: equal bytes are equal models."""
    ts.save(model, folder / "model")
    return (folder / "model").read_bytes()


def documented_scores(checkpoint):
    """The function of the docstring's example, for a checkpoint."""
    examples = doctest.DocTestParser().get_examples(ts.export.torch.__doc__)
    names = {"torch": torch, "checkpoint": checkpoint}
    for example in examples:
        if example.source.startswith(("state, config", "functions", "def scores")):
            exec(example.source, names)
    return names["scores"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_documented_lines_compute_the_network(rng, tmp_path, activation):
    X = rng.normal(size=(6, 12)).astype(np.float32)
    for options in ({}, {"skip": True, "dtype": "float64"}, {"bias": False}):
        net = network(rng, activation=activation, **options)
        ts.export.torch(net, tmp_path / "net.pt")
        scores = documented_scores(torch.load(tmp_path / "net.pt", weights_only=True))
        np.testing.assert_allclose(scores(torch.from_numpy(X)), net.decision_function(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{}, {"skip": True, "dtype": "float64"}, {"bias": False}, {"layer_sizes": (12, 9, 12), "tied": True}],
)
def test_there_and_back_bit_for_bit(rng, tmp_path, options):
    net = network(rng, **options)
    net.labels = np.array([f"class {number}" for number in range(net.layer_sizes[-1])])
    net.feature_names = [f"feature {number}" for number in range(12)]
    checkpoint = ts.export.torch(net, tmp_path / "net.pt")
    for source in (checkpoint, tmp_path / "net.pt", str(tmp_path / "net.pt")):
        assert saved(ts.export.from_torch(source, threads=1), tmp_path) == saved(net, tmp_path)
    weight = checkpoint["state_dict"]["layers.0.weight"]
    assert (weight.layout, tuple(weight.shape)) == (torch.sparse_csr, (net.layer_sizes[1], 12))


def test_networks_drawn_at_random(tmp_path):
    for seed in range(20):
        model = draw(seed).model
        same = ts.export.from_torch(ts.export.torch(model), threads=1)
        assert saved(same, tmp_path) == saved(model, tmp_path), draw(seed).words


def test_policies_and_estimators(rng, tmp_path):
    policy = Policy(network(rng, output="identity"), head="argmax", n_actions=3)
    ts.export.torch(policy, tmp_path / "policy.pt")
    assert saved(ts.export.from_torch(tmp_path / "policy.pt"), tmp_path) == saved(policy, tmp_path)
    X = rng.normal(size=(30, 12))
    model = ts.SparseMLPRegressor((8,), epochs=1, random_state=0).fit(X, X[:, :2])
    np.testing.assert_array_equal(ts.export.from_torch(ts.export.torch(model)).predict(X), model.predict(X))


def test_same_bytes_whatever_the_name(rng, tmp_path):
    net = network(rng)
    for name in ("a.pt", "b"):
        ts.export.torch(net, tmp_path / name)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b").read_bytes()


def test_tensors_are_copies_and_may_be_changed(rng):
    net = network(rng)
    state = ts.export.torch(net)["state_dict"]
    for name in ("layers.0.bias", "scaling.offset"):
        state[name].zero_()
    state["layers.0.weight"].values().zero_()
    assert net.layers[0].bias.all()
    assert net.layers[0].values.all()
    assert net.scaling.offset.all()
    checkpoint = ts.export.torch(net)
    trained = {name: tensor.clone().requires_grad_(tensor.is_floating_point()) for name, tensor in state.items()}
    same = ts.export.from_torch({**checkpoint, "state_dict": trained})
    assert not same.layers[0].values.any()


def without(checkpoint, name) -> dict:
    return {**checkpoint, "state_dict": {k: v for k, v in checkpoint["state_dict"].items() if k != name}}


def having(checkpoint, name, tensor) -> dict:
    return {**checkpoint, "state_dict": {**checkpoint["state_dict"], name: tensor}}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: {}, "a checkpoint of export.torch is {'state_dict': tensors, 'config': settings}"),
        (lambda c: c["state_dict"], "a checkpoint of export.torch is"),
        (lambda c: {"state_dict": c["state_dict"]}, "config.'format'. must be 'trulysparse'"),
        (lambda c: without(c, "layers.0.weight"), "layers.0.weight is missing"),
        (lambda c: having(c, "layers.0.weight", torch.zeros(20, 12)), "layers.0.weight must be a sparse CSR tensor"),
        (lambda c: having(c, "layers.0.weight", torch.zeros(3, 3).to_sparse_csr()), r"must be of shape \(20, 12\)"),
        (lambda c: having(c, "layers.0.bias", [1, 2]), "must be a tensor, not list"),
        (lambda c: having(c, "layers.0.bias", torch.zeros(20, dtype=torch.bfloat16)), "types that NumPy has"),
        (lambda c: having(c, "layers.0.bias", torch.zeros(20).double()), "layers.0.bias must be float32"),
        (lambda c: having(c, "layers.0.bias", torch.full((20,), torch.nan)), "layers.0.bias holds NaN"),
    ],
)
def test_checkpoints_that_do_not_hold_together(rng, change, message):
    checkpoint = ts.export.torch(network(rng))
    with pytest.raises(ts.InputError, match=message):
        ts.export.from_torch(change(checkpoint))


def test_bad_files(rng, tmp_path):
    path = tmp_path / "net.pt"
    net = network(rng)
    ts.export.torch(net, path)
    content = path.read_bytes()
    for held in (b"", b"text", content[: len(content) // 2]):
        path.write_bytes(held)
        with pytest.raises(ts.InputError, match=r"net.pt is damaged or not a file of export.torch"):
            ts.export.from_torch(path)
    at = content.index(net.layers[0].bias.tobytes())  # a number that torch would read
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(ts.InputError, match=r"damaged .*the checksum of archive/data/\d+ in it differs"):
        ts.export.from_torch(path)
    torch.save(torch.zeros(3), path)
    with pytest.raises(ts.InputError, match=r"holds a Tensor, not a checkpoint of export.torch"):
        ts.export.from_torch(path)
    torch.save({"state_dict": {}, "code": network}, path)  # a pickle of anything else
    with pytest.raises(ts.InputError, match=r"damaged or not a file of export.torch"):
        ts.export.from_torch(path)
    with pytest.raises(ts.InputError, match=r"nowhere.pt does not exist"):
        ts.export.from_torch(tmp_path / "nowhere.pt")
    with pytest.raises(ts.InputError, match=r"source must be a path or what export.torch returned, not int"):
        ts.export.from_torch(3)
    with pytest.raises(OSError, match="missing"):
        ts.export.torch(network(rng), tmp_path / "missing" / "net.pt")
    assert [each.name for each in tmp_path.iterdir()] == ["net.pt"]


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for call in (lambda: ts.export.torch(ts.SparseMLP((4, 8, 2), epsilon=1)), lambda: ts.export.from_torch({})):
        with pytest.raises(ts.MissingExtraError, match=r"needs torch: pip install 'trulysparse\[torch\]'"):
            call()
