"""Checks of observations, and of arrays that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.errors import InputError


def observation_array(observation: ArrayLike) -> NDArray[Any]:
    """Observations as an array of a type that the kernels read.

    Args:
        observation: of any shape and any type of numbers.

    Returns:
        The array itself where that is possible; booleans and half precision as float32.

    Raises:
        InputError: where these are no numbers.

    Example:
        >>> from trulysparse.rl.observations import observation_array
        >>> observation_array([True, False]).tolist()
        [1.0, 0.0]
    """
    try:
        array = np.asarray(observation)
    except ValueError:
        raise InputError("observation must be an array of numbers, not a ragged sequence") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"observation must be an array of numbers, not of type {array.dtype}")
    if array.dtype.kind == "b" or array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype.itemsize > 8 or not array.dtype.isnative:
        return array.astype(np.float64)
    return array


def require_shape(observations: NDArray[Any], n_observations: int, ndims: Sequence[int] = (1, 2)) -> None:
    """Refuses observations of another shape.

    Args:
        observations: the array.
        n_observations: numbers of one observation.
        ndims: 1: one is allowed; 2: several, row by row.

    Raises:
        InputError: where it has another shape.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.observations import require_shape
        >>> require_shape(np.ones(3), 3)
        >>> require_shape(np.ones(4), 3, [2])
        Traceback (most recent call last):
        ...
        trulysparse.errors.InputError: observation must have shape (n, 3), not (4,)
    """
    if observations.ndim not in ndims or observations.shape[-1] != n_observations:
        forms = [f"({n_observations},)", f"(n, {n_observations})"]
        wanted = " or ".join(forms[ndim - 1] for ndim in ndims)
        raise InputError(f"observation must have shape {wanted}, not {observations.shape}")


def refusal(observations: NDArray[Any], place: int) -> InputError:
    """What is said of a value that is not finite, or does not stay so once it is normalised.

    Args:
        observations: of one dimension or two.
        place: of the value, counted row by row.

    Returns:
        The error, to be raised.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.observations import refusal
        >>> print(refusal(np.array([[0.0, 1.0], [np.nan, 0.0]]), 2))
        observation[1, 0] is nan; observations must be finite
    """
    index = np.unravel_index(place, observations.shape)
    value = observations[index]
    where = f"observation[{', '.join(str(int(each)) for each in index)}] is {value}"
    if np.isfinite(value):
        return InputError(f"{where}, which is too large once it is normalised")
    return InputError(f"{where}; observations must be finite")


def finite_row(name: str, values: ArrayLike, n: int) -> NDArray[np.float64]:
    """n finite numbers.

    Args:
        name: of the argument.
        values: the numbers.
        n: how many there must be.

    Returns:
        (n,), contiguous.

    Raises:
        InputError: where they are no such numbers.

    Example:
        >>> from trulysparse.rl.observations import finite_row
        >>> finite_row("low", [-1, -2], 2).tolist()
        [-1.0, -2.0]
    """
    try:
        array = np.ascontiguousarray(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be an array of numbers") from None
    if array.shape != (n,):
        raise InputError(f"{name} must have shape ({n},), not {array.shape}")
    finite = np.isfinite(array)
    if not finite.all():
        at = int(np.argmin(finite))
        raise InputError(f"{name}[{at}] must be finite, not {array[at]}")
    return array
