"""Figures of homes on a grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grid_outcomes import BUDGETS, controls, grid_hours, home_week, street
from pictures import found, parsed, tables, texts
from trulysparse.report import grid_figures
from trulysparse.report.grid_run import Control, Share
from trulysparse.report.numbers import MISSING
from trulysparse.report.svg import ALARM


def test_costs_show_every_control_with_its_figures():
    _, saving = grid_figures.costs(controls())
    [table] = tables(grid_figures.cost_table(controls()).html())
    assert table[0] == ["control", "cost, $", "over no control", "share of saving", "of the seeds", "peak, kW"]
    assert table[1] == ["agents", "6,070.50", "0.6745", "93 %", "90 % to 94 %", "27"]
    assert table[3] == ["basic rule", "9,126.00", "1.0140", "-4 %", MISSING, "40.6"]
    assert [row[0] for row in table[1:]] == [each.name for each in controls()]
    assert len(found(saving.svg, "rect")) == 5
    assert "-4 %" in texts(saving.svg)


def test_agents_rules_and_bounds_have_colours_of_their_own_and_oracles_are_red():
    fills = [rect.get("fill") for rect in found(grid_figures.costs(controls())[0].svg, "rect")]
    assert len(set(fills)) == 3
    assert fills[1] == fills[2] == fills[3]
    assert ALARM not in fills
    cost, saving = grid_figures.costs(controls(oracle=True))
    for figure in (cost, saving):
        assert [rect.get("fill") == ALARM for rect in found(figure.svg, "rect")] == [True, False, False, False, False]
        assert "agents (oracle)" in texts(figure.svg)
    assert "Red: an oracle" in cost.caption


def test_a_saving_that_has_no_bound_is_a_dash():
    alone = Control(name="no control", kind="rule", cost=0.0, whole=Share(float("nan"), float("nan")))
    _, saving = grid_figures.costs([alone])
    assert tables(grid_figures.cost_table([alone]).html())[0][1] == ["no control", "0.00", MISSING, MISSING]
    parsed(saving.svg)


def test_seen_and_unseen_is_a_table_of_two_by_two():
    agents, everything = grid_figures.seen_and_unseen(controls())
    assert tables(agents.html())[0] == [
        ["", "saving, seen weeks", "saving, unseen weeks", "cost, seen weeks", "cost, unseen weeks"],
        ["seen homes", "93 %", "91 %", "0.6745", "0.6845"],
        ["unseen homes", "89 %", "87 %", "0.6945", "0.7045"],
    ]
    [table] = tables(everything.html())
    assert table[0][1:] == [f"{homes}, {weeks}" for homes in ("seen", "unseen") for weeks in ("seen", "unseen")]
    assert table[1] == ["agents", "93 %", "91 %", "89 %", "87 %"]
    assert len(table) == 6
    whole = [Control(name="a", kind="agents", cost=1.0, whole=Share(1.0, 0.0))]
    assert grid_figures.seen_and_unseen(whole) == []


def test_a_week_has_lines_for_load_pv_meter_battery_and_price():
    [figure] = grid_figures.weeks([home_week()])
    svg = figure.svg
    assert len(found(svg, "path")) == 5
    assert {"load", "PV", "at the meter", "in the battery, kWh", "price of import, $/kWh", "Wed"} <= set(texts(svg))


def test_hours_beyond_limits_are_counted():
    hours = [grid_hours(), grid_hours("rule", worst=0.97)]
    assert [figure.title for figure in grid_figures.grid_hours(hours)] == ["Transformer loading", "Voltages"]
    [table] = tables(grid_figures.limits_table(hours).html())
    rows = {row[0]: dict(zip(table[0], row, strict=True)) for row in table[1:]}
    assert rows["agents"]["hours below 0.95"] == "1"
    assert rows["agents"]["lowest voltage"] == "0.9440"
    assert rows["rule"]["hours below 0.95"] == "0"
    highest = 100 * grid_hours().transformer.max()
    assert rows["agents"]["transformer, highest"] == f"{highest:.1f} %"
    assert grid_figures.grid_hours([]) == []


def test_a_map_names_the_buses_that_are_farthest_off():
    figure = grid_figures.feeder(street(20), "agents")
    [table] = tables(figure.html())
    assert table[1] == ["bus 20", "0.9400", "1.0240"]
    assert len(table) == 11
    assert "of 40 buses leave 0.95 to 1.05 p.u." in figure.caption
    lows = [float(row[1]) for row in table[1:]]
    assert lows == sorted(lows)


@pytest.mark.parametrize("device", ["m4", None])
def test_budgets_say_what_is_allowed_and_what_passes_it(device):
    [figure] = grid_figures.budgets(BUDGETS, device)
    [table] = tables(figure.html())
    assert ("allowed on m4" in table[0]) == (device is not None)
    rows = {row[0]: row for row in table}
    assert rows["connections"][1:3] == ["603.5", "610"]
    assert rows["connections"][-1] == "5,600"
    assert "bytes sent per day (more than allowed)" in rows
    assert rows["energy per day, µJ"][-1] == MISSING
    assert "computed, not measured" in figure.caption
    assert grid_figures.budgets([], device) == []


def test_lines_that_are_not_known_are_a_dash():

    limits = grid_figures.limits_table([replace(grid_hours(), line=np.zeros(0))])
    assert tables(limits.html())[0][1][3] == MISSING


def test_weeks_side_by_side_have_the_same_axes():
    flat = replace(home_week(control="other"), net=np.zeros(168), load=np.zeros(168), pv=np.zeros(168))
    alone, [together, _] = grid_figures.weeks([flat]), grid_figures.weeks([flat, home_week()])
    assert together.svg != alone[0].svg
    ticks = [
        [text for text in texts(each.svg) if text in ("0", "1", "2")]
        for each in grid_figures.weeks([flat, home_week()])
    ]
    assert ticks[0] == ticks[1]


def test_a_limit_beyond_the_bound_is_explained():
    beyond = [*controls(), Control(name="limit (LP)", kind="bound", cost=1.0, whole=Share(0.6, 1.03), oracle=True)]
    assert "limit lies beyond" in grid_figures.costs(beyond)[1].caption
    assert "limit lies beyond" not in grid_figures.costs(controls())[1].caption
