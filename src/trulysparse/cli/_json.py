"""JSON files of a run folder, read without trust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trulysparse._core.typed import shown
from trulysparse.errors import InputError


def read_object(path: Path, argument: str = "RUN") -> dict[str, Any]:
    """The JSON object that a file holds; InputError, which names the file, where it does not."""
    try:
        return parse_object(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{argument}: '{path}' cannot be read ({error})") from None


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object in a text, or ValueError."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"it must hold a JSON object, not {shown(value)}")
    return value
