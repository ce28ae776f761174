"""The folder of a run on the grid: what is in it, and whose it is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trulysparse._core.files import write_whole
from trulysparse._core.version import __version__
from trulysparse.cli._json import read_object
from trulysparse.cli._run import CHECKPOINT, CONFIG, METRICS, MODEL, PARTIAL, REPORT, RESULTS
from trulysparse.cli._run_lock import LOCK, RunLock
from trulysparse.cli.grid._controls import BOUNDS, RULES
from trulysparse.cli.grid._learners import learners_of
from trulysparse.cli.grid._settings import GridSettings
from trulysparse.errors import InputError

GRID = "grid"
"""What config.json of such a run says that it is."""
PROGRESS = "progress.csv"
OUTCOMES, AGENTS = "outcomes", "agents"
_FILES = (CONFIG, PROGRESS, RESULTS, REPORT)
TRAINING = "training.safetensors"
"""A checkpoint, in the folder of its agents."""
SUFFIX = ".safetensors"


class GridRunLock(RunLock):
    """Keeps others out of the folder of a run on the grid."""

    files = (LOCK, *_FILES)
    folders = (OUTCOMES, AGENTS)

    def settle(self) -> None:
        """Each file is written as a whole: there is nothing to put right."""


def outcome_file(out: Path, name: str) -> Path:
    """Where what a control came to is kept."""
    return out / OUTCOMES / f"{name}{SUFFIX}"


def policy_file(out: Path, name: str) -> Path:
    """Where agents that have learned are kept."""
    return out / AGENTS / f"{name}{SUFFIX}"


def figures_file(out: Path, name: str) -> Path:
    """Where it is kept what agents take: connections, bytes, seconds."""
    return out / AGENTS / f"{name}.json"


def training_folder(out: Path, name: str) -> Path:
    """Where the checkpoint of a training is kept until it has ended."""
    return out / AGENTS / name


def write_config(out: Path, settings: GridSettings, threads: int) -> None:
    """Makes the folder that of a run with these settings."""
    write_object(out / CONFIG, {"kind": GRID, **settings.to_json(), "threads": threads, "version": __version__})


def write_object(path: Path, values: Mapping[str, Any]) -> None:
    """Writes JSON, all or nothing; figures that are not finite become null."""
    from trulysparse.cli._console import or_null

    text = json.dumps(or_null(dict(values)), indent=2, allow_nan=False) + "\n"
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def is_of_grid(folder: Path) -> bool:
    """Whether a folder holds a run of `grid run`."""
    try:
        return read_object(folder / CONFIG).get("kind") == GRID
    except InputError:
        return False


def read_settings(folder: Path, argument: str = "RUN") -> tuple[GridSettings, int]:
    """The settings of a run and its number of threads; InputError where the folder is not of a run on the grid."""
    if not folder.is_dir():
        what = "is a file; give the folder that `grid run` wrote" if folder.is_file() else "does not exist"
        raise InputError(f"{argument}: '{folder}' {what}")
    if not is_of_grid(folder):
        raise InputError(f"{argument}: '{folder}' is not a run of `trulysparse grid`: it has no {CONFIG} of one")
    config = read_object(folder / CONFIG, argument)
    try:
        settings = GridSettings.from_json(config)
        settings.check()
        threads = config.get("threads", 1)
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ValueError("threads must be a whole number")
    except ValueError as error:
        raise InputError(f"{argument}: '{folder / CONFIG}' cannot be read ({error})") from None
    return settings, threads


def how_to_resume(out: Path) -> str:
    """The command that goes on with a run."""
    return f"trulysparse grid run --resume --out {shlex.quote(str(out))}"


def check_free(out: Path, settings: GridSettings, overwrite: bool) -> bool:
    """Whether a folder holds this very run, broken off.

    Raises:
        InputError: where it holds another run, of this command only unless that is to be overwritten, or a file that
            is in the way.
    """
    if any((out / name).exists() for name in (MODEL, METRICS, PARTIAL, CHECKPOINT)):
        raise InputError(f"--out: '{out}' holds a run of `trulysparse train`; give another folder")
    if not is_of_grid(out):
        for name in (*_FILES, OUTCOMES, AGENTS):
            if (out / name).exists():
                raise InputError(f"--out: '{out / name}' is in the way: a run has a {_kind(name)} of that name")
        return False
    if overwrite:
        return False
    if (out / RESULTS).is_file():
        raise InputError(f"--out: '{out}' holds a finished run; give another folder, or --overwrite to do without it")
    before, _ = read_settings(out, "--out")
    differing = settings.differing(before)
    if differing:
        raise InputError(
            f"--out: '{out}' holds a run that was broken off, with another {' and '.join(differing)}; go on with "
            f"`{how_to_resume(out)}`, or give --overwrite to do without it"
        )
    return True


def _kind(name: str) -> str:
    return "folder" if name in (OUTCOMES, AGENTS) else "file"


def clear(out: Path) -> None:
    """Removes what a run on the grid wrote, and nothing else."""
    if is_of_grid(out):
        learners = [each.name for each in learners_of(read_settings(out, "--out")[0])]
        for name in learners:
            policy_file(out, name).unlink(missing_ok=True)
            figures_file(out, name).unlink(missing_ok=True)
            clear_training(training_folder(out, name))
        for name in (*RULES, *BOUNDS, *learners):
            outcome_file(out, name).unlink(missing_ok=True)
        for folder in (out / OUTCOMES, out / AGENTS):
            _remove_empty(folder)
    for name in _FILES:
        (out / name).unlink(missing_ok=True)


def clear_training(folder: Path) -> None:
    """Removes a checkpoint with its folder, where nothing else is in it."""
    if folder.is_dir() and not folder.is_symlink():
        (folder / TRAINING).unlink(missing_ok=True)
        _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
