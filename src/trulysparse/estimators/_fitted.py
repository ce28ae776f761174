"""What users of scikit-learn look for in a fitted network: curves, weights, importances, a picture."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from trulysparse.nn.mlp import SparseMLP
from trulysparse.preprocessing import TablePreprocessor
from trulysparse.pruning.strength import input_strength
from trulysparse.training import History

_ACTIVATIONS = {"softmax": "softmax", "sigmoid": "logistic", "identity": "identity"}


class FittedAttributes:
    """Attributes that follow from the network and its history."""

    network_: SparseMLP
    history_: History
    preprocessor_: TablePreprocessor | None
    classes_: NDArray[Any]
    multilabel_: bool
    early_stopping: bool
    _flat: bool
    _monitor: ClassVar[str]

    @property
    def loss_curve_(self) -> list[float]:
        """The mean loss of each epoch."""
        return self._history()["loss"]

    @property
    def best_loss_(self) -> float:
        """The least of loss_curve_."""
        return min(self.loss_curve_)

    @property
    def validation_scores_(self) -> list[float] | None:
        """The score of the samples held out, by epoch; None without early stopping."""
        records = self._history().records
        return [record[self._monitor] for record in records] if self._monitor in records[-1] else None

    @property
    def best_validation_score_(self) -> float | None:
        """The best of validation_scores_."""
        scores = self.validation_scores_
        return None if scores is None else max(scores)

    @property
    def n_layers_(self) -> int:
        """Layers, input and output counted."""
        return len(self._net().layer_sizes)

    @property
    def n_outputs_(self) -> int:
        """Outputs: classes, labels or targets."""
        return self._net().layer_sizes[-1]

    @property
    def out_activation_(self) -> str:
        """The output activation by scikit-learn's name: 'softmax', 'logistic' or 'identity'."""
        return _ACTIVATIONS[self._net().output]

    @property
    def coefs_(self) -> list[sp.csc_array]:
        """The weights of each layer, (n_in, n_out), sparse."""
        return [layer.weight.T for layer in self._net().chain]

    @property
    def skip_coef_(self) -> sp.csc_array | None:
        """The weights of the skip layer, (n_inputs, n_outputs), sparse; None without one."""
        layer = self._net().skip_layer
        return None if layer is None else layer.weight.T

    @property
    def intercepts_(self) -> list[NDArray[np.floating]]:
        """The biases of each layer, (n_out,)."""
        return [layer.bias.copy() for layer in self._net().chain]

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """How much the network uses each column of X, (n_features_in_,), adding up to 1.

        That is the strength of its inputs, the sum of their |outgoing weights|; of several inputs made of one column,
        the sum of theirs. Strengths can be compared where features have one scale, so with scale='standard' or
        'minmax'; a constant feature has none. Source: Atashgahi et al., "Quick and robust feature selection: the
        strength of energy-efficient sparse training for autoencoders", Machine Learning 111 (2022), equation 2.
        """
        net = self._net()
        strength = input_strength(net)
        if net.scaling is not None:
            strength[net.scaling.factor == 0] = 0
        if self.preprocessor_ is not None:
            columns = self.preprocessor_.n_features_in_
            strength = np.bincount(self.preprocessor_.sources_, strength, columns).astype(np.float64)
        return strength / max(float(strength.sum()), 1e-300)

    def _repr_html_inner(self) -> str:
        """scikit-learn's diagram and, once fitted, a drawing of the network."""
        diagram: str = estimator_html_repr(self)
        if not hasattr(self, "network_"):
            return diagram
        from trulysparse.report.network_diagram import network_diagram

        return f"{diagram}<div>{network_diagram(self.network_, standalone=True)}</div>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        """As scikit-learn's, with the drawing."""
        bundle = {"text/plain": repr(self)}
        if get_config()["display"] == "diagram":
            bundle["text/html"] = self._repr_html_inner()
        return bundle

    def _net(self) -> SparseMLP:
        check_is_fitted(self, "network_")
        return self.network_

    def _history(self) -> History:
        check_is_fitted(self, "history_")
        return self.history_
