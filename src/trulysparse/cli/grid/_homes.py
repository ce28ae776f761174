"""The homes, the feeder and the environment that a run's settings ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trulysparse.cli.grid._settings import FEEDERS, GridSettings, spelled
from trulysparse.errors import InputError, NotEnoughMemoryError

# Arguments of the grid that have another name as an option.
_OPTIONS = {"n_homes": "homes", "path": "data", "n_train": "train_homes"}
# Settings that are arguments of the grid under the same name.
_SHARED = (
    "broadcast",
    "tariff",
    "information",
    "market",
    "grid_limits",
    "feeder",
    "homes",
    "weeks",
    "device",
    "density",
    "oracle",
)


@dataclass(frozen=True)
class Homes:
    """The homes of a run.

    Args:
        scenario: which homes live through which hours.
        split: which homes and hours are learned from.
        names: of the homes.
        drawn: whether homes were drawn from others.
        feeder: at which they are, as often as they fill it, or None.
        options: of GridEnvironment, by name.
    """

    scenario: Any
    split: Any
    names: tuple[str, ...]
    drawn: bool
    feeder: Any
    options: Mapping[str, Any]

    @property
    def n_homes(self) -> int:
        """How many there are."""
        return int(self.scenario.n_homes)

    def environment(self, **more: Any) -> Any:
        """Of all homes and hours."""
        from trulysparse.grid.environment import GridEnvironment

        return GridEnvironment(self.scenario, **{**self.options, **more})


def make_homes(settings: GridSettings) -> Homes:
    """Reads or makes the data, and refuses what cannot be.

    Args:
        settings: of the run.

    Raises:
        InputError: data that are not what they must be, or options that do not go together.
    """
    from trulysparse.grid.scenario import resample, scenario_of
    from trulysparse.grid.splits import split_of

    with as_options():
        data = _data(settings)
        wanted = settings.homes or data.n_homes
        if drawn := wanted > data.n_homes:
            scenario = resample(data, wanted, seed=settings.seed)
        else:
            scenario = scenario_of(data).select(list(range(wanted)))
        names = tuple(f"home {k + 1}" for k in range(wanted)) if drawn else tuple(data.names[:wanted])
        n_train = wanted if drawn and settings.train_homes is None else settings.train_homes
        split = split_of(names, data.n_hours, settings.weeks, n_train)
        feeder = _feeder(settings, wanted)
        homes = Homes(scenario, split, names, drawn, feeder, _environment_options(settings, feeder))
        homes.environment(n_hours=1)  # which refuses what does not go together
    return homes


def _data(settings: GridSettings) -> Any:
    if settings.data is not None:
        from trulysparse.grid.readers.citylearn import read_citylearn

        return read_citylearn(Path(settings.data))
    if settings.csv is not None:
        from trulysparse.grid.readers.homes_csv import read_homes

        return read_homes(Path(settings.csv))
    from trulysparse.grid.sample import MOST_HOMES, sample_data

    return sample_data() if settings.homes is None else sample_data(min(settings.homes, MOST_HOMES))


def _feeder(settings: GridSettings, n_homes: int) -> Any:
    """The feeder of the homes, which is there as often as they fill it."""
    if settings.feeder is None:
        return None
    from trulysparse.grid.feeder import Feeder

    is_file = settings.feeder.endswith(".json")
    if not is_file and settings.feeder not in FEEDERS:
        raise InputError(f"--feeder must be one of {', '.join(FEEDERS)} or a .json file, not '{settings.feeder}'")
    feeder = Feeder.read(settings.feeder) if is_file else Feeder.named(settings.feeder)
    if n_homes % feeder.n_homes:
        raise InputError(
            f"--feeder {settings.feeder} has {feeder.n_homes} homes: --homes must be that number or a multiple, "
            f"not {n_homes}"
        )
    return feeder


def _environment_options(settings: GridSettings, feeder: Any) -> dict[str, Any]:
    """Those of GridEnvironment that are not at their defaults."""
    wanted: dict[str, Any] = {
        "tariff": settings.tariff,
        "information": settings.information,
        "market": settings.settled,
        "broadcast": settings.broadcast or False,
        "curtailment": settings.curtailment,
        "oracle": settings.oracle,
        "electric_vehicles": settings.electric_vehicles,
        "heat_pumps": settings.heat_pumps,
        "seed": settings.seed,
    }
    if feeder is not None:
        wanted |= {"feeder": feeder, "grid_limits": settings.grid_limits}
    off = {
        "market": None,
        "broadcast": False,
        "curtailment": False,
        "oracle": False,
        "electric_vehicles": False,
        "heat_pumps": False,
    }
    return {name: value for name, value in wanted.items() if name not in off or value != off[name]}


@contextmanager
def as_options() -> Iterator[None]:
    """Within it, errors of the grid about arguments name the options that set them."""
    try:
        yield
    except (InputError, NotEnoughMemoryError) as error:
        text = str(error)
        found = re.match(r"[a-z_]+(?=\b)", text)
        name = _OPTIONS.get(found[0], found[0]) if found else ""
        if found is None or (name not in _SHARED and found[0] not in _OPTIONS):
            raise
        raise type(error)(spelled(name) + text[found.end() :]) from None
