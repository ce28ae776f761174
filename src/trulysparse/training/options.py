"""What a training depends on beside its network and its samples, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.evolution import Evolution
from trulysparse.nn.losses import AnyLoss
from trulysparse.optim import LayerRates, Optimizer
from trulysparse.optim.sgd import SGD

_NOT_FOR_PASSES = ("optimizer", "layer_rates", "evolution", "batch_size", "seed")


@dataclass(frozen=True)
class TrainingOptions:
    """The options of Trainer that every worker of a training needs too; their meaning is described there.

    A field that is added here is an argument of Trainer and an attribute of TrainingLoop, and reaches workers and their
    passes without further ado; see `for_passes`.

    Example:
        >>> import trulysparse as ts
        >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2)), batch_size=16)
        >>> trainer.options.batch_size
        16
    """

    optimizer: Optimizer = field(default_factory=SGD)
    layer_rates: LayerRates | str | None = None
    loss: AnyLoss | str | None = None
    evolution: Evolution | None = None
    batch_size: int = 128
    micro_batch_size: int | None = None
    recompute: int = 1
    max_gradient_norm: float | None = None
    dropout: float = 0.0
    input_noise: float = 0.0
    input_dropout: float = 0.0
    input_masking: float = 0.0
    input_swap: float = 0.0
    redraw_input_noise: bool = True
    augmentation: ImageAugmentation | None = None
    seed: int = 0

    def as_arguments(self) -> dict[str, Any]:
        """All of them, as keyword arguments of Trainer."""
        return {each.name: getattr(self, each.name) for each in fields(TrainingOptions)}

    def for_passes(self) -> dict[str, Any]:
        """Those that forward and backward passes depend on, as keyword arguments of BatchPasses."""
        return {name: value for name, value in self.as_arguments().items() if name not in _NOT_FOR_PASSES}


def auto_batch_size(n_samples: int) -> int:
    """An eighth of the samples, at least 32 and at most 128: few samples make several updates per epoch too.

    Args:
        n_samples: there are.
    """
    return min(TrainingOptions.batch_size, max(32, n_samples // 8))
