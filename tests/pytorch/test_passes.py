from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")

import trulysparse as ts  # noqa: E402


def layer():
    return ts.torch.SparseLinear(6, 4, density=0.5, seed=0)


def keeping(sparse):
    from trulysparse.torch.passes import Passes

    sparse._topology.captured = passes = Passes(sparse.weight)
    return passes


def test_passes_are_those_that_the_gradient_is_the_sum_of():
    sparse = layer()
    passes = keeping(sparse)
    batches = [torch.randn(n, 6) for n in (3, 5, 2)]
    for x in batches[:2]:
        sparse(x).sum().backward()  # accumulated
    assert [len(x) for x, _ in passes] == [3, 5]
    sparse.zero_grad()
    sparse(batches[2]).sum().backward()
    assert [len(x) for x, _ in passes] == [2]
    sparse.zero_grad(set_to_none=False)
    (sparse(batches[0]).sum() + sparse(batches[1]).sum()).backward()  # used twice in one pass
    assert sorted(len(x) for x, _ in passes) == [3, 5]
    gradient = sum(dy.t() @ x for x, dy in passes).t()
    rows = sparse.connectivity.by_input
    owner = np.repeat(np.arange(6), np.diff(rows.ptr))
    torch.testing.assert_close(gradient[owner, rows.index], sparse.weight.grad)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_layers_give_each_pass_once(reentrant):
    from torch.utils.checkpoint import checkpoint

    sparse = layer()
    passes = keeping(sparse)
    for n in (3, 5):
        x = torch.randn(n, 6, requires_grad=True)
        checkpoint(sparse, x, use_reentrant=reentrant).sum().backward()
    assert [len(x) for x, _ in passes] == [3, 5]


def test_joined_samples_lie_neuron_by_neuron_in_the_weights_type():
    from trulysparse.torch.passes import joined

    first, second = (torch.randn(n, 6) for n in (3, 5))
    half = second.bfloat16()
    x, dy = joined([(first, first), (half, half), (first[:0], first[:0])], np.dtype(np.float64))
    assert x.dtype == dy.dtype == np.float64
    assert x.flags.c_contiguous
    assert np.array_equal(x, np.concatenate([first.numpy().T, half.float().numpy().T], axis=1))
    assert joined([], np.dtype(np.float32)) == joined([(first[:0], first[:0])], np.dtype(np.float32)) == (None, None)
