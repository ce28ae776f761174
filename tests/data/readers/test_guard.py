"""Errors of other libraries' readers become one sentence that names the file."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

import trulysparse as ts
from trulysparse.data.readers.guard import guarded, one_line


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("bad\n  magic"), "DATA: 'x.npz' is not a whole .npz file (bad magic)"),
        (KeyError(), "DATA: 'x.npz' is not a whole .npz file (KeyError)"),
        (OSError("cut off"), "DATA: 'x.npz' is not a whole .npz file (cut off)"),
        (PermissionError(errno.EACCES, "Permission denied"), "DATA: 'x.npz' cannot be read (Permission denied)"),
        (MemoryError("9 TiB"), "DATA: 'x.npz' does not fit in memory (9 TiB)"),
        (ts.InputError("said already"), "said already"),
    ],
)
def test_guarded_error_becomes_one_sentence(error, message):
    with pytest.raises(ts.InputError) as caught, guarded(Path("x.npz"), ".npz"):
        raise error
    assert str(caught.value) == message


def test_guarded_lets_an_interrupt_through():
    with pytest.raises(KeyboardInterrupt), guarded(Path("x.npz"), ".npz"):
        raise KeyboardInterrupt


def test_one_line_cuts_a_long_message():
    assert one_line(ValueError("word\n" * 100)) == ("word " * 100)[:200] + "..."
