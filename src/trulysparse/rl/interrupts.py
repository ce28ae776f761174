"""Keyboard interrupts that wait for the end of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def deferred_interrupts() -> Iterator[list[bool]]:
    """Within it, a keyboard interrupt raises nothing: it is noted, and who finds it raises KeyboardInterrupt where
    everything is whole. The second one is raised at once. Handlers that are not Python's own stay; other threads than
    the main one are never interrupted.

    Yields:
        A list that an interrupt is put into.

    Example:
        >>> with deferred_interrupts() as interrupted:
        ...     signal.raise_signal(signal.SIGINT)
        ...     len(interrupted)
        1
    """
    seen: list[bool] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # somebody else's: it knows what to do
        yield seen
        return

    def note(number: int, frame: Any) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(True)

    signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
