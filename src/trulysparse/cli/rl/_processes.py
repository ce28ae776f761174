"""Several seeds at the same time, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any

from trulysparse.cli._console import os_error_text
from trulysparse.cli._interrupts import Interrupts, Stopped
from trulysparse.cli.rl._seed import Seed, SeedTraining
from trulysparse.errors import DivergenceError, InputError, MissingExtraError, NotEnoughMemoryError

_LOOK_EVERY = 0.2  # seconds between looks at whether a signal has come
_FINISHED, _STOPPED = "finished", "stopped"
_ERRORS = {kind.__name__: kind for kind in (InputError, DivergenceError, NotEnoughMemoryError, OSError)}


@dataclass
class _Worker:
    """A process at work on a seed, and where it says what came of it."""

    seed: Seed
    process: BaseProcess
    says: Connection


def train_in_processes(
    seeds: Sequence[Seed], processes: int, interrupts: Interrupts, finished: Callable[[Seed], None]
) -> None:
    """Trains agents, some at a time.

    Args:
        seeds: the agents.
        processes: how many are trained at the same time.
        interrupts: a signal that they catch is passed on; each agent then keeps its state.
        finished: called when an agent has come to its end.

    Raises:
        Stopped: where a signal ended the training.
        InputError, DivergenceError, NotEnoughMemoryError, OSError: the first error of an agent, once the others have
            kept their states; ChildProcessError, an OSError, where its process died without a word.
    """
    context = multiprocessing.get_context("spawn")
    waiting, at_work = list(seeds), dict[Any, _Worker]()
    failure: tuple[str, str] | None = None
    told = False
    with interrupts.deferred():
        try:
            while at_work or (waiting and failure is None and interrupts.caught is None):
                ending = failure is not None or interrupts.caught is not None
                while waiting and len(at_work) < processes and not ending:
                    worker = _start(context, waiting.pop(0))
                    at_work[worker.process.sentinel] = worker
                if ending and not told:
                    _tell_all(at_work)
                    told = True
                for ready in wait(list(at_work), timeout=_LOOK_EVERY):
                    worker = at_work.pop(ready)
                    word, text = _outcome(worker)
                    if word == _FINISHED:
                        finished(worker.seed)
                    elif word != _STOPPED and failure is None:
                        failure = word, text
        finally:
            _tell_all(at_work)  # a second signal: each ends at once
            for worker in at_work.values():
                worker.process.join()
    if failure is not None:
        raise _ERRORS.get(failure[0], ChildProcessError)(failure[1])
    if interrupts.caught is not None:
        raise Stopped(interrupts.caught)


def _start(context: SpawnContext, seed: Seed) -> _Worker:
    says, said = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(seed, said, os.getpid()), name=f"seed {seed.seed}")
    process.start()
    said.close()
    return _Worker(seed, process, says)


def _tell_all(at_work: dict[Any, _Worker]) -> None:
    for worker in at_work.values():
        worker.process.terminate()


def _outcome(worker: _Worker) -> tuple[str, str]:
    """How a process ended, and its error's text."""
    worker.process.join()
    try:
        word, text = worker.says.recv() if worker.says.poll() else ("", "")
    except EOFError:
        word, text = "", ""
    worker.says.close()
    code = worker.process.exitcode
    if not word and code is not None and -code in (signal.SIGTERM, signal.SIGINT):
        word = _STOPPED
    how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
    return word, text or f"the process of seed {worker.seed.seed} {how}"


def _work(seed: Seed, says: Connection, parent: int) -> None:
    """A process' work. Ctrl-C on a terminal reaches it too: it waits for its parent's word."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            with SeedTraining(seed) as ready:
                done = ready.train(interrupts, wanted=lambda: os.getppid() == parent)
            says.send((_FINISHED if done else _STOPPED, ""))
    except Stopped:
        says.send((_STOPPED, ""))
    except MissingExtraError as error:
        says.send((InputError.__name__, str(error)))
    except (InputError, DivergenceError, NotEnoughMemoryError) as error:
        says.send((type(error).__name__, f"seed {seed.seed}: {error}"))
    except OSError as error:
        says.send((OSError.__name__, f"seed {seed.seed}: {os_error_text(error)}"))
