from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.errors import InputError

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")


def blocks():
    """Two blocks of two sparse layers, and a dense head."""
    return torch.nn.ModuleDict(
        {
            name: torch.nn.ModuleDict({part: ts.torch.SparseLinear(8, 8, density=0.3) for part in ("up", "down")})
            for name in ("first", "second")
        }
        | {"head": torch.nn.Linear(8, 2)}
    )


def chosen(model, layers=None, parameters=None):
    from trulysparse.torch.evolving_layers import chosen_layers

    optimizer = torch.optim.SGD(model.parameters() if parameters is None else parameters, lr=0.1)
    names = {module: name for name, module in model.named_modules()}
    return [[names[layer] for layer in tied] for tied in chosen_layers(model, optimizer, layers)]


def test_names_stand_for_layers():
    model = blocks()
    every = [["first.up"], ["first.down"], ["second.up"], ["second.down"]]
    assert chosen(model) == every
    assert chosen(model, "first.*") == every[:2]
    assert chosen(model, ["*.down", "*.up"]) == [every[1], every[3], every[0], every[2]]
    assert chosen(model, model["second"]["up"]) == every[2:3]
    assert chosen(model, ["second.up", model["second"]["up"], "second.*"]) == every[2:]


def test_only_layers_that_the_optimizer_trains():
    model = blocks()
    assert chosen(model, parameters=model["second"].parameters()) == [["second.up"], ["second.down"]]
    with pytest.raises(InputError, match=r"'first\.up'"):
        chosen(model, "first.up", model["second"].parameters())
    with pytest.raises(InputError, match="optimizer must train"):
        chosen(model, None, model["head"].parameters())
    with pytest.raises(InputError, match=r"third\.\*.* matches no"):
        chosen(model, ["first.*", "third.*"])


def test_layers_used_twice_and_layers_of_one_weight():
    model = blocks()
    model["third"] = model["first"]["up"]  # the same module under another name
    assert [len(each) for each in chosen(model)] == [1, 1, 1, 1]
    twin = ts.torch.SparseLinear(8, 8, connectivity=model["first"]["up"].connectivity)
    twin.weight = model["first"]["up"].weight
    model["twin"] = twin
    assert [len(each) for each in chosen(model)] == [2, 1, 1, 1]
    count = len(twin.weight)
    other = ts.torch.SparseLinear(8, 8, density=count / 64, seed=99)
    other.weight = twin.weight
    model["other"] = other
    with pytest.raises(InputError, match="same connections"):
        chosen(model)


def test_weights_of_another_length_and_type_are_refused():
    model = blocks()
    layer = model["first"]["up"]
    layer.weight = torch.nn.Parameter(torch.zeros(3))
    with pytest.raises(InputError, match=r"one value for each of 19 connections, not shape \(3,\)"):
        chosen(model)
    layer.weight = torch.nn.Parameter(torch.zeros(19, dtype=torch.bfloat16))
    with pytest.raises(InputError, match="bfloat16"):
        chosen(model)


def test_paths_need_a_chain():
    from trulysparse.torch.evolving_layers import check_chain

    model = blocks()
    layers = [model["first"]["up"], model["first"]["down"]]
    with pytest.raises(InputError, match=r"ModuleDict does not tell.*layers="):
        check_chain(model, layers, ts.CHTs(), given=False)
    check_chain(model, layers, ts.CHTs(), given=True)
    check_chain(model, layers[:1], ts.CHTs(), given=False)
    check_chain(torch.nn.Sequential(*layers), layers, ts.CHTs(), given=False)
