"""What of an optimizer's state lies along connections, and moves with them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import optim

from trulysparse._core.arrays import Floats, Stored
from trulysparse.errors import InputError
from trulysparse.nn.activations import IDENTITY
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.optim import OptimizerState
from trulysparse.torch.linear import SparseLinear, replace_data

FRESH_STATES = ("zero", "typical")

SQUARES = frozenset(
    ("exp_avg_sq", "max_exp_avg_sq", "square_avg", "acc_delta", "exp_inf", "variance")  # by which steps are divided
)
MOMENTUM = ("momentum_buffer", "exp_avg")
_WITH_HISTORY = ("LBFGS", "Muon", "SparseAdam", "ZeroRedundancyOptimizer")
_STEPS_IN = optim.Optimizer.__init__.__code__.co_filename
_DIRECT = (torch.float32, torch.float64)


def check_optimizer(optimizer: object) -> None:
    """Checks that an optimizer's state can move with connections, as far as its type tells.

    Args:
        optimizer: any object.

    Raises:
        InputError: where it is no optimizer, or one that keeps more than values along the parameter.

    Example:
        >>> import torch, trulysparse as ts
        >>> from trulysparse.torch.state import check_optimizer
        >>> layer = ts.torch.SparseLinear(20, 10, density=0.2, seed=0)
        >>> check_optimizer(torch.optim.AdamW(layer.parameters()))
    """
    if not isinstance(optimizer, optim.Optimizer):
        raise InputError(f"optimizer must be a torch.optim.Optimizer, not {type(optimizer).__name__}")
    for kind in type(optimizer).__mro__:
        if kind.__name__ in _WITH_HISTORY:
            raise InputError(
                f"optimizer {kind.__name__} cannot be used with evolution: what it keeps is not one value for each "
                "connection, so it cannot move with them; take one such as AdamW or SGD"
            )


def is_inner_step(optimizer: optim.Optimizer) -> bool:
    """Whether the step that is ending is part of another: PyTorch calls the hooks of a subclass whose step() calls
    super().step() for both.

    Args:
        optimizer: whose hook this is.

    Returns:
        True where another step() of the same optimizer is still running.

    Example:
        >>> import torch
        >>> from trulysparse.torch.state import is_inner_step
        >>> is_inner_step(torch.optim.SGD([torch.zeros(1, requires_grad=True)]))
        False
    """
    running, frame = 0, sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        code = frame.f_code
        if code.co_name == "wrapper" and code.co_filename == _STEPS_IN:
            running += frame.f_locals.get("self") is optimizer
    return running > 1


def moving_state(optimizer: optim.Optimizer, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
    """The tensors of an optimizer's state that have a value for each of a parameter's.

    Args:
        optimizer: any.
        parameter: one of its parameters.

    Returns:
        By name. Numbers and tensors of one value, such as the count of steps, are not among them.

    Raises:
        InputError: where the state holds anything else, such as earlier gradients or factors of a matrix.

    Example:
        >>> import torch, trulysparse as ts
        >>> from trulysparse.torch.state import moving_state
        >>> layer = ts.torch.SparseLinear(20, 10, density=0.2, seed=0)
        >>> optimizer = torch.optim.AdamW(layer.parameters())
        >>> layer(torch.randn(4, 20)).sum().backward()
        >>> optimizer.step()
        >>> sorted(moving_state(optimizer, layer.weight))
        ['exp_avg', 'exp_avg_sq']
    """
    moving: dict[str, torch.Tensor] = {}
    state = optimizer.state.get(parameter, {})
    for name, value in state.items():
        if isinstance(value, torch.Tensor) and value.shape == parameter.shape and not value.is_sparse:
            moving[str(name)] = value
        elif _holds_more(value):
            given = f"of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"
            raise InputError(
                f"optimizer {type(optimizer).__name__} cannot be used with evolution: its state {name!r} is {given}, "
                f"not one value for each of {parameter.numel()} connections, so it cannot move with them"
            )
    return moving


def _holds_more(value: object) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() > 1
    if isinstance(value, Mapping):
        value = list(value.values())
    return isinstance(value, list | tuple | set) and any(isinstance(each, torch.Tensor) for each in value)


class AlongConnections(OptimizerState):
    """A parameter's optimizer state, and its gradient where there is one, as an evolution moves them: NumPy arrays in
    the memory of the tensors. `store` brings back what has become of them.

    Args:
        optimizer: of the parameter.
        parameter: (n_connections,), the weight of a layer.
        bias: of the layer, or None.
        fresh_state: what new connections get: 'zero'; 'typical': the median where steps are divided by it. Either way
            Rprop's step sizes start as it starts them, Adagrad's sums likewise, ASGD's means at the weight.
        copies: weights of copies of the layer, which move too; theirs of new connections start at the weight.

    Raises:
        InputError: where the state cannot move; see `moving_state`.

    Example:
        >>> import torch, trulysparse as ts
        >>> from trulysparse.torch.state import AlongConnections
        >>> layer = ts.torch.SparseLinear(20, 10, density=0.2, seed=0)
        >>> optimizer = torch.optim.Rprop(layer.parameters(), lr=0.01)
        >>> layer(torch.randn(4, 20)).sum().backward()
        >>> optimizer.step()
        >>> AlongConnections(optimizer, layer.weight, None, "zero").fresh  # prev, step_size, gradient
        (0.0, 0.01, 0.0)
    """

    def __init__(
        self,
        optimizer: optim.Optimizer,
        parameter: torch.Tensor,
        bias: torch.Tensor | None,
        fresh_state: str,
        copies: Sequence[torch.nn.Parameter] = (),
    ) -> None:
        self._optimizer, self._parameter, self._bias = optimizer, parameter, bias
        self._tensors = moving_state(optimizer, parameter)
        if parameter.grad is not None and parameter.grad.shape == parameter.shape:
            self._tensors["grad"] = parameter.grad
        twins = {f"copy {number}": each for number, each in enumerate(copies)}
        self._tensors |= twins
        self._numbered = any(tensor.dtype not in _DIRECT for tensor in self._tensors.values())
        self._grad_scale = getattr(optimizer, "grad_scale", None)
        direct = [name for name, tensor in self._tensors.items() if tensor.dtype in _DIRECT]
        group = next(g for g in optimizer.param_groups if any(each is parameter for each in g["params"]))
        fresh: list[str | float] = [
            "weight" if name in twins else _start(optimizer, group, name, fresh_state) for name in direct
        ]
        arrays: list[Stored] = [self._tensors[name].detach().contiguous().numpy() for name in direct]
        if self._numbered:  # the place that a connection comes from; types that kernels do not know follow it
            arrays.append(np.arange(parameter.numel(), dtype=np.float64))
            fresh.append(-1.0)
        self._direct = direct
        biases = {} if bias is None else moving_state(optimizer, bias)
        self._bias_names = [name for name, each in biases.items() if each.dtype in _DIRECT and name != "step_size"]
        super().__init__(arrays, [biases[name].detach().numpy() for name in self._bias_names], tuple(fresh))
        self._given = list(self.weight)

    @property
    def momentum(self) -> Stored | None:
        """The running mean of gradients, of an optimizer that has one."""
        return next((self.weight[self._direct.index(name)] for name in MOMENTUM if name in self._direct), None)

    def known_gradient(self) -> Floats | None:
        """The gradient that the optimizer has just seen, without the factor of a GradScaler."""
        if "grad" not in self._direct:
            return None
        gradient: Floats = self.weight[self._direct.index("grad")]
        return gradient if self._grad_scale is None else gradient / gradient.dtype.type(float(self._grad_scale))

    def store(self, bias: bool = False) -> None:
        """Writes the arrays back to the tensors: in place where there are as many connections as before, else as new
        ones. The parameter has its new values, or memory of the new length.

        Args:
            bias: whether the bias's state has changed too.
        """
        if bias and self._bias is not None:
            state = self._optimizer.state[self._bias]
            for name, array in zip(self._bias_names, self.bias, strict=True):
                state[name].copy_(torch.from_numpy(array))
        if all(now is then for now, then in zip(self.weight, self._given, strict=True)):
            return
        moved = {name: torch.from_numpy(self.weight[n]) for n, name in enumerate(self._direct)}
        if self._numbered:
            place = torch.from_numpy(self.weight[-1]).to(torch.int64)
            for name, tensor in self._tensors.items():
                if name not in moved:
                    moved[name] = tensor.detach()[place.clamp(min=0)].masked_fill_(place < 0, 0)
        for name, values in moved.items():
            tensor = self._tensors[name]
            if tensor.shape == values.shape:
                tensor.copy_(values)
            elif name == "grad":
                self._parameter.grad = values
            elif isinstance(tensor, torch.nn.Parameter):
                replace_data(tensor, values)
            else:
                self._optimizer.state[self._parameter][name] = values


def _start(optimizer: optim.Optimizer, group: dict[str, Any], name: str, fresh_state: str) -> str | float:
    """What new connections get in one tensor of state; see OptimizerState.fresh."""
    if isinstance(optimizer, optim.Rprop) and name == "step_size":
        return float(group["lr"])
    if isinstance(optimizer, optim.ASGD) and name == "ax":
        return "weight"
    if isinstance(optimizer, optim.Adagrad) and name == "sum":
        return "median" if fresh_state == "typical" else float(group["initial_accumulator_value"])
    return "median" if fresh_state == "typical" and name in SQUARES else 0.0


def store_values(parameter: torch.nn.Parameter, values: Floats) -> None:
    """Gives a parameter new values, in place where they are as many.

    Args:
        parameter: a leaf.
        values: of its type.
    """
    new = torch.from_numpy(values)
    if new.shape == parameter.shape:
        parameter.copy_(new)
    else:
        replace_data(parameter, new)


class SharedLayer(IndexedLayer):
    """A layer in the memory of PyTorch's tensors, as the library's rules see it. It remembers what it was given.

    Args:
        layer: a SparseLinear.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.torch.state import SharedLayer
        >>> layer = ts.torch.SparseLinear(20, 10, density=0.2, seed=0)
        >>> SharedLayer(layer).values.ctypes.data == layer.weight.data_ptr()
        True
    """

    def __init__(self, layer: SparseLinear) -> None:
        values, bias = layer.weight.detach().contiguous().numpy(), np.empty(0, np.float32)
        if layer.bias is not None:
            bias = layer.bias.detach().contiguous().numpy()
        super().__init__(layer.connectivity, values, bias.astype(values.dtype, copy=False), IDENTITY)
        self.given_values, self.given_bias = self.values, self.bias
