from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")
nn = torch.nn
SparseLinear = None if torch is None else ts.torch.SparseLinear


@pytest.mark.parametrize(
    "activation",
    [ts.AllReLU(0.6), ts.LeakyReLU(0.1), ts.ReLU(), ts.Tanh(), ts.Sigmoid(), ts.SiLU(), ts.GELU(), ts.Identity()],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_there_and_back(activation, dtype, rng):
    net = ts.SparseMLP((9, 14, 11, 4), epsilon=3, activation=activation, dtype=dtype, seed=0, threads=1)
    for layer in net.layers:
        layer.bias[:] = rng.normal(size=layer.bias.shape)
    model = ts.torch.from_mlp(net)
    X = rng.normal(size=(20, 9)).astype(dtype)
    exact = 1e-12 if dtype == "float64" else 1e-5
    outputs = model(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(outputs, net.decision_function(X), rtol=exact, atol=exact)
    back = ts.torch.to_mlp(model, output="softmax", threads=1)
    assert (back.layer_sizes, back.activation, back.dtype, back.output) == (
        net.layer_sizes,
        net.activation,
        net.dtype,
        "softmax",
    )
    for layer, other in zip(net.layers, back.layers, strict=True):
        np.testing.assert_array_equal(other.values, layer.values)
        np.testing.assert_array_equal(other.connectivity.by_input.index, layer.connectivity.by_input.index)
        np.testing.assert_array_equal(other.bias, layer.bias)
    back.layers[0].values[:] = 0
    assert model[0].weight.any()  # arrays of its own


def test_dense_modules_dropout_and_ends():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.5)),
        SparseLinear(8, 5, density=0.5, bias=False),
        nn.ReLU(),
        nn.Linear(5, 3),
        nn.Softmax(dim=1),
    ).eval()
    with torch.no_grad():
        model[1][0].weight[0, :3] = 0
    net = ts.torch.to_mlp(model)
    assert net.output == "softmax"
    assert net.layers[0].n_connections == 45
    X = torch.randn(7, 6)
    np.testing.assert_allclose(net.predict_proba(X.numpy()), model(X).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert net.freeze().predict(X.numpy()).tolist() == model(X).argmax(1).tolist()
    assert ts.torch.to_mlp(nn.Sequential(nn.Linear(6, 1), nn.Sigmoid())).output == "sigmoid"


def test_what_was_trained_in_torch_is_exported(tmp_path):
    model = nn.Sequential(SparseLinear(6, 8, density=0.4, seed=0), nn.Tanh(), SparseLinear(8, 3, density=0.5, seed=1))
    size = ts.export.c(ts.torch.to_mlp(model), tmp_path / "net.c")
    assert size.n_connections == len(model[0].weight) + len(model[2].weight)


@pytest.mark.parametrize(
    "modules, message",
    [
        ([], "at least one linear module"),
        ([nn.ReLU(), nn.Linear(3, 4)], "begin with a linear module, not 0"),
        ([nn.Linear(3, 4), nn.ReLU(), nn.Tanh(), nn.Linear(4, 2)], "2 .Tanh. follows another activation"),
        ([nn.Linear(3, 4), nn.ReLU()], "must end with a linear module"),
        ([nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)], "one activation, not ReLU, Tanh"),
        ([nn.Linear(3, 4), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)], "one activation, not Tanh, none"),
        ([nn.Linear(3, 4), nn.ReLU(), nn.Linear(5, 2)], "2 has 5 inputs, the layer before 4 outputs"),
        ([nn.Linear(3, 4).bfloat16()], "0 must have float32 or float64 weights"),
        ([nn.Linear(3, 4).to("meta")], "on meta"),
        ([nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)], "LayerNorm after 0"),
        ([nn.Linear(3, 4), nn.GELU(approximate="tanh"), nn.Linear(4, 2)], "approximate='tanh'"),
        (
            [nn.Linear(3, 4), nn.LeakyReLU(0.1), nn.Linear(4, 4), nn.LeakyReLU(0.2), nn.Linear(4, 2)],
            "slopes of LeakyReLU",
        ),
    ],
)
def test_sequentials_that_are_no_mlp(modules, message):
    with pytest.raises(InputError, match=message):
        ts.torch.to_mlp(nn.Sequential(*modules))


def test_networks_that_are_no_sequential():
    with pytest.raises(InputError, match="Sequential, not ReLU"):
        ts.torch.to_mlp(nn.ReLU())
    with pytest.raises(InputError, match="output must be 'softmax'"):
        ts.torch.to_mlp(nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)), output="sigmoid")
    scaled = ts.SparseMLP((4, 3), epsilon=2)
    scaled.scaling = Scaling("standard", np.zeros(4), np.ones(4))
    for net, message in (
        (scaled, "scaling"),
        (ts.SparseMLP((4, 6, 3), epsilon=2, skip=True), "skip layer"),
        (ts.SparseMLP((4, 3, 4), epsilon=2, tied=True, output="identity"), "tied"),
        ("net", "SparseMLP, not str"),
    ):
        with pytest.raises(InputError, match=message):
            ts.torch.from_mlp(net)
    compact = ts.SparseMLP((40, 30, 3), epsilon=2, storage="compact")
    assert len(ts.torch.from_mlp(compact)) == 3
