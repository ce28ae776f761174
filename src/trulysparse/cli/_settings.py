"""What a training of the command line depends on: a recipe, the data, and what its run folder keeps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields

from trulysparse._core import checks
from trulysparse.data import as_matrix
from trulysparse.data.read_options import ReadOptions
from trulysparse.data.table import Table
from trulysparse.errors import InputError
from trulysparse.recipe import DataSize, Recipe, option
from trulysparse.task.options import TaskOptions
from trulysparse.task.source import DataSource
from trulysparse.task.task import KINDS


class CommandRecipe(Recipe):
    """A recipe whose errors call options as the command line does."""

    def spelled(self, name: str, value: str | None = None) -> str:
        """See Recipe."""
        text = "--" + name.replace("_", "-")
        return text if value is None else f"{text} {value}"


@dataclass(frozen=True, kw_only=True)
class Settings(CommandRecipe):
    """All that a training depends on, as config.json keeps it."""

    data: str = field(metadata={"help": "digits, breast_cancer, madelon-like, openml:NAME, a file or a folder."})
    target: str | None = option(
        None, "Column to predict, or several with commas between. Default: target, label, class or y, else the last."
    )
    task: str = option(
        "auto",
        f"{', '.join(KINDS)}: what the target is.",
    )
    test: str | None = option(None, "Test samples in a file of their own, with the columns of DATA.")
    test_size: float = option(0.2, "Share of samples held out where DATA has no test set.")
    validation_fraction: float | None = option(
        None, "Share of the training samples held out and scored after each epoch. Default: the test set is."
    )
    cv: int | None = option(
        None, "Cross-validation: folds that are trained and scored one by one before a network of all samples."
    )
    group: str | None = option(None, "Column of groups that stay together when samples are held out.")
    time: str | None = option(None, "Column of times: the last samples are held out.")
    ignore: str | None = option(None, "Columns to leave out, with commas between.")
    missing: str = option("impute", "impute (with a column that says where) or refuse: gaps in features.")
    max_categories: int = option(
        TaskOptions.max_categories, "Inputs per column of text, less frequent values share one more; 0: no limit."
    )
    header: bool | None = option(
        None, "Whether a .csv file's first line names the columns. Default: it must; one like a sample is refused."
    )
    separator: str | None = option(None, "Between the fields of a .csv file. Default: as detected.")
    encoding: str | None = option(None, "Of a .csv file. Default: as detected.")
    zero_based: bool | None = option(
        None,
        "Where a .libsvm file begins to number features. Default: at 0 if there is a feature 0.",
        "--zero-based/--one-based",
    )
    stream: bool = option(False, "Read DATA block by block while training: sets larger than memory.")
    checkpoints: bool = option(
        True, "Whether each epoch's end is kept, from which `resume` goes on.", "--checkpoints/--no-checkpoints"
    )
    checkpoint_every: int = option(0, "Updates between further checkpoints within an epoch; 0: none.")
    keep_checkpoints: int = option(2, "How many checkpoints stay.")

    @property
    def monitor(self) -> str:
        """See Recipe."""
        return "loss" if self.validation_fraction is None else "val_loss"

    def source(self, fold: int | None = None) -> DataSource:
        """Where the samples come from. fold: of a cross-validation; that of number `cv` trains on all samples."""
        reading = ReadOptions(**{each.name: getattr(self, each.name) for each in fields(ReadOptions)})
        options = TaskOptions(**{each.name: getattr(self, each.name) for each in fields(TaskOptions)})
        number = None if fold is None or self.cv is None or fold == self.cv else (fold, self.cv)
        whole = self.cv is not None and fold == self.cv
        return DataSource(data=self.data, test=self.test, reading=reading, options=options, fold=number, whole=whole)

    def check(self, given: Collection[str] = ()) -> None:
        """See Recipe."""
        super().check(given)
        self.source().options.check()
        checks.integer("--checkpoint-every", self.checkpoint_every, low=0)
        checks.integer("--keep-checkpoints", self.keep_checkpoints, low=1)
        if self.cv is not None:
            checks.integer("--cv", self.cv, low=2)
            if self.on_disk:
                raise InputError("--cv cannot be combined with --on-disk, whose layers are of one network")
            if self.test is not None:
                raise InputError("--cv cannot be combined with --test: folds are held out of DATA")
        if self.on_disk and not self.checkpoints:
            raise InputError("--no-checkpoints cannot be combined with --on-disk: the layers' files are the checkpoint")

    def _needs(self) -> list[tuple[str, str, bool]]:
        checkpoints = "cannot be combined with --no-checkpoints", self.checkpoints
        return [
            ("checkpoint_every", *checkpoints),
            ("checkpoint_every", "is for one process: workers keep the ends of epochs", not self.is_parallel),
            ("keep_checkpoints", *checkpoints),
            ("keep_checkpoints", "cannot be combined with --on-disk, whose layers have one state", not self.on_disk),
            ("address", "is for parallel training: give --workers too", self.is_parallel),
            ("address", "needs --backend ray", self.backend == "ray"),
            ("test_size", "cannot be combined with --test, which holds the test samples", self.test is None),
            ("test_size", "cannot be combined with --cv, whose folds are held out", self.cv is None),
            *super()._needs(),
        ]

    def for_task(self, kind: str, given: Collection[str], n_samples: int, n_features: int) -> Settings:
        """These settings with a value for each option that depends on the data; see recipe.defaults.

        Args:
            kind: of the task.
            given: names of the options that the user wrote.
            n_samples: in DATA, those held out included, so that it is the same for all folds.
            n_features: inputs of the network.
        """
        settings = self.resolved(DataSize(n_samples, n_features, kind), given)
        settings.check(given)
        return settings

    def check_data(self, table: Table, given: Collection[str]) -> None:
        """InputError where an option that the user wrote has no effect on this data."""
        if "target" in given and table.target is None:
            raise InputError(f"--target: '{self.data}' has no columns to choose from; its labels are y")
        for name in ("test_size", "group", "time"):
            if name in given and table.X_test is not None and self.validation_fraction is None:
                raise InputError(f"{self.spelled(name)}: '{self.data}' has a test set of its own")
        if self.cv is not None and table.X_test is not None:
            raise InputError(f"--cv: '{self.data}' has a test set of its own")
        for name in ("ignore", "missing", "max_categories"):
            if name in given and self.stream and table.features is not None:
                raise InputError(
                    f"{self.spelled(name)} cannot be combined with --stream, which takes columns as they are"
                )
            if name in given and not hasattr(table.X, "iloc"):
                raise InputError(f"{self.spelled(name)}: '{self.data}' has no named columns; it is for tables")
        if "stream" in given and not as_matrix(table.X).streamed:
            raise InputError(f"--stream: '{self.data}' is in memory as a whole; it is for files and folders")
