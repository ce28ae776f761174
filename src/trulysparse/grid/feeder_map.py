"""Where to draw the buses of a feeder that says how long its lines are, but not where they lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse.grid.feeder import Feeder


def positions(feeder: Feeder) -> NDArray[np.float64]:
    """A plan of the feeder: every line is drawn as long as it is.

    The busbar lies at the origin. Branches leave it in directions that divide the circle, those with more buses with
    more room. Behind a bus, the line to the most buses goes straight on; the others turn off to the left and to the
    right in turns, and so does the last line of a street.

    Args:
        feeder: the Feeder.

    Returns:
        (buses, 2) x and y in metres, in the order of `feeder.buses`.

    Example:
        >>> place = positions(Feeder.named("dorf"))
        >>> place.shape, place[0].tolist()
        ((115, 2), [0.0, 0.0])
    """
    n = feeder.n_buses
    parent = feeder.parent.tolist()
    size = np.ones(n, np.int64)
    for bus in range(n - 1, 0, -1):
        size[parent[bus]] += size[bus]
    children: list[list[int]] = [[] for _ in range(n)]
    for bus in range(1, n):
        children[parent[bus]].append(bus)
    place, angle = np.zeros((n, 2)), np.zeros(n)
    share = np.sqrt([size[bus] for bus in children[0]])
    turn = 2 * np.pi * (np.cumsum(share) - share / 2) / share.sum() if len(share) else []
    for bus, direction in zip(children[0], turn, strict=True):
        angle[bus] = direction
    begin = [1] * n  # the side at which the first side line of a bus turns off, in turns along a street
    sides = [0] * n  # how many have turned off
    for bus in range(1, n):  # parents come first
        above = parent[bus]
        if above:
            straight = max(children[above], key=lambda child: size[child])
            if bus == straight and (len(children[above]) > 1 or size[bus] > 1):
                angle[bus] = angle[above]
                begin[bus] = -begin[above]
            else:
                angle[bus] = angle[above] + begin[above] * (-1) ** sides[above] * np.pi / 2
                sides[above] += 1
        length = feeder.lines[bus - 1].length_m
        place[bus] = place[above] + length * np.array([np.cos(angle[bus]), np.sin(angle[bus])])
    return place
