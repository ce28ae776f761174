"""Which columns of a table are features, and which the target, the group and the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trulysparse.data.readers.request import Request
from trulysparse.errors import InputError

GENES = "\0genes"
"""What stands for all features where they are not columns of the table that holds the target."""
_TARGET_NAMES = ("target", "label", "class", "y")


@dataclass
class Choice:
    """The columns of a table by their use.

    Args:
        features: the columns of X, in order.
        targets: those of y; empty where there are none.
        group: see ReadOptions.
        time: see ReadOptions.
        notes: what was guessed.
    """

    features: list[str]
    targets: list[str]
    group: str | None = None
    time: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def target(self) -> str | None:
        """The target as Table names it."""
        return ",".join(self.targets) or None

    @property
    def columns(self) -> list[str]:
        """All columns that have a use, each once."""
        more = [name for name in (self.group, self.time) if name is not None]
        return list(dict.fromkeys([*self.features, *self.targets, *more]))


def choose(request: Request, present: Sequence[str], usual: Sequence[str] = ()) -> Choice:
    """The use of the columns.

    Args:
        request: what is asked for.
        present: the names of all columns, in the order of the file.
        usual: the targets that the source itself names.

    Returns:
        Which columns are what.

    Raises:
        InputError: where a column that was named is not there, two have one name, or no feature is left.
    """
    path, options, features = request.path, request.options, request.features
    seen: set[str] = set()
    for column in present:
        if column in seen:
            raise InputError(f"DATA: '{path}' has two columns called '{column}'; names must differ")
        seen.add(column)
    aside = {
        option: _named(f"--{option}", name, present, request.need_target)
        for option, name in (("group", options.group), ("time", options.time))
    }
    left = [column for column in present if column not in aside.values()]
    targets, notes = _targets(request, present, left, usual)
    for option, name in aside.items():
        if name is not None and name in targets:
            raise InputError(f"--{option}: column '{name}' is the target")
    columns = features if features is not None else [column for column in left if column not in targets]
    missing = [column for column in columns if column not in seen]
    if missing:
        raise InputError(f"DATA: '{path}' has no column '{missing[0]}', which the model was trained on")
    if not columns:
        shown = f" beside the target '{','.join(targets)}'" if targets else ""
        raise InputError(f"DATA: '{path}' has no feature columns{shown}")
    return Choice(list(columns), targets, aside["group"], aside["time"], notes)


def _named(option: str, name: str | None, present: Sequence[str], required: bool) -> str | None:
    """The name, where there is such a column; InputError where it is required and is not there."""
    if name is None or name in present:
        return name
    if not required:
        return None
    known = [column for column in present if column != GENES]
    shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
    raise InputError(f"{option}: there is no column '{name}'; the columns are {shown}")


def _targets(
    request: Request, present: Sequence[str], left: Sequence[str], usual: Sequence[str]
) -> tuple[list[str], list[str]]:
    """(target columns, notes). left: the columns that a guess may take."""
    target, required = request.options.target, request.need_target
    if target is not None:
        required |= request.features is None  # else a trained model reads data that may lack its target
        if target in present or "," not in target:  # a name that holds a comma wins as it stands
            found = _named("--target", target, present, required)
            return [] if found is None else [found], []
        names = [name.strip() for name in target.split(",")]
        if len(set(names)) != len(names):
            raise InputError(f"--target: '{target}' names a column twice")
        if all(_named("--target", name, present, required) for name in names):
            return names, []
        return [], []
    if usual and set(usual) <= set(present):
        return list(usual), [f"target: {', '.join(map(repr, usual))} (the source names it)"]
    rest = [column for column in left if request.features is None or column not in request.features]
    unnamed = request.features is not None and not required and not set(rest) & set(_TARGET_NAMES)
    if request.unlabelled or not rest or unnamed:
        return [], []
    return _guessed(rest, present)


def _guessed(rest: Sequence[str], present: Sequence[str]) -> tuple[list[str], list[str]]:
    """A column called as targets are, else the last one. y is a coordinate where x and z are columns too."""
    last, advice = rest[-1], "give --target to choose another"
    name = next((name for name in _TARGET_NAMES if name in rest), None)
    if name is None:
        return [last], [f"target: '{last}' (the last column; {advice})"]
    if name == last:
        return [name], [f"target: '{name}' (by its name)"]
    if name == "y" and {"x", "z"} <= set(present):
        return [last], [f"target: '{last}' (the last column, as 'x', 'y' and 'z' seem to be coordinates; {advice})"]
    return [name], [f"target: '{name}' (guessed by its name, though the last column is '{last}'; {advice})"]
