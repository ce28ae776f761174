"""Writes the tables of docs/edge.md anew, each between its two marks, from benchmarks/results/export_*.json.

python benchmarks/export/tables.py
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import _page_tables
from _page_tables import rows, write_tables

NETWORKS = {"digits": "64-100-100-10, 4,640 connections", "fashion": "784-1000-1000-1000-10, 125,680 connections"}


def results(name: str) -> Any:
    """What results/export_NAME.json holds; None where it is not there."""
    return _page_tables.results(f"export_{name}")


def forward() -> str | None:
    """Bytes and instructions of one prediction, by network, form and board."""
    found = results("instructions")
    if found is None:
        return None
    boards = list(dict.fromkeys(row["board"] for row in found["forward"]))
    body = []
    for network, title in NETWORKS.items():
        for form in dict.fromkeys(row["form"] for row in found["forward"]):
            of = {row["board"]: row for row in found["forward"] if (row["network"], row["form"]) == (network, form)}
            m4 = of["M4F"]
            figures = [f"{m4['constants']:,}", f"{m4['code']:,}", f"{m4['ram']:,}", f"{m4['stack']:,}"]
            counts = [f"{of[board]['per_connection']:.2f}" if board in of else "" for board in boards]
            body.append([title if form == "float32 u16" else "", form, *figures, *counts])
    return rows(["", "", "arrays", "code", "RAM", "stack", *boards], body)


def learning() -> str | None:
    """Instructions and memory of a step and of an evolution on the Cortex-M4F."""
    found = results("instructions")
    if found is None:
        return None
    body = [
        [
            row["network"],
            row["activation"],
            row["momentum"],
            str(row["batch"]),
            f"{row['memory']:,}",
            f"{row['forward_per_connection']:.1f}",
            f"{row['rest_per_connection']:.1f}",
            f"{row['step_per_connection']:.1f}",
            f"{row['evolution_per_connection']:.0f}",
        ]
        for row in found.get("training", ())
        if row["board"] == "M4F"
    ]
    head = ["", "activation", "momentum", "batch", "RAM", "forward", "backward, update", "a step", "an evolution"]
    return rows(head, body) if body else None


def accuracy() -> str | None:
    """Float and eight bits after full training."""
    found = results("int8_accuracy")
    if found is None:
        return None
    body = []
    for task in dict.fromkeys(row["task"] for row in found):
        of = [row for row in found if row["task"] == task]
        cells = [f"{100 * statistics.mean(row[form]['accuracy'] for row in of):.2f}" for form in ("float32", "int8")]
        flash = [f"{of[0][form]['flash']:,}" for form in ("float32", "int8")]
        lost = max(row["points_lost"] for row in of)
        body.append([f"{task}, {of[0]['connections']:,} connections", *cells, f"{lost:.2f}", *flash])
    head = ["means of three seeds", "float32, %", "int8, %", "most lost by a seed", "arrays, float32", "arrays, int8"]
    return rows(head, body)


def digits() -> str | None:
    """Digits learned on the device."""
    found = results("digits_on_device")
    if found is None:
        return None
    body = []
    for name, seeds in found.items():
        if not isinstance(seeds, list) or name == "library":
            continue
        listed = [100 * seed["accuracy"] for seed in seeds]
        first = seeds[0]
        cost = [f"{first['ram']:,}", f"{first['step_instructions']:,.0f}"]
        body.append([name, f"{statistics.mean(listed):.2f}", ", ".join(f"{each:.2f}" for each in listed), *cost])
    if "library" in found:
        listed = [100 * each for each in found["library"]]
        by_seed = ", ".join(f"{each:.2f}" for each in listed)
        body.append(["the library, same settings", f"{statistics.mean(listed):.2f}", by_seed, "", ""])
    return rows(["", "% of 400 held out", "by seed", "RAM, with stack", "instructions per sample"], body)


def peers() -> str | None:
    """Other tools."""
    found = results("peers")
    if found is None:
        return None
    body = [
        [
            NETWORKS[network] if place == 0 else "",
            row["tool"],
            row["how"],
            f"{row['weights']:,}",
            f"{row['flash']:,}",
            f"{row['static_ram']:,}",
            "" if row["instructions"] is None else f"{row['instructions']:,}",
        ]
        for network in NETWORKS
        for place, row in enumerate(found[network])
    ]
    return rows(["network", "", "", "weights", "flash, with code", "RAM", "instructions"], body)


def linux() -> str | None:
    """A program without Python on Linux."""
    found = results("linux_program")
    if found is None:
        return None
    body = [
        [
            row["contender"],
            f"{row['VmHWM'] / 1024:.2f}" if "VmHWM" in row else "(Python)",
            f"{row['low_us']:.0f}",
            f"{row['median_us']:.0f}",
        ]
        for row in found
    ]
    return rows(["", "most resident memory, MiB", "us per sample, fastest round", "median"], body)


def onnx() -> str | None:
    """ONNX files beside the frozen network."""
    found = results("onnx_runtime")
    if found is None:
        return None
    body = [
        [
            row["name"],
            f"{row['bytes'] / 1000:,.0f} kB",
            f"{row['us_per_sample_1']:.0f} us",
            f"{row['us_per_sample_128']:.1f} us",
            f"{row['memory_mb']:.1f} MB",
        ]
        for row in found["networks"]["784-1000-1000-1000-10"]
    ]
    return rows(["", "file", "one sample", "a sample of 128", "memory"], body)


if __name__ == "__main__":
    write_tables("edge.md", (forward, learning, accuracy, digits, peers, linux, onnx))
