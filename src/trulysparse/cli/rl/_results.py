"""What a finished run of agents leaves: figures of all seeds, the report, a table on the terminal, a line of JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from trulysparse._core.version import __version__
from trulysparse.bench.report import processor
from trulysparse.cli._console import print_json, show
from trulysparse.cli._json import read_object
from trulysparse.cli._run import REPORT, RESULTS
from trulysparse.cli.rl._run_folder import AGENT, POLICY, read_agent_run, seed_folder, write_object
from trulysparse.cli.rl._seed import load_agent
from trulysparse.cli.rl._settings import AgentSettings, spelled
from trulysparse.evolution import Evolution
from trulysparse.nn.mlp import SparseMLP
from trulysparse.report.numbers import number, percent
from trulysparse.report.rl_page import AgentReport, write_agent_report
from trulysparse.report.rl_run import AgentRun, rows_of


def write_results(settings: AgentSettings, out: Path, *, threads: int, report: bool) -> None:
    """Writes results.json and, where asked for, report.html, from what the seeds have written.

    Args:
        settings: of the run.
        out: its folder.
        threads: of the kernels.
        report: whether the page is written.
    """
    run = read_agent_run(out, str(out))
    if report:
        first = load_agent(settings, seed_folder(out, settings, settings.seed) / AGENT)
        write_agent_report(out / REPORT, _report(settings, out, run, first, threads))
    figures = {name: value for name, value in run.figures().items() if name not in ("seeds", "finished")}
    write_object(out / RESULTS, {**figures, "seeds": [dict(seed.results) for seed in run.seeds]})


def show_results(settings: AgentSettings, out: Path, *, report: bool, json_line: bool) -> None:
    """Prints the figures of a finished run."""
    run = read_agent_run(out, str(out))
    rows = {name: value for name, [value] in rows_of([run]).items()}
    one = settings.seeds == 1 and not settings.is_team
    rows |= {"policy": str(out / POLICY)} if one else {"saved to": str(out)}
    if report:
        rows["report"] = str(out / REPORT)
    show(_title(settings), rows)
    if json_line:
        print_json(read_object(out / RESULTS))


def _title(settings: AgentSettings) -> str:
    return f"{(settings.algorithm or '').upper()} on {settings.env}"


def _report(settings: AgentSettings, out: Path, run: AgentRun, agent: Any, threads: int) -> AgentReport:
    nets: dict[str, SparseMLP] = {name: learner.nets[0] for name, learner in agent.learners.items()}
    return AgentReport(
        title=_title(settings),
        command=settings.command_line(out),
        run=run,
        facts=run_facts(settings, agent, threads),
        nets=nets,
    )


def run_facts(settings: AgentSettings, agent: Any, threads: int) -> Mapping[str, str]:
    """How agents were trained, by name."""
    noise = f", {settings.noise_features:.0%} of the features noise" if settings.noise_features else ""
    several = f", {settings.n_envs} copies" if settings.n_envs > 1 else ""
    used = {each.name: getattr(agent.settings, each.name) for each in fields(agent.settings)}
    used["learning_starts"] = getattr(agent, "learning_starts", used["learning_starts"])  # found where it is not given
    python = ".".join(map(str, sys.version_info[:3]))
    last = settings.seed + settings.seeds - 1
    return {
        "environment": f"{settings.env}{f' {settings.env_kwargs}' if settings.env_kwargs else ''}{noise}{several}",
        **_of_team(settings, agent),
        "steps": f"{settings.steps:,}, an evaluation of {settings.eval_episodes} episodes every "
        f"{settings.evaluation_steps:,}",
        "seeds": str(settings.seed) if settings.seeds == 1 else f"{settings.seed} to {last}",
        **{spelled(name)[2:].replace("-", " "): _shown(value) for name, value in used.items() if value is not None},
        **{name.replace("_", " "): _evolution(value) for name, value in used.items() if name.endswith("evolution")},
        "machine": f"{processor()}; {threads} thread{'s' * (threads > 1)}",
        "version": f"trulysparse {__version__}, Python {python}",
        "finished": time.strftime("%Y-%m-%d %H:%M"),
    }


def _of_team(settings: AgentSettings, agent: Any) -> dict[str, str]:
    """What is said of a team in other words."""
    name, spaces = (settings.algorithm or "").upper(), agent.spaces
    if not settings.is_team:
        return {"spaces": str(spaces), "algorithm": f"{name}, preset {settings.preset}"}
    each = zip(spaces.agents, spaces.n_observations, spaces.n_actions, strict=True)
    sizes = [f"{agent}: {n} observations, {k} choices" for agent, n, k in each]
    return {"spaces": "; ".join(sizes), "algorithm": name, "return": "mean of the agents"}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    return number(value)


def _evolution(value: Evolution | None) -> str:
    """How a topology evolves, in words."""
    if value is None:
        return "none: the topology stays"
    schedule = value.schedule
    end = schedule.stop if schedule.until is None else schedule.until
    until = f"until update {end:,}" if isinstance(end, int) else f"until {percent(end)} of the training"
    falls = "" if schedule.decay == "constant" else f", {schedule.decay} from there"
    share = f"{percent(schedule.fraction)} of the connections{falls}"
    return f"{type(value).__name__}, {share}, every {schedule.every_updates:,} updates {until}"
