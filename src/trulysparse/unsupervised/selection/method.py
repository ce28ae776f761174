"""What a method of feature selection is."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.progress import Progress
from trulysparse.unsupervised.selection.data import SelectionData


class SelectionMethod(Protocol):
    """Scores features by training a sparse network: a frozen dataclass whose fields are its settings.

    Its defaults are those of its source. Settings that several methods have are called alike: hidden_layer_sizes,
    epsilon, epochs, batch_size, learning_rate, zeta, noise, accumulate; SparseFeatureSelector sets them by these names.
    `__post_init__` checks each, with InputError.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]
    """By which it is asked for."""
    needs_y: ClassVar[bool]
    """Whether it looks at targets; others must be given none."""

    def scores(
        self, data: SelectionData, *, n_keep: int, seed: int, threads: int, progress: Progress
    ) -> NDArray[np.float64]:
        """Trains and scores.

        Args:
            data: samples and, where needs_y, targets. Samples are standardised by `net.scaling = data.scaling`.
            n_keep: how many features are wanted, 1 to data.n_features.
            seed: of all that is random; the same seed gives the same bits, whatever `threads`.
            threads: at least 1.
            progress: called as progress('selecting', epochs that are over, epochs).

        Returns:
            (n_features,), higher is better, as `data.finished` makes them.

        Raises:
            DivergenceError: where training diverges.
        """
