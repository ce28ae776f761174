"""Where the samples of a training come from, as a value that can be kept in a file and sent to workers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from trulysparse.data.files import Table, fingerprint, lasting, read
from trulysparse.data.read_options import ReadOptions
from trulysparse.errors import InputError
from trulysparse.task.dataset import Dataset, make_dataset, make_fold, make_whole
from trulysparse.task.options import TaskOptions


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """Files, how they are read, and what is held out of them.

    Attributes:
        data: see data.files.read.
        test: the same for test samples in a file of their own, or None.
        reading: how files are read.
        options: how a table becomes a task.
        fold: (number from 0, how many) of a cross-validation; None: there is none.
        whole: whether all samples are trained on.

    Example:
        >>> X, y = DataSource(data="breast_cancer")()
        >>> X.shape, y.shape
        ((455, 30), (455,))
    """

    data: str
    test: str | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)
    options: TaskOptions = field(default_factory=TaskOptions)
    fold: tuple[int, int] | None = None
    whole: bool = False

    def lasting(self) -> DataSource:
        """The same source under names that are valid in any working directory."""
        return replace(self, data=lasting(self.data), test=None if self.test is None else lasting(self.test))

    def fingerprint(self) -> str:
        """Identifies the content of all files."""
        parts = [fingerprint(self.data), *([] if self.test is None else [fingerprint(self.test)])]
        return " ".join(parts)

    def table(self) -> Table:
        """The samples as the file holds them."""
        return read(self.data, self.reading)

    def test_table(self, table: Table) -> Table | None:
        """The test samples, with the columns of `table`."""
        if self.test is None:
            return None
        if table.X_test is not None:
            raise InputError(f"--test: '{self.data}' has a test set of its own")
        reading = replace(self.reading, target=table.target, group=None, time=None)
        width = None if table.features is not None else table.X.shape[1]
        try:
            return read(
                self.test,
                reading,
                features=table.features,
                n_features=width,
                columns=table.columns,
                layout=table.layout,
            )
        except InputError as error:
            said = str(error).removeprefix("DATA: ")
            raise InputError(f"--test: {said if self.test in said else f'{self.test!r}: {said}'}") from None

    def dataset(self, table: Table) -> Dataset:
        """What is trained on, and scored with."""
        if self.fold is not None:
            return make_fold(table, self.options, *self.fold)
        if self.whole:
            return make_whole(table, self.options)
        return make_dataset(table, self.options, test=self.test_table(table))

    def __call__(self) -> tuple[Any, Any]:
        """(X, y) of the training samples, for workers that read files themselves."""
        train = self.dataset(self.table()).train
        return train.X, train.y
