"""Draws the picture of the README, docs/step_time_and_memory.svg, from results/{density_sweep,scaling}.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from _run import RESULTS

from trulysparse._core.files import write_whole

mpl.use("Agg")
from matplotlib import pyplot

PICTURE = Path(__file__).parents[1] / "docs" / "step_time_and_memory.svg"
GRAY = "#848d97"  # legible on white and on black
LINES = {
    "trulysparse": ("trulysparse", "#2f81f7", 2.6),
    "torch csr": ("torch, CSR", "#d29922", 1.4),
    "scipy+numba": ("SciPy + Numba", "#3fb950", 1.4),
    "torch dense": ("torch, dense", "#db6d28", 1.4),
    "torch masked": ("torch, dense weights times mask", "#bc5fd3", 1.4),
}
SMALLEST_MB = 20.0  # less is lost in what the libraries themselves take


def times_by_density() -> dict[str, list[tuple[float, float]]]:
    """(density of the hidden layers in percent, milliseconds per step) by contender."""
    points: dict[str, list[tuple[float, float]]] = {}
    for result in json.loads((RESULTS / "density_sweep.json").read_text())["results"]:
        for row in result["rows"]:
            points.setdefault(row["name"], []).append((100 * result["hidden_density"], row["ms"]))
    return points


def memory_by_connections() -> dict[str, list[tuple[float, float]]]:
    """(connections, MB of peak memory that they add) by contender."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in json.loads((RESULTS / "scaling.json").read_text())["results"]["rows"]:
        for name, megabytes in row["memory_mb"].items():
            if megabytes >= SMALLEST_MB and row["connections"] >= 1e6:
                points.setdefault(name, []).append((row["connections"], megabytes))
    return points


def draw(axes: Any, points: dict[str, list[tuple[float, float]]], **labels: str) -> None:
    """Log-log lines of the contenders that have points."""
    for name, (_, color, width) in LINES.items():
        if name in points:
            axes.loglog(*zip(*points[name], strict=True), color=color, linewidth=width, marker="o", markersize=4)
    axes.set(**labels)
    axes.grid(True, which="major", alpha=0.3)


def main() -> None:
    colors = {f"{part}.color": GRAY for part in ("text", "xtick", "ytick", "grid")}
    mpl.rcParams.update(colors | {"axes.labelcolor": GRAY, "axes.edgecolor": GRAY, "svg.hashsalt": "trulysparse"})
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
    draw(left, times_by_density(), title="Training step", xlabel="density of hidden layers, %", ylabel="ms per step")
    draw(right, memory_by_connections(), title="Memory", xlabel="connections", ylabel="MB that connections add")
    handles = [mpl.lines.Line2D([], [], color=color, linewidth=width) for _, color, width in LINES.values()]
    names = [label for label, _, _ in LINES.values()]
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    for axes in (left, right):
        axes.patch.set_alpha(0)
        axes.spines[["top", "right"]].set_visible(False)
    write_whole(
        PICTURE, lambda temporary: figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None})
    )


if __name__ == "__main__":
    main()
