"""One HTML file about a run, with its figures inside."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trulysparse._core.files import write_whole
from trulysparse.nn.mlp import SparseMLP
from trulysparse.report import figures
from trulysparse.training.history import Record

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
table {{ border-collapse: collapse }} td {{ border-bottom: 1px solid #ddd; padding: .2rem 1rem .2rem 0 }}
img {{ max-width: 100%; display: block; margin: 1rem 0 }}
</style>
<h1>{title}</h1>
<table>{rows}</table>
{figures}
</html>
"""


def write_report(
    path: str | os.PathLike[str], net: SparseMLP, records: Sequence[Record], *, title: str, facts: Mapping[str, Any]
) -> None:
    """Writes a report as one HTML file; needs matplotlib, the extra 'analysis'.

    Args:
        path: the file, which is replaced as a whole.
        net: the trained network, with storage='indexed'.
        records: of the epochs, as History.records. Their figures are drawn as far as they are there; TopologyRecorder
            adds those of the topology.
        title: of the page.
        facts: shown as a table.

    Raises:
        MissingExtraError: where matplotlib is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import trulysparse as ts
        >>> from trulysparse.report import write_report
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = Path(folder, "report.html")
        ...     write_report(page, net, [{"epoch": 1, "loss": 0.7}], title="A run", facts={"accuracy": 0.9})
        ...     "<h1>A run</h1>" in page.read_text()
        True
    """
    drawn = {
        "Loss": figures.curves(records, ("loss", "val_loss"), "loss"),
        "Score": figures.curves(records, ("val_accuracy", "val_r2"), "score"),
        "Connections": figures.curves(records, ("connections",), "connections"),
        "Exploration: fraction of possible connections ever made": figures.curves(
            records, ("exploration",), "fraction"
        ),
        "Density": figures.curves(records, ("density",), "density"),
        "Dead neurons": figures.curves(records, ("dead",), "neurons"),
        "Spectral norm": figures.curves(records, ("spectral_norm",), "norm"),
        "Gradient norm": figures.curves(records, ("gradient_norm",), "norm"),
        "Input-output paths": figures.curves(records, ("log10_paths",), "log10 of their number"),
        "Use of the inputs": figures.input_degrees(net),
        "Degrees": figures.degrees(net),
    }
    text = _PAGE.format(
        title=html.escape(title),
        rows="".join(
            f"<tr><td>{html.escape(str(name))}</td><td>{html.escape(str(value))}</td></tr>"
            for name, value in facts.items()
        ),
        figures="\n".join(
            f"<h2>{html.escape(name)}</h2>\n<img alt='{html.escape(name)}' src='{_inline(figure)}'>"
            for name, figure in drawn.items()
            if figure is not None
        ),
    )
    write_whole(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def _inline(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
