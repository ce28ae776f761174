"""What a reader is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trulysparse.data.read_options import ReadOptions


@dataclass(frozen=True)
class Request:
    """The arguments of files.read for a reader; see there. path: the file or folder."""

    path: Path
    options: ReadOptions = field(default_factory=ReadOptions)
    features: list[str] | None = None
    n_features: int | None = None
    need_target: bool = True
    columns: list[str] | None = None
    layout: dict[str, Any] = field(default_factory=dict)
    unlabelled: bool = False
