"""What rules, predictive control and bounds cost, as a share of the cost without control: homes for themselves and as a
community that nets.

    python benchmarks/grid/baselines.py DATA

DATA is a folder in the layout of CityLearn's 2022 challenge. Writes benchmarks/results/grid_baselines.json."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trulysparse import grid
from trulysparse.bench.report import machine, save_json, table
from trulysparse.grid.baselines.foresight import needs

RESULT = Path(__file__).parents[1] / "results" / "grid_baselines.json"


class Table:
    """Rows of figures over the same homes.

    Args:
        data: GridData.
    """

    def __init__(self, data: Any) -> None:
        self.split = grid.split_of(data.names, data.n_hours)
        common: dict[str, Any] = dict(observe=False, market="netting", broadcast=True)
        self.environments = {
            mode: grid.GridEnvironment(data, information=mode, **common) for mode in ("follow", "setpoint")
        }
        self.none = grid.run(self.environments["follow"], grid.NoControl())
        self.rows: list[dict[str, Any]] = []

    def add(self, name: str, information: str, run: Callable[[], Any], note: str = "") -> Any:
        """Runs and keeps what came of it; an Outcome, or costs by home as (all, unseen, community)."""
        began = time.process_time()
        outcome = run()
        row: dict[str, Any] = {"name": name, "information": information, "seconds": time.process_time() - began}
        if isinstance(outcome, grid.Outcome):
            split, none = self.split, self.none
            unseen = split.test_homes, split.test_hours
            row |= {
                "cost": outcome.cost() / none.cost(),
                "unseen": outcome.cost(*unseen) / none.cost(*unseen),
                "community": outcome.community_cost() / none.community_cost(),
                "community_test": outcome.community_cost(None, split.test_hours)
                / none.community_cost(None, split.test_hours),
                "peak_kw": outcome.peaks()["import"],
            }
        else:
            row |= outcome
        self.rows.append(row | {"note": note})
        print(name, {key: round(value, 4) for key, value in row.items() if isinstance(value, float)}, flush=True)
        return outcome


def main() -> None:
    """Runs everything, and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = grid.read_citylearn(parser.parse_args().data)
    rows = Table(data)
    environments, none = rows.environments, rows.none
    rules: list[grid.Rule] = [
        grid.NoControl(),
        grid.BasicRBC(),
        grid.SelfConsumption(),
        grid.LateSelfConsumption(),
        grid.TimeOfUse(),
        grid.TimeOfUseFill(),
        grid.TimeOfUseFill((1, 3)),
        grid.TimeOfUseFill((2, 6)),
        grid.TimeOfUseFill(6, most_kw=1.5),
        grid.TimeOfUseFill(spread=True),
        grid.TimeOfUseFill((1, 3), spread=True),
        grid.CommunityFill(),
        grid.CommunitySum(),
        grid.PredictiveControl(),
        grid.PredictiveControl(known=True),
    ]
    for rule in rules:
        note = ""
        if isinstance(rule, grid.TimeOfUseFill) and not isinstance(rule, grid.CommunityFill | grid.CommunitySum):
            low, high = rule.fill_hours
            note = (
                f"fills from {low} to {high} hours before the peak"
                if low < high
                else f"fills {low} hours before the peak"
            )
        mode = rule.information or "follow"
        shown = "foresight" if rule.foresight else rule.information or mode
        rows.add(rule.label, shown, lambda rule=rule, mode=mode: grid.run(environments[mode], rule), note)
    late = grid.PredictiveControl()
    rows.add(late.label, "setpoint", lambda: grid.run(environments["setpoint"], late))
    follow = environments["follow"]
    rows.add("perfect foresight", "foresight", lambda: grid.perfect_foresight(follow, no_control=none))
    rows.add(
        "perfect foresight, pooled", "foresight", lambda: grid.perfect_foresight(follow, no_control=none, pooled=True)
    )
    problem = needs(none), data.battery_kwh, data.battery_kw, none.price[:, 0]

    def selfish() -> dict[str, float]:
        return {"cost": grid.linear_program(*problem).cost.sum() / none.cost()}

    def pooled() -> dict[str, float]:
        return {"community": grid.pooled_linear_program(*problem).cost.sum() / none.community_cost()}

    def capped() -> dict[str, float]:
        found = grid.capped_linear_program(*problem, cap_kw=45.0)
        return {"cost": found.cost.sum() / none.cost(), "peak_kw": float(found.net.sum(1).max())}

    rows.add("linear program", "outer bound", selfish)
    rows.add("linear program, pooled", "outer bound", pooled)
    rows.add("linear program, at most 45 kW together", "outer bound", capped, "windows of 6 days")
    result = {"machine": machine(threads=1), "homes": data.n_homes, "hours": data.n_hours, "rows": rows.rows}
    save_json(RESULT, result)
    names = ("name", "information", "cost", "unseen", "community", "community_test", "peak_kw", "seconds")
    table("Cost as a share of no control's", names, [[row.get(name, "") for name in names] for row in rows.rows])


if __name__ == "__main__":
    main()
