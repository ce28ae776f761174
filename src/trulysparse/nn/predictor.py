"""Predictions from a network's output values, the same for every form of the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats, store_samples
from trulysparse.data import Matrix, Scaling, as_matrix
from trulysparse.data.target_scaling import in_unit
from trulysparse.errors import InputError
from trulysparse.preprocessing import is_frame

if TYPE_CHECKING:
    from trulysparse.preprocessing import TablePreprocessor


class Predictor(ABC):
    """What predicts: a number of inputs, an output activation, labels, and output values batch by batch."""

    layer_sizes: tuple[int, ...]
    output: str
    dtype: np.dtype[np.floating]
    scaling: Scaling | None
    labels: NDArray[Any] | None
    preprocessor: TablePreprocessor | None
    target_scaling: Scaling | None
    _feature_names: tuple[str, ...] | None = None

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the inputs: those of the preprocessor's outputs where there is one, else those that were set, or
        None."""
        if self.preprocessor is not None:
            return tuple(self.preprocessor.get_feature_names_out())
        return self._feature_names

    @feature_names.setter
    def feature_names(self, names: Sequence[str] | None) -> None:
        if names is None:
            self._feature_names = None
            return
        given = tuple(str(name) for name in checks.listed("feature_names", names, "names"))
        if len(given) != self.layer_sizes[0]:
            raise InputError(f"feature_names must have {self.layer_sizes[0]} names, one per input, not {len(given)}")
        self._feature_names = given

    @abstractmethod
    def output_batches(
        self, X: Any, batch_size: int = 256, *, activated: bool = True
    ) -> Iterator[tuple[slice, Floats]]:
        """Output values, batch by batch in order.

        Args:
            X: (n_samples, n_inputs), see `predict`.
            batch_size: samples at a time, at least 1; fewer where a network is very wide.
            activated: apply the output activation.

        Yields:
            (samples, values): a slice, and (n_outputs, n) values, a view that the next batch overwrites.

        Raises:
            InputError: where X is unusable.
        """

    def matrix(self, X: Any, name: str = "X") -> Matrix:
        """Wraps X for reading.

        Args:
            X: see `predict`. A DataFrame goes through the network's preprocessor where it has one; whatever else is
                taken to have gone through it already.
            name: how an error is to call it.

        Returns:
            A Matrix.

        Raises:
            InputError: where X is unusable or has not as many features as the network has inputs.
        """
        if self.preprocessor is not None and is_frame(X):
            X = self.preprocessor.encode(X, name)
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
            store_samples(values, out[samples])
        return out

    def decision_function(self, X: Any, *, batch_size: int = 256) -> Floats:
        """The output layer's values before its activation; with a target_scaling, in standard units.

        Args:
            X: (n_samples, n_inputs): NumPy of any numeric type, SciPy sparse, memory map or DataFrame.
            batch_size: samples at a time, at least 1.

        Returns:
            (n_samples, n_outputs) of the network's type.

        Raises:
            InputError: where X is unusable.

        Example:
            >>> import numpy as np, trulysparse as ts
            >>> net = ts.SparseMLP.from_matrices([np.eye(2)], output="softmax")
            >>> net.decision_function(np.array([[1.0, 3.0]])).tolist()
            [[1.0, 3.0]]
        """
        return self._all_outputs(X, batch_size, activated=False)

    def predict_proba(self, X: Any, *, batch_size: int = 256) -> Floats:
        """Probabilities of classes (output='softmax') or of labels (output='sigmoid').

        Args:
            X: (n_samples, n_inputs): NumPy of any numeric type, SciPy sparse, memory map or DataFrame.
            batch_size: samples at a time, at least 1.

        Returns:
            (n_samples, n_outputs) of the network's type.

        Raises:
            InputError: where X is unusable, or of a network with output='identity'.

        Example:
            >>> import numpy as np, trulysparse as ts
            >>> net = ts.SparseMLP.from_matrices([np.eye(2)], output="sigmoid")
            >>> net.predict_proba(np.array([[0.0, 100.0]])).tolist()
            [[0.5, 1.0]]
        """
        if self.output == "identity":
            raise InputError("predict_proba needs output='softmax' or 'sigmoid'; this network has output='identity'")
        return self._all_outputs(X, batch_size, activated=True)

    def predict(self, X: Any, *, batch_size: int = 256) -> NDArray[Any]:
        """What the network says of each sample.

        Args:
            X: (n_samples, n_inputs): NumPy of any numeric type, SciPy sparse, memory map or DataFrame.
            batch_size: samples at a time, at least 1.

        Returns:
            Of output='softmax', (n_samples,) classes, as labels where the network has labels; of 'sigmoid',
            (n_samples, n_outputs) of 0 and 1; of 'identity', (n_samples, n_outputs) values of the network's type. Where
            it has a target_scaling, (n_samples, n_outputs) float64 in the unit of the targets.

        Raises:
            InputError: where X is unusable.

        Example:
            >>> import numpy as np, trulysparse as ts
            >>> net = ts.SparseMLP.from_matrices([np.eye(2)], output="softmax")
            >>> net.predict(np.array([[1.0, 3.0], [2.0, 0.0]])).tolist()
            [1, 0]
        """
        if self.target_scaling is not None:
            return in_unit(self._all_outputs(X, batch_size, activated=True), self.target_scaling)
        if self.output == "identity":
            return self._all_outputs(X, batch_size, activated=False)
        if self.output == "sigmoid":
            return (self._all_outputs(X, batch_size, activated=False) > 0).astype(np.int64)
        matrix = self.matrix(X)
        classes = np.empty(matrix.n_samples, np.int64)
        for samples, values in self.output_batches(matrix, batch_size, activated=False):
            classes[samples] = values.argmax(axis=0)
        return classes if self.labels is None else self.labels[classes]
