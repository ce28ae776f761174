"""trulysparse info"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from trulysparse._core.arrays import widened
from trulysparse.analysis import describe
from trulysparse.cli._console import handle_user_errors, print_json, show
from trulysparse.cli._options import JsonLine
from trulysparse.cli._run import Run
from trulysparse.connectivity import Connectivity, TiledConnectivity


@handle_user_errors
def info(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that train wrote.")],
    topology: Annotated[
        bool, typer.Option("--topology", help="Add what the topology looks like: degrees, dead neurons, paths.")
    ] = False,
    json: JsonLine = False,
) -> None:
    """Show what a trained network is made of."""
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
        "labels": "" if net.labels is None else ", ".join(map(str, net.labels[:20].tolist())),
        "trained on": opened.config.get("data", ""),
    }
    for number, layer in enumerate(layers, start=1):
        rows[f"layer {number}"] = (
            f"{layer['n_in']} x {layer['n_out']}: {layer['connections']:,} connections ({layer['density']:.2%}), "
            f"mean |w| {layer['mean_abs_weight']:.4f}, {layer['neurons_without_inputs']} neurons without inputs"
        )
    description = describe(net.indexed() if net.storage_config.tiled else net) if topology else None
    if description is not None:
        rows["paths"] = f"10^{description['log10_paths']:.1f} from inputs to outputs"
        for number, figures in enumerate(description["layers"], start=1):
            spread = ", ".join("{} {}/{:g}/{}".format(side, *figures[f"{side}_degree"]) for side in ("in", "out"))
            rows[f"topology {number}"] = (
                f"degrees (least/median/largest) {spread}; spectral norm {figures['spectral_norm']:.3g}; "
                f"{figures['dead'] or 0} dead, {figures['duplicates']} duplicate neurons"
            )
    if (last := opened.last_record()) is not None:
        rows["last epoch"] = last
    show(str(run), rows)
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


def _unconnected(con: Connectivity | TiledConnectivity) -> dict[str, int]:
    """How many neurons have no connection, on either side of a layer."""
    if isinstance(con, TiledConnectivity):
        outputs, inputs = (
            n - len(np.unique(ends)) for n, ends in zip((con.n_out, con.n_in), con.coordinates(), strict=True)
        )
    else:
        outputs, inputs = (int((np.diff(rows.ptr) == 0).sum()) for rows in (con.by_output, con.by_input))
    return {"neurons_without_inputs": outputs, "inputs_without_outputs": inputs}
