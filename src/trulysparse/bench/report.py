"""Output of a benchmark: a table on the terminal, a JSON file, pictures."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from trulysparse import _kernels
from trulysparse._core.files import write_whole
from trulysparse._core.version import __version__
from trulysparse.errors import MissingExtraError


def processor() -> str:
    """The name of this machine's processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine(threads: int) -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": processor(),
        "isa": _kernels.current_isa(),
        "threads": threads,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "trulysparse": __version__,
    }


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table; numbers to the right."""
    out = Table(title=title, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        out.add_column(column, justify="left" if i == 0 else "right")
    for row in rows:
        out.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    console.print(out)


def save_json(path: Path, values: Any) -> None:
    """Writes a JSON file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda temporary: temporary.write_text(json.dumps(values, indent=1) + "\n"))


def plot(
    path: Path,
    *,
    x: str,
    y: str,
    lines: dict[str, tuple[Sequence[float], Sequence[float]]],
    title: str,
    y_scale: str = "log",
) -> None:
    """A picture with one line per name; x is logarithmic, y where y_scale is 'log' and not 'linear'."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise MissingExtraError("drawing pictures", "matplotlib", "bench") from None
    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for name, (xs, ys) in lines.items():
        axes.plot(xs, ys, marker="o", markersize=4, linewidth=2.2 if name == "trulysparse" else 1.2, label=name)
    axes.set(xlabel=x, ylabel=y, title=title, xscale="log", yscale=y_scale)
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda temporary: figure.savefig(temporary, format=path.suffix[1:], dpi=130))
    pyplot.close(figure)
