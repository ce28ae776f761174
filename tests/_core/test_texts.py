from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trulysparse._core.texts import pack, unpack
from trulysparse.errors import InputError


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_texts_come_back(texts):
    """Of any characters, halves of surrogate pairs too."""
    data, offsets = pack(texts)
    assert (data.dtype, offsets.dtype, len(offsets)) == (np.uint8, np.int64, len(texts) + 1)
    assert unpack(data, offsets) == texts


def test_bytes_are_utf_8():
    data, offsets = pack(["añ", "", "日本"])
    assert data.tobytes() == "añ日本".encode()
    assert offsets.tolist() == [0, 3, 3, 9]


@pytest.mark.parametrize(
    "data, offsets",
    [(b"ab", []), (b"ab", [0, 1]), (b"ab", [0, 3]), (b"ab", [1, 2]), (b"ab", [0, 2, 1, 2]), (b"", [0, 5, 0])],
)
def test_offsets_that_do_not_fit(data, offsets):
    with pytest.raises(InputError, match="names: the offsets do not fit"):
        unpack(np.frombuffer(data, np.uint8), np.array(offsets, np.int64), "names")


def test_bytes_that_are_no_text():
    with pytest.raises(InputError, match="names are not UTF-8 text"):
        unpack(np.array([255], np.uint8), np.array([0, 1]), "names")
