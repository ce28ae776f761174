"""A model on the base of the three public ones, small enough to see through: random features of one sparse layer."""

from __future__ import annotations

from typing import Any

import numpy as np

import trulysparse as ts
from trulysparse.data.scaling_figures import ScalingFigures
from trulysparse.io import kept_models
from trulysparse.unsupervised._base import UnsupervisedTransformer


class TinyModel(UnsupervisedTransformer):
    """transform gives the outputs of an untrained layer, whose biases are minus the mean of them in fit."""

    _fitted_by = "network_"

    def __init__(
        self,
        size=3,
        *,
        activation="identity",
        evolution=None,
        n_jobs=None,
        random_state=None,
        verbose=False,
        progress=None,
    ):
        self.size = size
        self.activation = activation
        self.evolution = evolution
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> TinyModel:
        matrix = self._samples(X, reset=True)
        net = ts.SparseMLP(
            (matrix.n_features, 4, self.size),
            density=0.8,
            activation=self.activation,
            output="identity",
            dtype="float64",
            seed=self._seed(),
            threads=self._threads(),
        )
        net.scaling = self._scaling(ScalingFigures("standard", matrix.n_features), matrix)
        with self._reporting() as tell:
            tell("measuring", 0, 1)
            self.offset_ = net.predict(matrix).reshape(-1, self.size).mean(axis=0)
            tell("measuring", 1, 1)
        self.network_ = net
        return self

    def transform(self, X: Any) -> np.ndarray:
        matrix = self._samples(X, reset=False)
        return self.network_.predict(matrix).reshape(-1, self.size) - self.offset_

    @property
    def _n_features_out(self) -> int:
        return int(self.size)

    def _saved(self):
        return {"network": self.network_}, {"offset": self.offset_}, {"words": ["a"]}

    def _restore(self, networks, arrays, config):
        if config != {"words": ["a"]} or arrays["offset"].shape != (self.size,):
            raise ts.InputError("offset must have one value for each output")
        self.network_, self.offset_ = networks["network"], arrays["offset"]


kept_models.register("TinyModel", lambda: TinyModel)
