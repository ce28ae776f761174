"""QuickSelection: strength of the inputs of a sparse denoising autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.progress import Progress
from trulysparse.unsupervised.selection.data import SelectionData


@dataclass(frozen=True)
class QuickSelection:
    """In work."""

    name: ClassVar[str] = "quickselection"
    needs_y: ClassVar[bool] = False

    hidden_layer_sizes: int | Sequence[int] = 1000
    epsilon: float = 13.0
    epochs: int = 100

    def scores(
        self, data: SelectionData, *, n_keep: int, seed: int, threads: int, progress: Progress
    ) -> NDArray[np.float64]:
        """See SelectionMethod."""
        raise NotImplementedError
