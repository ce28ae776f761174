"""A function in a process of its own: what it gives, its seconds of the processor and its peak of memory."""

from __future__ import annotations

import os
import resource
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Measured:
    """What `measured` found out."""

    result: Any
    seconds: float
    """of the processor, all threads together"""
    peak_mb: float
    """beyond what the process held with its imports and arguments"""
    wall: float


@dataclass(frozen=True)
class Made:
    """An argument that the new process makes by itself, before anything is measured: Made(load, folder, "coil20")."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "arguments", arguments)


class DidNotFinish(Exception):
    """The function needed more seconds than it was given, or more memory than there is."""


def resident(peak: bool) -> float:
    """The process's memory in MB: now, or the most since `forget_peak`."""
    name = "VmHWM" if peak else "VmRSS"
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


def forget_peak() -> None:
    """The peak starts again from what is held now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def _child(pipe: Any, function: Any, args: Any, kw: Any, imports: tuple[str, ...], limit: float | None) -> None:
    try:
        for name in imports:
            import_module(name)
        args = [each.function(*each.arguments) if isinstance(each, Made) else each for each in args]
        if limit is not None:
            used = time.process_time()
            resource.setrlimit(resource.RLIMIT_CPU, (int(used + limit) + 1, int(used + limit) + 5))
        forget_peak()
        held, began, wall = resident(peak=False), time.process_time(), time.perf_counter()
        result = function(*args, **kw)
        seconds, wall, peak = time.process_time() - began, time.perf_counter() - wall, resident(peak=True)
        pipe.send(Measured(result, seconds, max(peak - held, 0.0), wall))
    except BaseException:
        pipe.send(traceback.format_exc())


def measured(
    function: Callable[..., Any],
    *args: Any,
    limit_seconds: float | None = None,
    imports: tuple[str, ...] = (),
    threads: int = 1,
    **kw: Any,
) -> Measured:
    """Runs function(*args, **kw) in a fresh process.

    Args:
        function: Importable by its name (no lambda). What its module imports at the top is not counted as its memory.
        args: Arguments; a `Made` is made in the new process, so that data travels by name.
        limit_seconds: Of the processor; the process ends at it.
        imports: Modules that the function imports inside and that are not to be counted either, as "torch".
        threads: For BLAS, OpenMP and torch.

    Raises:
        DidNotFinish: It ran into the limit, or the system ended it (no memory).
        RuntimeError: The function failed; the message is its traceback.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    process = context.Process(target=_child, args=(theirs, function, args, kw, imports, limit_seconds))
    try:
        process.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        process.join()
        if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL):
            raise DidNotFinish(f"ended after {limit_seconds:g} s" if limit_seconds else "ended by the system") from None
        raise RuntimeError(f"the process ended with {process.exitcode}") from None
    process.join()
    if isinstance(found, str):
        raise RuntimeError(found)
    return found
