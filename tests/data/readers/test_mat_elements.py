""".mat files whose elements do not fit are refused; those that SciPy writes are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from trulysparse.data.readers.mat_elements import check_elements


def written(**arrays) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, arrays, do_compression=bool(arrays.pop("compressed", False)))
    return file.getvalue()


@pytest.mark.parametrize(
    "value",
    [
        np.ones((3, 2)),
        np.ones((3, 2)) * 1j,
        np.arange(5, dtype=np.int8),
        sp.csc_array(np.eye(3)),
        sp.csc_array(np.eye(3) * 1j),
        np.array(["ab", "c"]),
        np.array(["ab", "c"], dtype=object),
        {"a": 1, "b": np.ones(3)},
        np.zeros((0, 3)),
        True,
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_whole_files_are_accepted(value, compressed):
    check_elements(written(x=value, yy=np.arange(3), compressed=compressed))


@pytest.mark.parametrize(
    ("at", "value", "match"),
    [
        (145, 8, "an array has 4 parts where it needs 5"),
        (144, 5, "an array has 4 parts where it needs 6"),
        (176, 200, "of type 200, which does not exist"),
        (132, 255, "is cut off"),
        (180, 255, "is cut off|does not fit"),
        (138, 9, "a small element has 9 bytes|does not exist"),
    ],
)
def test_elements_that_do_not_fit_are_named(at, value, match):
    raw = bytearray(written(x=np.ones((6, 3))))
    raw[at] = value
    with pytest.raises(ValueError, match=match):
        check_elements(bytes(raw))


def test_files_of_version_4_have_no_elements():
    file = io.BytesIO()
    scipy.io.savemat(file, {"x": np.ones((3, 2))}, format="4")
    check_elements(file.getvalue())
