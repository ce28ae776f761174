"""What a reader is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trulysparse.data.read_options import ReadOptions


@dataclass(frozen=True)
class Request:
    """The arguments of files.read, for the reader of one format.

    Args:
        path: the file or folder.
        options: how it is to be read.
        features: the columns to take, in this order; None: all that are left.
        n_features: the network's inputs; None: not known.
        need_target: whether missing labels are an error.
        columns: column names of the file that was trained on.
        layout: that of the file that was trained on.
    """

    path: Path
    options: ReadOptions = field(default_factory=ReadOptions)
    features: list[str] | None = None
    n_features: int | None = None
    need_target: bool = True
    columns: list[str] | None = None
    layout: dict[str, Any] = field(default_factory=dict)
