"""Figures of what happened in the course of training: curves, sizes of layers, where the time went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trulysparse.analysis.layer_times import layer_times
from trulysparse.nn.mlp import SparseMLP
from trulysparse.report.bar_chart import bar_chart
from trulysparse.report.line_chart import Series, line_chart
from trulysparse.report.numbers import number, size_of
from trulysparse.report.page import Figure, Table
from trulysparse.training.history import Record

SCORES = ("val_accuracy", "val_r2", "val_f1", "val_mae")
"""Names of scores in records, each drawn on its own where there is one."""

_NAMES = {
    "loss": "training loss",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
    "val_r2": "validation R²",
    "val_f1": "validation F1",
    "val_mae": "validation mean absolute error",
}
# Of networks of more layers, the first and the last few are drawn.
_MOST_LINES = 6
# Above so many connections layers are not timed.
_MOST_TIMED = 20_000_000
# Values of neurons and products of weights in a timed batch: those of wide networks get fewer samples.
_MOST_VALUES, _MOST_PRODUCTS = 4_000_000, 200_000_000


def values_of(records: Sequence[Record], name: str) -> Series | None:
    """The values of one figure as a line over the epochs, or None where no record has it."""
    points = [(float(record["epoch"]), _real(record[name])) for record in records if _is_number(record.get(name))]
    if not any(math.isfinite(value) for _, value in points):
        return None
    return Series(_NAMES.get(name, name.replace("_", " ")), [x for x, _ in points], [y for _, y in points])


def per_layer(records: Sequence[Record], name: str) -> list[Series]:
    """The values of one figure as a line per layer, the first layer's first."""
    found = [(float(record["epoch"]), record[name]) for record in records if isinstance(record.get(name), list | tuple)]
    layers = max((len(values) for _, values in found), default=0)
    return [
        Series(f"layer {layer + 1}", [x for x, _ in found], [_at(values, layer) for _, values in found], layer)
        for layer in range(layers)
        if any(math.isfinite(_at(values, layer)) for _, values in found)
    ]


def _at(values: Sequence[Any], layer: int) -> float:
    return _real(values[layer]) if layer < len(values) and _is_number(values[layer]) else math.nan


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _real(value: float) -> float:
    """As a float that can be drawn; whole numbers may be too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.nan


def curves(records: Sequence[Record]) -> list[Figure]:
    """Losses and scores over the epochs."""
    losses = [each for name in ("loss", "val_loss") if (each := values_of(records, name)) is not None]
    figures = [] if not losses else [lines(losses, "Loss", "loss")]
    for name in SCORES:
        if (series := values_of(records, name)) is not None:
            figures.append(lines([series], series.name[0].upper() + series.name[1:], series.name.split(" ", 1)[1]))
    return figures


def _merged(series: Sequence[Series]) -> list[Series]:
    """One line for those that are the same: they would hide each other."""
    found: dict[tuple[float, ...], list[Series]] = {}
    for each in series:
        # NaN differs from itself.
        found.setdefault(tuple(-math.inf if math.isnan(y) else y for y in (*each.x, *each.y)), []).append(each)
    merged = []
    for first, *others in found.values():
        name = first.name if not others else _names([each.name for each in (first, *others)])
        merged.append(Series(name, first.x, first.y, first.number))
    return merged


def _names(names: Sequence[str]) -> str:
    """'layers 1 to 3' of 'layer 1', 'layer 2' and 'layer 3'."""
    numbers = [name.removeprefix("layer ") for name in names]
    if all(number.isdigit() for number in numbers):
        first, last = int(numbers[0]), int(numbers[-1])
        if len(numbers) > 2 and last - first == len(numbers) - 1:
            return f"layers {first} to {last}"
        return f"layers {', '.join(numbers)}"
    return ", ".join(names)


def lines(
    series: Sequence[Series], title: str, y_label: str, *, caption: str = "", zero: bool = False, whole: bool = False
) -> Figure:
    """A line chart over the epochs, with its table."""
    drawn = _merged(series)
    if len(drawn) > _MOST_LINES and all(each.name.startswith("layer") for each in drawn):
        drawn = [*drawn[: _MOST_LINES // 2], *drawn[-(_MOST_LINES // 2) :]]
        caption = f"Of {len(series)} layers the first and the last are drawn. {caption}".strip()
    epochs = sorted({x for each in series for x in each.x})
    shown = list(series)[:40]
    columns = [dict(zip(each.x, each.y, strict=True)) for each in shown]
    table = Table(
        ["epoch", *(each.name for each in shown)],
        [[number(epoch), *(number(column.get(epoch)) for column in columns)] for epoch in epochs],
        is_sample=True,
    )
    svg = line_chart(
        drawn,
        title=f"{title} by epoch",
        x_label="epoch",
        y_label=y_label,
        zero=zero,
        whole=whole,
        legend=len(series) > 1,
    )
    return Figure(title, svg, caption, table)


_TOPOLOGY = (
    ("effective", "Connections on paths", "share", "Share of the connections that lie on a path from input to output."),
    ("overlap", "Overlap", "share", "Share of the removed connections that the same evolution grew again."),
    ("sign_flips", "Sign flips", "share", "Share of the weights that have changed their sign since the epoch before."),
    ("exploration", "Exploration", "share", "Share of all possible connections that have existed so far."),
    ("density", "Density", "density", "Connections as a share of those of a dense layer."),
    ("dead", "Dead neurons", "neurons", "Hidden neurons on no path from an input to an output."),
    ("spectral_norm", "Spectral norm", "norm", ""),
    ("gradient_norm", "Gradient norm", "norm", ""),
    ("log10_paths", "Input-output paths", "log10", "The decimal logarithm of their number."),
)

_FROM_ZERO = ("effective", "overlap", "sign_flips", "exploration", "density", "dead")


def layer_sizes(records: Sequence[Record]) -> list[Figure]:
    """Connections and neurons of each layer over the epochs, and what else was recorded of the topology."""
    figures = []
    for name, title, unit in (
        ("connections_per_layer", "Connections per layer", "connections"),
        ("neurons_per_layer", "Neurons per layer", "neurons"),
    ):
        series = per_layer(records, name)
        if series:
            figures.append(lines(series, title, unit, zero=True, whole=True))
    if not figures and (total := values_of(records, "connections")) is not None:
        figures.append(lines([total], "Connections", "connections", zero=True, whole=True))
    for name, title, unit, caption in _TOPOLOGY:
        whole = values_of(records, name)
        series = per_layer(records, name) or ([] if whole is None else [whole])
        if any(math.isfinite(value) for each in series for value in each.y):
            figures.append(lines(series, title, unit, caption=caption, zero=name in _FROM_ZERO, whole=name == "dead"))
    return figures


def slowest_parts(parts: Mapping[str, float], net: SparseMLP) -> list[Figure]:
    """Seconds of each part of the training, and milliseconds of each layer's passes."""
    figures = []
    found = sorted(((name, float(value)) for name, value in parts.items()), key=lambda pair: -pair[1])
    if found:
        total = sum(value for _, value in found if math.isfinite(value)) or 1.0
        rows = [[name, number(value), f"{100 * value / total:.1f} %"] for name, value in found]
        svg = bar_chart(
            [name for name, _ in found],
            [value for _, value in found],
            title="Seconds per part of the training",
            shown=lambda value: f"{number(float(f'{value:.3g}'))} s",
        )
        figures.append(Figure("Parts of the training", svg, "Seconds.", Table(["part", "seconds", "share"], rows)))
    if net.n_connections > _MOST_TIMED:
        return figures
    samples = int(
        min(128, max(8, _MOST_VALUES // sum(net.layer_sizes)), max(8, _MOST_PRODUCTS // max(net.n_connections, 1)))
    )
    times = layer_times(net, samples=samples)
    slowest = sorted(range(len(times)), key=lambda i: -sum(times[i]))
    names = [f"{i + 1}: {size_of(net.layers[i])}" for i in slowest]
    rows = [
        [name, f"{1e3 * times[i].forward:.3g}", f"{1e3 * times[i].backward:.3g}"]
        for name, i in zip(names, slowest, strict=True)
    ]
    most = 12
    figures.append(
        Figure(
            "Layers",
            bar_chart(
                names[:most],
                [1e3 * sum(times[i]) for i in slowest[:most]],
                title=f"Milliseconds per batch of {samples} samples, by layer",
                shown=lambda value: f"{value:.3g} ms",
            ),
            f"Milliseconds per batch of {samples} samples, both passes; measured after training on {net.threads} "
            f"thread{'s' * (net.threads > 1)}.",
            Table(["layer", "forward, ms", "backward, ms"], rows),
        )
    )
    return figures
