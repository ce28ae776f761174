"""The report of a run: what was trained on what, how it went, what came of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.files import write_whole
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.report import topology_figures, training_figures
from trulysparse.report.class_figures import calibration_figure, confusion, confusion_figures, label_figures
from trulysparse.report.fold_scores import fold_scores
from trulysparse.report.numbers import number
from trulysparse.report.page import Figure, Page, Section, facts_table, notes_list
from trulysparse.report.svg import escape
from trulysparse.report.value_figures import value_figures
from trulysparse.training.history import Record

KINDS = ("classification", "multilabel", "regression")


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """All that a report shows.

    Args:
        title: of the page.
        command: the exact command that repeats the run, quoted for a shell.
        net: the trained network, of any storage. It is not changed.
        records: of the epochs, as History.records; lists are of one value per layer. LayerSizes and TopologyRecorder
            add to what is drawn.
        kind: 'classification', 'multilabel' or 'regression'.
        facts: what was trained on what, by name.
        scores: on samples held out, by name; shown in large digits.
        folds: scores of each fold of a cross-validation, of which `scores` are the means; none without one.
        notes: sentences on what was detected or guessed in the data.
        labels: names of the classes or labels, or None for numbers.
        targets: names of the targets of a regression.
        y_true: of samples held out: class codes (n,), 0 and 1 (n, k), or values (n, k); None: there are none.
        y_pred: likewise.
        probability: (n, k) of classes or labels, or None.
        feature_names: of the network's inputs, or None.
        importance: (n_inputs,), at least 0, of each input, or None.
        parts: seconds of each part of the training, by name.

    Raises:
        InputError: where kind is unknown, or y_true and y_pred do not fit together.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.report import RunReport
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> report = RunReport(title="A run", command="trulysparse train digits --out run", net=net,
        ...                    records=[{"epoch": 1, "loss": 0.7}], kind="classification")
        >>> report.y_true is None
        True
    """

    title: str
    command: str
    net: SparseMLP
    records: Sequence[Record]
    kind: str
    facts: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    folds: Sequence[Mapping[str, float]] = ()
    notes: Sequence[str] = ()
    labels: NDArray[Any] | None = None
    targets: Sequence[str] = ()
    y_true: NDArray[Any] | None = None
    y_pred: NDArray[Any] | None = None
    probability: NDArray[Any] | None = None
    feature_names: Sequence[str] | None = None
    importance: NDArray[Any] | None = None
    parts: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        if (self.y_true is None) != (self.y_pred is None):
            raise InputError("y_true and y_pred must be given together, or neither of them")
        if self.y_true is not None and self.y_pred is not None and len(self.y_true) != len(self.y_pred):
            raise InputError(f"y_pred must have {len(self.y_true)} samples as y_true has, not {len(self.y_pred)}")

    @property
    def names(self) -> list[str]:
        """Of the classes or labels, in the order of the network's outputs."""
        n = self.net.layer_sizes[-1]
        if self.labels is None:
            return [str(i) for i in range(n)]
        return [str(each) for each in self.labels.tolist()]


def write_report(path: str | os.PathLike[str], report: RunReport) -> None:
    """Writes a report as one HTML file, which needs nothing else: no script, no font, no connection.

    Args:
        path: the file, which is replaced as a whole.
        report: what it shows. Its size does not grow with samples, inputs or connections.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import trulysparse as ts
        >>> from trulysparse.report import RunReport, write_report
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> report = RunReport(title="A run", command="trulysparse train digits --out run", net=net,
        ...                    records=[{"epoch": 1, "loss": 0.7}], kind="classification")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = Path(folder, "report.html")
        ...     write_report(page, report)
        ...     "<h1>A run</h1>" in page.read_text()
        True
    """
    text = report_html(report)
    write_whole(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def write_network_page(path: str | os.PathLike[str], net: SparseMLP, *, title: str) -> None:
    """Writes a page with a network drawn, its layers and their degrees, as one HTML file.

    Args:
        path: the file, which is replaced as a whole.
        net: the network, of any storage.
        title: of the page.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import trulysparse as ts
        >>> from trulysparse.report import write_network_page
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = Path(folder, "network.html")
        ...     write_network_page(page, ts.SparseMLP((10, 20, 3), epsilon=2, seed=0), title="A network")
        ...     page.read_text().count("<svg")
        5
    """
    sections = [
        Section("Network", topology_figures.network(net)),
        Section("Degrees", topology_figures.degree_distributions(net)),
    ]
    text = Page(title, sections=sections).html()
    write_whole(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def report_html(report: RunReport) -> str:
    """The page that `write_report` writes.

    Args:
        report: what it shows.

    Returns:
        HTML.
    """
    figures = [
        ("Cross-validation", fold_scores(report.folds)),
        ("Training", training_figures.curves(report.records)),
        ("On samples held out", _predictions(report)),
        ("Inputs", _inputs(report)),
        ("Network", topology_figures.network(report.net)),
        ("Layers over time", training_figures.layer_sizes(report.records)),
        ("Degrees", topology_figures.degree_distributions(report.net)),
        ("Slowest parts", training_figures.slowest_parts(report.parts, report.net)),
    ]
    what = _what(report)
    sections = [Section("What was trained on what", text=what)] if what else []
    sections += [Section(title, drawn) for title, drawn in figures if drawn]
    sections.append(
        Section("To repeat it", text=f"<pre>{escape(report.command)}</pre><p class='soft'>Run in the same folder.</p>")
    )
    mean = f", mean of {len(report.folds)} folds" if report.folds else ""
    tiles = {f"{name}{mean}": number(round(float(value), 4)) for name, value in report.scores.items()}
    if len(report.net.layers):
        tiles["connections"] = f"{report.net.n_connections:,}"
    return Page(report.title, tiles=tiles, sections=sections).html()


def _what(report: RunReport) -> str:
    facts = {name: value for name, value in report.facts.items() if str(value)}
    text = facts_table(facts)
    if report.folds:
        text += (
            "<p>Scores are means over the folds: each was scored by a network that had not seen it. The network below "
            "was trained on all samples.</p>"
        )
    elif report.y_true is None:
        text += "<p>No samples were held out, so that there are no scores on data that training has not seen.</p>"
    if report.notes:
        text += f"<h3>What was found in the data</h3>{notes_list(report.notes)}"
    return text


def _predictions(report: RunReport) -> list[Figure]:
    true, predicted, probability = report.y_true, report.y_pred, report.probability
    if true is None or predicted is None or not len(true):
        return []
    names = report.names
    if report.kind == "regression":
        return value_figures(true, predicted, report.targets)
    if report.kind == "multilabel":
        figures = label_figures(true, predicted, names)
        if probability is not None:
            what = "Of all labels of all samples."
            figures.append(calibration_figure(probability, np.asarray(true) > 0, what))
        return figures
    figures = confusion_figures(confusion(true, predicted, len(names)), names)
    if probability is not None and probability.ndim == 2:
        if len(names) == 2:
            p, right, what = probability[:, 1], np.asarray(true) == 1, f"The probability of '{names[1]}'."
        else:
            best = probability.argmax(axis=1)
            p, right = probability[np.arange(len(best)), best], best == np.asarray(true)
            what = "The probability of the predicted class."
        figures.insert(1, calibration_figure(p, right, what))
    return figures


def _inputs(report: RunReport) -> list[Figure]:
    values = report.importance
    if values is None or not len(values) or not np.nanmax(np.nan_to_num(values)) > 0:
        return []
    return topology_figures.input_importance(values, report.feature_names)
