"""What the report of a grid shows, as figures alone."""

from __future__ import annotations

import pytest

from trulysparse.report.grid_run import BudgetRow, Control, Share


@pytest.mark.parametrize("allowed, over", [(None, False), (610, False), (609, True)])
def test_a_budget_is_over_where_the_largest_agent_is(allowed, over):
    assert BudgetRow("connections", 603.5, 610, allowed=allowed).is_over is over


def test_controls_are_no_oracles_unless_said_so():
    control = Control(name="a", kind="rule", cost=1.0, whole=Share(1.0, 0.0))
    assert not control.oracle
    assert control.lowest is None
