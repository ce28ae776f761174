from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.connectivity import uniform
from trulysparse.errors import InputError

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")


def layer(n_in: int = 20, n_out: int = 30, **options):
    return ts.torch.SparseLinear(n_in, n_out, **({"density": 0.3, "seed": 0} | options))


def dense(sparse):
    """A torch.nn.Linear of the same weights."""
    linear = torch.nn.Linear(
        sparse.in_features, sparse.out_features, sparse.bias is not None, dtype=sparse.weight.dtype
    )
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(sparse.to_csr().toarray()))
        if sparse.bias is not None:
            linear.bias.copy_(sparse.bias)
    return linear


def along(sparse, matrix):
    """Values of a matrix (n_out, n_in) along the connections."""
    rows = sparse.connectivity.by_input
    return matrix[rows.index, np.repeat(np.arange(sparse.in_features), np.diff(rows.ptr))]


@pytest.mark.parametrize("shape", [(20,), (0, 20), (1, 20), (17, 20), (128, 20), (300, 20), (5, 7, 20), (2, 0, 20)])
@pytest.mark.parametrize("layout", ["auto", "samples", "features"])
def test_outputs_and_gradients_are_those_of_the_dense_layer(shape, layout):
    torch.manual_seed(0)
    sparse = layer(dtype=torch.float64, layout=layout)
    linear = dense(sparse)
    x = torch.randn(shape, dtype=torch.float64)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = sparse(ours), linear(theirs)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    dy = torch.randn_like(expected)
    y.backward(dy)
    expected.backward(dy)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sparse.bias.grad, linear.bias.grad, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sparse.weight.grad, along(sparse, linear.weight.grad), rtol=1e-12, atol=1e-12)


def test_inputs_that_lie_otherwise_in_memory():
    torch.manual_seed(0)
    sparse = layer(dtype=torch.float64)
    linear = dense(sparse)
    wide = torch.randn(20, 64, dtype=torch.float64)
    for x in (wide.t(), torch.randn(9, 40, dtype=torch.float64)[:, ::2], wide[:, :1].t(), wide[:, 3:9].t()):
        assert not x.is_contiguous() or len(x) == 1
        torch.testing.assert_close(sparse(x), linear(x), rtol=1e-12, atol=1e-12)
    x = torch.randn(1, 20, dtype=torch.float64).expand(6, 20).requires_grad_()
    sparse(x).sum().backward()
    torch.testing.assert_close(sparse.weight.grad, along(sparse, 6 * x.detach()[:1].expand(30, 20)))


def test_a_chain_of_sparse_layers_keeps_features_side_by_side():
    first, second = layer(20, 30), layer(30, 10)
    hidden = torch.nn.functional.gelu(first(torch.randn(64, 20)))
    assert hidden.stride() == (1, 64)
    assert second(hidden).is_contiguous()  # of fewer outputs than inputs
    assert first(torch.randn(4, 16, 20)).is_contiguous()


def test_gradcheck():
    sparse = layer(6, 5, density=0.5, dtype=torch.float64)
    x = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *_: sparse(x), (x, sparse.weight, sparse.bias))


def test_only_what_is_asked_for_gets_a_gradient():
    sparse = layer()
    sparse.weight.requires_grad_(False)
    x = torch.randn(5, 20, requires_grad=True)
    sparse(x).sum().backward()
    assert sparse.weight.grad is None
    assert x.grad is not None
    assert sparse.bias.grad is not None
    bare = layer(bias=False)
    bare(torch.randn(5, 20)).sum().backward()
    assert bare.bias is None
    assert bare.weight.grad is not None


def test_a_layer_in_two_places_sums_its_gradients():
    shared = layer(20, 20, dtype=torch.float64)
    linear = dense(shared)
    x = torch.randn(5, 20, dtype=torch.float64)
    shared(torch.tanh(shared(x))).sum().backward()
    linear(torch.tanh(linear(x))).sum().backward()
    torch.testing.assert_close(shared.weight.grad, along(shared, linear.weight.grad))


def test_accumulated_gradients_clipping_and_hooks():
    sparse = layer(dtype=torch.float64)
    linear = dense(sparse)
    called = []
    sparse.register_forward_hook(lambda *_: called.append(1))
    for _ in range(2):
        x = torch.randn(5, 20, dtype=torch.float64)
        sparse(x).square().sum().backward()
        linear(x).square().sum().backward()
    assert called == [1, 1]
    torch.testing.assert_close(sparse.weight.grad, along(sparse, linear.weight.grad))
    norm = torch.nn.utils.clip_grad_norm_(sparse.parameters(), 1.0)
    assert norm > 1
    total = torch.cat([sparse.weight.grad, sparse.bias.grad]).norm()
    torch.testing.assert_close(total, torch.ones_like(total), rtol=1e-5, atol=0)


def test_activation_checkpointing():
    from torch.utils.checkpoint import checkpoint

    sparse = layer()
    x = torch.randn(8, 20, requires_grad=True)
    sparse(x).square().sum().backward()
    expected, x.grad, sparse.weight.grad = (x.grad, sparse.weight.grad), None, None
    checkpoint(lambda x: sparse(x).square().sum(), x, use_reentrant=False).backward()
    torch.testing.assert_close((x.grad, sparse.weight.grad), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    torch.manual_seed(0)
    sparse = layer()
    linear = dense(sparse)
    x = torch.randn(40, 20, requires_grad=True)
    with torch.autocast("cpu", dtype=dtype):
        y, expected = sparse(x), linear(x)
    assert y.dtype == expected.dtype == dtype
    torch.testing.assert_close(y, expected, rtol=0.02, atol=0.02)
    y.float().square().sum().backward()
    assert sparse.weight.grad.dtype == torch.float32
    assert x.grad.dtype == torch.float32
    expected.float().square().sum().backward()
    torch.testing.assert_close(sparse.weight.grad, along(sparse, linear.weight.grad), rtol=0.1, atol=0.5)
    with torch.autocast("cpu", dtype=dtype):  # float64 is left alone, as by torch.nn.Linear
        assert layer(dtype=torch.float64)(x.detach().double()).dtype == torch.float64


def test_density_epsilon_and_connections_of_ones_own():
    assert len(layer(100, 50, density=0.1).weight) == 500
    assert len(layer(100, 50, density=None, epsilon=3).weight) == 450
    assert len(layer(100, 50, density=None).weight) == 3000
    con = uniform(20, 30, 90, threads=1)
    assert layer(density=None, connectivity=con).connectivity is con
    matrix = sp.random_array((30, 20), density=0.2, format="csr", rng=np.random.default_rng(0))
    given = layer(density=None, connectivity=matrix).to_csr()
    np.testing.assert_array_equal(given.indices, matrix.indices)
    assert layer(connectivity="fixed_fan_in").to_csr().count_nonzero(axis=1).tolist() == [6] * 30


def test_seeds():
    again = [layer(seed=s) for s in (1, 1, 2)]
    assert torch.equal(again[0].weight, again[1].weight)
    assert torch.equal(again[0].bias, again[1].bias)
    assert not torch.equal(again[0].weight, again[2].weight)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(layer(seed=None))
    assert torch.equal(drawn[0].weight, drawn[1].weight)
    assert torch.equal(drawn[0].bias, drawn[1].bias)
    assert not torch.equal(layer(seed=None).weight, drawn[0].weight)


def test_weights_start_within_one_over_the_root_of_the_neurons_inputs():
    sparse = layer(400, 300, density=0.1)
    limit = 1 / np.sqrt(np.diff(sparse.connectivity.indptr))
    matrix = abs(sparse.to_csr()).max(axis=1).toarray().ravel()
    assert (matrix <= limit * (1 + 1e-6)).all()
    assert (matrix > 0.7 * limit).all()
    assert (np.abs(sparse.bias.detach().numpy()) <= limit).all()


def test_files_carry_the_topology():
    one, other = layer(density=0.3, seed=0), layer(density=0.2, seed=1)
    x = torch.randn(4, 20)
    alive = other(x).sum()  # a graph that remembers the old number of connections
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    kept = other.weight
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.weight is kept
    assert torch.equal(other(x), one(x))
    other(x).sum().backward()
    assert other.weight.grad.shape == one.weight.shape
    del alive
    model = torch.nn.Sequential(layer(), torch.nn.ReLU(), layer(30, 5))
    twin = torch.nn.Sequential(layer(seed=5), torch.nn.ReLU(), layer(30, 5, seed=6))
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(x), model(x))


def test_files_that_do_not_fit_change_nothing():
    sparse = layer()
    before = sparse.to_csr().toarray()
    state = sparse.state_dict()
    wrong = [
        (layer(20, 31).state_dict(), "index"),
        ({name: state[name] for name in ("weight", "bias")}, "indptr"),
        ({**state, "indices": state["indices"].flip(0)}, "ascending"),
        ({**layer(seed=2).state_dict(), "weight": state["weight"][:-1]}, "weight"),
    ]
    for bad, message in wrong:
        with pytest.raises((RuntimeError, InputError), match=message):
            sparse.load_state_dict(bad)
        np.testing.assert_array_equal(sparse.to_csr().toarray(), before)


def test_copies_and_pickles():
    sparse = layer()
    x = torch.randn(4, 20)
    for twin in (copy.deepcopy(sparse), pickle.loads(pickle.dumps(sparse)), copy.copy(sparse)):
        assert torch.equal(twin(x), sparse(x))
    twin = copy.deepcopy(sparse)
    with torch.no_grad():
        twin.weight.zero_()
    assert sparse.weight.any()


@pytest.mark.parametrize("keep", ["magnitude", "random"])
def test_from_linear(keep):
    torch.manual_seed(0)
    linear = torch.nn.Linear(40, 30).eval()
    linear.bias.requires_grad_(False)
    sparse = ts.torch.SparseLinear.from_linear(linear, 0.25, keep, seed=1)
    matrix, full = sparse.to_csr().toarray(), linear.weight.detach().numpy()
    assert (matrix != 0).sum() == 300
    np.testing.assert_array_equal(matrix[matrix != 0], full[matrix != 0])
    if keep == "magnitude":
        assert np.abs(full[matrix != 0]).min() >= np.abs(full[matrix == 0]).max()
    assert torch.equal(sparse.bias, linear.bias)
    assert not sparse.training
    assert not sparse.bias.requires_grad
    assert sparse.weight.requires_grad
    bare = ts.torch.SparseLinear.from_linear(torch.nn.Linear(4, 3, bias=False, dtype=torch.float64), 1.0)
    assert bare.bias is None
    assert bare.weight.dtype == torch.float64


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: layer(0, 3), "in_features"),
        (lambda: layer(3, 2.5), "out_features"),
        (lambda: layer(density=0.0), "density"),
        (lambda: layer(density=1.5), "density"),
        (lambda: layer(density=0.1, epsilon=3), "epsilon cannot be combined"),
        (lambda: layer(density=None, epsilon=-1), "epsilon"),
        (lambda: layer(connectivity="nothing"), "connectivity"),
        (lambda: layer(density=None, connectivity=uniform(3, 4, 5)), "20 inputs and 30 outputs, not 3 and 4"),
        (lambda: layer(connectivity=uniform(20, 30, 5)), "pattern"),
        (lambda: layer(seed=-1), "seed"),
        (lambda: layer(dtype=torch.bfloat16), "dtype must be torch.float32"),
        (lambda: layer(layout="rows"), "layout"),
        (lambda: layer()(torch.zeros(3, 19)), r"x must have shape \(..., 20\), not \(3, 19\)"),
        (lambda: layer()(torch.zeros(())), "shape"),
        (lambda: layer()(torch.zeros(3, 20, dtype=torch.float64)), "x must be torch.float32"),
        (lambda: layer()(torch.zeros(3, 20, dtype=torch.int64)), "x must be torch.float32"),
        (lambda: layer()(torch.zeros(3, 20, device="meta")), "no GPU kernels"),
        (lambda: layer().bfloat16()(torch.zeros(3, 20, dtype=torch.bfloat16)), "autocast"),
        (lambda: layer().set_topology(uniform(20, 30, 5)), "5 connections, weight 180"),
        (lambda: layer().set_topology(uniform(20, 31, 5)), "outputs"),
        (lambda: ts.torch.SparseLinear.from_linear(torch.nn.ReLU(), 0.1), "torch.nn.Linear, not ReLU"),
        (lambda: ts.torch.SparseLinear.from_linear(torch.nn.Linear(3, 4).half(), 0.1), "float16"),
        (lambda: ts.torch.SparseLinear.from_linear(torch.nn.Linear(3, 4), 0.1, "largest"), "keep"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
