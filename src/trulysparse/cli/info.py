"""trulysparse info"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from trulysparse._core.arrays import widened
from trulysparse._core.files import write_whole
from trulysparse.analysis import describe
from trulysparse.cli._console import handle_user_errors, print_json, show
from trulysparse.cli._json import parse_object
from trulysparse.cli._options import JsonLine
from trulysparse.cli._run import Run
from trulysparse.cli._scores import score_figures
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.report import network_diagram, network_text, write_network_page
from trulysparse.report.numbers import number

_MOST_LABELS = 20


@handle_user_errors
def info(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that train wrote.")],
    topology: Annotated[
        bool,
        typer.Option(
            "--topology", help="Add what the topology looks like: degrees, dead neurons, connections on paths."
        ),
    ] = False,
    svg: Annotated[Path | None, typer.Option(help="A .svg file for a drawing of the network.")] = None,
    html: Annotated[Path | None, typer.Option(help="A .html file for a page with the drawing and its layers.")] = None,
    json: JsonLine = False,
) -> None:
    """Show what a trained network is made of."""
    for option, path in (("svg", svg), ("html", html)):
        if path is not None and (path.suffix != f".{option}" or path.is_dir()):
            raise InputError(f"--{option} must be a file that ends in .{option}, not '{path}'")
        if path is not None and not path.parent.is_dir():
            raise InputError(f"--{option}: folder '{path.parent}' does not exist")
    opened = Run.open(run)
    net = opened.net
    layers = [
        {
            "n_in": layer.n_in,
            "n_out": layer.n_out,
            "connections": layer.n_connections,
            "density": layer.connectivity.density,
            "mean_abs_weight": float(np.abs(widened(layer.values)).mean()),
            **_unconnected(layer.connectivity),
        }
        for layer in net.layers
    ]
    rows = {
        "layers": "-".join(map(str, net.layer_sizes)),
        "connections": f"{net.n_connections:,} ({net.density:.2%} of dense), {net.dtype}",
        "neurons": f"{net.n_neurons:,}",
        "activation": f"{net.activation}, output {net.output}",
        "input scaling": net.scaling.kind if net.scaling else "none",
        "inputs": _inputs(net),
        "labels": _labels(net),
        "trained on": str(opened.config.get("data", "")),
        "target": ", ".join(map(str, opened.config.get("targets") or [])),
        "scores": ", ".join(f"{name} {number(value)}" for name, value in score_figures(opened.results()).items()),
    }
    rows = {name: text for name, text in rows.items() if text}
    for place, layer in enumerate(layers, start=1):
        rows["skip layer" if net.skip and place == len(layers) else f"layer {place}"] = (
            f"{layer['n_in']} x {layer['n_out']}: {layer['connections']:,} connections ({layer['density']:.2%}), "
            f"mean |w| {layer['mean_abs_weight']:.4f}, {layer['neurons_without_inputs']} neurons without inputs"
        )
    description = describe(net.indexed() if net.storage_config.tiled else net) if topology else None
    if description is not None:
        rows["paths"] = (
            f"10^{description['log10_paths']:.1f} from inputs to outputs; {description['effective']:.2%} of "
            "connections lie on one"
        )
        for place, figures in enumerate(description["layers"], start=1):
            spread = ", ".join("{} {}/{:g}/{}".format(side, *figures[f"{side}_degree"]) for side in ("in", "out"))
            rows[f"topology {place}"] = (
                f"degrees (least/median/largest) {spread}; spectral norm {figures['spectral_norm']:.3g}; "
                f"{figures['effective']:.2%} of connections on a path, "
                f"{figures['dead'] or 0} dead, {figures['duplicates']} duplicate neurons"
            )
    if (last := opened.last_record()) is not None:
        # Lists are of one value per layer, which the rows above have.
        figures = {name: value for name, value in parse_object(last).items() if not isinstance(value, list)}
        rows["last epoch"] = ", ".join(f"{name} {number(value)}" for name, value in figures.items())
    show(str(run), rows)
    _draw(net)
    if svg is not None:
        drawing = network_diagram(net, standalone=True)
        write_whole(svg, lambda path: path.write_text(drawing, encoding="utf-8"))
    if html is not None:
        write_network_page(html, net, title=f"The network of {run}")
    if json:
        print_json(
            {
                "layer_sizes": net.layer_sizes,
                "connections": net.n_connections,
                "neurons": net.n_neurons,
                "density": net.density,
                "layers": layers,
                "config": opened.config,
                **({} if description is None else {"topology": description}),
            }
        )


def _inputs(net: SparseMLP) -> str:
    """What a table's columns became."""
    if net.preprocessor is None:
        return ""
    return f"made of {len(net.preprocessor.used_columns_)} of {net.preprocessor.n_features_in_} columns"


def _labels(net: SparseMLP) -> str:
    if net.labels is None:
        return ""
    more = ", ..." if len(net.labels) > _MOST_LABELS else ""
    return ", ".join(map(str, net.labels[:_MOST_LABELS].tolist())) + more


def _draw(net: SparseMLP) -> None:
    """Draws the network in as many columns as the terminal has, in characters that it knows."""
    console = Console()
    width = max(60, min(console.width, 120)) if console.is_terminal else 80
    text = network_text(net, width=width)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = network_text(net, width=width, plain=True)
    print(text, flush=True)


def _unconnected(con: Connectivity | TiledConnectivity) -> dict[str, int]:
    """How many neurons have no connection, on either side of a layer."""
    if isinstance(con, TiledConnectivity):
        outputs, inputs = (
            n - len(np.unique(ends)) for n, ends in zip((con.n_out, con.n_in), con.coordinates(), strict=True)
        )
    else:
        outputs, inputs = (int((np.diff(rows.ptr) == 0).sum()) for rows in (con.by_output, con.by_input))
    return {"neurons_without_inputs": outputs, "inputs_without_outputs": inputs}
