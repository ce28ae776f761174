"""The folder of a run of agents: what is in it, and whose it is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.files import write_whole
from trulysparse._core.version import __version__
from trulysparse.cli._json import read_object
from trulysparse.cli._run import AGENTS, CHECKPOINT, CONFIG, METRICS, MODEL, PARTIAL, REPORT, RESULTS, is_of_agents
from trulysparse.cli._run_lock import LOCK, RunLock
from trulysparse.cli.rl._settings import AgentSettings
from trulysparse.errors import InputError
from trulysparse.report.rl_records import SeedRecords, columns_of
from trulysparse.report.rl_run import AgentRun

AGENT, POLICY, PROGRESS, EVALUATIONS = "agent.safetensors", "policy.safetensors", "progress.csv", "evaluations.npz"
BEST = ("best_model.safetensors", "best_policy.safetensors")
_OF_SEED = (AGENT, POLICY, PROGRESS, EVALUATIONS, *BEST, RESULTS)
# Of TensorBoard, and of the agents of teams.
_PATTERNS = ("events.out.tfevents.*", "policy_*.safetensors", "best_policy_*.safetensors")


class AgentRunLock(RunLock):
    """Keeps other trainings out of the folder of a run of agents."""

    files = (LOCK, CONFIG, REPORT, *_OF_SEED)
    folders = ()

    def settle(self) -> None:
        """Each file is written as a whole: there is nothing to put right."""


def seed_folder(out: Path, settings: AgentSettings, seed: int) -> Path:
    """Where what one seed learns is kept: of several seeds each has a folder in that of the run."""
    return out if settings.seeds == 1 else out / f"seed-{seed}"


def write_config(out: Path, settings: AgentSettings, threads: int) -> None:
    """Makes the folder that of a run with these settings."""
    write_object(out / CONFIG, {"kind": AGENTS, **settings.to_json(), "threads": threads, "version": __version__})


def write_object(path: Path, values: Mapping[str, Any]) -> None:
    """Writes JSON, all or nothing."""
    text = json.dumps(values, indent=2) + "\n"
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_settings(folder: Path) -> tuple[AgentSettings, int]:
    """The settings of a run and its number of threads; InputError where the folder is not of a run of agents."""
    if not folder.is_dir():
        is_file = "is a file; give the folder that `rl train` wrote" if folder.is_file() else "does not exist"
        raise InputError(f"RUN: '{folder}' {is_file}")
    if not is_of_agents(folder):
        if (folder / MODEL).exists() or (folder / CHECKPOINT).exists() or (folder / PARTIAL).exists():
            raise InputError(f"RUN: '{folder}' is a run of `trulysparse train`, not of agents")
        raise InputError(f"RUN: '{folder}' is not a run folder of agents: it has no {CONFIG} that `rl train` wrote")
    config = read_object(folder / CONFIG)
    try:
        settings = AgentSettings.from_json(config)
        settings.check()
        threads = config.get("threads", 1)
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ValueError("threads must be a whole number")
    except ValueError as error:
        raise InputError(f"RUN: '{folder / CONFIG}' cannot be read ({error})") from None
    return settings, threads


def seed_results(folder: Path) -> dict[str, Any]:
    """The figures of a seed at its end; {} where it has not finished."""
    path = folder / RESULTS
    if not path.is_file():
        return {}
    found = read_object(path)
    # Where the run has one seed, its folder holds the figures of the whole run.
    seeds = found.get("seeds", [found])
    if not isinstance(seeds, list) or len(seeds) != 1 or not isinstance(seeds[0], dict):
        raise InputError(f"RUN: '{path}' cannot be read (it does not hold the figures of one seed)")
    return dict(seeds[0])


def read_progress(path: Path) -> list[dict[str, float]]:
    """The lines of a log; none where there is no file."""
    from trulysparse.rl.log import read_progress as read

    if not path.is_file():
        return []
    try:
        return read(path)
    except (OSError, ValueError) as error:
        raise InputError(f"RUN: '{path}' cannot be read ({error})") from None


def read_returns(folder: Path) -> NDArray[np.float64]:
    """Returns of the episodes of each evaluation of a seed, (evaluations, episodes)."""
    path = folder / EVALUATIONS
    try:
        with np.load(path) as file:
            returns = np.asarray(file["results"], np.float64)
        if returns.ndim != 2 or not returns.size:
            raise ValueError("it holds no evaluations")
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"RUN: '{path}' cannot be read ({error})") from None
    return returns


def read_agent_run(folder: Path, name: str) -> AgentRun:
    """What is known of a run, finished or not; InputError where the folder is not of one, or a file is damaged."""
    settings, _ = read_settings(folder)
    seeds = []
    for seed in settings.all_seeds:
        own = seed_folder(folder, settings, seed)
        columns, results = columns_of(read_progress(own / PROGRESS)), seed_results(own)
        if columns or results:
            seeds.append(SeedRecords(seed=seed, columns=columns, results=results))
    finished = len(seeds) == settings.seeds and all(seed.results for seed in seeds)
    return AgentRun(name=name, config=settings.to_json(), seeds=seeds, finished=finished)


def how_to_resume(out: Path) -> str:
    """The command that goes on with a run."""
    return f"trulysparse rl resume {shlex.quote(str(out))}"


def check_free(out: Path, overwrite: bool) -> None:
    """InputError where a folder holds another run: of anything else, or of agents unless that is to be overwritten."""
    if any((out / name).exists() for name in (MODEL, METRICS, PARTIAL, CHECKPOINT)):
        raise InputError(f"--out: '{out}' holds a run of `trulysparse train`; give another folder")
    if not is_of_agents(out):
        for name in (CONFIG, *_OF_SEED):
            if (out / name).exists():
                raise InputError(f"--out: '{out / name}' is in the way: a run has a file of that name")
        return
    if overwrite:
        return
    if (out / RESULTS).is_file():
        raise InputError(f"--out: '{out}' holds a finished run; give another folder, or --overwrite to do without it")
    raise InputError(
        f"--out: '{out}' holds a training that was broken off; go on with `{how_to_resume(out)}`, or give --overwrite "
        "to do without it"
    )


def clear(out: Path) -> None:
    """Removes what a run of agents wrote, and nothing else."""
    if is_of_agents(out):
        settings, _ = read_settings(out)
        for seed in settings.all_seeds if settings.seeds > 1 else ():
            own = seed_folder(out, settings, seed)
            clear_seed(own)
            if own.is_dir() and not any(own.iterdir()):
                own.rmdir()
    clear_seed(out)
    for name in (REPORT, CONFIG):
        (out / name).unlink(missing_ok=True)


def clear_seed(folder: Path) -> None:
    """Removes what one agent wrote to its folder."""
    for path in [*(folder / name for name in _OF_SEED), *(path for each in _PATTERNS for path in folder.glob(each))]:
        path.unlink(missing_ok=True)
