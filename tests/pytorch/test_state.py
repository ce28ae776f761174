from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")


def place(layer) -> np.ndarray:
    """A number from 1 for each connection's place, exact in float32."""
    rows = layer.connectivity.by_input
    return 1 + np.repeat(np.arange(layer.in_features), np.diff(rows.ptr)) * layer.out_features + rows.index


def stepped(make_optimizer, dtype=torch.float32):
    layer = ts.torch.SparseLinear(40, 30, density=0.2, seed=0, dtype=dtype)
    optimizer = make_optimizer(layer.parameters())
    layer(torch.randn(8, 40, dtype=dtype)).square().sum().backward()
    optimizer.step()
    return layer, optimizer


def moving(layer, optimizer):
    return {k: v for k, v in optimizer.state[layer.weight].items() if torch.is_tensor(v) and v.shape == (240,)}


class Odd(torch.optim.Optimizer):
    """State of types that no kernel knows, and of another than the weights'."""

    def __init__(self, parameters) -> None:
        super().__init__(parameters, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure=None):
        for parameter in self.param_groups[0]["params"]:
            state = self.state[parameter]
            for name, dtype in [
                ("half", torch.bfloat16),
                ("age", torch.int64),
                ("double", torch.float64),
                ("seen", torch.bool),
            ]:
                state.setdefault(name, torch.ones_like(parameter, dtype=dtype))
            state["count"], state["note"], state["none"] = torch.tensor(3.0), "text", None


@pytest.mark.parametrize(
    ("make", "names", "fresh"),
    [
        (lambda p: torch.optim.SGD(p, momentum=0.9), ["momentum_buffer"], {}),
        (lambda p: torch.optim.AdamW(p, amsgrad=True), ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"], {}),
        (
            lambda p: torch.optim.RMSprop(p, centered=True, momentum=0.9),
            ["grad_avg", "momentum_buffer", "square_avg"],
            {},
        ),
        (lambda p: torch.optim.Rprop(p, lr=0.03), ["prev", "step_size"], {"step_size": 0.03}),
        (lambda p: torch.optim.Adagrad(p, initial_accumulator_value=0.2), ["sum"], {"sum": 0.2}),
        (torch.optim.Adafactor, ["variance"], {}),
        (Odd, ["age", "double", "half", "seen"], {}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_numbered_values_go_with_their_connections(make, names, fresh):
    layer, optimizer = stepped(make)
    tensors = moving(layer, optimizer)
    assert sorted(tensors) == names
    evolver = ts.torch.Evolver(layer, optimizer, ts.SET(0.4, every_updates=100))
    before = place(layer)
    with torch.no_grad():
        for tensor in (layer.weight, layer.weight.grad, *tensors.values()):
            tensor.copy_(torch.from_numpy(before))
    numbers = {name: value for name, value in optimizer.state[layer.weight].items() if name not in tensors}
    noted = {name: float(tensor[0].to(tensor.dtype)) for name, tensor in tensors.items()}
    assert evolver.evolve() > 50
    after = place(layer)
    new = ~np.isin(after, before)
    # Of the others some have been removed and grown again in the same place, with a weight that was drawn.
    kept = (layer.weight.detach().numpy() == after) & ~new
    assert 50 < new.sum() < 96
    assert (kept | new).sum() > 200
    expected = torch.from_numpy(after)
    for name, tensor in {"grad": layer.weight.grad, **tensors}.items():
        now = optimizer.state[layer.weight].get(name, layer.weight.grad)
        assert now is tensor  # in place
        start = torch.tensor(fresh.get(name, 0.0), dtype=tensor.dtype)
        assert torch.equal(tensor[kept], expected[kept].to(tensor.dtype)), name
        assert (tensor[~kept] == start).all(), name
    for name, value in numbers.items():
        assert optimizer.state[layer.weight][name] is value
    assert noted


def test_means_of_weights_start_at_the_weight():
    layer, optimizer = stepped(lambda p: torch.optim.ASGD(p, t0=0))
    before = place(layer)
    evolver = ts.torch.Evolver(layer, optimizer, ts.SET(0.4, every_updates=100, fresh="init"))
    optimizer.state[layer.weight]["ax"].fill_(7)
    evolver.evolve()
    new = ~np.isin(place(layer), before)
    mean = optimizer.state[layer.weight]["ax"]
    assert torch.equal(mean[new], layer.weight.detach()[new])
    assert layer.weight.detach()[new].abs().min() > 0
    assert (mean[~new] == 7).float().mean() > 0.9


def test_typical_state_is_the_median_of_what_remains():
    layer, optimizer = stepped(lambda p: torch.optim.AdamW(p, amsgrad=True))
    before = place(layer)
    evolver = ts.torch.Evolver(layer, optimizer, ts.SET(0.4, every_updates=100, fresh="zero"), fresh_state="typical")
    evolver.evolve()
    new = ~np.isin(place(layer), before)
    state = optimizer.state[layer.weight]
    assert state["exp_avg"][new].abs().max() == 0
    for name in ("exp_avg_sq", "max_exp_avg_sq"):
        start = state[name][new].unique()
        assert len(start) == 1
        assert np.isclose(float(start), np.median(state[name].numpy()[~new]), rtol=0.2)


def test_gradients_are_those_of_the_optimizer_without_a_scaler_s_factor():
    from trulysparse.torch.state import AlongConnections

    layer, optimizer = stepped(torch.optim.SGD)
    gradient = layer.weight.grad.clone()
    assert np.array_equal(AlongConnections(optimizer, layer.weight, None, "zero").known_gradient(), gradient.numpy())
    optimizer.grad_scale = torch.tensor(4.0)
    assert np.array_equal(
        AlongConnections(optimizer, layer.weight, None, "zero").known_gradient(), gradient.numpy() / 4
    )
    layer.weight.grad = None
    assert AlongConnections(optimizer, layer.weight, None, "zero").known_gradient() is None


def test_momentum_is_found_by_name():
    from trulysparse.torch.state import AlongConnections

    for make, name in [
        (lambda p: torch.optim.RMSprop(p, momentum=0.9), "momentum_buffer"),
        (torch.optim.NAdam, "exp_avg"),
        (torch.optim.Adadelta, None),
    ]:
        layer, optimizer = stepped(make)
        momentum = AlongConnections(optimizer, layer.weight, None, "zero").momentum
        if name is None:
            assert momentum is None
        else:
            assert np.array_equal(momentum, optimizer.state[layer.weight][name].numpy())


@pytest.mark.parametrize("value", [[1], "history", "matrix", "pieces"])
def test_state_that_cannot_move_is_named(value):
    from trulysparse.torch.state import moving_state

    layer, optimizer = stepped(torch.optim.SGD)
    held = {"history": [torch.ones(240)], "matrix": torch.ones(3, 3), "pieces": {"left": torch.ones(2)}}
    optimizer.state[layer.weight]["extra"] = held.get(value, value) if isinstance(value, str) else value
    if value == [1]:  # plain numbers stay as they are
        assert moving_state(optimizer, layer.weight) == {}
        return
    with pytest.raises(InputError, match="'extra'"):
        moving_state(optimizer, layer.weight)
