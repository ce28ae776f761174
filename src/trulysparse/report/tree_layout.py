"""Where the buses of a radial feeder are drawn: to the right by length of cable, each lateral in a row of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ASIDE = 0.36  # of a row: how far a house connection lies beside its lateral


def tree_layout(
    parent: NDArray[np.int64], length: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions of the buses of a tree.

    From each bus the child with the most buses behind it goes on in the same row, the longest way where they are
    equal; other children that end there lie beside the row, in turn above and below; the rest begin rows of their own.

    Args:
        parent: (buses,), number of the bus before each, smaller than its own; -1 for bus 0, where all begins.
        length: (buses,), of the cable from there, m; 0 for bus 0.

    Returns:
        (distance from bus 0 along the cables in m, row and place beside it), (buses,) each. Bus 0 lies at the middle
        of the rows.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.tree_layout import tree_layout
        >>> x, y = tree_layout(np.array([-1, 0, 1, 0, 3]), np.array([0.0, 50, 20, 30, 30]))
        >>> x.tolist(), y.tolist()
        ([0.0, 50.0, 70.0, 30.0, 60.0], [0.5, 0.0, 0.0, 1.0, 1.0])
    """
    n = len(parent)
    x = np.zeros(n)
    for bus in range(1, n):
        x[bus] = x[parent[bus]] + length[bus]
    behind, reach = np.ones(n, np.int64), x.copy()
    children: list[list[int]] = [[] for _ in range(n)]
    for bus in range(n - 1, 0, -1):
        above = int(parent[bus])
        behind[above] += behind[bus]
        reach[above] = max(reach[above], reach[bus])
        children[above].insert(0, bus)
    return x, _rows(children, behind, reach)


def _rows(children: list[list[int]], behind: NDArray[np.int64], reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """The row of each bus; the laterals that branch off a lateral come right after it."""
    y, rows, side = np.zeros(len(children)), 0, 1
    waiting = list(reversed(children[0]))
    while waiting:
        bus, row = waiting.pop(), rows
        rows += 1
        y[bus] = row
        begun = []
        while children[bus]:
            ahead = max(children[bus], key=lambda child: (behind[child], reach[child], -child))
            for child in children[bus]:
                if child == ahead:
                    y[child] = row
                elif children[child]:
                    begun.append(child)
                else:
                    y[child], side = row + side * _ASIDE, -side
            bus = ahead
        waiting += reversed(begun)
    y[0] = max(rows - 1, 0) / 2
    return y
