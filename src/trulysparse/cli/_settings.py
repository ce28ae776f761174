"""What a training of the command line depends on: a recipe, the data, and what its run folder keeps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from trulysparse._core import checks
from trulysparse.data import as_matrix
from trulysparse.data.files import Table, lasting
from trulysparse.errors import InputError
from trulysparse.parallel.ray.sources import TrainingFile
from trulysparse.recipe import Recipe, option


class CommandRecipe(Recipe):
    """A recipe whose errors call options as the command line does."""

    def spelled(self, name: str, value: str | None = None) -> str:
        """See Recipe."""
        text = "--" + name.replace("_", "-")
        return text if value is None else f"{text} {value}"


@dataclass(frozen=True, kw_only=True)
class Settings(CommandRecipe):
    """All that a training depends on, as config.json keeps it."""

    data: str = field(
        metadata={"help": "digits, breast_cancer, madelon-like, or a .npz, .csv, .parquet or .libsvm file."}
    )
    target: str | None = option(None, "Label column of a table. Default: target, label, class or y, else the last.")
    header: bool | None = option(
        None, "Whether a .csv file's first line names the columns. Default: it must; one like a sample is refused."
    )
    zero_based: bool | None = option(
        None,
        "Where a .libsvm file begins to number features. Default: at 0 if there is a feature 0.",
        "--zero-based/--one-based",
    )
    test_size: float = option(0.2, "Share of samples held out where DATA has no test set.")
    stream: bool = option(False, "Read DATA block by block while training: sets larger than memory.")
    checkpoints: bool = option(
        True, "Whether each epoch's end is kept, from which `resume` goes on.", "--checkpoints/--no-checkpoints"
    )
    checkpoint_every: int = option(0, "Updates between further checkpoints within an epoch; 0: none.")
    keep_checkpoints: int = option(2, "How many checkpoints stay.")

    def training_file(self) -> TrainingFile:
        """The training samples, for workers that may run elsewhere."""
        path = lasting(self.data)
        return TrainingFile(path, self.target, self.test_size, self.seed, self.header, self.zero_based, self.stream)

    def check(self, given: Collection[str] = ()) -> None:
        """See Recipe."""
        super().check(given)
        checks.integer("--checkpoint-every", self.checkpoint_every, low=0)
        checks.integer("--keep-checkpoints", self.keep_checkpoints, low=1)
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
            *super()._needs(),
        ]

    def check_data(self, table: Table, given: Collection[str]) -> None:
        """InputError where an option that the user wrote has no effect on this data."""
        if "target" in given and table.target is None:
            raise InputError(f"--target: '{self.data}' has no columns to choose from; its labels are y")
        if "test_size" in given and table.X_test is not None:
            raise InputError(f"--test-size: '{self.data}' has a test set of its own")
        if "stream" in given and not as_matrix(table.X).streamed:
            raise InputError(f"--stream: '{self.data}' is in memory as a whole; it is for files and folders")
