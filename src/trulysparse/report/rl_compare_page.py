"""Runs of agents side by side: returns against steps and seconds, what they cost, where they differ."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trulysparse._core.files import write_whole
from trulysparse.report import rl_figures
from trulysparse.report.bar_chart import bar_chart
from trulysparse.report.numbers import number, shortened
from trulysparse.report.page import Figure, Page, Section, Table, notes_list
from trulysparse.report.rl_run import NOT_SETTINGS, AgentRun, rows_of

_BARS = (
    ("seconds", "Seconds", "Seconds a seed, evaluations included."),
    ("connections", "Connections", "Of the networks that learn, without targets."),
    ("replay_mb", "Replay memory, MB", "Of one seed, at its end."),
    ("peak_rss_mb", "Peak memory, MB", "Of the whole process."),
)


def differing_settings(runs: Sequence[AgentRun]) -> dict[str, list[Any]]:
    """The settings in which runs differ, of each run a value; None is the algorithm's own default.

    Args:
        runs: at least one.

    Returns:
        Values by the setting's name.

    Example:
        >>> from trulysparse.report.rl_compare_page import differing_settings
        >>> from trulysparse.report.rl_run import AgentRun
        >>> runs = [AgentRun(name=str(d), config={"env": "a", "density": d}, seeds=[]) for d in (0.1, 0.2)]
        >>> differing_settings(runs)
        {'density': [0.1, 0.2]}
    """
    names = dict.fromkeys(name for run in runs for name in run.config if name not in NOT_SETTINGS)
    found = {name: [run.config.get(name) for run in runs] for name in names}
    return {name: values for name, values in found.items() if len({_text(value) for value in values}) > 1}


def warnings_of(runs: Sequence[AgentRun]) -> list[str]:
    """Sentences on why figures of the runs cannot simply be compared."""
    found = [f"'{run.name}' is not finished: its figures are those so far" for run in runs if not run.finished]
    each = [run.figures() for run in runs]
    if len({figures["env"] for figures in each}) > 1:
        found.append("the runs are of different environments: their returns cannot be compared")
    elif len({figures["steps"] for figures in each}) > 1:
        found.append("the runs have different numbers of steps: compare returns at the same step")
    if len({figures["seeds"] for figures in each}) > 1:
        found.append("the runs have different numbers of seeds: spreads are of different weight")
    if min((figures["seeds"] for figures in each), default=0) < 3 and len(runs) > 1:
        found.append("fewer than 3 seeds say little: returns of one setting differ widely between seeds")
    return found


def settings_rows(differences: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    """Differing settings as texts."""
    return {
        name.replace("_", " "): ["default" if value is None else _shown(value) for value in values]
        for name, values in differences.items()
    }


def _shown(value: Any) -> str:
    if isinstance(value, list | dict | tuple):
        return shortened(", ".join(map(str, value)) if isinstance(value, list | tuple) else _text(value), 120)
    return ("yes" if value else "no") if isinstance(value, bool) else number(value)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def write_agent_comparison(path: str | os.PathLike[str], runs: Sequence[AgentRun]) -> None:
    """Writes a page that shows runs of agents side by side, as one HTML file that needs nothing else.

    Args:
        path: the file, which is replaced as a whole.
        runs: at least one.

    Raises:
        OSError: where the file cannot be written.
    """
    text = comparison_html(runs)
    write_whole(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def comparison_html(runs: Sequence[AgentRun]) -> str:
    """The page that `write_agent_comparison` writes.

    Args:
        runs: at least one.

    Returns:
        HTML.
    """
    names = [run.name for run in runs]
    sections = [Section("Figures", text=_table(rows_of(runs), names))]
    curves = rl_figures.returns({run.name: run.seeds for run in runs})
    if curves:
        sections.append(Section("Return", curves))
    bars = _bars(runs)
    if bars:
        sections.append(Section("What it took", bars))
    differences = settings_rows(differing_settings(runs))
    text = _table(differences, names) if differences else "<p>The runs have the same settings.</p>"
    sections.append(Section("Settings that differ", text=text))
    warnings = notes_list([f"{warning[0].upper()}{warning[1:]}." for warning in warnings_of(runs)], "warning")
    return Page("Runs compared", shortened(", ".join(names), 400), sections=sections, text=warnings).html()


def _table(rows: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    """A column per run where they are few, else a row per run."""
    if len(names) <= 4:
        return Table(["", *names], [[name, *values] for name, values in rows.items()]).html()
    return Table(["", *rows], [[name, *(values[i] for values in rows.values())] for i, name in enumerate(names)]).html()


def _bars(runs: Sequence[AgentRun]) -> list[Figure]:
    figures = []
    each = [run.figures() for run in runs]
    for name, title, caption in _BARS:
        found = [(run.name, own[name]) for run, own in zip(runs, each, strict=True) if own[name] is not None]
        if not found:
            continue
        labels = [label for label, _ in found]
        values = [float(value) for _, value in found]
        rows = [[label, _figure(value)] for label, value in zip(labels, values, strict=True)]
        svg = bar_chart(labels, values, title=title, shown=_figure)
        figures.append(Figure(title, svg, caption, Table(["run", title[0].lower() + title[1:]], rows)))
    return figures


def _figure(value: float) -> str:
    return number(round(value, 1) if value >= 10 else value)
