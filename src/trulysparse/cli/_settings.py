"""What a training depends on: the options of `train`, and which of them go together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trulysparse._core import checks
from trulysparse.data import as_matrix
from trulysparse.data.files import Table, lasting
from trulysparse.errors import InputError
from trulysparse.optim import SGD, Adam, Optimizer
from trulysparse.optim.schedules import CosineRate, LearningRate
from trulysparse.parallel import WASAP, WASSP
from trulysparse.parallel.ray.sources import TrainingFile


@dataclass(frozen=True)
class Settings:
    """All that a training depends on, as config.json keeps it; the options of `train` of the same names."""

    data: str
    target: str | None = None
    header: bool | None = None
    zero_based: bool | None = None
    test_size: float = 0.2
    scale: str = "standard"
    stream: bool = False
    hidden: tuple[int, ...] = (1000, 1000, 1000)
    epsilon: float = 20.0
    density: float | None = None
    connectivity: str = "erdos_renyi"
    activation: str = "all_relu"
    alpha: float | None = None
    init: str = "he_uniform"
    fan: str = "dense"
    balance: bool = True
    storage: str = "indexed"
    precision: str = "float32"
    on_disk: bool = False
    evolution: str = "set"
    zeta: float = 0.3
    importance_pruning: float = 0.0
    importance_start: int = 200
    importance_every: int = 10
    epochs: int = 50
    batch_size: int = 128
    micro_batch_size: int | None = None
    recompute: int = 1
    optimizer: str = "sgd"
    learning_rate: float = 0.01
    schedule: str = "constant"
    warmup: float = 0.0
    momentum: float = 0.9
    momentum_precision: str | None = None
    nesterov: bool = False
    weight_decay: float = 0.0
    weight_decay_mode: str | None = None
    dropout: float = 0.0
    patience: int | None = None
    seed: int = 0
    workers: int = 1
    parallel: str | None = None
    phase1_epochs: int | None = None
    backend: str = "threads"
    checkpoint_every: int = 0

    @property
    def weights(self) -> str | None:
        """The type of weights and activations where it is not the default."""
        return None if self.precision == "float32" else self.precision

    def make_optimizer(self) -> Optimizer:
        """The optimizer."""
        rate: LearningRate | float = self.learning_rate
        if checks.choice("--schedule", self.schedule, ("constant", "cosine")) == "cosine":
            rate = CosineRate(self.learning_rate, warmup=self.warmup)
        state = self.momentum_precision
        if checks.choice("--optimizer", self.optimizer, ("sgd", "adam")) == "adam":
            mode = self.weight_decay_mode or "decoupled"
            return Adam(rate, weight_decay=self.weight_decay, weight_decay_mode=mode, state=state)
        return SGD(rate, self.momentum, self.nesterov, self.weight_decay, self.weight_decay_mode or "l2", state)

    @property
    def is_parallel(self) -> bool:
        """Whether workers share the training."""
        return self.workers > 1 or self.parallel is not None

    def make_plan(self, address: str | None) -> WASAP | None:
        """How workers share the training, or None."""
        if not self.is_parallel:
            return None
        place = lasting(self.data)  # workers may run elsewhere
        source = TrainingFile(place, self.target, self.test_size, self.seed, self.header, self.zero_based, self.stream)
        kind = WASSP if self.parallel == "wassp" else WASAP
        data = source if self.backend == "ray" else None
        return kind(self.workers, self.phase1_epochs, backend=self.backend, address=address, data=data)

    def check(self, given: Collection[str] = (), *, report: bool = False) -> None:
        """InputError where options do not go together. given: the names of those that the user wrote, none of which is
        taken in vain."""
        for size in self.hidden:
            checks.integer("--hidden", size, low=1)
        checks.integer("--epochs", self.epochs, low=1)
        checks.integer("--seed", self.seed, low=0)
        checks.real("--zeta", self.zeta, low=0, high=1)
        checks.integer("--checkpoint-every", self.checkpoint_every, low=0)
        checks.integer("--workers", self.workers, low=1)
        checks.choice("--backend", self.backend, ("threads", "ray"))
        if self.parallel is not None:
            checks.choice("--parallel", self.parallel, ("wasap", "wassp"))
        if self.checkpoint_every or self.on_disk:
            why = "--on-disk" if self.on_disk else "--checkpoint-every"
            for option in self.keeps_no_state(report):
                what = "what it follows" if option == "--report" else "its state"
                raise InputError(f"{option} cannot be combined with {why}: {what} is not kept")
        if self.on_disk and self.storage != "compact":
            raise InputError("--on-disk needs --storage compact")
        if self.importance_pruning and self.storage == "compact":
            raise InputError("--importance-pruning needs --storage indexed: a compact network keeps its neurons")
        if self.importance_pruning and self.importance_start > self.epochs:
            raise InputError(
                f"--importance-pruning would begin after epoch {self.importance_start} only (--importance-start), but "
                f"--epochs is {self.epochs}"
            )
        for option, need, met in self._needs():
            if option in given and not met:
                raise InputError(f"--{option.replace('_', '-')} {need}")

    def keeps_no_state(self, report: bool) -> list[str]:
        """The options for which a training cannot be resumed."""
        options = {"--workers": self.is_parallel, "--patience": self.patience is not None, "--report": report}
        return [option for option, chosen in options.items() if chosen]

    def _needs(self) -> list[tuple[str, str, bool]]:
        """(option, what is to be said where it has no effect, whether it has one), of those that depend on others."""
        workers, sgd = "is for parallel training: give --workers too", self.optimizer == "sgd"
        pruning = bool(self.importance_pruning)
        sloped = self.activation in ("all_relu", "leaky_relu")
        return [
            ("backend", workers, self.is_parallel),
            ("address", workers, self.is_parallel),
            ("address", "needs --backend ray", self.backend == "ray"),
            ("phase1_epochs", workers, self.is_parallel),
            ("epsilon", "cannot be combined with --density, which takes its place", self.density is None),
            ("alpha", "needs an --activation with a slope: all_relu or leaky_relu", sloped),
            ("fan", "needs --init he_uniform or xavier_uniform", self.init != "normal"),
            ("zeta", "needs --evolution set", self.evolution == "set"),
            ("importance_start", "needs --importance-pruning above 0", pruning),
            ("importance_every", "needs --importance-pruning above 0", pruning),
            ("warmup", "needs --schedule cosine", self.schedule == "cosine"),
            ("momentum", "needs --optimizer sgd", sgd),
            ("nesterov", "needs --optimizer sgd", sgd),
            ("momentum_precision", "needs a --momentum above 0", not sgd or self.momentum > 0),
            ("weight_decay_mode", "needs --weight-decay above 0", self.weight_decay > 0),
        ]

    def check_data(self, table: Table, given: Collection[str]) -> None:
        """InputError where an option that the user wrote has no effect on this data."""
        if "target" in given and table.target is None:
            raise InputError(f"--target: '{self.data}' has no columns to choose from; its labels are y")
        if "test_size" in given and table.X_test is not None:
            raise InputError(f"--test-size: '{self.data}' has a test set of its own")
        if "stream" in given and not as_matrix(table.X).streamed:
            raise InputError(f"--stream: '{self.data}' is in memory as a whole; it is for files and folders")
