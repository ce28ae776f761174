"""Controls on the terminal and as JSON."""

from __future__ import annotations

from grid_outcomes import controls
from trulysparse.cli.grid._tables import as_json, ratio_or_dash, show_controls
from trulysparse.report.grid_run import Control, Share


def test_a_row_per_control(capsys):
    show_controls("17 [homes]", controls(oracle=True))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "17 [homes]"
    [row] = [line for line in lines if "agents (oracle)" in line]
    for cell in ("6,070.50", "0.6745", "93 % (90 % to 94 %)", "87 %"):
        assert cell in row
    assert sum("│" in line for line in lines) == 5


def test_nothing_is_said_of_what_is_unseen_where_nothing_is(capsys):
    show_controls("t", [Control(name="a", kind="rule", cost=1.0, whole=Share(float("nan"), float("nan")))])
    assert "unseen" not in capsys.readouterr().out
    assert ratio_or_dash(float("nan")) == "\N{EN DASH}"


def test_json_has_all_of_a_control():
    first, *_ = as_json(controls())
    assert first["parts"]["unseen homes, unseen weeks"]["saving"] == 0.93 - 0.06
    assert (first["name"], first["kind"], first["lowest"], first["highest"]) == ("agents", "agents", 0.9, 0.94)
    assert first["ratio"] == 1 - 0.35 * 0.93
