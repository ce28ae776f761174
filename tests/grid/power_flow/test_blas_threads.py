"""Products on one thread, and as many as before afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from trulysparse.grid.power_flow.blas_threads import one_blas_thread


def test_one_thread_within_and_as_many_as_before_afterwards() -> None:
    libraries = ThreadpoolController().select(user_api="blas")
    if not libraries.lib_controllers:
        pytest.skip("NumPy's library of linear algebra is unknown to threadpoolctl")
    with libraries.limit(limits=2):
        before = [library.get_num_threads() for library in libraries.lib_controllers]
        with one_blas_thread():
            assert [library.get_num_threads() for library in libraries.lib_controllers] == [1] * len(before)
            np.ones((4, 4)) @ np.ones((4, 4))
        with pytest.raises(ZeroDivisionError), one_blas_thread():
            1 / 0  # noqa: B018
        assert [library.get_num_threads() for library in libraries.lib_controllers] == before
