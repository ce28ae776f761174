"""Figures of a run of agents."""

from __future__ import annotations

import numpy as np
import pytest

from agent_logs import agent_run, seed_records
from trulysparse.report.rl_records import SeedRecords
from trulysparse.report.rl_run import AgentRun, rows_of


def test_figures_of_logs_are_those_at_their_ends():
    run = agent_run(n_seeds=5)
    last = [seed.last("eval/mean_reward") for seed in run.seeds]
    figures = run.figures()
    assert figures["mean_return"] == pytest.approx(np.mean(last))
    assert figures["iqm_return"] == pytest.approx(np.mean(sorted(last)[1:4]))
    assert figures["std_over_seeds"] == pytest.approx(np.std(last, ddof=1))
    assert figures["std_return"] == pytest.approx(40)
    assert (figures["lowest_return"], figures["highest_return"]) == (min(last), max(last))
    assert (figures["steps"], figures["connections"], figures["neurons"]) == (3000, 4000, 520)
    assert (figures["replay_mb"], figures["peak_rss_mb"]) == (2, 104)
    seconds = [3000 / (200 + 10 * k) for k in range(5)]
    assert figures["seconds"] == pytest.approx(np.mean(seconds), abs=1e-3)
    assert figures["steps_per_second"] == pytest.approx(15_000 / sum(seconds), abs=0.05)


def test_results_go_before_logs():
    seed = seed_records(mean_return=7.0, best_return=9.0, seconds=2.0, steps=10, replay_mb=1.5)
    figures = AgentRun(name="r", config={}, seeds=[seed]).figures()
    assert [figures[name] for name in ("mean_return", "best_return", "seconds", "steps", "replay_mb")] == [
        7,
        9,
        2,
        10,
        1.5,
    ]
    assert figures["std_over_seeds"] is None


def test_nothing_is_made_up_of_a_run_that_has_hardly_begun():
    for seeds in ([], [SeedRecords(seed=0, columns={})]):
        run = AgentRun(name="r", config={"env": "e"}, seeds=seeds, finished=False)
        figures = run.figures()
        known = {name: value for name, value in figures.items() if value is not None}
        assert known == {"env": "e", "seeds": len(seeds), "finished": False}
        assert rows_of([AgentRun(name="r", config={"env": "e"}, seeds=seeds, finished=False)])["training"] == [
            "unfinished"
        ]


def test_rows_leave_out_what_no_run_has_and_spreads_of_one_seed():
    rows = rows_of([agent_run(n_seeds=1)])
    assert not [name for name in rows if "seed" in name and name not in ("seeds", "seconds a seed")]
    assert "return, interquartile mean" not in rows
    several = rows_of([agent_run(n_seeds=1), agent_run(n_seeds=3)])
    assert "return, interquartile mean" in several
    assert several["return, deviation over seeds"][0] == "\N{EN DASH}"
    assert "training" not in several
