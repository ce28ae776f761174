"""What `rl train` and `rl resume` do: from settings to agents that have learned, in a run folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import typer

from trulysparse._core import checks
from trulysparse.cli._console import os_error_text
from trulysparse.cli._interrupts import Interrupts, Stopped
from trulysparse.cli._json import read_object
from trulysparse.cli._run import RESULTS
from trulysparse.cli.rl._environment import chosen_algorithm
from trulysparse.cli.rl._processes import train_in_processes
from trulysparse.cli.rl._results import show_results, write_results
from trulysparse.cli.rl._run_folder import (
    AGENT,
    AgentRunLock,
    check_free,
    clear,
    how_to_resume,
    read_settings,
    seed_folder,
    seed_results,
    write_config,
)
from trulysparse.cli.rl._seed import Seed, SeedTraining, seed_text
from trulysparse.cli.rl._settings import AgentSettings
from trulysparse.errors import DivergenceError, InputError, NotEnoughMemoryError


@dataclass
class AgentTraining:
    """A call of `rl train` or `rl resume`.

    Attributes:
        settings: of the run.
        out: its folder.
        threads: of the kernels.
        processes: in which seeds are trained at the same time.
        report: whether report.html is written.
        json_line: whether figures are printed as JSON.
        resume: whether the folder holds a run to go on with.
        overwrite: whether another run of agents in the folder makes way.
        began: whether the folder has been made this run's own.
    """

    settings: AgentSettings
    out: Path
    threads: int = 1
    processes: int = 1
    report: bool = True
    json_line: bool = False
    resume: bool = False
    overwrite: bool = False
    began: bool = False
    interrupts: Interrupts = field(default_factory=Interrupts)

    def seeds(self) -> list[Seed]:
        """Those that have not finished."""
        found = []
        for seed in self.settings.all_seeds:
            folder = seed_folder(self.out, self.settings, seed)
            if not (self.resume and seed_results(folder)):
                resumed = self.resume and (folder / AGENT).is_file()
                found.append(Seed(self.settings, seed, folder, self.threads, resumed))
        return found

    @property
    def is_kept(self) -> bool:
        """Whether there is something to go on from."""
        seeds = self.settings.all_seeds
        return any((seed_folder(self.out, self.settings, seed) / AGENT).is_file() for seed in seeds)


def start_agents(training: AgentTraining) -> None:
    """Trains from the start."""
    training.settings.check()
    training.threads = checks.integer("--threads", training.threads, low=1, high=checks.MOST_THREADS)
    checks.integer("--processes", training.processes, low=1)
    with AgentRunLock(training.out) as lock:
        if training.out.is_dir():
            check_free(training.out, training.overwrite)
        _guarded(training, lock)


def resume_agents(out: Path, *, processes: int, report: bool, threads: int | None, json_line: bool) -> None:
    """Goes on with a run that was broken off."""
    with AgentRunLock(out, "RUN") as lock:
        settings, before = read_settings(out)
        # Of one seed the figures stand there before those of the run, which come with the report.
        if (out / RESULTS).is_file() and "seeds" in read_object(out / RESULTS):
            raise InputError(f"RUN: '{out}' has finished; there is nothing to go on with")
        threads = before if threads is None else checks.integer("--threads", threads, low=1, high=checks.MOST_THREADS)
        checks.integer("--processes", processes, low=1)
        training = AgentTraining(settings, out, threads, processes, report, json_line, resume=True, began=True)
        _guarded(training, lock)


def _guarded(training: AgentTraining, lock: AgentRunLock) -> None:
    """Trains; a signal or an error ends it with a sentence that says how to go on, where there is something to go on
    from. Otherwise the folder is left as it was."""
    interrupts = training.interrupts
    go_on = f"`{how_to_resume(training.out)}` goes on from the last checkpoint"
    with interrupts:
        try:
            _train(training, lock)
        except Stopped as stop:
            kept = _left(training)
            typer.echo(f"stopped: {go_on}" if kept else "stopped: nothing was kept to go on from", err=True)
            raise typer.Exit(stop.exit_code) from None
        except OSError as error:
            if not _left(training) or error.errno is None:
                raise
            raise OSError(f"{os_error_text(error)}; once that is mended, {go_on}") from error
        except BaseException:
            _left(training)
            raise


def _left(training: AgentTraining) -> bool:
    """Whether there is something to go on from; where not, what was begun is removed."""
    if training.is_kept:
        return True
    if training.began and not training.resume:
        clear(training.out)
    return False


def _train(training: AgentTraining, lock: AgentRunLock) -> None:
    if training.settings.algorithm is None:
        training.settings = replace(training.settings, algorithm=chosen_algorithm(training.settings))
        training.settings.check_algorithm()
    left, interrupts = training.seeds(), training.interrupts
    processes = min(training.processes, len(left))
    for seed in left[:1] if processes > 1 else left:
        with SeedTraining(seed) as ready:
            if not lock.claimed:
                _claim(training, lock)
            if processes > 1:  # where it is made anew
                break
            with _named(training, seed):
                finished = ready.train(interrupts)
            if not finished:
                raise Stopped(interrupts.caught or signal.SIGINT)
        _say(training, seed)
    if processes > 1:
        train_in_processes(left, processes, interrupts, lambda seed: _say(training, seed))
    if not lock.claimed:  # all seeds had finished
        _claim(training, lock)
    with interrupts.deferred():
        write_results(training.settings, training.out, threads=training.threads, report=training.report)
    show_results(training.settings, training.out, report=training.report, json_line=training.json_line)
    if interrupts.caught is not None:
        raise typer.Exit(128 + interrupts.caught)


@contextmanager
def _named(training: AgentTraining, seed: Seed) -> Iterator[None]:
    """Within it, errors name the seed, where there are several."""
    try:
        yield
    except (InputError, DivergenceError, NotEnoughMemoryError) as error:
        if training.settings.seeds == 1:
            raise
        raise type(error)(f"seed {seed.seed}: {error}") from None


def _claim(training: AgentTraining, lock: AgentRunLock) -> None:
    """Makes the folder this run's own; of another run of agents nothing stays."""
    lock.claim()
    if training.resume:
        return
    check_free(training.out, training.overwrite)
    clear(training.out)
    training.began = True
    write_config(training.out, training.settings, training.threads)


def _say(training: AgentTraining, seed: Seed) -> None:
    """Says what came of one of several seeds."""
    if training.settings.seeds > 1:
        typer.echo(seed_text(seed_results(seed.folder)), err=True)
