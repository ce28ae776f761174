"""trulysparse bench"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trulysparse._core import checks
from trulysparse.bench import PEERS, PRESETS
from trulysparse.bench.problems import preset
from trulysparse.bench.report import machine, save_json, table
from trulysparse.bench.steps import compare
from trulysparse.cli._console import handle_user_errors, print_json
from trulysparse.cli._options import JsonLine, Threads
from trulysparse.errors import InputError


@handle_user_errors
def bench(
    networks: Annotated[str, typer.Option(help=f"Comma-separated, of {', '.join(PRESETS)}.")] = "fashion,cifar",
    peers: Annotated[str, typer.Option(help=f"Comma-separated, of {', '.join(PEERS)}; or all.")] = "all",
    batch_size: Annotated[int, typer.Option(help="Samples per step.")] = 128,
    seconds: Annotated[float, typer.Option(help="Time for each peer and network.")] = 5.0,
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option(help="Also write the figures to this JSON file.")] = None,
    json: JsonLine = False,
) -> None:
    """Measure a training step on this machine beside other ways to take it."""
    chosen = [checks.choice("--networks", name, tuple(PRESETS)) for name in networks.split(",")]
    asked = tuple(PEERS) if peers == "all" else tuple(peers.split(","))
    names = [checks.choice("--peers", name, tuple(PEERS)) for name in asked]
    names = ["trulysparse", *(name for name in names if name != "trulysparse")]
    checks.integer("--batch-size", batch_size, low=1, high=2**31 - 1)
    checks.real("--seconds", seconds, low=0, low_open=True)
    count = checks.thread_count(threads)
    if out is not None and not out.parent.is_dir():
        raise InputError(f"--out: folder '{out.parent}' does not exist")
    if out is not None and out.is_dir():
        raise InputError(f"--out: '{out}' is a folder, not a file")
    results = []
    for name in chosen:
        result = compare(preset(name, batch_size), names, count, seconds)
        results.append(result)
        sizes = "-".join(map(str, result["layer_sizes"]))
        table(
            f"{sizes}: {result['connections']:,} connections ({result['density']:.3g} of dense), batch {batch_size}, "
            f"{count} threads",
            ["training step", "ms (median)", "25 %", "75 %", "times ours"],
            [[r["name"], r["ms"], r["low_ms"], r["high_ms"], f"{r['ratio']:.2f}"] for r in result["rows"]],
        )
        for peer, why in result["missing"].items():
            typer.echo(f"{peer}: {why}")
    figures = {"machine": machine(count), "results": results}
    if out is not None:
        save_json(out, figures)
    if json:
        print_json(figures)
