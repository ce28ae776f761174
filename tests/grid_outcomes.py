"""Outcomes of homes on a grid, made up, for the tests of what is drawn of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from trulysparse.report.feeder_map import FeederMap
from trulysparse.report.grid_page import GridReport, LearningCurve
from trulysparse.report.grid_run import BudgetRow, Control, GridHours, HomeWeek, Share

PARTS = [(homes, weeks) for homes in ("seen", "unseen") for weeks in ("seen", "unseen")]


def controls(*, oracle: bool = False, n_agents: int = 1, suffix: str = "") -> list[Control]:
    """No control, two rules, agents and a bound; with parts, where nothing saves less on what is unseen."""
    savings = {"no control": 0.0, "basic rule": -0.04, "self-consumption": 0.71}
    found = [Control(name=f"agents{suffix}", kind="agents", oracle=oracle, lowest=0.9, highest=0.94, **_share(0.93))]
    found += [
        Control(name=f"agents {k}{suffix}", kind="agents", **_share(0.9 - k / 100)) for k in range(2, n_agents + 1)
    ]
    found += [Control(name=name + suffix, kind="rule", **_share(saving)) for name, saving in savings.items()]
    return [*found, Control(name="perfect foresight" + suffix, kind="bound", oracle=True, **_share(1.0))]


def _share(saving: float) -> dict[str, Any]:
    ratio = 1 - 0.35 * saving
    parts = {part: Share(ratio + 0.01 * place, saving - 0.02 * place) for place, part in enumerate(PARTS)}
    return {"cost": 9000 * ratio, "whole": Share(ratio, saving), "parts": parts, "figures": {"peak, kW": 40 * ratio}}


def home_week(name: str = "Building_1", control: str = "agents", hours: int = 168, first_hour: int = 23) -> HomeWeek:
    at = np.arange(hours) + first_hour
    load = 0.8 + 0.5 * np.sin(2 * np.pi * (at - 12) / 24) ** 2
    pv = np.maximum(0, 2.5 * np.sin(2 * np.pi * (at - 6) / 24))
    days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] * (1 + hours // 168)
    return HomeWeek(
        home=name,
        control=control,
        days=days[: -(-(hours + first_hour) // 24)],
        first_hour=first_hour,
        load=load,
        pv=pv,
        net=load - 0.6 * pv,
        charge=3.2 * (1 + np.sin(2 * np.pi * (at - 10) / 24)),
        price=np.where((at % 24 >= 16) & (at % 24 < 21), 0.54, 0.22),
    )


def grid_hours(control: str = "agents", hours: int = 500, worst: float = 0.944) -> GridHours:
    rng = np.random.default_rng(0)
    lowest = 0.985 - 0.01 * rng.random(hours)
    lowest[0] = worst
    return GridHours(
        control=control,
        transformer=0.2 + 0.5 * rng.random(hours),
        lowest=lowest,
        highest=1 + 0.02 * rng.random(hours),
        line=0.4 * rng.random(hours),
    )


def street(n: int = 30, *, worst: float = 0.94, long_name: str = "") -> FeederMap:
    """A transformer with two streets of n homes, the last of which has the lowest voltage."""
    first, second = np.arange(1, n + 1), np.arange(n + 1, 2 * n + 1)
    parent = np.concatenate([[-1, 0], first[:-1], [0], second[:-1]])
    length = np.concatenate([[0.0], np.full(n, 40.0), np.full(n, 30.0)])
    fall = np.concatenate([[0.0], np.linspace(0, 1 - worst, n), np.linspace(0, 0.02, n)])
    low, high = 1 - fall, 1 + 0.4 * fall
    low[1] = high[1] = np.nan  # a joint without a home
    names = [f"{long_name}bus {k}" for k in range(len(parent))]
    return FeederMap(parent=parent, length=length, low=low, high=high, names=names)


BUDGETS = [
    BudgetRow("connections", 603.5, 610, allowed=2000, dense=5600),
    BudgetRow("RAM, bytes", 9000, 9400, allowed=96_000, dense=70_000),
    BudgetRow("bytes sent per day", 1000, 1200, allowed=1100),
    BudgetRow("energy per day, µJ", 0.01, 0.02),
]


def grid_report(**more: Any) -> GridReport:
    known: dict[str, Any] = {
        "title": "17 homes under TD3",
        "command": "trulysparse grid run --homes 17 --agents td3 --out r",
        "mode": "follow",
        "controls": controls(),
        "weeks": [home_week()],
        "hours": [grid_hours(), grid_hours("self-consumption", worst=0.96)],
        "feeders": {"agents": street()},
        "budgets": BUDGETS,
        "device": "m4",
        "learning": {
            "cost": [LearningCurve("es", [1, 2], [0.9, 0.8], "generations"), LearningCurve("td3", [24], [0.9])]
        },
        "facts": {"homes": "17", "tariff": "tou"},
        "notes": ["Home 12 has no heat pump."],
    }
    return GridReport(**{**known, **more})
