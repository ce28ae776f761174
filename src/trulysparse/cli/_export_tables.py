"""What an exported file takes on a device, as a table and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from trulysparse.cli._console import print_table
