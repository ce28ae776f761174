"""Predictions from a network's output values, the same for every form of the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.data import Matrix, Scaling, as_matrix
from trulysparse.errors import InputError


class Predictor(ABC):
    """What predicts: a number of inputs, an output activation, labels, and output values batch by batch."""

    layer_sizes: tuple[int, ...]
    output: str
    dtype: np.dtype[np.floating]
    scaling: Scaling | None
    labels: NDArray[Any] | None

    @abstractmethod
    def output_batches(
        self, X: Any, batch_size: int = 256, *, activated: bool = True
    ) -> Iterator[tuple[slice, Floats]]:
        """(samples, output values) batch by batch in order; the values are outputs x samples, a view that the
        next batch overwrites. activated: apply the output activation."""

    def matrix(self, X: Any, name: str = "X") -> Matrix:
        """X wrapped for reading, its number of features checked."""
        matrix = as_matrix(X, name)
        if matrix.n_features != self.layer_sizes[0]:
            raise InputError(
                f"{name} has {matrix.n_features} features, but the network has {self.layer_sizes[0]} inputs"
            )
        return matrix

    def _all_outputs(self, X: Any, batch_size: int, activated: bool) -> Floats:
        matrix = self.matrix(X)
        out = np.empty((matrix.n_samples, self.layer_sizes[-1]), self.dtype)
        for samples, values in self.output_batches(matrix, batch_size, activated=activated):
            out[samples] = values.T
        return out

    def decision_function(self, X: Any, *, batch_size: int = 256) -> Floats:
        """The output layer's values before its activation, (n_samples, n_outputs)."""
        return self._all_outputs(X, batch_size, activated=False)

    def predict_proba(self, X: Any, *, batch_size: int = 256) -> Floats:
        """Class probabilities (softmax) or label probabilities (sigmoid), (n_samples, n_outputs).

        X: (n_samples, n_inputs), NumPy, SciPy sparse, memory map or DataFrame.
        """
        if self.output == "identity":
            raise InputError("predict_proba needs output='softmax' or 'sigmoid'; this network has output='identity'")
        return self._all_outputs(X, batch_size, activated=True)

    def predict(self, X: Any, *, batch_size: int = 256) -> NDArray[Any]:
        """softmax: the most probable class of each sample (its label where the network has labels);
        sigmoid: (n_samples, n_outputs) of 0 and 1; identity: the outputs."""
        if self.output == "identity":
            return self._all_outputs(X, batch_size, activated=False)
        if self.output == "sigmoid":
            return (self._all_outputs(X, batch_size, activated=False) > 0).astype(np.int64)
        matrix = self.matrix(X)
        classes = np.empty(matrix.n_samples, np.int64)
        for samples, values in self.output_batches(matrix, batch_size, activated=False):
            classes[samples] = values.argmax(axis=0)
        return classes if self.labels is None else self.labels[classes]
