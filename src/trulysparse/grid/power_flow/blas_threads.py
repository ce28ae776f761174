"""Small products on one thread: with more, libraries of linear algebra spend their time waiting for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def _libraries() -> list[Any]:
    from threadpoolctl import ThreadpoolController  # comes with scikit-learn

    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within the block, NumPy's products use the calling thread alone; afterwards as many threads as before.

    Example:
        >>> import numpy as np
        >>> with one_blas_thread():
        ...     _ = np.ones((4, 4)) @ np.ones((4, 4))
    """
    changed = [(library, n) for library in _libraries() if (n := library.get_num_threads()) != 1]
    for library, _ in changed:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, n in changed:
            library.set_num_threads(n)
