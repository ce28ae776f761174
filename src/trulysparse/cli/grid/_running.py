"""What `grid run` does: from settings to agents that have learned and a report, in a run folder."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import typer

from trulysparse._core import checks
from trulysparse._core.bars import bars
from trulysparse._core.progress import Progress
from trulysparse.cli._console import os_error_text, peak_rss_mb, print_json
from trulysparse.cli._interrupts import Interrupts, Stopped
from trulysparse.cli._json import read_object
from trulysparse.cli._run import REPORT, RESULTS
from trulysparse.cli.grid._bounding import title_of
from trulysparse.cli.grid._controls import NO_CONTROL, bound_of, bounds_for, named, play, rules_of, wants_bound
from trulysparse.cli.grid._devices import device_figures
from trulysparse.cli.grid._homes import Homes, make_homes
from trulysparse.cli.grid._learners import Learner, learners_of, make_training, rules_asked_for
from trulysparse.cli.grid._progress_file import ProgressFile
from trulysparse.cli.grid._reporting import RunOutcomes, budgets_of, read_outcomes, report_of
from trulysparse.cli.grid._run_folder import (
    AGENTS,
    OUTCOMES,
    PROGRESS,
    TRAINING,
    GridRunLock,
    check_free,
    clear,
    clear_training,
    figures_file,
    how_to_resume,
    outcome_file,
    policy_file,
    read_settings,
    training_folder,
    write_config,
    write_object,
)
from trulysparse.cli.grid._settings import GridSettings, spelled
from trulysparse.cli.grid._tables import as_json, show_controls
from trulysparse.errors import InputError
from trulysparse.report.grid_page import write_grid_report


@dataclass
class GridRun:
    """A call of `grid run`.

    Args:
        settings: of the run.
        out: its folder.
        threads: of the kernels.
        report: whether report.html is written.
        json_line: whether figures are printed as JSON.
        checkpoint_seconds: between checkpoints of agents that learn.
        going_on: whether the folder holds this run, broken off.
        began: whether the folder has been made this run's own.
    """

    settings: GridSettings
    out: Path
    threads: int = 1
    report: bool = True
    json_line: bool = False
    checkpoint_seconds: float = 60.0
    going_on: bool = False
    began: bool = False
    interrupts: Interrupts = field(default_factory=Interrupts)


def start_run(run: GridRun, *, overwrite: bool) -> None:
    """Runs from the start, or goes on where the folder holds this very run.

    Args:
        run: the call.
        overwrite: whether another run in the folder makes way.
    """
    run.settings.check()
    run.threads = checks.integer("--threads", run.threads, low=1, high=checks.MOST_THREADS)
    with GridRunLock(run.out) as lock:
        if run.out.is_dir():
            run.going_on = check_free(run.out, run.settings, overwrite)
        if run.going_on:
            typer.echo(f"going on with the run in '{run.out}'", err=True)
        _guarded(run, lock, overwrite)


def resume_run(call: GridRun, given: Collection[str], threads: int | None, *, overwrite: bool) -> None:
    """Goes on with the run in a folder, by its own settings.

    Args:
        call: with what was given beside --resume.
        given: names of the options that were.
        threads: of the kernels; None: as before.
        overwrite: which goes with no run that goes on.
    """
    out, settings = call.out, call.settings
    if overwrite:
        raise InputError("--resume and --overwrite: a run goes on, or makes way; give one of them")
    with GridRunLock(out) as lock:
        before, kept_threads = read_settings(out, "--out")
        for name in given:
            if hasattr(before, name) and getattr(before, name) != getattr(settings, name):
                raise InputError(
                    f"{spelled(name)} cannot change with --resume: the run in '{out}' has {getattr(before, name)}, not "
                    f"{getattr(settings, name)}"
                )
        if (out / RESULTS).is_file():
            raise InputError(f"--out: '{out}' has finished; there is nothing to go on with")
        chosen = kept_threads if threads is None else threads
        chosen = checks.integer("--threads", chosen, low=1, high=checks.MOST_THREADS)
        _guarded(replace(call, settings=before, threads=chosen, going_on=True, began=True), lock, overwrite=False)


def _guarded(run: GridRun, lock: GridRunLock, overwrite: bool) -> None:
    """Runs; a signal or an error ends it with a sentence that says how to go on, where there is something to go on
    from. Otherwise the folder is left as it was."""
    go_on = f"`{how_to_resume(run.out)}` goes on"
    with run.interrupts:
        try:
            _run(run, lock, overwrite)
        except Stopped as stop:
            typer.echo(f"stopped: {go_on if _left(run) else 'nothing was kept to go on from'}", err=True)
            raise typer.Exit(stop.exit_code) from None
        except OSError as error:
            if not _left(run) or error.errno is None:
                raise
            raise OSError(f"{os_error_text(error)}; once that is mended, {go_on}") from error
        except BaseException:
            _left(run)
            raise


def _left(run: GridRun) -> bool:
    """Whether there is something to go on from; where not, what was begun is removed."""
    if not run.began:
        return False
    kept = any(run.out.glob(f"{OUTCOMES}/*")) or any(run.out.glob(f"{AGENTS}/*/{TRAINING}"))
    if not kept and not run.going_on:
        clear(run.out)
    return kept or run.going_on


def _run(run: GridRun, lock: GridRunLock, overwrite: bool) -> None:
    settings, out, began = run.settings, run.out, time.perf_counter()
    homes = make_homes(settings)
    rules = rules_of(homes, settings.seed)
    rules_asked_for(settings, tuple(rules))
    learners = learners_of(settings)
    for learner in learners:  # refused before anything is written
        _figures_of(make_training(learner, settings, homes, run.threads), learner, settings)
    _claim(run, lock, overwrite)
    typer.echo(what_runs(settings, homes, list(rules), learners), err=True)
    with bars() as progress:
        for name, rule in rules.items():
            if not outcome_file(out, name).is_file():
                _keep(run, name, play(homes, rule, None, progress))
        _bounds(run, homes, progress)
        for learner in learners:
            _learn(run, learner, homes, progress)
    with run.interrupts.deferred():
        outcomes = read_outcomes(out, settings, homes)
        figures = _figures(run, homes, outcomes, time.perf_counter() - began)
        if run.report:
            write_grid_report(out / REPORT, report_of(out, settings, homes, outcomes, run.threads, finished=True))
        write_object(out / RESULTS, figures)
    show_controls(title_of(settings, homes), outcomes.controls)
    for note in outcomes.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"saved to {out}" + (f", report {out / REPORT}" if run.report else ""))
    if run.json_line:
        print_json(read_object(out / RESULTS))
    if run.interrupts.caught is not None:
        raise typer.Exit(128 + run.interrupts.caught)


def what_runs(settings: GridSettings, homes: Homes, rules: Sequence[str], learners: Sequence[Learner]) -> str:
    """What a run does, in a sentence.

    Args:
        settings: of the run.
        homes: likewise.
        rules: names of those that are compared.
        learners: agents that are trained.
    """
    foresight = " and perfect foresight" if wants_bound(settings.bounds, homes.n_homes) else ""
    hours = f"{homes.scenario.n_hours:,} hours of {homes.n_homes:,} home{'s' * (homes.n_homes > 1)}"
    learn = f", then {', '.join(each.name for each in learners)} learn" if learners else ""
    return f"{hours} from {settings.source}: {len(rules)} rules{foresight}{learn}"


def _claim(run: GridRun, lock: GridRunLock, overwrite: bool) -> None:
    """Makes the folder this run's own; of another run of the kind nothing stays."""
    lock.claim()
    if not run.going_on:
        if check_free(run.out, run.settings, overwrite):  # begun by another process meanwhile
            run.going_on = True
        else:
            clear(run.out)
    run.began = True
    write_config(run.out, run.settings, run.threads)
    for name in (OUTCOMES, AGENTS):
        (run.out / name).mkdir(exist_ok=True)


def _keep(run: GridRun, name: str, outcome: Any) -> None:
    with run.interrupts.deferred():
        outcome.save(outcome_file(run.out, name))
    if run.interrupts.caught is not None:
        raise Stopped(run.interrupts.caught)


def _bounds(run: GridRun, homes: Homes, progress: Progress) -> None:
    """Perfect foresight, where it is wanted and not there yet."""
    if not wants_bound(run.settings.bounds, homes.n_homes):
        return
    from trulysparse.grid.outcome import Outcome

    for name in bounds_for(homes):
        if not outcome_file(run.out, name).is_file():
            none = Outcome.from_file(outcome_file(run.out, NO_CONTROL))
            found = bound_of(homes, none, name, progress)
            if found is not None:
                _keep(run, name, found)


def _learn(run: GridRun, learner: Learner, homes: Homes, progress: Progress) -> None:
    """Trains agents to their end, keeps them and what they come to; nothing where that is there."""
    from trulysparse.grid import agents

    out, name = run.out, learner.name
    if not policy_file(out, name).is_file():
        _train(run, learner, homes, progress)
    if not outcome_file(out, name).is_file():
        policy = agents.Agents.load(policy_file(out, name))
        _keep(run, name, play(homes, policy, learner.label, progress))


def _figures_of(training: Any, learner: Learner, settings: GridSettings) -> dict[str, Any]:
    """What agents take; those that are trained to compare with need not fit on the device."""
    asked = replace(settings, device=None) if learner.reference else settings
    return device_figures(training, asked)


def _train(run: GridRun, learner: Learner, homes: Homes, progress: Progress) -> None:
    from trulysparse.grid import agents

    folder, settings, interrupts = training_folder(run.out, learner.name), run.settings, run.interrupts
    if (folder / TRAINING).is_file():
        training = agents.Training.resume(
            folder, homes.scenario, homes.split, environment=dict(homes.options), threads=run.threads
        )
    else:
        training = make_training(learner, settings, homes, run.threads)
    folder.mkdir(exist_ok=True)
    file = ProgressFile(run.out / PROGRESS)
    shown = named(progress, learner.label)

    def tell(what: str, done: float, total: float) -> None:
        shown(what, done, total)
        file.tell(learner.label, learner.seed, training.log)

    with interrupts.deferred():
        training.run(
            folder,
            stop=lambda: interrupts.caught is not None,
            progress=tell,
            checkpoint_seconds=run.checkpoint_seconds,
        )
        file.tell(learner.label, learner.seed, training.log, last=True)
        if training.done < training.length:
            raise Stopped(interrupts.caught or signal.SIGINT)
        figures = _figures_of(training, learner, settings)
        write_object(figures_file(run.out, learner.name), {**figures, "seconds": round(training.seconds, 3)})
        training.agents().save(policy_file(run.out, learner.name))
        clear_training(folder)


def _figures(run: GridRun, homes: Homes, outcomes: RunOutcomes, seconds: float) -> dict[str, Any]:
    """What results.json holds."""
    settings = run.settings
    return {
        "homes": homes.n_homes,
        "hours": outcomes.scale.none.n_hours,
        "tariff": settings.tariff,
        "information": settings.information,
        "oracle": settings.oracle,
        "controls": as_json(outcomes.controls),
        "notes": list(outcomes.notes),
        "devices": {row.name: {"mean": row.mean, "largest": row.largest} for row in budgets_of(run.out, settings)},
        "seconds": round(seconds, 3),
        "peak_rss_mb": peak_rss_mb(),
    }
