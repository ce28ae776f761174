"""The command line in processes of its own, forked from one that has imported it: starting Python and importing take
longer than most of what the tests have it do."""

from __future__ import annotations

import multiprocessing
import os
import resource
import runpy
import signal
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["trulysparse.cli", "sklearn.datasets", "sklearn.model_selection"])


class Program:
    """`trulysparse` with these arguments, at work; what subprocess.Popen has, as far as it is needed.

    file_size: bytes that its files may have at most.
    """

    def __init__(self, *arguments: object, file_size: int | None = None) -> None:
        self._shown = tempfile.TemporaryDirectory()
        given = [str(each) for each in arguments]
        self._process = CONTEXT.Process(target=_work, args=(given, self._shown.name, file_size), daemon=True)
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self._process.kill()

    def interrupt(self) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGINT)

    def finish(self, timeout: float = 120) -> str:
        """Waits for its end and gives its standard error."""
        self._process.join(timeout)
        assert self.returncode is not None, f"at work after {timeout} s"
        return (Path(self._shown.name) / "2").read_text()


def _work(arguments: list[str], folder: str, file_size: int | None) -> None:
    for stream in (1, 2):
        os.dup2(os.open(f"{folder}/{stream}", os.O_WRONLY | os.O_CREAT), stream)
    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    sys.argv = ["trulysparse", *arguments]
    runpy.run_module("trulysparse", run_name="__main__", alter_sys=True)


def modules_of_the_command() -> set[str]:
    """What importing the command line has imported."""
    receive, send = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_send_modules, args=(send,))
    process.start()
    send.close()
    names = receive.recv()
    process.join()
    return set(names)


def _send_modules(send: Connection) -> None:
    send.send(list(sys.modules))
