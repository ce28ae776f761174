"""Which columns of a table are features and which is the label."""

from __future__ import annotations

from pathlib import Path

from trulysparse.errors import InputError

_TARGET_NAMES = ("target", "label", "class", "y")


def choose(
    path: Path, present: list[str], target: str | None, features: list[str] | None, need_target: bool
) -> tuple[str | None, list[str]]:
    """(target column or None, feature columns)."""
    seen: set[str] = set()
    for column in present:
        if column in seen:
            raise InputError(f"DATA: '{path}' has two columns called '{column}'; names must differ")
        seen.add(column)
    name = _target_column(present, target, features, need_target)
    columns = features if features is not None else [c for c in present if c != name]
    missing = [c for c in columns if c not in seen]
    if missing:
        raise InputError(f"DATA: '{path}' has no column '{missing[0]}', which the model was trained on")
    if not columns:
        raise InputError(f"DATA: '{path}' has no feature columns beside the target '{name}'")
    return name, columns


def _target_column(columns: list[str], target: str | None, features: list[str] | None, need_target: bool) -> str | None:
    if target is not None:
        if target in columns:
            return target
        if not need_target:
            return None
        shown = ", ".join(columns[:10]) + (", ..." if len(columns) > 10 else "")
        raise InputError(f"--target: there is no column '{target}'; the columns are {shown}")
    for name in _TARGET_NAMES:
        if name in columns:
            return name
    rest = [c for c in columns if features is None or c not in features]
    if rest:
        return rest[-1] if need_target or features is None else None
    return None
