"""Signals that end a training: the first lets it keep its state, the second ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from trulysparse._core.first_signals import ENDING


class Stopped(BaseException):
    """A signal asked for the end. Not an Exception, so that nothing takes it for an error of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """As shells have it."""
        return 128 + self.number


class Interrupts:
    """While entered, Ctrl-C, SIGTERM and SIGHUP raise Stopped; within `deferred()`, the first only shows in
    `caught`. Signals that the process was started to ignore (nohup) stay ignored."""

    def __init__(self) -> None:
        self.caught: int | None = None
        self._deferred = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within, the work looks at `caught` where it can end."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._deferred or self.caught is not None:
            raise Stopped(number)
        self.caught = number
