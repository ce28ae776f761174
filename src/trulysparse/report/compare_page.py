"""Several runs side by side: what they share, where they differ, how they went."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trulysparse._core.files import write_whole
from trulysparse.report.line_chart import Series, line_chart
from trulysparse.report.numbers import number, shortened
from trulysparse.report.page import Figure, Page, Section, Table, notes_list
from trulysparse.report.training_figures import values_of
from trulysparse.training.history import Record

# What a run found in its data or wrote beside it, in place of what the user chose.
_NOT_SETTINGS = {
    "model", "fingerprint", "features", "columns", "has_test_set", "layout", "notes", "kind", "targets", "zero_based",
    "version", "report", "topology", "log", "address", "fold",
}  # fmt: skip

# What says which samples are held out.
_SPLIT = ("seed", "test_size", "test", "cv", "group", "time")

_SCORES = ("accuracy", "balanced_accuracy", "f1", "r2", "mae", "loss")

FIGURES = (
    ("loss", "Training loss", "loss"),
    ("val_loss", "Validation loss", "loss"),
    ("val_accuracy", "Validation accuracy", "accuracy"),
    ("val_r2", "Validation R²", "R²"),
    ("val_f1", "Validation F1", "F1"),
    ("val_mae", "Validation mean absolute error", "mean absolute error"),
    ("connections", "Connections", "connections"),
)


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """What is known of a run without its model.

    Args:
        name: of the run.
        config: its settings, as config.json holds them; {} where it has none yet.
        records: of its epochs.
        results: its figures at the end, as results.json holds them; {} where it has none.
        finished: whether its training is complete.

    Example:
        >>> from trulysparse.report import ComparedRun
        >>> run = ComparedRun(name="a", config={"data": "digits"}, records=[{"epoch": 1, "val_accuracy": 0.9}])
        >>> run.figures()["accuracy"], run.figures()["epochs"]
        (0.9, 1)
    """

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    records: Sequence[Record] = ()
    results: Mapping[str, Any] = field(default_factory=dict)
    finished: bool = True

    def figures(self) -> dict[str, Any]:
        """Data, scores and sizes by name. Scores are those at the end, or the last ones of validation."""
        last = self.records[-1] if self.records else {}
        seconds = [record["seconds"] for record in self.records if isinstance(record.get("seconds"), int | float)]
        found: dict[str, Any] = {"data": self.config.get("data")}
        for name in _SCORES:
            found[name] = self.results.get(name, last.get(f"val_{name}"))
        found["epochs"] = self.results.get("epochs", last.get("epoch"))
        found["seconds"] = self.results.get("seconds", round(sum(seconds), 3) if seconds else None)
        found["connections"] = self.results.get("connections", last.get("connections"))
        neurons = last.get("neurons_per_layer")
        found["neurons"] = self.results.get("neurons", sum(neurons) if isinstance(neurons, list) else None)
        found["peak_rss_mb"] = self.results.get("peak_rss_mb")
        found["finished"] = self.finished
        return found


def differing_settings(runs: Sequence[ComparedRun]) -> dict[str, list[Any]]:
    """The settings in which runs differ, of each run a value; runs without settings do not count.

    Example:
        >>> from trulysparse.report.compare_page import ComparedRun, differing_settings
        >>> runs = [ComparedRun(name=str(seed), config={"seed": seed, "epochs": 3}) for seed in (0, 1)]
        >>> differing_settings(runs)
        {'seed': [0, 1]}
    """
    known = [run for run in runs if run.config]
    names = dict.fromkeys(name for run in known for name in run.config if name not in _NOT_SETTINGS)
    return {
        name: [run.config.get(name) for run in runs]
        for name in names
        if len(_known_values(known, name)) > 1 and (name != "data" or len({_data_of(run) for run in known}) > 1)
    }


def _known_values(runs: Sequence[ComparedRun], name: str) -> set[str]:
    """The values of a setting; what an unfinished run leaves to a default is not known yet."""
    return {_text(run.config.get(name)) for run in runs if run.finished or run.config.get(name) is not None}


def warnings_of(runs: Sequence[ComparedRun]) -> list[str]:
    """Sentences on why figures of the runs cannot simply be compared."""
    found = [f"'{run.name}' is not finished: its figures are those so far" for run in runs if not run.finished]
    known = [run for run in runs if run.config]
    if len({_data_of(run) for run in known}) > 1 or len(_known_values(known, "target")) > 1:
        found.append("the runs were trained on different data or targets: their scores cannot be compared")
    elif len({_held_out(run) for run in known}) > 1:
        found.append(
            "other samples were held out (see seed, test_size, cv, group and time): small differences of scores may "
            "come from that"
        )
    return found


def _data_of(run: ComparedRun) -> str:
    return str(run.config.get("fingerprint") or run.config.get("data"))


def _held_out(run: ComparedRun) -> str:
    if run.config.get("has_test_set"):
        return "its own"
    return _text([run.config.get(name) for name in _SPLIT])


def rows_of(runs: Sequence[ComparedRun]) -> dict[str, list[str]]:
    """The figures of the runs as texts, a list per figure; those that no run has are left out."""
    each = [run.figures() for run in runs]
    rows = {}
    for name in each[0] if each else ():
        values = [figures[name] for figures in each]
        if name == "finished":
            if not all(values):
                rows["training"] = ["finished" if value else "unfinished" for value in values]
        elif any(value is not None for value in values):
            rows["peak memory, MB" if name == "peak_rss_mb" else name] = [_shown(value) for value in values]
    return rows


def settings_rows(differences: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    """Differing settings as texts."""
    return {name: [_shown(value) for value in values] for name, values in differences.items()}


def _shown(value: Any) -> str:
    if isinstance(value, list | dict | tuple):
        return shortened(_text(value), 120)
    return number(value) if not isinstance(value, bool) else ("yes" if value else "no")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def write_comparison(path: str | os.PathLike[str], runs: Sequence[ComparedRun]) -> None:
    """Writes a page that shows runs side by side, as one HTML file that needs nothing else.

    Args:
        path: the file, which is replaced as a whole.
        runs: at least one.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from trulysparse.report import ComparedRun, write_comparison
        >>> runs = [ComparedRun(name=name, records=[{"epoch": 1, "loss": 0.7}]) for name in ("a", "b")]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = Path(folder, "page.html")
        ...     write_comparison(page, runs)
        ...     "Training loss" in page.read_text()
        True
    """
    text = comparison_html(runs)
    write_whole(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def comparison_html(runs: Sequence[ComparedRun]) -> str:
    """The page that `write_comparison` writes."""
    names = [run.name for run in runs]
    sections = [Section("Figures", text=_table(rows_of(runs), names))]
    differences = settings_rows(differing_settings(runs))
    text = _table(differences, names) if differences else "<p>The runs have the same settings.</p>"
    sections.append(Section("Settings that differ", text=text))
    curves = [figure for name, title, unit in FIGURES if (figure := _curves(runs, name, title, unit)) is not None]
    if curves:
        sections.append(Section("Over the epochs", curves))
    warnings = warnings_of(runs)
    text = notes_list([f"{warning[0].upper()}{warning[1:]}." for warning in warnings], "warning")
    return Page("Runs compared", shortened(", ".join(names), 400), sections=sections, text=text).html()


def _table(rows: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    """A column per run where they are few, else a row per run."""
    if len(names) <= 4:
        return Table(["", *names], [[name, *values] for name, values in rows.items()]).html()
    return Table(["", *rows], [[name, *(values[i] for values in rows.values())] for i, name in enumerate(names)]).html()


def _curves(runs: Sequence[ComparedRun], name: str, title: str, unit: str) -> Figure | None:
    """One line per run; None where no run has the figure, or its connections never change."""
    series = []
    for place, run in enumerate(runs):
        if (found := values_of(run.records, name)) is not None:
            series.append(Series(run.name, found.x, found.y, place))
    if not series:
        return None
    whole = name == "connections"
    if whole and all(len(set(each.y)) == 1 for each in series):
        return None
    svg = line_chart(series, title=f"{title} by epoch", x_label="epoch", y_label=unit, zero=whole, whole=whole)
    best = min if "loss" in name or name.endswith("mae") else max
    rows = []
    for each in series:
        finite = [(y, x) for x, y in zip(each.x, each.y, strict=True) if math.isfinite(y)]
        at = best(finite, key=lambda pair: pair[0])
        rows.append([each.name, number(each.y[-1]), *([] if whole else map(number, at))])
    columns = ["run", "last"] if whole else ["run", "last", "best", "at epoch"]
    return Figure(title, svg, "", Table(columns, rows))
