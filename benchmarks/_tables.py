"""The tables of tabular.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.model_selection import train_test_split


class Task(NamedTuple):
    """A table and its target."""

    X: Any
    y: np.ndarray
    regression: bool = False

    def take(self, rows: np.ndarray) -> tuple[Any, np.ndarray]:
        return (self.X.iloc[rows] if self.mixed else self.X[rows]), self.y[rows]

    @property
    def mixed(self) -> bool:
        return isinstance(self.X, pd.DataFrame)

    def split(self, seed: int) -> tuple[np.ndarray, ...]:
        """Rows for training, validation and testing: 60, 20 and 20 %, with equal shares of the classes."""

        def part(rows: np.ndarray, share: float) -> list[np.ndarray]:
            strata = None if self.regression else self.y[rows]
            return train_test_split(rows, test_size=share, random_state=seed, stratify=strata)

        rest, test = part(np.arange(len(self.y)), 0.2)
        return (*part(rest, 0.25), test)


def bank(rows: int = 3000) -> Task:
    """A made-up table as a bank has them, numbers and categories with gaps: whether a loan is repaid."""
    rng = np.random.default_rng(0)
    jobs = np.array(["clerk", "farmer", "nurse", "retired", "student", "teacher"])
    job, town, owner = rng.integers(len(jobs), size=rows), rng.integers(60, size=rows), rng.random(rows) < 0.4
    age, income, debt = rng.integers(18, 80, rows), rng.lognormal(7.5, 0.5, rows), rng.lognormal(8, 1, rows)
    by_job, by_town = rng.normal(size=len(jobs)), rng.normal(size=60)
    logit = 1.5 - debt / income / 2 + by_job[job] + by_town[town] + np.where(owner, age - 45, 20) / 25
    y = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
    table = pd.DataFrame({"age": age, "income": income, "debt": debt, "owner": owner, "job": jobs[job]})
    table["town"] = [f"town {number}" for number in town]
    table.loc[rng.random(rows) < 0.1, "income"] = np.nan
    table.loc[rng.random(rows) < 0.05, "job"] = None
    return Task(table, y)


def tables(folder: Path | None) -> dict[str, Task]:
    """By name; those in files only where a folder is given."""
    found = {}
    for load in (load_breast_cancer, load_digits, load_diabetes):
        X, y = load(return_X_y=True)
        found[load.__name__.removeprefix("load_")] = Task(X.astype(np.float32), y, load is load_diabetes)
    for name in ("madelon", "arcene") if folder else ():
        with np.load(folder / f"{name}.npz") as file:
            found[name] = Task(file["X"].astype(np.float32), file["y"])
    return {**found, "bank": bank()}
