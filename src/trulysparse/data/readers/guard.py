"""Errors of other libraries' readers as one sentence. A damaged file can raise nearly anything in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trulysparse.errors import InputError, MissingExtraError


@contextmanager
def guarded(path: Path, kind: str) -> Iterator[None]:
    """Within it, whatever a reader raises becomes an InputError that names the file. kind: what the file should be."""
    try:
        yield
    except (InputError, MissingExtraError):
        raise
    except MemoryError as error:
        raise InputError(f"DATA: '{path}' does not fit in memory ({one_line(error)})") from None
    except OSError as error:
        if error.errno is not None:  # the system's, not the format's
            raise InputError(f"DATA: '{path}' cannot be read ({error.strerror or one_line(error)})") from None
        raise InputError(f"DATA: '{path}' is not a whole {kind} file ({one_line(error)})") from None
    except Exception as error:
        raise InputError(f"DATA: '{path}' is not a whole {kind} file ({one_line(error)})") from None


def one_line(error: BaseException) -> str:
    """An error's message on one line, or its type where it has none."""
    text = " ".join(str(error).split())
    return (text if len(text) <= 200 else text[:200] + "...") or type(error).__name__
