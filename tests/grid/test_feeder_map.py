"""Plans of feeders: every line as long as it is, and homes apart from each other."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.grid.feeder import Cable, Feeder, Line, Transformer
from trulysparse.grid.feeder_map import positions


@pytest.mark.parametrize("name", ["vorstadt", "dorf", "landnetz"])
def test_lines_have_their_lengths_and_homes_places_of_their_own(name: str) -> None:
    feeder = Feeder.named(name)
    place = positions(feeder)
    drawn = np.hypot(*(place[1:] - place[feeder.parent[1:]]).T)
    np.testing.assert_allclose(drawn, [line.length_m for line in feeder.lines])
    homes = place[feeder.home_bus]
    apart = np.hypot(*(homes[:, None] - homes[None, :]).T) + 1e9 * np.eye(len(homes))
    assert apart.min() > 1


def test_side_lines_turn_off_and_the_longest_way_goes_on() -> None:
    cable = Cable("A", 0.2, 0.08, 0, 100)
    lines = [Line("0", "1", 10, cable), Line("1", "2", 10, cable), Line("2", "3", 10, cable), Line("1", "4", 5, cable)]
    lines += [Line("1", "5", 7, cable), Line("3", "6", 4, cable)]
    feeder = Feeder(Transformer(50, 4, 1), lines, ["3"], busbar="0")
    place = dict(zip(feeder.buses, positions(feeder), strict=True))
    along = place["1"] / 10
    np.testing.assert_allclose(place["3"], 30 * along, atol=1e-12)
    assert np.hypot(*(place["6"] - place["3"])) == pytest.approx(4)
    assert (place["6"] - place["3"]) @ along == pytest.approx(0)
    across = np.array([-along[1], along[0]])
    sides = {(place[bus] - place["1"]) @ across for bus in ("4", "5")}
    assert {round(abs(side), 9) for side in sides} == {5, 7}
    assert min(sides) < 0 < max(sides)
    assert positions(Feeder(Transformer(50, 4, 1), [], ["0"], busbar="0")).tolist() == [[0, 0]]
