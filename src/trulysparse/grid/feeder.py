"""A radial low-voltage feeder: a transformer, the lines behind it, and the buses at which homes are connected."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.checks import choice, real
from trulysparse.errors import InputError

NAMES = ("vorstadt", "dorf", "landnetz")


@dataclass(frozen=True)
class Cable:
    """What a cable or overhead line is made of.

    Args:
        name: what it is called.
        r_ohm_per_km: resistance, above 0.
        x_ohm_per_km: reactance.
        c_nf_per_km: capacitance, nF/km.
        i_max_a: the current it may carry, A, above 0.

    Raises:
        InputError: for a figure out of its range.

    Example:
        >>> Cable("NAYY 4x150", 0.2067, 0.0804, 830, 275).i_max_a
        275
    """

    name: str
    r_ohm_per_km: float
    x_ohm_per_km: float
    c_nf_per_km: float
    i_max_a: float

    def __post_init__(self) -> None:
        where = f"of cable {self.name!r}"
        real(f"r_ohm_per_km {where}", self.r_ohm_per_km, low=0, low_open=True)
        real(f"x_ohm_per_km {where}", self.x_ohm_per_km, low=0)
        real(f"c_nf_per_km {where}", self.c_nf_per_km, low=0)
        real(f"i_max_a {where}", self.i_max_a, low=0, low_open=True)


@dataclass(frozen=True)
class Line:
    """A line between two buses.

    Args:
        start: name of the bus at one end.
        end: name of the bus at the other end.
        length_m: its length, m.
        cable: its Cable.

    Example:
        >>> print(Line("busbar", "a", 40, Cable("NAYY 4x50", 0.6417, 0.0848, 670, 141)))
        'busbar' to 'a'
    """

    start: str
    end: str
    length_m: float
    cable: Cable

    def __str__(self) -> str:
        return f"{self.start!r} to {self.end!r}"


@dataclass(frozen=True)
class Transformer:
    """The transformer that feeds the busbar.

    Args:
        kva: rated power, kVA.
        vk_percent: short-circuit voltage, % of the rated voltage.
        vkr_percent: its resistive part, at most vk_percent.
        iron_loss_kw: losses without load, kW.
        no_load_current_percent: current without load, % of the rated current.

    Raises:
        InputError: for a figure out of its range.

    Example:
        >>> Transformer(630, 4, 1.0794, 1.18, 0.1873).kva
        630
    """

    kva: float
    vk_percent: float
    vkr_percent: float
    iron_loss_kw: float = 0.0
    no_load_current_percent: float = 0.0

    def __post_init__(self) -> None:
        real("kva of the transformer", self.kva, low=0, low_open=True)
        real("vk_percent of the transformer", self.vk_percent, low=0, low_open=True)
        real("vkr_percent of the transformer", self.vkr_percent, low=0, high=self.vk_percent)
        real("no_load_current_percent of the transformer", self.no_load_current_percent, low=0)
        real("iron_loss_kw of the transformer", self.iron_loss_kw, low=0)


class Feeder:
    """A radial low-voltage feeder, as a balanced three-phase network sees it: one phase stands for all.

    Args:
        transformer: the Transformer between the medium voltage, which is held, and the busbar.
        lines: the Lines, in any order and direction. With the busbar they must be a tree.
        homes: the name of the bus of each home, in the order of the homes; several may share a bus.
        busbar: the name of the bus behind the transformer.
        name: what the feeder is called in reports.
        voltage_v: rated voltage between phases (V).
        source_pu: voltage that the medium-voltage side is held at, as a share of the rated one.
        frequency_hz: for the lines' capacitance.
        loading_limit: what the operator lets transformer and lines carry, as a share of their rated currents.
        voltage_band: how far voltages may deviate from the rated one, as a share of it.
        source: where the data come from.

    Raises:
        InputError: where the lines are not a tree (the sentence names the line or the bus), a home is at a bus that no
            line reaches, or a figure is out of its range.

    Example:
        >>> cable = Cable("NAYY 4x150", 0.2067, 0.0804, 830, 275)
        >>> lines = [Line("busbar", "a", 100, cable), Line("a", "b", 50, cable)]
        >>> feeder = Feeder(Transformer(100, 4, 1.2), lines, homes=["a", "b"])
        >>> feeder.n_homes, feeder.buses
        (2, ('busbar', 'a', 'b'))
        >>> Feeder.named("vorstadt").n_homes
        146
    """

    def __init__(
        self,
        transformer: Transformer,
        lines: Sequence[Line],
        homes: Sequence[str],
        *,
        busbar: str = "busbar",
        name: str = "feeder",
        voltage_v: float = 400.0,
        source_pu: float = 1.0,
        frequency_hz: float = 50.0,
        loading_limit: float = 1.0,
        voltage_band: float = 0.05,
        source: str = "",
    ) -> None:
        self.transformer = transformer
        self.name = name
        self.source = source
        self.voltage_v = real("voltage_v", voltage_v, low=0, low_open=True)
        self.source_pu = real("source_pu", source_pu, low=0.5, high=1.5)
        self.frequency_hz = real("frequency_hz", frequency_hz, low=0)
        self.loading_limit = real("loading_limit", loading_limit, low=0, low_open=True)
        self.voltage_band = real("voltage_band", voltage_band, low=0, high=0.5, low_open=True)
        self.buses, self.parent, self.lines = _tree(busbar, list(lines))
        if len(homes) == 0:
            raise InputError("homes must name the bus of at least one home, not none")
        number = {bus: i for i, bus in enumerate(self.buses)}
        for i, bus in enumerate(homes):
            if bus not in number:
                raise InputError(f"homes[{i}] is at bus {bus!r}, which no line reaches")
        self.home_bus: NDArray[np.int64] = np.array([number[bus] for bus in homes], np.int64)

    @classmethod
    def named(cls, name: str) -> Feeder:
        """A feeder that ships with the package.

        Args:
            name: 'vorstadt' (146 homes, 630 kVA) and 'dorf' (57 homes, 400 kVA) are the networks Vorstadtnetz Kabel 1
                and Dorfnetz of Kerber's thesis; 'landnetz' (17 homes, 160 kVA) is composed for this package of the
                cables, distances and transformer of his Landnetze.

        Returns:
            The Feeder.

        Raises:
            InputError: for another name.

        Source:
            G. Kerber, Aufnahmefähigkeit von Niederspannungsverteilnetzen für die Einspeisung aus
            Photovoltaikkleinanlagen, PhD thesis, Technische Universität München, 2011.

        Example:
            >>> Feeder.named("dorf").transformer.kva
            400
        """
        file = files("trulysparse.grid").joinpath("networks").joinpath(f"{choice('name', name, NAMES)}.json")
        return cls._from(json.loads(file.read_text(encoding="utf-8")), name)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Feeder:
        """A feeder from a JSON file.

        Args:
            path: a file with `transformer` and `cables` (fields of those classes), `lines` as a list of [start, end,
                length in m, cable], `homes` as a list of buses, and optionally `name`, `busbar`, `voltage_v`,
                `source_pu`, `frequency_hz`, `loading_limit`, `voltage_band`, `source`.

        Returns:
            The Feeder.

        Raises:
            InputError: where the file is not of that form or the lines are not a tree.

        Example:
            >>> text = '''{"transformer": {"kva": 100, "vk_percent": 4, "vkr_percent": 1.2},
            ...   "cables": {"A": {"r_ohm_per_km": 0.2, "x_ohm_per_km": 0.08, "c_nf_per_km": 0, "i_max_a": 275}},
            ...   "lines": [["busbar", "a", 100, "A"]], "homes": ["a"]}'''
            >>> _ = open("feeder.json", "w").write(text)
            >>> Feeder.read("feeder.json").n_homes
            1
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InputError(f"{os.fspath(path)!r} is no JSON file that can be read: {error}") from None
        return cls._from(values, os.fspath(path))

    @classmethod
    def _from(cls, values: Any, where: str) -> Feeder:
        try:
            cables = {name: Cable(name=name, **fields) for name, fields in values["cables"].items()}
            lines = [_line(i, entry, cables) for i, entry in enumerate(values["lines"])]
            options = {k: v for k, v in values.items() if k not in ("cables", "lines", "transformer", "homes")}
            return cls(Transformer(**values["transformer"]), lines, values["homes"], **options)
        except InputError as error:
            raise InputError(f"feeder {where!r}: {error}") from None
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"feeder {where!r} is not of the form that Feeder.read describes: {error!r}") from None

    def limited(self, loading: float = 1.0, band: float = 0.05) -> Feeder:
        """The same feeder under limits that leave a margin, or none.

        Args:
            loading: share of their rated currents that transformer and lines may carry.
            band: share of the rated voltage that voltages may deviate by.

        Returns:
            A Feeder.

        Example:
            >>> Feeder.named("dorf").limited(loading=0.85).loading_limit
            0.85
        """
        other = copy(self)
        other.loading_limit = real("loading", loading, low=0, low_open=True)
        other.voltage_band = real("band", band, low=0, high=0.5, low_open=True)
        return other

    @property
    def n_homes(self) -> int:
        """How many homes are connected."""
        return len(self.home_bus)

    @property
    def n_buses(self) -> int:
        """The busbar and all buses behind it."""
        return len(self.buses)

    @cached_property
    def branch(self) -> NDArray[np.int64]:
        """For each bus, the line from the busbar that it is behind, as the number of that line's far bus; 0 for the
        busbar itself."""
        found = np.zeros(self.n_buses, np.int64)
        for bus, parent in enumerate(self.parent[1:].tolist(), 1):
            found[bus] = bus if parent == 0 else found[parent]
        return found

    @cached_property
    def behind(self) -> NDArray[np.float32]:
        """(lines, homes) 1 where a home is behind a line, else 0. Line k is `lines[k]` and feeds bus k + 1."""
        found = np.zeros((len(self.lines), self.n_homes), np.float32)
        homes, bus = np.arange(self.n_homes), self.home_bus
        while len(homes):
            inside = bus > 0
            homes, bus = homes[inside], bus[inside]
            found[bus - 1, homes] = 1
            bus = self.parent[bus]
        return found

    def __repr__(self) -> str:
        return f"Feeder({self.name!r}, {self.n_homes} homes, {len(self.lines)} lines, {self.transformer.kva:g} kVA)"


def _line(number: int, entry: Any, cables: Mapping[str, Cable]) -> Line:
    if not isinstance(entry, list) or len(entry) != 4:
        raise InputError(f"lines[{number}] must be [start, end, length in m, cable], not {entry!r:.80}")
    start, end, length, cable = entry
    if cable not in cables:
        raise InputError(f"lines[{number}] names the cable {cable!r}; there are {', '.join(cables) or 'none'}")
    return Line(start, end, length, cables[cable])


def _tree(busbar: str, lines: list[Line]) -> tuple[tuple[str, ...], NDArray[np.int64], tuple[Line, ...]]:
    """Buses from the busbar outwards, each bus's parent (-1 for the busbar), and the line that feeds bus k + 1, for
    each k; InputError where the lines are no tree."""
    group: dict[str, str] = {busbar: busbar}  # a bus of the same connected part, up to its representative

    def part(bus: str) -> str:
        while group[bus] != bus:
            group[bus] = bus = group[group[bus]]
        return bus

    at: dict[str, list[tuple[str, Line]]] = {busbar: []}
    for i, line in enumerate(lines):
        real(f"length_m of lines[{i}] ({line})", line.length_m, low=0, low_open=True)
        for bus in (line.start, line.end):
            group.setdefault(bus, bus)
            at.setdefault(bus, [])
        if part(line.start) == part(line.end):
            raise InputError(
                f"lines[{i}] ({line}) closes a loop: its buses are already connected by other lines, and a feeder must "
                f"be a tree"
            )
        group[part(line.start)] = part(line.end)
        at[line.start].append((line.end, line))
        at[line.end].append((line.start, line))
    buses, parent, feeding = [busbar], [-1], []
    seen = {busbar}
    stack = [(0, end, line) for end, line in reversed(at[busbar])]
    while stack:  # depth first: the buses behind a line are neighbours in the order
        above, bus, line = stack.pop()
        seen.add(bus)
        number = len(buses)
        buses.append(bus)
        parent.append(above)
        feeding.append(line)
        stack += [(number, end, next_line) for end, next_line in reversed(at[bus]) if end not in seen]
    for bus in at:
        if bus not in seen:
            raise InputError(f"bus {bus!r} is not connected with the busbar {busbar!r}; a feeder must be a tree")
    return tuple(buses), np.array(parent, np.int64), tuple(feeding)
