"""Options of reading: which of them the user gave."""

from __future__ import annotations

import pytest

from trulysparse.data.read_options import ReadOptions


@pytest.mark.parametrize(
    ("options", "given"),
    [({}, []), ({"header": False}, ["header"]), ({"stream": True, "target": "a"}, ["target", "stream"])],
)
def test_given_options_are_those_that_differ_from_their_defaults(options, given):
    assert ReadOptions(**options).given() == given
