"""The report of a run of agents that learn: returns, what went on meanwhile, the networks at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trulysparse._core.files import write_whole
from trulysparse.nn.mlp import SparseMLP
from trulysparse.report import rl_figures, topology_figures
from trulysparse.report.connections import input_strength
from trulysparse.report.numbers import number
from trulysparse.report.page import Figure, Page, Section, Table, facts_table, notes_list
from trulysparse.report.rl_records import RETURN
from trulysparse.report.rl_run import AgentRun
from trulysparse.report.svg import escape


@dataclass(frozen=True, kw_only=True)
class AgentReport:
    """All that the page shows.

    Args:
        title: of the page.
        command: the exact command that repeats the run, quoted for a shell.
        run: what its seeds logged, and their figures.
        facts: how it was trained, by name.
        nets: the networks at the end, by name, of the first seed. They are not changed.
        observations: names of the inputs of the first network, or None.
        notes: sentences on what there is to know.

    Example:
        >>> from trulysparse.report.rl_page import AgentReport, agent_html
        >>> from trulysparse.report.rl_run import AgentRun
        >>> run = AgentRun(name="run", config={"env": "Pendulum-v1"}, seeds=[])
        >>> report = AgentReport(title="TD3 on Pendulum-v1", command="trulysparse rl train Pendulum-v1", run=run)
        >>> "<h1>TD3 on Pendulum-v1</h1>" in agent_html(report)
        True
    """

    title: str
    command: str
    run: AgentRun
    facts: Mapping[str, str] = field(default_factory=dict)
    nets: Mapping[str, SparseMLP] = field(default_factory=dict)
    observations: Sequence[str] | None = None
    notes: Sequence[str] = ()


def write_agent_report(path: str | os.PathLike[str], report: AgentReport) -> None:
    """Writes the page as one HTML file, which needs nothing else: no script, no font, no connection.

    Args:
        path: the file, which is replaced as a whole.
        report: what it shows. Its size does not grow with steps or connections.

    Raises:
        OSError: where the file cannot be written.
    """
    text = agent_html(report)
    write_whole(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def agent_html(report: AgentReport) -> str:
    """The page that `write_agent_report` writes.

    Args:
        report: what it shows.

    Returns:
        HTML.
    """
    seeds = report.run.seeds
    name = f"mean of {len(seeds)} seeds" if len(seeds) > 1 else "return"
    figures = [
        ("Return", [*rl_figures.returns({name: seeds}), *rl_figures.each_seed(seeds)]),
        ("Connections and memory", rl_figures.topology(seeds)),
        ("While it learned", rl_figures.learning(seeds)),
        *_networks(report),
    ]
    what = facts_table({name: value for name, value in report.facts.items() if str(value)})
    what += notes_list(report.notes)
    sections = [Section(title, drawn) for title, drawn in figures if drawn]
    if what:
        sections.insert(1 if sections and sections[0].title == "Return" else 0, Section("Settings", text=what))
    if len(seeds) > 1:
        at = next((i + 1 for i, each in enumerate(sections) if each.title == "Return"), 0)
        sections.insert(at, Section("Seeds", text=_seeds(report.run)))
    sections.append(
        Section("To repeat it", text=f"<pre>{escape(report.command)}</pre><p class='soft'>Run in the same folder.</p>")
    )
    return Page(report.title, tiles=_tiles(report.run), sections=sections).html()


def _tiles(run: AgentRun) -> dict[str, str]:
    figures = run.figures()
    several = len(run.seeds) > 1
    names = {
        "mean_return": f"return, mean of {len(run.seeds)} seeds" if several else "return",
        # Of fewer seeds it is the mean.
        "iqm_return": "return, interquartile mean" if len(run.seeds) >= 4 else "",
        "best_return": "best evaluation" + (", mean" if several else ""),
        "steps": "steps" + (" a seed" if several else ""),
        "seconds": "seconds" + (" a seed" if several else ""),
        "connections": "connections",
        "replay_mb": "MB of replay memory",
        "peak_rss_mb": "MB of memory at the peak",
    }
    return {
        title: number(round(figures[name], 1) if isinstance(figures[name], float) else figures[name])
        for name, title in names.items()
        if title and figures[name] is not None
    }


def _seeds(run: AgentRun) -> str:
    """A row per seed: the last evaluation and its deviation over episodes, the best one, seconds."""
    rows = []
    for seed in run.seeds:
        own = AgentRun(name="", config={}, seeds=[seed]).figures()
        deviation = seed.results.get("std_return", seed.last("eval/std_reward"))
        cells = [own["mean_return"], deviation, own["best_return"], own["seconds"], own["steps_per_second"]]
        evaluations = len(seed.points(RETURN)[0])
        rows.append([str(seed.seed), *map(number, [own["steps"], evaluations, *map(_rounded, cells)])])
    columns = ["seed", "steps", "evaluations", "return", "deviation", "best", "seconds", "steps a second"]
    return Table(columns, rows).html()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1) if abs(value) >= 10 else value


def _networks(report: AgentReport) -> list[tuple[str, list[Figure]]]:
    """Each network drawn; of the first one degrees and the strength of its inputs too."""
    found: list[tuple[str, list[Figure]]] = []
    for place, (name, net) in enumerate(report.nets.items()):
        title = f"Network: {name}"
        figures = topology_figures.network(net)
        if place == 0:
            strength = np.asarray(input_strength(net))
            if strength.max(initial=0.0) > 0:
                figures += topology_figures.input_importance(strength, report.observations)
            found += [(title, figures), ("Degrees", topology_figures.degree_distributions(net))]
        else:
            found.append((title, figures))
    return found
