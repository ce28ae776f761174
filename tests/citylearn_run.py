"""Runs CityLearn 3.0.2 in its own environment: python citylearn_run.py FOLDER RULE HOURS OUT.json"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from citylearn.citylearn import CityLearnEnv
from citylearn.data import DataSet

from citylearn_rules import RULES

KEYS = {
    "cost_total": "cost",
    "carbon_emissions_total": "carbon",
    "electricity_consumption_total": "consumption",
    "zero_net_energy": "zne",
    "ramping_average": "ramping",
    "daily_one_minus_load_factor_average": "load_factor_daily",
    "monthly_one_minus_load_factor_average": "load_factor_monthly",
    "daily_peak_average": "daily_peak",
    "all_time_peak_average": "peak",
}
# The curves of version 1. Version 3 draws others at random where the schema has none.
CURVES = {
    "power_efficiency_curve": [[0, 0.83], [0.3, 0.83], [0.7, 0.9], [0.8, 0.9], [1, 0.85]],
    "capacity_power_curve": [[0.0, 1], [0.8, 1], [1.0, 0.2]],
}


def main(folder: str, rule_name: str, hours: int, out: str) -> None:
    # Tables of sizes that are fetched from the network, and that are needed for automatic sizing alone.
    DataSet.get_pv_sizing_data = DataSet.get_battery_sizing_data = lambda self: None
    schema = json.loads((Path(folder) / "schema.json").read_text())
    schema["root_directory"] = folder
    schema["simulation_end_time_step"] = hours  # as many actions as that: the last row is only looked at
    for home in schema["buildings"].values():
        home["electrical_storage"]["attributes"].update(CURVES)
    env = CityLearnEnv(schema, central_agent=True)
    env.reset()
    homes = env.buildings
    load = np.array([home.energy_simulation.non_shiftable_load for home in homes], np.float64).T
    made = np.array([home.energy_simulation.solar_generation for home in homes], np.float64).T
    pv = made * np.array([home.pv.nominal_power for home in homes]) / 1000
    able = np.array(["electrical_storage" in home.active_actions for home in homes])
    rule, done, t = RULES[rule_name], False, 0
    while not done:
        charge = np.array([home.electrical_storage.soc[t] for home in homes], np.float64)
        actions = np.asarray(rule(t, load[t], pv[t], charge))
        _, _, done, _, _ = env.step([actions[able].tolist()])
        t += 1
    rows = env.evaluate()
    rows = rows[rows["level"] == "district"]
    values = {
        KEYS[name]: value for name, value in zip(rows["cost_function"], rows["value"], strict=True) if name in KEYS
    }
    Path(out).write_text(json.dumps({"hours": t, "indicators": values}))
    if len(sys.argv) > 5:
        np.savez(
            sys.argv[5],
            net=np.array([home.net_electricity_consumption for home in homes]).T,
            soc=np.array([home.electrical_storage.soc for home in homes]).T,
            district=np.array(env.net_electricity_consumption),
            without=np.array(env.net_electricity_consumption_without_storage),
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
