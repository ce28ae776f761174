"""Parameters of a model as JSON, and back: plain values, and objects of this library by class and arguments."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from trulysparse.errors import InputError
from trulysparse.evolution import (
    CTRE,
    DSR,
    GSE,
    MEST,
    SET,
    SNFS,
    CHTs,
    CubicDensity,
    DeepR,
    Evolution,
    GraNet,
    ReDo,
    RigL,
    Schedule,
    SigmoidDensity,
    Static,
)
from trulysparse.nn.activations import GELU, Activation, AllReLU, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.losses import BinaryCrossEntropy, Huber, MeanSquaredError, SoftmaxCrossEntropy
from trulysparse.optim import SGD, Adam, SuPar
from trulysparse.optim.schedules import ConstantRate, CosineRate, ScaledRate, StepRate

_PUBLIC = (
    *(CTRE, DSR, GSE, MEST, SET, SNFS, CHTs, DeepR, GraNet, ReDo, RigL, Static),
    *(CubicDensity, Schedule, SigmoidDensity),
    *(GELU, AllReLU, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh, WeightInit),
    *(BinaryCrossEntropy, Huber, MeanSquaredError, SoftmaxCrossEntropy),
    *(SGD, Adam, SuPar, ConstantRate, CosineRate, ScaledRate, StepRate),
)
_CLASSES: dict[str, type] = {each.__name__: each for each in _PUBLIC}


def allow(*classes: type) -> None:
    """Lets files name objects of these classes too: dataclasses, which their fields make again."""
    _CLASSES.update({each.__name__: each for each in classes})


def require_same(
    before: dict[str, Any],
    now: dict[str, Any],
    problem: str = "cannot change between calls of partial_fit: call fit, or keep it as it was",
) -> None:
    """Refuses to go on where something that a model is made of is another now.

    Args:
        before: by name, what it was made of.
        now: the same of this call.
        problem: what the message says of the first that differs.

    Raises:
        InputError: where one differs.

    Example:
        >>> require_same({"batch_size": 10}, {"batch_size": 10})
    """
    for name, value in now.items():
        if not np.array_equal(before[name], value):
            raise InputError(f"{name} {problem}")


def encoded(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters as JSON holds them.

    Args:
        parameters: by name.

    Returns:
        What `decoded` takes.

    Raises:
        InputError: where one of them is neither a plain value nor an object of this library.

    Example:
        >>> import trulysparse as ts
        >>> kept = encoded({"sizes": (500, 100), "evolution": ts.SET(0.2, output_layer=True)})
        >>> kept["evolution"]
        {'object': 'SET', 'arguments': [0.2], 'options': {'output_layer': True}}
        >>> decoded(kept)["sizes"]
        (500, 100)
    """
    kept = {}
    for name, value in parameters.items():
        if name == "activation" and not isinstance(value, str) and type(value) not in _PUBLIC and value is not None:
            kept[name] = {"own": str(getattr(value, "name", type(value).__name__))}
        else:
            kept[name] = _encoded(name, value)
    return kept


def decoded(kept: dict[str, Any], activation: Activation | None = None) -> dict[str, Any]:
    """The parameters that `encoded` was given.

    Args:
        kept: what it gave, from JSON.
        activation: stands for one of the user's own, of which the name alone is kept.

    Returns:
        Parameters by name.

    Raises:
        InputError: where there is an object that is not known, or no `activation` where one is needed.
    """
    parameters = {}
    for name, value in kept.items():
        if isinstance(value, dict) and "own" in value:
            if activation is None:
                raise InputError(f"{name} was {value['own']!r:.40}, one of your own: load with activation=")
            parameters[name] = activation
        else:
            parameters[name] = _decoded(value)
    return parameters


def _encoded(name: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_encoded(name, each) for each in value]
    if isinstance(value, tuple):
        return {"tuple": [_encoded(name, each) for each in value]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
        return {"array": value.tolist(), "dtype": value.dtype.str}
    if isinstance(value, np.random.RandomState):
        kind, keys, *rest = value.get_state(legacy=True)
        return {"random_state": [kind, np.asarray(keys).tolist(), *rest]}
    if _CLASSES.get(type(value).__name__) is type(value):
        arguments: tuple[Any, ...] = ()
        options: dict[str, Any] = {}
        if isinstance(value, Evolution):
            arguments, options = getattr(value, "made_with", ((), {}))
        elif is_dataclass(value):
            options = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        return {
            "object": type(value).__name__,
            "arguments": [_encoded(name, each) for each in arguments],
            "options": {key: _encoded(name, each) for key, each in options.items()},
        }
    raise InputError(
        f"{name} cannot be kept in a file: it must be a plain value or an object of trulysparse, not {value!r:.60}"
    )


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(_decoded(each) for each in value["tuple"])
    if "array" in value:
        return np.array(value["array"], dtype=np.dtype(value["dtype"]))
    if "random_state" in value:
        state = np.random.RandomState()
        state.set_state(tuple(value["random_state"]))
        return state
    if value["object"] not in _CLASSES:
        raise InputError(f"it names an object {value['object']!r:.40}, which this release does not know")
    arguments = [_decoded(each) for each in value["arguments"]]
    return _CLASSES[value["object"]](*arguments, **{key: _decoded(each) for key, each in value["options"].items()})
