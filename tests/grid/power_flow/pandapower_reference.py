"""Power flow of a feeder's file by pandapower; run with an interpreter that has it, which need not have trulysparse."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any


def solve(feeder: dict[str, Any], p_kw: list[float], q_kvar: list[float]) -> dict[str, Any]:
    """What pandapower's Newton-Raphson gives for homes that draw p + jq, with its models of transformer and lines."""
    import pandapower as pp

    logging.disable(logging.WARNING)  # that numba is missing
    net = pp.create_empty_network(f_hz=feeder.get("frequency_hz", 50))
    kv = feeder.get("voltage_v", 400) / 1000
    source = pp.create_bus(net, 10.0)
    pp.create_ext_grid(net, source, vm_pu=feeder.get("source_pu", 1.0))
    bus = {"busbar": pp.create_bus(net, kv)}
    t = feeder["transformer"]
    pp.create_transformer_from_parameters(
        net,
        source,
        bus["busbar"],
        sn_mva=t["kva"] / 1000,
        vn_hv_kv=10.0,
        vn_lv_kv=kv,
        vkr_percent=t["vkr_percent"],
        vk_percent=t["vk_percent"],
        pfe_kw=t["iron_loss_kw"],
        i0_percent=t["no_load_current_percent"],
        shift_degree=150,
    )
    for start, end, length_m, name in feeder["lines"]:
        cable = feeder["cables"][name]
        for end_bus in (start, end):
            if end_bus not in bus:
                bus[end_bus] = pp.create_bus(net, kv)
        pp.create_line_from_parameters(
            net,
            bus[start],
            bus[end],
            length_m / 1000,
            r_ohm_per_km=cable["r_ohm_per_km"],
            x_ohm_per_km=cable["x_ohm_per_km"],
            c_nf_per_km=cable["c_nf_per_km"],
            max_i_ka=cable["i_max_a"] / 1000,
        )
    for home, p, q in zip(feeder["homes"], p_kw, q_kvar, strict=True):
        pp.create_load(net, bus[home], p_mw=p / 1000, q_mvar=q / 1000)
    pp.runpp(net, tolerance_mva=1e-10, init="dc", numba=False)
    return {
        "bus_voltages": {name: round(float(net.res_bus.vm_pu[number]), 10) for name, number in bus.items()},
        "line_loadings": [round(float(x) / 100, 8) for x in net.res_line.loading_percent],
        "transformer_loading": float(net.res_trafo.loading_percent[0]) / 100,
        "losses_kw": 1000 * float(net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()),
    }


if __name__ == "__main__":  # cases from standard input: a list of [feeder, p, q]
    json.dump([solve(*case) for case in json.load(sys.stdin)], sys.stdout)
