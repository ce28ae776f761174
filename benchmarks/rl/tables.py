"""Writes the tables of docs/rl.md anew, each between its two marks, from benchmarks/results/rl_*.json.

python benchmarks/rl/tables.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import _page_tables
from _page_tables import rows, write_tables

Lines = dict[str, dict[str, Any]]


def results(name: str) -> Any:
    """What results/rl_NAME.json holds; None where it is not there."""
    return _page_tables.results(f"rl_{name}")


def speed() -> str | None:
    """Milliseconds, ratios and memory of TD3 and SAC."""
    found = results("speed")
    if found is None:
        return None
    head = ["ms a step", "times faster than SB3", "than torch", "than torch, oneDNN", "acting, us", "peak MB"]
    parts = []
    for algorithm in ("td3", "sac"):
        body = [
            [row["name"], f"{row['ms']:.2f}"]
            + [f"{row[f'faster than {peer}']:.1f}" for peer in ("SB3", "torch", "torch, oneDNN")]
            + [f"{row['act_us']:.1f}", "" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}"]
            + [f"{row['replay_mb']:.0f}"]
            for row in found
            if row["algorithm"] == algorithm
        ]
        if body:
            parts.append(rows([algorithm.upper(), *head, "MB of a million transitions"], body))
    return "\n\n".join(parts)


def curves(groups: Lines, order: list[str] | None = None) -> str:
    """Scores of a group's lines, beside the dense peer's."""
    body = []
    lines = groups if order is None else {line: groups[line] for line in order if line in groups}
    dense = groups.get("dense")
    for line, each in lines.items():
        share, faster = "", ""
        if dense is not None:
            share, faster = f"{100 * each['iqm'] / dense['iqm']:.0f}", f"{dense['cpu_s'] / each['cpu_s']:.1f}"
        seeds = ", ".join(f"{score:,.0f}" for score in each["scores"])
        body.append(
            [
                line,
                f"{each['connections'] or 0:,}",
                f"{each['iqm']:,.0f}",
                seeds,
                share,
                f"{each['cpu_s']:,.0f}",
                faster,
            ]
        )
    head = ["", "connections", "return", "by seed", "% of dense", "CPU s", "times faster than dense"]
    return rows(head, body)


def learning() -> str | None:
    """HalfCheetah, Hopper and Walker2d."""
    found = results("learning")
    if found is None:
        return None
    order = ["dense", "0.5", "0.2", "default", "0.1", "0.05", "0.1 static", "0.1 RigL"]
    return "\n\n".join(f"{group}-v5:\n\n{curves(lines, order)}" for group, lines in found.items())


def million() -> str | None:
    """A million steps: the course of each run."""
    found = results("million")
    if found is None:
        return None
    head = ["", "seed", "connections", "100,000 steps", "250,000", "500,000", "750,000", "last three", "last", "CPU s"]
    body = []
    for line, each in found["million"].items():
        for seed, score, curve in zip(each["seeds"], each["scores"], each["returns"], strict=True):
            at = dict(zip(each["steps"], curve, strict=True))
            marks = [f"{at[step]:,.0f}" for step in (100_000, 250_000, 500_000, 750_000)]
            numbers = [f"{score:,.0f}", f"{curve[-1]:,.0f}", f"{each['cpu_s']:,.0f}"]
            body.append([line, str(seed), f"{each['connections']:,}", *marks, *numbers])
    return rows(head, body)


def noise() -> str | None:
    """With features of noise."""
    found = results("noise")
    return None if found is None else curves(found["noise"])


def classic() -> str | None:
    """Best and last evaluations beside Stable-Baselines3."""
    found = results("classic")
    if found is None:
        return None
    beside = any("SB3" in lines for lines in found.values())
    head = ["task, algorithm", "", "steps", "best, by seed", "last three, by seed", "CPU s"]
    body = []
    for group, lines in found.items():
        peer = lines.get("SB3")
        for line, each in lines.items():
            best, last = (", ".join(f"{value:.0f}" for value in each[key]) for key in ("best", "scores"))
            name = "Stable-Baselines3" if line == "SB3" else f"density {line}"
            faster = [f"{peer['cpu_s'] / each['cpu_s']:.1f}" if peer else ""] if beside else []
            body.append([group, name, f"{each['total_steps']:,}", best, last, f"{each['cpu_s']:.0f}", *faster])
    return rows([*head, "times faster than SB3"] if beside else head, body)


if __name__ == "__main__":
    write_tables("rl.md", (speed, learning, million, noise, classic))
