"""trulysparse plan"""

from __future__ import annotations

import re
from typing import Annotated

import typer

from trulysparse._core import checks, memory
from trulysparse.cli._console import handle_user_errors, print_json, show
from trulysparse.errors import InputError
from trulysparse.optim.sgd import SGD
from trulysparse.planning.plan import Plan, PlanRequest, best_request, largest_batch_size
from trulysparse.planning.plan import plan as make_plan


def sizes(text: str) -> tuple[int, ...]:
    """'65536,5000000x10,2' -> (65536, 5000000 ten times, 2)."""
    found: list[int] = []
    for part in text.split(","):
        match = _SIZE.fullmatch(part.strip())
        if match is None:
            raise InputError(f"--layers must be comma-separated sizes such as 65536,5000000x10,2, not '{text}'")
        times = checks.integer(f"--layers: the number of layers in '{part}'", int(match[2] or 1), low=1, high=100_000)
        found += [int(match[1])] * times
    return tuple(found)


_SIZE = re.compile(r"([0-9]{1,18})(?:x([0-9]{1,18}))?")


@handle_user_errors
def plan(
    layers: Annotated[str, typer.Option(help="Sizes from input to output; 5000000x10 stands for ten such layers.")],
    epsilon: Annotated[float, typer.Option(help="A layer n_in x n_out has epsilon * (n_in + n_out) connections.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Samples an update.")] = 128,
    storage: Annotated[str, typer.Option(help="indexed or compact.")] = "indexed",
    precision: Annotated[
        str, typer.Option(help="Of weights and activations: float32 or, with compact storage, bfloat16.")
    ] = "float32",
    momentum: Annotated[float, typer.Option(help="Of SGD; 0: no optimizer state.")] = 0.9,
    momentum_precision: Annotated[str | None, typer.Option(help="float32 or, with compact storage, bfloat16.")] = None,
    recompute: Annotated[int, typer.Option(help="Keep each n-th layer's activations; 1: all.")] = 1,
    on_disk: Annotated[bool, typer.Option("--on-disk", help="Layers live in files.")] = False,
    samples: Annotated[int | None, typer.Option(help="Samples an epoch, for its time.")] = None,
    threads: Annotated[int | None, typer.Option(help="Default: all cores.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one JSON object on the last line.")
    ] = False,
) -> None:
    """Say what a network and its training will need, before anything is allocated; options and defaults are those of
    train. Exit code 2 where it does not fit."""
    if on_disk and storage != "compact":
        raise InputError("--on-disk needs --storage compact")
    if momentum_precision == "bfloat16" and storage != "compact":
        raise InputError("--momentum-precision bfloat16 needs --storage compact")
    if momentum_precision is not None and momentum == 0:
        raise InputError("--momentum-precision needs a --momentum above 0")
    if samples is not None:
        checks.integer("--samples", samples, low=1)
    optimizer = SGD(momentum=momentum, state=momentum_precision)
    setting = PlanRequest(
        sizes(layers), epsilon, batch_size, storage, precision, precision, optimizer, recompute, on_disk
    )
    found = make_plan(setting, threads=threads)
    free = memory.free_bytes()
    fits = free is None or found.resident <= free
    other = None if fits else best_request(setting, free or 0)
    fitting = setting if fits else other
    shown = plan_rows(found, samples)
    if free is not None:
        shown["free here"] = memory.human(free)
        shown["settings that fit"] = "none" if fitting is None else fitting_options(fitting, free)
    show(f"{layers}, epsilon {epsilon:g}, batch size {batch_size}", shown)
    if not fits:
        typer.echo(f"error: {advice(found, other, free or 0)}", err=True)
    if json:
        print_json(
            {
                "connections": found.connections,
                "neurons": found.neurons,
                "bytes": found.parts,
                "resident_bytes": found.resident,
                "disk_bytes": found.disk,
                "seconds": found.seconds,
                "fits": fits,
                "suggestion": None if other is None else options(other),
            }
        )
    if not fits:
        raise typer.Exit(2)


def plan_rows(plan: Plan, samples: int | None) -> dict[str, str]:
    """The plan as a table."""
    shown = {"connections": f"{plan.connections:,}", "neurons": f"{plan.neurons:,}"}
    shown |= {name: memory.human(size) for name, size in plan.parts.items()}
    shown["resident at the peak"] = memory.human(plan.resident)
    if plan.disk:
        shown["on disk"] = memory.human(plan.disk)
        shown["moved to and from disk"] = f"{memory.human(plan.disk_traffic)} a step, whose time comes on top"
    if not plan.step_seconds:
        return shown
    shown |= {name: f"{seconds:.3g} s" for name, seconds in plan.seconds.items()}
    batch = plan.request.batch_size
    shown["a step"] = f"{plan.step_seconds:.3g} s, {batch / plan.step_seconds:.3g} samples a second"
    if samples is not None:
        steps = -(-samples // batch)
        shown["an epoch"] = f"{steps * plan.step_seconds + plan.seconds['evolution']:.3g} s"
    return shown


def options(setting: PlanRequest) -> str:
    """A setting as options of the command line."""
    return (
        f"--storage {setting.storage} --precision {setting.weights} --batch-size {setting.batch_size} "
        f"--recompute {setting.recompute}" + (" --on-disk" if setting.on_disk else "")
    )


def fitting_options(setting: PlanRequest, free: int) -> str:
    """A setting that fits as options of the command line, and how far its batches may grow."""
    return f"{options(setting)} (up to --batch-size {largest_batch_size(setting, free)})"


def advice(plan: Plan, other: PlanRequest | None, free: int) -> str:
    """Why the plan does not fit, and what would."""
    text = f"training needs about {memory.human(plan.resident)}, but only {memory.human(free)} of memory is free; "
    return text + ("try smaller layers or epsilon" if other is None else f"this fits: {options(other)}")
