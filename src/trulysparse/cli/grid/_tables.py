"""Controls side by side on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from trulysparse.cli._console import print_table
from trulysparse.report.grid_figures import name_of, percent_or_dash
from trulysparse.report.grid_run import UNSEEN, Control
from trulysparse.report.numbers import MISSING


def show_controls(title: str, controls: Sequence[Control]) -> None:
    """A row per control: its cost, that over no control, the share of saving, the same of what is unseen.

    Args:
        title: over the table.
        controls: at least one.
    """
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    unseen = any((UNSEEN, UNSEEN) in each.parts for each in controls)
    table.add_column("control", style="cyan", overflow="fold")
    for name in ("cost, $", "over no control", "share of saving", *(["unseen homes, unseen weeks"] if unseen else [])):
        table.add_column(name, justify="right")
    for each in controls:
        cells = [f"{each.cost:,.2f}", ratio_or_dash(each.whole.ratio), _saving(each)]
        if unseen:
            part = each.parts.get((UNSEEN, UNSEEN))
            cells.append(MISSING if part is None else percent_or_dash(part.saving))
        table.add_row(Text(name_of(each)), *cells)
    print_table(table)


def ratio_or_dash(value: float) -> str:
    """A ratio with four digits.

    Example:
        >>> ratio_or_dash(0.67453)
        '0.6745'
    """
    return f"{value:.4f}" if math.isfinite(value) else MISSING


def _saving(control: Control) -> str:
    """Of several seeds with the lowest and the highest."""
    text = percent_or_dash(control.whole.saving)
    if control.lowest is None or control.highest is None:
        return text
    return f"{text} ({percent_or_dash(control.lowest)} to {percent_or_dash(control.highest)})"


def as_json(controls: Sequence[Control]) -> list[dict[str, Any]]:
    """Controls as JSON holds them.

    Args:
        controls: any.

    Returns:
        A dict each: name, kind, oracle, cost in $, ratio, saving; lowest and highest of the seeds; parts by
        'seen homes, unseen weeks' and so on; figures.
    """
    return [
        {
            "name": each.name,
            "kind": each.kind,
            "oracle": each.oracle,
            "cost": each.cost,
            "ratio": each.whole.ratio,
            "saving": each.whole.saving,
            "lowest": each.lowest,
            "highest": each.highest,
            "parts": {
                f"{homes} homes, {weeks} weeks": {"ratio": share.ratio, "saving": share.saving}
                for (homes, weeks), share in each.parts.items()
            },
            "figures": dict(each.figures),
        }
        for each in controls
    ]
