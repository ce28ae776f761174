"""The report of a selection of features: their scores, and what classifiers make of the chosen ones."""

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
from trulysparse.report.bar_chart import bar_chart
from trulysparse.report.heat_map import image
from trulysparse.report.line_chart import Series, line_chart, thinned
from trulysparse.report.numbers import number, percent
from trulysparse.report.page import Figure, Page, Section, Table, facts_table, notes_list
from trulysparse.report.svg import escape
from trulysparse.report.topology_figures import are_pixels, image_shape

_MOST_BARS = 30
CHOSEN, ALL, RANDOM = "chosen features", "all features", "random features"
"""Names of the sets of features that are judged."""


@dataclass(frozen=True)
class Judged:
    """What one judge makes of one set of features, in a cross-validation.

    Args:
        judge: name of the classifier or regressor.
        features: CHOSEN, ALL or RANDOM.
        scores: of each fold.
    """

    judge: str
    features: str
    scores: Sequence[float]

    @property
    def mean(self) -> float:
        """Of the folds."""
        return float(np.mean(self.scores))

    @property
    def deviation(self) -> float:
        """Of the folds, of a sample; NaN of one fold."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else float("nan")


@dataclass(frozen=True, kw_only=True)
class SelectionReport:
    """All that the page shows.

    Args:
        title: of the page.
        command: the exact command that repeats the selection, quoted for a shell.
        scores: (n_features,), higher is better.
        chosen: numbers of the chosen features, the best first.
        names: of all features, or None.
        facts: what was selected from what, by name.
        notes: sentences on what was detected or guessed.
        judged: how good the chosen features are, beside others; none without labels.
        measure: what judges' scores are: 'accuracy' or 'R²'.
        protocol: how they were judged, in sentences.
        shape: of a sample as an image: (rows, columns), (channels, rows, columns) or (rows, columns, channels); None:
            square images are recognised where features have no names, or those of pixels.

    Raises:
        InputError: where chosen or shape do not fit the scores.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.selection_page import SelectionReport
        >>> report = SelectionReport(title="A selection", command="trulysparse select d.csv --out f.csv",
        ...                          scores=np.array([0.1, 0.9]), chosen=np.array([1]))
        >>> report.name(1)
        'feature 1'
    """

    title: str
    command: str
    scores: NDArray[np.float64]
    chosen: NDArray[np.int64]
    names: Sequence[str] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    judged: Sequence[Judged] = ()
    measure: str = "accuracy"
    protocol: str = ""
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        n = len(self.scores)
        if not len(self.chosen) or self.chosen.min() < 0 or self.chosen.max() >= n:
            raise InputError(f"chosen must hold numbers from 0 to {n - 1}, at least one")
        if self.shape is not None:
            picture_shape(self.shape, n)

    def name(self, feature: int) -> str:
        """What a feature is called."""
        return f"feature {feature}" if self.names is None else str(self.names[feature])


def picture_shape(shape: Sequence[int], n_features: int) -> tuple[int, int, int, bool]:
    """How features lie in an image.

    Args:
        shape: see SelectionReport.
        n_features: how many there are.

    Returns:
        (rows, columns, channels, whether channels come last).

    Raises:
        InputError: where so many features are no such image.
    """
    if len(shape) == 3 and shape[2] in (1, 3) and shape[0] not in (1, 3):
        rows, columns, channels, last = shape[0], shape[1], shape[2], True
    elif len(shape) == 3:
        rows, columns, channels, last = shape[1], shape[2], shape[0], False
    elif len(shape) == 2:
        rows, columns, channels, last = shape[0], shape[1], 1, False
    else:
        raise InputError(f"an image has two or three dimensions, not {len(shape)}")
    if rows * columns * channels != n_features:
        raise InputError(f"{n_features} features are no image of {' x '.join(map(str, shape))}")
    return rows, columns, channels, last


def write_selection_report(path: str | os.PathLike[str], report: SelectionReport) -> None:
    """Writes the page as one HTML file, which needs nothing else.

    Args:
        path: the file, which is replaced as a whole.
        report: what it shows. Its size grows with the chosen features and, of images, with their pixels, not with
            other features or samples.

    Raises:
        OSError: where the file cannot be written.
    """
    text = selection_html(report)
    write_whole(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def selection_html(report: SelectionReport) -> str:
    """The page that `write_selection_report` writes.

    Args:
        report: what it shows.

    Returns:
        HTML.
    """
    what = facts_table({name: value for name, value in report.facts.items() if str(value)})
    if report.notes:
        what += f"<h3>What was found in the data</h3>{notes_list(report.notes)}"
    accuracy = _accuracy(report)
    sections = [
        Section("What was selected from what", text=what),
        Section("Scores", [*_pictures(report), *_scores(report)]),
        Section("To repeat it", text=f"<pre>{escape(report.command)}</pre><p class='soft'>Run in the same folder.</p>"),
    ]
    if accuracy:
        text = f"<p>{escape(report.protocol)}</p>" if report.protocol else ""
        sections.insert(1, Section("How good the chosen features are", accuracy, text))
    tiles = {"features chosen": f"{len(report.chosen):,}", "features in all": f"{len(report.scores):,}"}
    best = max((each for each in report.judged if each.features == CHOSEN), key=lambda each: each.mean, default=None)
    if best is not None:
        tiles[f"{report.measure}, {best.judge}"] = number(round(best.mean, 4))
    return Page(report.title, tiles=tiles, sections=sections).html()


def _accuracy(report: SelectionReport) -> list[Figure]:
    figures = []
    for judge in dict.fromkeys(each.judge for each in report.judged):
        own = [each for each in report.judged if each.judge == judge]
        svg = bar_chart(
            [each.features for each in own],
            [each.mean for each in own],
            title=f"{report.measure} of {judge}",
            shown=lambda value: number(round(value, 4)),
        )
        rows = [[each.features, number(round(each.mean, 4)), number(round(each.deviation, 4))] for each in own]
        folds = f"Mean and standard deviation of {len(own[0].scores)} folds."
        figures.append(Figure(judge, svg, folds, Table(["", report.measure, "deviation"], rows)))
    return figures


def _pictures(report: SelectionReport) -> list[Figure]:
    """Scores and chosen features as an image, where the samples are images."""
    n = len(report.scores)
    shape: Sequence[int] | None = report.shape
    if shape is None and (report.names is None or are_pixels(report.names)):
        shape = image_shape(n)
    if shape is None:
        return []
    rows, columns, channels, last = picture_shape(shape, n)
    mask = np.zeros(n)
    mask[report.chosen] = 1
    low, high = float(report.scores.min()), float(report.scores.max())
    shade = (report.scores - low) / (high - low) if high > low else np.zeros(n)
    added = f" The {channels} channels are averaged." if channels > 1 else ""
    figures = []
    for title, values, caption in (
        ("Map of the scores", shade, "the stronger the colour, the higher the score."),
        ("Map of the chosen features", mask, "chosen features are coloured."),
    ):
        cube = values.reshape((rows, columns, channels) if last else (channels, rows, columns))
        drawn = image(cube.mean(axis=2 if last else 0), title=title.lower())
        figures.append(Figure(title, drawn, f"The features as an image of {rows} x {columns}: {caption}{added}"))
    return figures


def _scores(report: SelectionReport) -> list[Figure]:
    scores, chosen = report.scores, report.chosen
    low = min(0.0, float(scores.min()))
    bars = chosen[:_MOST_BARS]
    names = [report.name(i) for i in bars.tolist()]
    total = float((scores - low).sum()) or 1.0
    rows = [
        [str(rank + 1), report.name(i), number(scores[i]), percent(float(scores[i] - low) / total)]
        for rank, i in enumerate(chosen.tolist())
    ]
    title = "The chosen features" if len(chosen) <= _MOST_BARS else f"The first {_MOST_BARS} of the chosen features"
    svg = bar_chart(names, (scores[bars] - low).tolist(), title="scores of the chosen features", shown=number)
    above = "" if low == 0 else f" Bars begin at the lowest score, {number(low)}."
    table = Table(["rank", "feature", "score", "share of all scores"], rows)
    figures = [Figure(title, svg, f"The score by which features are ranked; higher is better.{above}", table)]
    if len(scores) > 1:
        ordered = np.sort(scores)[::-1]
        places = thinned(len(scores), 400)
        cut = len(chosen)
        before = [i for i in places if i < cut] or [0]
        after = [i for i in places if i >= cut]
        series = [Series("chosen", [i + 1 for i in before], ordered[before].tolist())]
        if after:
            series.append(Series("left out", [i + 1 for i in after], ordered[after].tolist()))
        svg = line_chart(series, title="scores in order", x_label="rank", y_label="score")
        figures.append(Figure("All features in order", svg, f"The scores of all {len(scores):,} features."))
    return figures


def judged_rows(judged: Sequence[Judged]) -> dict[str, dict[str, Any]]:
    """Means and deviations by judge and set of features, as JSON can hold them.

    Args:
        judged: what was judged.

    Returns:
        {judge: {features: {"mean": ..., "deviation": ..., "folds": [...]}}}.
    """
    rows: dict[str, dict[str, Any]] = {}
    for each in judged:
        rows.setdefault(each.judge, {})[each.features] = {
            "mean": each.mean,
            "deviation": each.deviation,
            "folds": [float(score) for score in each.scores],
        }
    return rows
