"""Runs what a plan still lacks, and makes of all its runs a table, a result file and a picture."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from _plan import Plan

from trulysparse._core.files import write_whole
from trulysparse.bench.report import machine, table
from trulysparse.report.rl_records import interquartile_mean as iqm

RESULTS = Path(__file__).parents[1] / "results"
PICTURES = Path(__file__).parents[2] / "docs"
LAST = 3  # evaluations at the end, whose mean is a run's score
COLORS = ("#db6d28", "#2f81f7", "#3fb950", "#bc5fd3", "#d29922", "#56d4dd", "#f778ba", "#848d97")
GRAY = "#848d97"  # legible on white and on black


def options(description: str | None, seeds: int) -> argparse.Namespace:
    """The command line of the scripts."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/rl"), help="where runs are kept and looked for")
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--only", default="", help="runs whose names begin so")
    parser.add_argument("--no-runs", action="store_true", help="only sums up what is there")
    return parser.parse_args()


def complete(plan: Plan, arguments: argparse.Namespace) -> None:
    """Makes the runs that are not there, one after another, each in a process of one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    for name, setting in plan:
        if arguments.no_runs or not name.startswith(arguments.only):
            continue
        out = arguments.runs / f"{name}.jsonl"
        command = [sys.executable, str(Path(__file__).with_name("_runs.py")), json.dumps(setting), "--out", str(out)]
        subprocess.run(command, check=True, env=os.environ | threads)


def read(plan: Plan, folder: Path) -> dict[str, dict[str, list[list[dict[str, Any]]]]]:
    """The lines of the finished runs, by group and line."""
    found: dict[str, dict[str, list[list[dict[str, Any]]]]] = {}
    for name, setting in plan:
        path = folder / f"{name}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
        if rows and rows[-1].get("done"):
            found.setdefault(setting["group"], {}).setdefault(setting["line"], []).append(rows)
    return found


def interquartile_mean(values: Any) -> Any:
    """The mean without the lowest and the highest quarter (of five values: of the middle three; of three: of all)."""
    return np.apply_along_axis(iqm, 0, values)


def summed_up(runs: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """A line of a result file: the runs of one setting with different seeds."""
    evaluations = [rows[1:-1] for rows in runs]
    steps = [row["steps"] for row in evaluations[0] if all(row["steps"] in _steps(each) for each in evaluations)]
    curves = [[float(np.mean(_at(each, step)["returns"])) for step in steps] for each in evaluations]
    scores = [float(np.mean(curve[-LAST:])) for curve in curves]
    ends = [rows[-1] for rows in runs]
    setting = runs[0][0]["setting"]
    found = {"seeds": [rows[0]["setting"]["seed"] for rows in runs], "scores": scores}
    found |= {"iqm": float(interquartile_mean(scores)), "low": min(scores), "high": max(scores)}
    found |= {"best": [max(curve) for curve in curves]}
    found |= {key: float(np.median([end[key] for end in ends])) for key in ("cpu_s", "peak_mb")}
    found |= {"connections": ends[0].get("connections"), "total_steps": setting["steps"]}
    found |= {"steps": steps, "returns": curves, "options": setting.get("options", {})}
    found["cpu_s_at"] = [float(np.median([_at(each, step)["cpu_s"] for each in evaluations])) for step in steps]
    return found


def _steps(evaluations: list[dict[str, Any]]) -> set[int]:
    return {row["steps"] for row in evaluations}


def _at(evaluations: list[dict[str, Any]], step: int) -> dict[str, Any]:
    return next(row for row in evaluations if row["steps"] == step)


def report(name: str, plan: Plan, folder: Path, title: str) -> dict[str, dict[str, Any]]:
    """Prints a table a group, writes results/rl_NAME.json and docs/rl_NAME.svg; the sums by group and line."""
    groups = {
        group: {line: summed_up(runs) for line, runs in lines.items()} for group, lines in read(plan, folder).items()
    }
    for group, lines in groups.items():
        reference = lines.get("dense", lines.get("SB3"))
        rows = []
        for line, each in lines.items():
            share = 100 * each["iqm"] / reference["iqm"] if reference and reference["iqm"] > 0 else float("nan")
            faster = reference["cpu_s"] / each["cpu_s"] if reference else float("nan")
            rows.append(
                [
                    line,
                    len(each["seeds"]),
                    round(each["iqm"]),
                    f"{each['low']:.0f} to {each['high']:.0f}",
                    share,
                    max(each["best"]),
                    each["cpu_s"],
                    faster,
                    each["connections"] or "",
                    each["peak_mb"],
                ]
            )
        columns = ["", "seeds", "IQM", "spread", "% of reference", "best", "CPU s", "times faster", "connections", "MB"]
        table(f"{title}: {group}", columns, rows)
    lines_of = [
        f"{json.dumps(group)}: {{\n"
        + ",\n".join(f"{json.dumps(line)}: {json.dumps(_short(each))}" for line, each in lines.items())
        + "\n}"
        for group, lines in groups.items()
    ]
    text = f'{{"machine": {json.dumps(machine(1))},\n"results": {{\n' + ",\n".join(lines_of) + "\n}}\n"
    write_whole(RESULTS / f"rl_{name}.json", lambda temporary: temporary.write_text(text))
    draw(PICTURES / f"rl_{name}.svg", groups)
    return groups


def _short(value: Any) -> Any:
    """With numbers of six digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    return [_short(each) for each in value] if isinstance(value, list) else value


def draw(path: Path, groups: dict[str, dict[str, Any]]) -> None:
    """Learning curves, a row a group: return against steps and against processor seconds. Lines are interquartile
    means over seeds, bands reach from the lowest to the highest seed."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    colors = {f"{part}.color": GRAY for part in ("text", "xtick", "ytick", "grid")}
    mpl.rcParams.update(colors | {"axes.labelcolor": GRAY, "axes.edgecolor": GRAY, "svg.hashsalt": "trulysparse"})
    figure, axes = pyplot.subplots(
        len(groups), 2, figsize=(9.6, 3.6 * len(groups)), layout="constrained", squeeze=False, sharey="row"
    )
    for (left, right), (group, lines) in zip(axes, groups.items(), strict=True):
        for color, (line, each) in zip(COLORS, lines.items(), strict=False):
            curves = np.array(each["returns"])
            for place, x in ((left, np.array(each["steps"]) / 1000), (right, each["cpu_s_at"])):
                place.plot(x, interquartile_mean(curves), color=color, linewidth=1.6, label=line)
                place.fill_between(x, curves.min(0), curves.max(0), color=color, alpha=0.12, linewidth=0)
        left.set(xlabel="thousand environment steps", ylabel="return", title=group)
        right.set(xlabel="processor seconds, without evaluations", xscale="log")
        for place in (left, right):
            place.grid(True, which="major", alpha=0.3)
        left.legend(fontsize="small", frameon=False)
    write_whole(
        path, lambda temporary: figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None})
    )
    pyplot.close(figure)
