"""Products on one thread, and as many as before afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from trulysparse.grid.power_flow.blas_threads import one_blas_thread


def test_one_thread_within_and_as_many_as_before_afterwards() -> None:
    libraries = ThreadpoolController().select(user_api="blas")
    # Those that came with other packages, after NumPy's, have no part in NumPy's products.
    numpys = [each for each in libraries.lib_controllers if "numpy" in each.filepath]
    if not numpys:
        pytest.skip("NumPy's library of linear algebra is not its own, or unknown to threadpoolctl")
    with libraries.limit(limits=2):
        before = [library.get_num_threads() for library in numpys]
        with one_blas_thread():
            assert [library.get_num_threads() for library in numpys] == [1] * len(before)
            np.ones((4, 4)) @ np.ones((4, 4))
        with pytest.raises(ZeroDivisionError), one_blas_thread():
            1 / 0  # noqa: B018
        assert [library.get_num_threads() for library in numpys] == before
