"""trulysparse plan"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Annotated

import typer

from trulysparse._core import checks, memory
from trulysparse.cli._console import handle_user_errors, print_json, show
from trulysparse.cli._options import JsonLine, Threads, takes_recipe
from trulysparse.cli._plan_text import advice, fitting_option_text, option_text, plan_rows
from trulysparse.cli._settings import CommandRecipe
from trulysparse.errors import InputError
from trulysparse.planning import plan as planning

_SIZE = re.compile(r"([0-9]{1,18})(?:x([0-9]{1,18}))?")
_OPTIONS = (
    "epsilon",
    "density",
    "densities",
    "output_density",
    "activation",
    "batch_size",
    "skip",
    "skip_density",
    "storage",
    "precision",
    "momentum",
    "momentum_precision",
    "recompute",
    "on_disk",
)


def layer_sizes(text: str) -> tuple[int, ...]:
    """'65536,5000000x10,2' -> (65536, 5000000 ten times, 2)."""
    sizes: list[int] = []
    for part in text.split(","):
        match = _SIZE.fullmatch(part.strip())
        if match is None:
            raise InputError(f"--layers must be comma-separated sizes such as 65536,5000000x10,2, not '{text}'")
        times = checks.integer(f"--layers: the number of layers in '{part}'", int(match[2] or 1), low=1, high=100_000)
        sizes += [int(match[1])] * times
    return tuple(sizes)


def _as_written(density: float | tuple[float, ...]) -> str:
    return ",".join(f"{each:g}" for each in (density if isinstance(density, tuple) else (density,)))


@handle_user_errors
@takes_recipe(CommandRecipe, _OPTIONS)
def plan(
    recipe: CommandRecipe,
    given: Collection[str],
    *,
    layers: Annotated[str, typer.Option(help="Sizes from input to output; 5000000x10 stands for ten such layers.")],
    samples: Annotated[int | None, typer.Option(help="Samples per epoch, for its time.")] = None,
    threads: Threads = None,
    json: JsonLine = False,
) -> None:
    """Say what a network and its training will need, before anything is allocated; options and defaults are those of
    train. Exit code 2 where it does not fit."""
    sizes = layer_sizes(layers)
    recipe = replace(recipe, hidden=sizes[1:-1]).resolved(given=given)
    recipe.check(given)
    if samples is not None:
        checks.integer("--samples", samples, low=1)
    request = recipe.plan_request(sizes)
    planned = planning.plan(request, threads=threads)
    free = memory.free_bytes()
    fits = free is None or planned.resident <= free
    other = None if fits else planning.best_request(request, free or 0)
    fitting = request if fits else other
    shown = plan_rows(planned, samples)
    if free is not None:
        shown["free here"] = memory.human(free)
        shown["settings that fit"] = "none" if fitting is None else fitting_option_text(fitting, free)
    sparsity = f"epsilon {recipe.epsilon:g}" if recipe.density is None else f"density {_as_written(recipe.density)}"
    show(f"{layers}, {sparsity}, batch size {recipe.batch_size}", shown)
    if not fits:
        typer.echo(f"error: {advice(planned, other, free or 0)}", err=True)
    if json:
        print_json(
            {
                "connections": planned.connections,
                "neurons": planned.neurons,
                "bytes": planned.parts,
                "resident_bytes": planned.resident,
                "disk_bytes": planned.disk,
                "seconds": planned.seconds,
                "fits": fits,
                "suggestion": None if other is None else option_text(other),
            }
        )
    if not fits:
        raise typer.Exit(2)
