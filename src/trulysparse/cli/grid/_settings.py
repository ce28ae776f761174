"""What a run on the grid depends on, as options of the command line and as config.json keeps it."""

from __future__ import annotations

import shlex
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from trulysparse._core import checks
from trulysparse._core.typed import checked_fields
from trulysparse.cli._command_line import option_words
from trulysparse.errors import InputError
from trulysparse.recipe import option

KINDS = ("es", "td3", "dqn")
FEEDERS = ("landnetz", "dorf", "vorstadt")
EXCHANGES = {"none": None, "daily": 24, "weekly": 168, "monthly": 730}
"""Hours between exchanges of models among neighbours, by name."""
HIDDEN = {"es": (32, 32), "td3": (128, 128), "dqn": (128, 128)}
"""Hidden layers of each kind of agents, where nothing is said of them."""
INNER_MARKET = "mid-market"
"""How homes settle among themselves under the tariff community, where nothing is said of it."""


@dataclass(frozen=True, kw_only=True)
class GridSettings:
    """All that a run depends on, but threads."""

    homes: int | None = option(
        None,
        "How many homes. Default: those of the data. More than it has: homes are drawn from it again, each with other "
        "days, load and panels.",
    )
    agents: str = option(
        "es",
        "What learns: es (evolution strategy), td3 or dqn; with a prefix as in shared-es one network for all homes. Or "
        "the name of a rule, such as self-consumption. Several with commas.",
    )
    density: float = option(0.1, "Share of a dense network's connections that each agent has, above 0 to 1.")
    hidden: tuple[int, ...] | None = option(
        None, "Hidden layer sizes of each agent. Default: 32,32 for es, 128,128 for td3 and dqn.", numbers=True
    )
    tariff: str = option(
        "tou",
        "tou (the data's prices), tou+feed-in (0.08 $/kWh for export), carbon (0.1 $/kWh + 1 $ per kg CO2), peakfee "
        "(10 $ per kW of a month's highest import) or community.",
    )
    data: str | None = option(
        None, "Folder in CityLearn's 2022 layout. Default: the sample that comes with the package, 6 homes, one year."
    )
    csv: str | None = option(None, "Folder of .csv files of your own, one per home: time, load in kWh, PV in kWh.")
    feeder: str | None = option(
        None,
        f"Low-voltage feeder whose AC power flow is computed: {', '.join(FEEDERS)} or a .json file. Default: none.",
    )
    grid_limits: str = option(
        "penalty", "Where 0.95 to 1.05 p.u. or ratings are left: penalty (in the reward) or curtail (power is cut)."
    )
    information: str = option(
        "follow",
        "What is known: follow (the inverter follows the hour's load) or setpoint (power is fixed before it is known). "
        "Results of the two are never comparable.",
    )
    market: str | None = option(
        None,
        "How homes settle among themselves: netting, mid-market or supply-demand. Default: each for itself; with "
        f"tariff community {INNER_MARKET}.",
    )
    broadcast: str | None = option(
        None,
        "One number that every home is told each hour: community (the sum of the homes' net load) or feeder (the "
        "loading of their transformer). Default: none.",
    )
    curtailment: bool = option(False, "Let agents turn off PV.")
    exchange: str | None = option(
        None,
        f"Exchange of models among neighbours: {', '.join(EXCHANGES)}. Default: weekly where some homes are unseen, "
        "which begin with the agents' average; else none: every agent learns alone.",
    )
    device: str | None = option(
        None, "Class of device whose memory agents must fit, or the run is refused: meter, m4 or esp32."
    )
    electric_vehicles: bool = option(False, "Give every home an electric vehicle (synthetic: 40 kWh, 7.4 kW).")
    heat_pumps: bool = option(False, "Give every home a heat pump (synthetic).")
    oracle: bool = option(False, "Tell agents the data's perfect forecasts. No controller knows them: marked red.")
    weeks: str = option("every fourth", "Weeks that are held out: every fourth or last quarter.")
    train_homes: int | None = option(
        None,
        "How many homes agents learn from; the others are unseen. Default: 10 of 17, and so in proportion; all where "
        "homes are drawn again.",
    )
    length: int | None = option(
        None,
        "How long agents learn: es in generations, td3 and dqn in hours that each agent lives through. Default: by the "
        "agents.",
    )
    references: bool = option(
        True,
        "Also train dense agents of the same widths and one agent shared by all homes, to compare with.",
        "--references/--no-references",
    )
    bounds: bool | None = option(
        None,
        "Compute perfect foresight, by which savings are measured. Default: up to 200 homes.",
        "--bounds/--no-bounds",
    )
    seed: int = option(0, "Of homes drawn, networks and exploration.")
    seeds: int = option(1, "Trainings, of this seed and those after it.")

    def check(self) -> None:
        """InputError where an option is out of range. What the grid itself checks is checked where it is made."""
        for name in ("homes", "train_homes", "length"):
            if getattr(self, name) is not None:
                checks.integer(spelled(name), getattr(self, name), low=1)
        checks.real("--density", self.density, low=0, high=1, low_open=True)
        for size in self.hidden or ():
            checks.integer("--hidden", size, low=1)
        checks.integer("--seed", self.seed, low=0)
        checks.integer("--seeds", self.seeds, low=1)
        if self.exchange is not None:
            checks.choice("--exchange", self.exchange, tuple(EXCHANGES))
        if self.data is not None and self.csv is not None:
            raise InputError("--data and --csv: give one of them, or none for the sample")
        if self.grid_limits != "penalty" and self.feeder is None:
            raise InputError(f"--grid-limits {self.grid_limits} needs a --feeder")
        if not self.names:
            raise InputError("--agents must name at least one of es, td3, dqn or a rule, not ''")

    @property
    def names(self) -> list[str]:
        """What is asked for with --agents."""
        return [name.strip() for name in self.agents.split(",") if name.strip()]

    @property
    def all_seeds(self) -> range:
        """Those that are trained."""
        return range(self.seed, self.seed + self.seeds)

    @property
    def settled(self) -> str | None:
        """How homes settle among themselves.

        Example:
            >>> GridSettings().settled, GridSettings(tariff="community").settled
            (None, 'mid-market')
        """
        return INNER_MARKET if self.market is None and self.tariff == "community" else self.market

    @property
    def is_coupled(self) -> bool:
        """Whether what one home does is felt by the others."""
        return self.settled is not None or self.broadcast is not None or self.feeder is not None

    @property
    def source(self) -> str:
        """Where the homes come from, in words."""
        return self.data or self.csv or "the sample that comes with the package"

    def to_json(self) -> dict[str, Any]:
        """The options by name."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> GridSettings:
        """What `to_json` gave; ValueError where a value is of another type."""
        return GridSettings(**checked_fields(GridSettings, values))

    def command_line(self, out: Path) -> str:
        """The command that repeats the run.

        Args:
            out: its folder.

        Returns:
            The words, quoted for a shell.

        Example:
            >>> GridSettings(homes=17, agents="td3", hidden=(64, 64)).command_line(Path("runs/g"))
            'trulysparse grid run --out runs/g --homes 17 --agents td3 --hidden 64,64'
        """
        words = ["trulysparse", "grid", "run", "--out", str(out)]
        for each in fields(self):
            value = getattr(self, each.name)
            if each.default is not MISSING and value != each.default:
                words += option_words(each.name, value, each.metadata["flags"])
        return shlex.join(words)

    def differing(self, other: GridSettings) -> list[str]:
        """The options in which two runs differ, as they are written.

        Example:
            >>> GridSettings(density=0.2).differing(GridSettings())
            ['--density']
        """
        return [spelled(each.name) for each in fields(self) if getattr(self, each.name) != getattr(other, each.name)]


def spelled(name: str) -> str:
    """A setting as the option that sets it.

    Example:
        >>> spelled("grid_limits"), spelled("references")
        ('--grid-limits', '--references')
    """
    return "--" + name.replace("_", "-")
