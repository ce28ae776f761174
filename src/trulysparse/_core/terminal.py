"""What standard output is."""

from __future__ import annotations

import sys


def stdout_is_terminal() -> bool:
    """Whether standard output is a terminal; it may be closed."""
    return sys.stdout is not None and sys.stdout.isatty()
