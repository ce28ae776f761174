"""Options of a command, made of the fields of a recipe: their names, types, defaults and helps."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection
from dataclasses import MISSING, Field, fields
from functools import wraps
from typing import Annotated, Any

import typer

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.recipe import Recipe

JsonLine = Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object on the last line.")]
Threads = Annotated[int | None, typer.Option(help="Of the kernels. Default: all cores.")]
Header = Annotated[
    bool | None, typer.Option(help="Whether a .csv file's first line names the columns. Default: as in the run.")
]
Separator = Annotated[
    str | None, typer.Option(help="Between the fields of a .csv file. Default: as in the run, or detected.")
]
Encoding = Annotated[str | None, typer.Option(help="Of a .csv file. Default: as in the run, or detected.")]
ZeroBased = Annotated[
    bool | None,
    typer.Option(
        "--zero-based/--one-based", help="Where a .libsvm file begins to number features. Default: as in the run."
    ),
]
# As a terminal gives them; a field's other types are objects, for Python alone.
_TYPES = (bool, int, float, str)

Command = Callable[..., None]


def takes_recipe(kind: type[Any], names: Collection[str] | None = None) -> Callable[[Command], Command]:
    """A command whose first two parameters, a recipe of that kind (or another dataclass of options) and the names of
    the options that the user wrote, are made of options. names: the fields that become options; None: all. The
    command's other parameters follow them."""
    chosen = [each for each in _in_order(kind) if names is None or each.name in names]

    def decorate(command: Command) -> Command:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[2:]

        @wraps(command)
        def wrapped(ctx: typer.Context, **values: Any) -> None:
            recipe = kind(**{each.name: _value(each, values.pop(each.name)) for each in chosen})
            command(recipe, _written(ctx), **values)

        context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        hints = typing.get_type_hints(kind)
        options = [_parameter(each, hints[each.name]) for each in chosen]
        rest = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
        everything = [context, *options, *rest]
        wrapped.__signature__ = inspect.Signature(everything)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {each.name: each.annotation for each in everything}
        return wrapped

    return decorate


def _in_order(kind: type[Any]) -> list[Field[Any]]:
    """A recipe's fields, those about data before those that every recipe has."""
    shared = {each.name for each in fields(Recipe)} if issubclass(kind, Recipe) else ()
    return sorted(fields(kind), key=lambda each: each.name in shared)


def _parameter(each: Field[Any], hint: Any) -> inspect.Parameter:
    """The parameter of a command that stands for a field. A field without default is an argument, not an option."""
    if each.default is MISSING:
        default, named = inspect.Parameter.empty, typer.Argument(metavar=each.name.upper(), help=each.metadata["help"])
    else:
        default = _as_text(each.default)
        flags = each.metadata["flags"] or (["--" + each.name.replace("_", "-")] if default is False else [])
        named = typer.Option(*flags, help=each.metadata["help"])
    return inspect.Parameter(
        each.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[_terminal_type(str if each.metadata.get("numbers") else hint, default), named],
    )


def _terminal_type(hint: Any, default: Any) -> Any:
    """What of a field's type a terminal can give: `str | SGD` is str; a tuple is written as text. None can be left out
    only, as the default."""
    if typing.get_origin(hint) is tuple:
        return str
    kind = next(each for each in typing.get_args(hint) or (hint,) if each in _TYPES)
    return kind | None if default is None else kind


def _as_text(default: Any) -> Any:
    return ",".join(map(str, default)) if isinstance(default, tuple) else default


def _value(each: Field[Any], value: Any) -> Any:
    """The field's value for an option's."""
    if each.name == "hidden" and value is not None:
        return integers("--hidden", value)
    if each.metadata.get("numbers") and value is not None:
        return _numbers("--" + each.name.replace("_", "-"), value)
    if not isinstance(each.default, tuple):
        return value
    if not each.default and not value:
        return ()
    return integers("--" + each.name.replace("_", "-"), value)


def integers(name: str, value: str) -> tuple[int, ...]:
    """Integers of at least 1 with commas between, or InputError."""
    try:
        sizes = [int(part) for part in value.split(",")]
    except ValueError:
        raise InputError(f"{name} must be comma-separated integers such as 1000,1000, not '{value}'") from None
    return tuple(checks.integer(name, size, low=1) for size in sizes)


def _numbers(name: str, text: str) -> float | tuple[float, ...]:
    """A number, or several with commas between."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{name} must be a number, or several such as 0.01,0.01,1, not '{text}'") from None
    return numbers if len(numbers) > 1 else numbers[0]


def _written(ctx: typer.Context) -> set[str]:
    """The names of the options that the user wrote."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
