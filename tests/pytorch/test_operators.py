from __future__ import annotations

import pytest

import trulysparse as ts

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")

from trulysparse.connectivity import uniform  # noqa: E402
from trulysparse.torch.operators import sparse_linear  # noqa: E402
from trulysparse.torch.topology import Topology  # noqa: E402


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize("shape", [(7, 6), (2, 3, 6)])
def test_opcheck(features, shape):
    """PyTorch's own check of schema, shapes of fake tensors, gradients, and both in one compiled graph."""
    layer = ts.torch.SparseLinear(6, 5, density=0.5, seed=0)
    x = torch.randn(shape, requires_grad=True)
    torch.library.opcheck(sparse_linear, (x, layer.weight, layer.bias, layer._token, 5, features))
    torch.library.opcheck(sparse_linear, (x.detach(), layer.weight.detach(), None, layer._token, 5, features))
    dy = torch.randn(*shape[:-1], 5)
    backward = torch.ops.trulysparse.sparse_linear_backward
    x, weight = x.detach(), layer.weight.detach()
    torch.library.opcheck(backward, (x, weight, dy, layer._token, 5, [True, True, True]))
    torch.library.opcheck(backward, (x, weight, dy, layer._token, 5, [False, True, False]))


def test_a_compiled_chain_is_one_graph_whatever_the_connections():
    torch.manual_seed(0)
    layers = [ts.torch.SparseLinear(12, 20, density=0.3, seed=0), ts.torch.SparseLinear(20, 4, density=0.3, seed=1)]
    model = torch.nn.Sequential(layers[0], torch.nn.GELU(), layers[1])
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    x = torch.randn(9, 12)
    for seed in range(4):
        for layer in layers:
            layer.set_topology(uniform(layer.in_features, layer.out_features, len(layer.weight), seed=seed))
        torch.testing.assert_close(compiled(x), model(x), rtol=0, atol=0)
    assert len(graphs) == 1


def test_compiled_gradients():
    torch._dynamo.reset()
    layer = ts.torch.SparseLinear(12, 20, density=0.3, seed=0)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    gradients = []
    for call in (layer, compiled):
        x = torch.randn(9, 12, generator=torch.Generator().manual_seed(0)).requires_grad_()
        layer.zero_grad()
        call(x).square().sum().backward()
        gradients.append((x.grad, layer.weight.grad, layer.bias.grad))
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=0)


def test_connections_that_are_gone():
    topology = Topology(uniform(6, 5, 10, threads=1))
    token = topology.token()
    del topology
    with pytest.raises(RuntimeError, match="evolve after backward"):
        sparse_linear(torch.zeros(2, 6), torch.zeros(10), None, token, 5, False)
