"""How a table becomes a task: what is predicted, what is held out, how columns become numbers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trulysparse._core import checks
from trulysparse.preprocessing import TablePreprocessor
from trulysparse.task.task import KINDS

MISSING = ("impute", "refuse")


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """How a table becomes a task.

    Attributes:
        task: what targets are; see make_task.
        test_size: share of samples held out where the data has no test set, in (0, 1).
        validation_fraction: share of the other samples held out to be scored after each epoch, in (0, 1), or None.
        ignore: names of columns to leave out, joined by commas, or None.
        missing: 'impute' or 'refuse' gaps; see TablePreprocessor.
        max_categories: see TablePreprocessor; 0: no limit.
        seed: of the splits.

    Raises:
        InputError: from `check`, where a value is out of range.
    """

    task: str = "auto"
    test_size: float = 0.2
    validation_fraction: float | None = None
    ignore: str | None = None
    missing: str = "impute"
    max_categories: int = 1000
    seed: int = 0

    def check(self) -> None:
        """Refuses values out of range."""
        checks.choice("--task", self.task, KINDS)
        checks.choice("--missing", self.missing, MISSING)
        checks.integer("--max-categories", self.max_categories, low=0)

    def ignored(self, columns: Collection[str]) -> list[str]:
        """The columns that `ignore` names. columns: those there are; a name that holds a comma wins as it stands."""
        if self.ignore is None:
            return []
        return [self.ignore] if self.ignore in columns else [name.strip() for name in self.ignore.split(",")]

    def preprocessor(self) -> TablePreprocessor:
        """What makes numbers of columns."""
        return TablePreprocessor(missing=self.missing, max_categories=self.max_categories or None)
