"""What of a call of `train` is no setting of the training, but needed to go on with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trulysparse._core import checks
from trulysparse._core.typed import checked_fields
from trulysparse.analysis import TopologyRecorder
from trulysparse.training import Callback, MLflowLogger, TensorBoardLogger

LOGS = ("tensorboard", "mlflow")
TENSORBOARD = "tensorboard"


@dataclass(frozen=True, kw_only=True)
class Calling:
    """How `train` was called, besides its settings.

    Attributes:
        report: whether report.html is written.
        topology: whether the topology is followed for it.
        log: names of LOGS with commas between, or None.
        address: of a running Ray cluster, or None.
        fold: of a cross-validation, that a checkpoint is of; the network of all samples is one more.
        member: of an ensemble, that a checkpoint is of.
    """

    report: bool = False
    topology: bool = False
    log: str | None = None
    address: str | None = None
    fold: int | None = None
    member: int = 0

    def check(self) -> None:
        """InputError where log names something else."""
        for name in self.logs:
            checks.choice("--log", name, LOGS)

    @property
    def logs(self) -> list[str]:
        """The names in `log`."""
        return [] if self.log is None else [name.strip() for name in self.log.split(",")]

    def make_callbacks(self, out: Path) -> list[Callback]:
        """What follows a training into the folder `out`."""
        callbacks: list[Callback] = [TopologyRecorder()] if self.topology else []
        if "tensorboard" in self.logs:
            callbacks.append(TensorBoardLogger(out / TENSORBOARD))
        if "mlflow" in self.logs:
            callbacks.append(MLflowLogger(run_name=str(out)))
        return callbacks

    def to_json(self) -> dict[str, Any]:
        """The attributes by name."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> Calling:
        """What `to_json` gave, or defaults; ValueError where a value is of another type."""
        return Calling(**checked_fields(Calling, {name: value for name, value in values.items() if value is not None}))
