"""trulysparse export"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trulysparse._core import checks
from trulysparse.cli._console import handle_user_errors, print_json, show, show_notes
from trulysparse.cli._export_tables import show_size
from trulysparse.cli._exportable import Choice, Exportable
from trulysparse.cli._exporting import open_exportable
from trulysparse.cli._options import JsonLine
from trulysparse.errors import InputError

_ENDINGS = {"c": (".c", ".h"), "onnx": (".onnx",), "scipy": (".npz",), "torch": (".pt", ".pth")}
# The options that are not for all forms, and what they are for.
_FOR = {
    "int8": ("c",),
    "training": ("c",),
    "index": ("c",),
    "calibrate": ("c",),
    "form": ("onnx",),
    "outputs": ("onnx",),
    "name": ("c", "onnx"),
}
Best = Annotated[
    bool, typer.Option("--best", help="Of a run of agents: the policy of the best evaluation, not that of the end.")
]
Seed = Annotated[int | None, typer.Option(help="Of a run of agents with several seeds: which.")]
Agent = Annotated[
    str | None, typer.Option(help="Of a run on the grid or a fleet: number of a home or agent; of a team: a name.")
]
LearnerName = Annotated[
    str | None, typer.Option("--learner", help="Of a run on the grid: es-0, ... Default: the first that it trained.")
]


@handle_user_errors
def export(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder that train, rl train or grid run wrote, or a model file.")
    ],
    to: Annotated[str, typer.Option(help="c, onnx, scipy or torch.")],
    out: Annotated[
        Path, typer.Option(help="File to write: .c or .h, .onnx, .npz, .pt. One that is there is replaced.")
    ],
    int8: Annotated[
        bool, typer.Option("--int8", help="C: weights and activations in 8 bits, calibrated with the training samples.")
    ] = False,
    training: Annotated[
        bool, typer.Option("--training", help="C: with all that trains the network further on the device.")
    ] = False,
    index: Annotated[
        str | None,
        typer.Option(help="C: how connections are stored: u16, delta8, or auto, per layer the smaller. Default: auto."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="C: what functions begin with; ONNX: of the graph. Default: net.")
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(help="With --int8: samples in the place of the training samples, a file as DATA of train."),
    ] = None,
    form: Annotated[str | None, typer.Option(help="ONNX: sparse, dense or scatter weights. Default: sparse.")] = None,
    outputs: Annotated[
        str | None,
        typer.Option(
            help="ONNX: one or more of label, probabilities, prediction, action, scores, with commas between."
        ),
    ] = None,
    seed: Seed = None,
    best: Best = False,
    agent: Agent = None,
    learner: LearnerName = None,
    json: JsonLine = False,
) -> None:
    """Write a network or a policy for where this library is not: C, ONNX, sparse matrices of SciPy or PyTorch."""
    checks.choice("--to", to, tuple(_ENDINGS))
    given = {
        "int8": int8 or None,
        "training": training or None,
        "index": index,
        "name": name,
        "calibrate": calibrate,
        "form": form,
        "outputs": None if outputs is None else outputs.split(","),
    }
    _check(to, out, {option for option, value in given.items() if value is not None})
    opened = open_exportable(run, Choice(seed=seed, best=best, agent=agent, learner=learner))
    written = _write(opened, to, out, given)
    show_notes(opened.notes)
    if to == "c":
        show_size(run, written)
    else:
        show(f"{run} for {to}", {"file": f"{out} ({out.stat().st_size:,} bytes)"})
    if json:
        print_json({"file": str(out), "bytes": out.stat().st_size, **(written.to_json() if to == "c" else {})})


def _check(to: str, out: Path, given: set[str]) -> None:
    """InputError where options do not go together, or the file cannot be written."""
    for option in sorted(given):
        if to not in _FOR[option]:
            raise InputError(f"--{option} is for --to {' and '.join(_FOR[option])}, not for --to {to}")
    if "calibrate" in given and "int8" not in given:
        raise InputError("--calibrate is for --int8: float32 needs no calibration")
    for option in ("int8", "index"):
        if "training" in given and option in given:
            raise InputError(f"--{option} cannot be combined with --training, which has weights of its own kind")
    if out.suffix not in _ENDINGS[to]:
        raise InputError(f"--out must end in {' or '.join(_ENDINGS[to])} with --to {to}, not '{out}'")
    if not out.parent.is_dir():
        raise InputError(f"--out: folder '{out.parent}' does not exist")
    if out.is_dir():
        raise InputError(f"--out: '{out}' is a folder, not a file")


def _write(opened: Exportable, to: str, out: Path, given: dict[str, Any]) -> Any:
    """Writes the file; returns what the function of the package does."""
    from trulysparse import export as forms

    options = {each: given[each] for each in ("index", "name", "form", "outputs") if given[each] is not None}
    if to == "c":
        weights = "int8" if given["int8"] else "float32"
        samples = opened.calibration(given["calibrate"]) if given["int8"] else None
        return forms.c(
            opened.model, out, weights=weights, calibrate=samples, training=bool(given["training"]), **options
        )
    write = {"onnx": forms.onnx, "scipy": forms.scipy, "torch": forms.torch}[to]
    return write(opened.model, out, **options)  # type: ignore[operator]
