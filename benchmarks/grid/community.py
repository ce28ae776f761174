"""A community of homes that nets, one broadcast number per hour (the sum of its homes' net load in the last hour),
agents with sparse networks of their own: what they pay together, beside rules and bounds.

    python benchmarks/grid/community.py DATA

DATA is a folder in the layout of CityLearn's 2022 challenge. The agents learn by an evolution strategy on what the
whole community pays in the training weeks: first one network for all homes, then a copy of it for each, which goes on
with weights and a topology of its own. Writes benchmarks/results/grid_community.json."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import SET, Adam, Fleet, grid
from trulysparse.bench.report import machine, save_json, table
from trulysparse.grid.agents.evolution_strategy import EvolutionStrategy
from trulysparse.grid.agents.policy import ActionMap, Agents
from trulysparse.grid.agents.rollout import EnvironmentMaker, Rollouts
from trulysparse.grid.agents.strategy_training import new_fleet
from trulysparse.grid.agents.windows import Windows

RESULT = Path(__file__).parents[1] / "results" / "grid_community.json"
OPTIONS: dict[str, Any] = dict(market="netting", broadcast=True, reward_scale=1.0, wear=0.0)
REPLACED, EVOLVE_EVERY = 0.1, 25  # of the topology: the share of its connections, and generations between
LAST_RATE = 0.08  # the learning rate's share that is left at the end of its half cosine


class Remembering(grid.GridEnvironment):
    """Homes that observe what they exchanged beyond their own need in the last hour, where without a feeder the voltage
    would be: without it nobody can tell the community's need from what it has just been given."""

    def observations(self) -> NDArray[np.float32]:
        """As GridEnvironment's, with the exchange of the last hour."""
        observed = super().observations()
        told = self._actions.values[self._actions.exchange] if self.step_number else 0.0
        observed[:, self.observation_names.index("voltage last hour")] = told
        return observed


class Maker(EnvironmentMaker):
    """An EnvironmentMaker of such homes."""

    kind: type[grid.GridEnvironment] = Remembering

    def make(self, homes: Any, first_hour: Any, n_hours: int, copies: int = 1, **options: Any) -> grid.GridEnvironment:
        """An environment of all homes."""
        given = {**self.options, **options}
        return self.kind(
            self.scenario.select(np.asarray(homes)),
            tariff=self.tariff,
            first_hour=first_hour,
            n_hours=n_hours,
            copies=copies,
            reward_scale=1.0,
            **given,
        )


class ExchangeMap(ActionMap):
    """An ActionMap whose exchange reaches half of the battery's power at an output of 1."""

    def __call__(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Actions, from outputs, which are overwritten."""
        outputs[..., 1] *= np.float32(0.5)
        return super().__call__(outputs)


def learn(
    fleet: Fleet, maker: EnvironmentMaker, windows: Windows, action_map: ActionMap, arguments: argparse.Namespace, *,
    generations: int, learning_rate: float, deviation: float, seed: int, start: int = 0,
) -> None:  # fmt: skip
    """Trains the agents of a fleet, one for all homes or one for each, on the cost of all homes together."""
    rollouts = Rollouts(maker, np.arange(maker.n_homes), len(fleet), action_map)
    parts = arguments.parts
    count = len(windows.first) // parts
    strategy = EvolutionStrategy(
        fleet, rollouts.columns(count), candidates=arguments.candidates, deviation=deviation,
        optimizer=Adam(learning_rate), generations=generations, seed=seed, threads=1,
        evolution=SET(REPLACED, every_updates=EVOLVE_EVERY, until=round(0.7 * generations)),
    )  # fmt: skip
    for number in range(generations):
        fall = LAST_RATE + (1 - LAST_RATE) * (1 + np.cos(np.pi * number / generations)) / 2
        strategy.optimizer = Adam(learning_rate * fall, fresh_state="typical")
        # A generation lives through every fourth window, so that each part has all seasons.
        chosen = windows.first[(start + number) % parts :: parts][:count]
        costs = rollouts.costs(strategy.draw(), chosen, windows.length)
        strategy.update(np.broadcast_to(costs.sum(0), costs.shape))
        if number % 25 == 24:
            print(f"  {number + 1} generations: {costs.sum(0).mean():.1f} $", flush=True)


def main() -> None:
    """Learns with each seed, and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--density", type=float, default=0.5)
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--parts", type=int, default=4, help="a generation lives through every such window")
    parser.add_argument("--shared", type=int, default=1500, help="generations of one network for all homes")
    parser.add_argument("--own", type=int, default=600, help="generations of a network for each home")
    parser.add_argument("--window-hours", type=int, default=120)
    parser.add_argument("--memory", type=int, default=1, help="whether homes observe their last exchange")
    parser.add_argument("--rate", type=float, default=0.03, help="learning rate of the shared agent")
    parser.add_argument("--own-rate", type=float, default=0.005, help="learning rate of the agents of their own")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    data = grid.read_citylearn(arguments.data)
    split = grid.split_of(data.names, data.n_hours)
    Maker.kind = Remembering if arguments.memory else grid.GridEnvironment
    world = Maker.kind(data, **OPTIONS)
    none = grid.run(world, grid.NoControl())
    hours = {"all": None, "training weeks": split.train_hours, "test weeks": split.test_hours}

    def ratios(outcome: grid.Outcome) -> dict[str, float]:
        return {
            name: outcome.community_cost(None, chosen) / none.community_cost(None, chosen)
            for name, chosen in hours.items()
        }

    beside = {
        "time-of-use, fill, spread": grid.run(world, grid.TimeOfUseFill(spread=True)),
        "perfect foresight of each home": grid.perfect_foresight(world, no_control=none),
        "rule, an hour late": grid.run(world, grid.CommunityFill()),
        "rule, hour known": grid.run(world, grid.CommunitySum()),
        "perfect foresight, pooled": grid.perfect_foresight(world, no_control=none, pooled=True),
    }
    rows: list[dict[str, Any]] = [{"name": name} | ratios(outcome) for name, outcome in beside.items()]
    maker = Maker(data, OPTIONS, split.train_hours)
    action_map = ExchangeMap(world.start_actions)
    for seed in arguments.seeds:
        began = time.process_time()
        windows = Windows(split, arguments.window_hours, None, seed)
        sizes = world.n_observations, arguments.hidden, world.n_actions
        fleet = new_fleet(sizes, arguments.density, 1, "tanh", seed, 1)
        common: Any = dict(maker=maker, windows=windows, action_map=action_map, arguments=arguments)
        learn(fleet, generations=arguments.shared, learning_rate=arguments.rate, deviation=0.05, seed=seed, **common)
        shared = Agents(fleet, action_map, np.zeros(data.n_homes, np.int64))
        row = {"name": "one agent for all homes", "seed": seed} | ratios(grid.run(world, shared))
        rows.append(row | {"cpu_seconds": time.process_time() - began})
        print(rows[-1], flush=True)
        fleet = fleet.repeat(data.n_homes)
        learn(
            fleet, generations=arguments.own, learning_rate=arguments.own_rate, deviation=0.05, seed=seed + 1000,
            start=arguments.shared, **common,
        )  # fmt: skip
        row = {"name": "agents of their own", "seed": seed} | ratios(grid.run(world, Agents(fleet, action_map)))
        row |= {"connections": fleet.n_connections / data.n_homes, "cpu_seconds": time.process_time() - began}
        rows.append(row)
        print(rows[-1], flush=True)
    settings = {key: value for key, value in vars(arguments).items() if key not in ("data", "out")}
    save_json(arguments.out, {"machine": machine(threads=1), "settings": settings, "rows": rows})
    columns = ("name", "seed", *hours, "cpu_seconds")
    table("Community cost as a share of no control's", columns, [[row.get(c, "") for c in columns] for row in rows])


if __name__ == "__main__":
    main()
