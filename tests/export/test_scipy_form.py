from __future__ import annotations

import io
import json

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import softmax

import trulysparse as ts
from export.random_networks import draw
from trulysparse.data import Scaling
from trulysparse.rl.policy import Policy

NETWORKS = {
    "plain": {},
    "skip, float64": {"skip": True, "dtype": "float64"},
    "no biases": {"bias": False, "activation": "gelu"},
    "tied": {"layer_sizes": (12, 9, 12), "tied": True, "output": "identity"},
    "several labels": {"output": "sigmoid", "activation": ts.LeakyReLU(0.3)},
}


def network(rng, layer_sizes=(12, 20, 4), **options) -> ts.SparseMLP:
    """A network with everything that a file can keep."""
    net = ts.SparseMLP(layer_sizes, epsilon=3, seed=1, threads=1, **options)
    for layer in net.layers:
        layer.bias[:] = rng.normal(size=layer.bias.shape)
    net.scaling = Scaling("minmax", rng.normal(size=12), rng.random(12))
    net.feature_names = [f"feature {number}" for number in range(12)]
    if net.output == "softmax":
        net.labels = np.array(["a", "b", "ccc", "d"])
    else:
        net.target_scaling = Scaling("standard", rng.normal(size=layer_sizes[-1]), rng.random(layer_sizes[-1]))
    return net


def saved(model, folder) -> bytes:
    """All that a model file keeps: equal bytes are equal models."""
    ts.save(model, folder / "model")
    return (folder / "model").read_bytes()


@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("compressed", [True, False])
def test_there_and_back_bit_for_bit(rng, tmp_path, options, compressed):
    net = network(rng, **options)
    form = ts.export.scipy(net, tmp_path / "net.npz", compressed=compressed)
    for source in (form, tmp_path / "net.npz", str(tmp_path / "net.npz")):
        assert saved(ts.export.from_scipy(source, threads=1), tmp_path) == saved(net, tmp_path)


def test_networks_drawn_at_random(tmp_path):
    for seed in range(30):
        model = draw(seed).model
        form = ts.export.scipy(model)
        assert saved(ts.export.from_scipy(form, threads=1), tmp_path) == saved(model, tmp_path), draw(seed).words


def test_other_forms_of_a_model(rng, tmp_path):
    net = network(rng)
    wanted = saved(net, tmp_path)
    assert saved(ts.export.from_scipy(ts.export.scipy(net.freeze())), tmp_path) == wanted
    compact = ts.SparseMLP((12, 20, 4), epsilon=3, storage="compact", weights="bfloat16", threads=1)
    same = ts.export.from_scipy(ts.export.scipy(compact), threads=1)
    assert saved(same, tmp_path) == saved(compact.indexed(), tmp_path)
    actor = network(rng, output="identity")
    actor.target_scaling = None
    policy = Policy(actor, head="tanh", n_actions=3, low=[-1, -2, -3], high=[1, 2, 3])
    ts.export.scipy(policy, tmp_path / "policy.npz")
    assert saved(ts.export.from_scipy(tmp_path / "policy.npz"), tmp_path) == saved(policy, tmp_path)


def test_tables(tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    table = pandas.DataFrame({"text": list("xyz") * 10, "number": np.arange(30.0)})
    model = ts.SparseMLPClassifier((8,), epochs=1, random_state=0).fit(table, np.arange(30) % 2)
    ts.export.scipy(model, tmp_path / "net.npz")
    same = ts.export.from_scipy(tmp_path / "net.npz")
    np.testing.assert_array_equal(same.predict_proba(table), model.predict_proba(table))
    assert same.feature_names == model.network_.feature_names


def test_file_is_plain_numpy(rng, tmp_path):
    net = network(rng)
    ts.export.scipy(net, tmp_path / "a.npz")
    ts.export.scipy(net, tmp_path / "b")  # the name is the one given
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b").read_bytes()
    X = rng.normal(size=(5, 12)).astype(np.float32)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        config = json.loads(str(file["config"]))
        h = ((X - file["scaling.offset"]) * file["scaling.factor"]).T
        for number, (name, slope) in enumerate(config["activations"]):
            part = {key: file[f"layers.{number}.weight.{key}"] for key in ("data", "indices", "indptr", "shape")}
            weight = sp.csr_array((part["data"], part["indices"], part["indptr"]), shape=tuple(part["shape"]))
            h = weight @ h + file[f"layers.{number}.bias"][:, None]
            h = h if name == "identity" else np.where(h > 0, h, slope * h)
    np.testing.assert_allclose(softmax(h, axis=0).T, net.predict_proba(X), atol=1e-6)
    assert config["labels"]["values"] == ["a", "b", "ccc", "d"]


def test_arrays_are_copies(rng):
    net = network(rng)
    form = ts.export.scipy(net)
    before = net.layers[0].values.copy()
    form["layers.0.weight"].data[:] = 0
    form["layers.0.bias"][:] = 0
    form["scaling.offset"][:] = 0
    np.testing.assert_array_equal(net.layers[0].values, before)
    assert net.layers[0].bias.all()
    assert net.scaling.offset.all()
    same = ts.export.from_scipy(form)
    assert not same.layers[0].values.any()
    form["layers.1.bias"][:] = 7
    assert not (same.layers[1].bias == 7).any()


class Cube:
    name = "cube"

    def forward(self, z):
        return z**3

    def derivative(self, z):
        return 3 * z**2


def test_activation_of_ones_own(rng, tmp_path):
    net = network(rng, activation=Cube())
    ts.export.scipy(net, tmp_path / "net.npz")
    with pytest.raises(ts.InputError, match="load with activation= and its object"):
        ts.export.from_scipy(tmp_path / "net.npz")
    X = rng.normal(size=(5, 12))
    same = ts.export.from_scipy(tmp_path / "net.npz", activation=Cube())
    np.testing.assert_array_equal(same.predict_proba(X), net.predict_proba(X))


def changed(form, **config) -> dict:
    return {**form, "config": {**form["config"], **config}}


def wrong_weight(form, **parts) -> dict:
    weight = form["layers.0.weight"].copy()
    for name, value in parts.items():
        setattr(weight, name, value)
    return {**form, "layers.0.weight": weight}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda form: {}, "config.'format'. must be 'trulysparse'"),
        (lambda form: changed(form, format="other"), "config.'format'. must be 'trulysparse'"),
        (lambda form: changed(form, version=99), "format version 99; this release reads version 1"),
        (lambda form: {**form, "config": 3}, "it is not of trulysparse"),
        (lambda form: changed(form, layer_sizes=[12, 4]), "layers.0.weight must be of shape"),
        (lambda form: changed(form, layer_sizes="12"), "layer_sizes must list"),
        (lambda form: changed(form, output="linear"), "output must be one of"),
        (lambda form: changed(form, dtype="float64", weights=None, signals=None), "must be float64 of length"),
        (lambda form: changed(form, scaling="standard", labels={"dtype": "<U1", "values": ["a"]}), "1 labels for 4"),
        (lambda form: changed(form, epsilon="many"), "epsilon"),
        (lambda form: changed(form, policy={"head": "tanh"}), "settings are damaged: KeyError.'n_actions'"),
        (lambda form: {k: v for k, v in form.items() if k != "layers.1.weight"}, "layers.1.weight is missing"),
        (lambda form: {k: v for k, v in form.items() if k != "scaling.factor"}, "scaling.factor is missing"),
        (lambda form: {**form, "layers.0.bias": np.zeros(3, np.float32)}, "layers.0.bias"),
        (lambda form: {**form, "layers.0.bias": np.full(20, np.nan, np.float32)}, "layers.0.bias holds NaN"),
        (lambda form: {**form, "layers.0.weight": np.zeros((20, 12))}, "layers.0.weight must be a csr_array"),
        (lambda form: wrong_weight(form, data=form["layers.0.weight"].data * np.inf), "layers.0.weight holds"),
        (lambda form: wrong_weight(form, indices=form["layers.0.weight"].indices[::-1]), "layers.0"),
        (lambda form: wrong_weight(form, indices=form["layers.0.weight"].indices + 12), "layers.0"),
        (lambda form: wrong_weight(form, indptr=form["layers.0.weight"].indptr[::-1]), "layers.0"),
    ],
)
def test_forms_that_do_not_hold_together(rng, change, message):
    form = ts.export.scipy(network(rng))
    with pytest.raises(ts.InputError, match=message):
        ts.export.from_scipy(change(form))


def test_tied_ends_must_be_equal(rng):
    form = ts.export.scipy(network(rng, **NETWORKS["tied"]))
    form["layers.1.weight"].data[0] += 1
    with pytest.raises(ts.InputError, match=r"layers.1.weight must be layers.0.weight, transposed"):
        ts.export.from_scipy(form)


def test_bad_files(rng, tmp_path):
    path = tmp_path / "net.npz"
    ts.export.scipy(network(rng), path)
    content = path.read_bytes()
    array = io.BytesIO()
    np.save(array, np.zeros(3))
    files = [
        (b"", "damaged or not a .npz"),
        (b"text", "damaged or not a .npz"),
        (array.getvalue(), "it is an array, not a .npz"),
        (content[: len(content) // 2], "damaged or not a .npz"),
    ]
    for held, message in files:
        path.write_bytes(held)
        with pytest.raises(ts.InputError, match=message):
            ts.export.from_scipy(path)
    np.savez(path, **{"layers.0.weight.data": np.zeros(3)})
    with pytest.raises(ts.InputError, match=r"layers.0.weight.indices is missing"):
        ts.export.from_scipy(path)
    with pytest.raises(ts.InputError, match=r"nowhere.npz does not exist"):
        ts.export.from_scipy(tmp_path / "nowhere.npz")
    with pytest.raises(ts.InputError, match=r"source must be a path or what export.scipy returned, not int"):
        ts.export.from_scipy(3)
    with pytest.raises(ts.InputError, match="threads must be at least 1"):
        ts.export.from_scipy(ts.export.scipy(network(rng)), threads=0)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_changed_byte_is_found_or_says_nothing(rng, tmp_path, compressed):
    net = network(rng)
    path = tmp_path / "net.npz"
    ts.export.scipy(net, path, compressed=compressed)
    content, wanted, found = path.read_bytes(), saved(net, tmp_path), 0
    for at in range(7, len(content), len(content) // 60):
        path.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
        try:
            same = ts.export.from_scipy(path, threads=1)
        except ts.InputError:
            found += 1
        else:
            assert saved(same, tmp_path) == wanted
    assert found > 30


def test_nothing_is_written_where_it_fails(rng, tmp_path):
    net = network(rng)
    with pytest.raises(ts.InputError, match="compressed must be True or False, not 3"):
        ts.export.scipy(net, tmp_path / "net.npz", compressed=3)
    with pytest.raises(ts.InputError, match="model must be a SparseMLP"):
        ts.export.scipy("net", tmp_path / "net.npz")
    net.labels = np.array([(1, 2), (3, 4), (5, 6), None], object)
    with pytest.raises(ts.InputError, match="label"):
        ts.export.scipy(net, tmp_path / "net.npz")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="missing"):
        ts.export.scipy(network(rng), tmp_path / "missing" / "net.npz")
