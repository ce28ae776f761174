from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")

from torch import distributed  # noqa: E402


class Rank:
    """What a rank is told, one after the other in one process: the broadcasts of rank 0 go through a list."""

    def __init__(self, monkeypatch, rank: int, wire: list) -> None:
        monkeypatch.setattr(distributed, "get_world_size", lambda group: 2)
        monkeypatch.setattr(distributed, "get_rank", lambda group: rank)
        monkeypatch.setattr(distributed, "get_global_rank", lambda group, number: number)

        def broadcast(tensor, src, group):
            assert src == 0
            if rank == 0:
                wire.append(tensor.clone())
            else:
                tensor.copy_(wire.pop(0))

        monkeypatch.setattr(distributed, "broadcast", broadcast)


def evolved(monkeypatch, rank, wire, method, seed):
    """A layer after an evolution on a batch of the rank's own."""
    from trulysparse.torch.agreement import agreeing

    Rank(monkeypatch, rank, wire)
    layer = ts.SparseMLP((20, 30), epsilon=4, seed=0, threads=1).layers[0]
    state = layer.new_state(ts.SGD())
    step = agreeing(method, object()).start(layer, state, key=3, threads=1, total_updates=100)
    rng = np.random.default_rng(seed)
    batch = [rng.standard_normal((n, 16)).astype(np.float32) for n in (20, 30)]
    step.evolve_layer(0, *(batch if method.needs_gradient else (None, None)))
    return layer


@pytest.mark.parametrize(
    ("method", "messages"),
    [
        (ts.SET(), 0),
        (ts.RigL(), 2),
        (ts.GSE(), 2),
        (ts.MEST(), 1),
        (ts.CTRE(), 2),
        (
            ts.Evolution(
                ts.evolution.prune.MagnitudeAndGradient(9.0),
                ts.evolution.grow.LargestGradient(),
                ts.Schedule(0.3, every_epochs=1),
            ),
            3,
        ),
    ],
    ids=["set", "rigl", "gse", "mest", "ctre", "own"],
)
def test_all_ranks_take_the_choice_of_the_first(monkeypatch, method, messages):
    wire: list = []
    first = evolved(monkeypatch, 0, wire, method, seed=0)
    assert len(wire) == messages
    second = evolved(monkeypatch, 1, wire, method, seed=1)
    assert not wire
    assert np.array_equal(first.connectivity.by_input.index, second.connectivity.by_input.index)
    assert np.array_equal(first.values, second.values)
    if messages:  # left alone, it would have chosen otherwise
        monkeypatch.undo()
        alone = evolved(monkeypatch, 0, [], method, seed=1)
        assert not np.array_equal(first.connectivity.by_input.index, alone.connectivity.by_input.index)


def test_what_cannot_agree_is_refused(monkeypatch):
    from trulysparse.torch.agreement import agreeing

    Rank(monkeypatch, 0, [])
    with pytest.raises(InputError, match="ReDo"):
        agreeing(ts.ReDo(), object())
    with pytest.raises(InputError, match=r"GraNet with a density.*fixed sizes"):
        agreeing(ts.GraNet(), object())
    monkeypatch.setattr(distributed, "get_world_size", lambda group: 1)
    method = ts.ReDo()
    assert agreeing(method, object()) is method
    assert agreeing(method, None) is method


def test_ranks_that_begin_apart_are_told(monkeypatch):
    from trulysparse.torch.agreement import check_same

    one, other = (ts.SparseMLP((20, 30), epsilon=2, seed=seed).layers[0].connectivity for seed in (0, 1))
    told: list = []

    def gather(of_ranks, own, group):
        told.append(own.clone())
        for place, value in zip(of_ranks, told[-2:], strict=True):
            place.copy_(value)

    Rank(monkeypatch, 0, [])
    monkeypatch.setattr(distributed, "all_gather", gather)
    monkeypatch.setattr(distributed, "get_world_size", lambda group: min(2, len(told) + 1))
    told.append(torch.tensor([5, 1]))
    for connectivity, seed, words in ((one, 6, "seed"), (other, 6, "connections of layer 0")):
        with pytest.raises(InputError, match=words):
            check_same([connectivity], seed, object())
    check_same([other], 6, object())
    check_same([one], 6, None)
