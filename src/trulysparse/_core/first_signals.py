"""Signals that end the `trulysparse` command in its first second, while modules are imported: with a sentence, not a
traceback. Programs that import the package are left alone."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import PurePath
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TRAINING = ("train", "resume")


def is_command() -> bool:
    """Whether this process was started as `trulysparse` or as `python -m trulysparse`."""
    if sys.argv[:1] == ["-m"]:  # as long as the package is imported
        words = sys.orig_argv
        return any(words[i : i + 2] == ["-m", "trulysparse"] for i in range(len(words)))
    return bool(sys.argv) and PurePath(sys.argv[0]).stem == "trulysparse"


def sentence() -> str:
    """What a command that is ended before it has done anything says."""
    words = sys.argv[2:3] if sys.argv[1:2] == ["rl"] else sys.argv[1:2]
    return "stopped: training had not begun" if words and words[0] in _TRAINING else "stopped"


def take() -> None:
    """From here on, these signals end the process at once, with the sentence."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, f"{sentence()}\n".encode())
    os._exit(128 + number)  # nothing has been made that would have to be cleared away


def take_last() -> None:
    """As `take`, without a word: the command has said what came of it."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: os._exit(128 + number))


if is_command():
    take()
