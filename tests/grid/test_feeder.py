"""Feeders: the tree, what is refused and with which words, files, and the feeders that ship."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.feeder import Cable, Feeder, Line, Transformer

CABLE = Cable("A", 0.2, 0.08, 500, 275)
TRANSFORMER = Transformer(100, 4, 1.2)


def feeder(pairs: list[str], homes: list[str], **options: object) -> Feeder:
    return Feeder(TRANSFORMER, [Line(*pair.split("-"), 50, CABLE) for pair in pairs], homes, busbar="0", **options)


def test_lines_in_any_order_and_direction_make_the_same_tree() -> None:
    one = feeder(["0-1", "1-2", "1-3", "0-4"], ["2", "3", "4"])
    other = feeder(["3-1", "4-0", "2-1", "1-0"], ["2", "3", "4"])
    for each in (one, other):
        above = {each.buses[i + 1]: each.buses[each.parent[i + 1]] for i in range(4)}
        assert above == {"1": "0", "2": "1", "3": "1", "4": "0"}
        assert each.buses[0] == "0"
        assert [each.buses[bus] for bus in each.home_bus] == ["2", "3", "4"]
        for number, line in enumerate(each.lines):  # line k feeds bus k + 1
            assert {line.start, line.end} == {each.buses[number + 1], each.buses[each.parent[number + 1]]}
        assert (each.parent < np.arange(each.n_buses)).all()
        heads = {each.buses[i]: each.buses[each.branch[i]] for i in range(5)}
        assert heads == {"0": "0", "1": "1", "2": "1", "3": "1", "4": "4"}


def test_homes_behind_lines() -> None:
    found = feeder(["0-1", "1-2", "1-3", "0-4"], ["2", "3", "4", "1", "0"])
    behind = {found.buses[k + 1]: np.flatnonzero(row).tolist() for k, row in enumerate(found.behind)}
    assert behind == {"1": [0, 1, 3], "2": [0], "3": [1], "4": [2]}


@pytest.mark.parametrize(
    "pairs, homes, message",
    [
        (["0-1", "1-2", "2-0"], ["1"], r"lines\[2\] \('2' to '0'\) closes a loop"),
        (["0-1", "1-0"], ["1"], r"lines\[1\] \('1' to '0'\) closes a loop"),
        (["0-1", "2-2"], ["1"], r"lines\[1\] \('2' to '2'\) closes a loop"),
        (["0-1", "2-3"], ["1"], "bus '2' is not connected with the busbar '0'; a feeder must be a tree"),
        (["2-3"], ["2"], "bus '2' is not connected with the busbar '0'"),
        (["0-1"], ["1", "7"], r"homes\[1\] is at bus '7', which no line reaches"),
        (["0-1"], [], "homes must name the bus of at least one home"),
    ],
)
def test_what_is_no_tree_is_refused_with_the_line_or_the_bus(pairs: list[str], homes: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        feeder(pairs, homes)


def test_a_feeder_may_be_a_busbar_alone() -> None:
    assert feeder([], ["0", "0"]).n_homes == 2


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Cable("B", 0, 0.1, 0, 100), r"r_ohm_per_km of cable 'B' must lie in \(0, inf\), not 0"),
        (lambda: Cable("B", 0.1, 0.1, 0, 0), "i_max_a of cable 'B'"),
        (lambda: Transformer(0, 4, 1), "kva of the transformer"),
        (lambda: Transformer(100, 4, 5), r"vkr_percent of the transformer must lie in \[0, 4\], not 5"),
        (lambda: feeder(["0-1"], ["1"], source_pu=2.0), "source_pu must lie in"),
        (
            lambda: Feeder(TRANSFORMER, [Line("0", "1", 0, CABLE)], ["1"], busbar="0"),
            r"length_m of lines\[0\] \('0' to",
        ),
    ],
)
def test_figures_out_of_range_are_refused(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    "name, homes, buses, kva, metres",
    [("vorstadt", 146, 293, 630, 4476), ("dorf", 57, 115, 400, 3412), ("landnetz", 17, 35, 160, 1471)],
)
def test_named_feeders(name: str, homes: int, buses: int, kva: float, metres: float) -> None:
    found = Feeder.named(name)
    assert (found.n_homes, found.n_buses, found.transformer.kva) == (homes, buses, kva)
    assert sum(line.length_m for line in found.lines) == pytest.approx(metres, abs=1)
    assert "Kerber" in found.source
    assert len(set(found.home_bus.tolist())) == homes  # a bus of its own for each
    assert str(homes) in repr(found)
    with pytest.raises(InputError, match="name must be one of vorstadt, dorf, landnetz, not 'stadt'"):
        Feeder.named("stadt")


def test_file_is_read_back(tmp_path: Path) -> None:
    values = {
        "name": "mine",
        "busbar": "s",
        "voltage_v": 415,
        "transformer": {"kva": 50, "vk_percent": 4, "vkr_percent": 2},
        "cables": {"A": {"r_ohm_per_km": 0.2, "x_ohm_per_km": 0.08, "c_nf_per_km": 0, "i_max_a": 275}},
        "lines": [["s", "a", 100, "A"]],
        "homes": ["a", "a"],
    }
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(values))
    found = Feeder.read(path)
    assert (found.name, found.n_homes, found.voltage_v, found.lines[0].cable.name) == ("mine", 2, 415, "A")
    for change, message in (
        ({"lines": [["s", "a", 100, "B"]]}, r"mine.json': lines\[0\] names the cable 'B'; there are A"),
        ({"lines": [["s", "a", 100]]}, r"lines\[0\] must be \[start, end, length in m, cable\]"),
        ({"lines": [["s", "a", 100, "A"], ["a", "s", 1, "A"]]}, "closes a loop"),
        ({"transformer": {"kva": 50}}, "not of the form"),
        ({"colour": "red"}, "not of the form"),
    ):
        path.write_text(json.dumps(values | change))
        with pytest.raises(InputError, match=message):
            Feeder.read(path)
    path.write_text("{")
    with pytest.raises(InputError, match="no JSON file that can be read"):
        Feeder.read(path)
    with pytest.raises(InputError, match="no JSON file that can be read"):
        Feeder.read(tmp_path / "none.json")
