"""Figures of agents that learn."""

from __future__ import annotations

import numpy as np
import pytest

from agent_logs import seed_records
from pictures import found, parsed, tables, texts
from trulysparse.report.rl_figures import each_seed, learning, returns, topology
from trulysparse.report.rl_records import SeedRecords


def drawn(figures):
    return {figure.title: figure for figure in figures}


def test_returns_of_several_seeds_have_a_band_and_exact_values():
    seeds = [seed_records(k) for k in range(3)]
    figures = drawn(returns({"run": seeds}))
    assert set(figures) == {"Return against steps", "Return against seconds"}
    for figure in figures.values():
        parsed(figure.svg)
        assert len(found(figure.svg, "polygon")) == 1
        assert len(found(figure.svg, "path")) == 1
    assert "mean of 3 seeds" in figures["Return against steps"].caption
    [head, *rows] = tables(figures["Return against steps"].table.html())[0]
    assert head == ["steps", "mean", "lowest", "highest"]
    last = [seed.last("eval/mean_reward") for seed in seeds]
    shown = [float(cell.replace(",", "")) for cell in rows[-1]]
    assert shown == pytest.approx([3000, np.mean(last), min(last), max(last)], abs=0.06)
    seconds = tables(figures["Return against seconds"].table.html())[0]
    assert float(seconds[-1][0]) == pytest.approx(np.mean([3000 / (200 + 10 * k) for k in range(3)]), abs=0.06)


def test_return_of_one_seed_has_the_deviation_of_its_episodes():
    figure = returns({"return": [seed_records()]})[0]
    assert "one standard deviation of the episodes" in figure.caption
    rows = tables(figure.table.html())[0][1:]
    means, lows, highs = np.array([[float(cell.replace(",", "")) for cell in row[1:]] for row in rows]).T
    np.testing.assert_allclose(highs - means, 40, atol=0.2)
    np.testing.assert_allclose(means - lows, 40, atol=0.2)


def test_several_runs_have_a_line_each_in_their_colours():
    runs = {"a": [seed_records(0), seed_records(1)], "empty": [SeedRecords(seed=0, columns={})], "b": [seed_records(2)]}
    figure = returns(runs)[0]
    assert {"a", "b"} <= set(texts(figure.svg))
    assert [path.get("stroke")[:8] for path in found(figure.svg, "path")] == ["var(--s1", "var(--s3"]
    assert len(found(figure.svg, "polygon")) == 1
    assert "band" in figure.caption


def test_each_seed_is_for_several():
    assert each_seed([seed_records()]) == []
    [figure] = each_seed([seed_records(k) for k in (3, 4)])
    assert {"seed 3", "seed 4"} <= set(texts(figure.svg))


def test_what_the_log_holds_is_drawn_and_the_rest_left_out():
    figures = drawn(learning([seed_records()]))
    assert set(figures) == {
        "Return of training episodes",
        "Loss of the critics",
        "Loss of the actor",
        "Speed",
    }
    assert learning([SeedRecords(seed=0, columns={})]) == []


def test_connections_and_memory_in_all_and_of_each_network():
    seed = seed_records()
    columns = {
        **seed.columns,
        "sparse/connections/actor": np.full(30, 1000.0),
        "sparse/connections/critic": np.full(30, 3000.0),
    }
    figures = drawn(topology([SeedRecords(seed=0, columns=columns)]))
    assert set(figures) == {"Connections", "Connections replaced", "Dormant neurons", "Memory of the replay buffer"}
    assert {"all", "actor", "critic"} <= set(texts(figures["Connections"].svg))
    memory = tables(figures["Memory of the replay buffer"].table.html())[0]
    assert {row[1] for row in memory[1:]} == {"2"}  # MB
    assert topology([SeedRecords(seed=0, columns={})]) == []
