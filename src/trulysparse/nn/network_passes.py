"""What a network computes: predictions in tiles, hidden activations, recorded passes, updates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats, widened
from trulysparse.data import Matrix
from trulysparse.nn import activations
from trulysparse.nn.activations_buffer import InferenceWorkspace, TrainingWorkspace, largest_batch
from trulysparse.nn.columns import Columns, lay_out
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.layers.storage import StorageConfig, activation_types
from trulysparse.nn.passes import tile_columns
from trulysparse.nn.predictor import Predictor
from trulysparse.nn.sinks import Update
from trulysparse.nn.tape import Tape
from trulysparse.nn.tape_memory import TapePool
from trulysparse.nn.tape_passes import check_gradients, rounding_key
from trulysparse.nn.tapes import record
from trulysparse.nn.tile_pass import TilePass
from trulysparse.optim import OptimizerState


class NetworkPasses(Predictor):
    """The passes of a Network through its layers."""

    layers: list[Any]
    skip: bool
    storage_config: StorageConfig
    seed: int
    threads: int
    tape_pool: TapePool
    n_updates: int

    @property
    @abstractmethod
    def chain(self) -> list[Any]:
        """The layers of which each is the input of the next."""

    @property
    @abstractmethod
    def skip_layer(self) -> Any:
        """The layer from the inputs to the outputs, or None."""

    @abstractmethod
    def check_layers(self) -> None:
        """InputError where the layers do not fit together."""

    def activation_types(self) -> list[np.dtype[Any]]:
        """How the values of each layer are held, the input first: input and output in the network's type."""
        return activation_types(self.storage_config, len(self.layer_sizes))

    def workspace(self, every: int = 1) -> TrainingWorkspace:
        """Memory for the activations of a batch from the forward to the backward pass; every: see TrainingWorkspace."""
        kinds = [layer.activation for layer in self.chain]
        tiled = self.storage_config.tiled
        return TrainingWorkspace(self.layer_sizes, kinds, self.activation_types(), every=every, tiled=tiled)

    def matrix(self, X: Any, name: str = "X") -> Matrix:
        self.check_layers()
        return super().matrix(X, name)

    def forward(
        self,
        X: Any,
        *,
        training: bool = False,
        dropout: float = 0.0,
        key: int = 0,
        activated: bool = False,
        threads: int | None = None,
    ) -> Tape:
        """A forward pass that is recorded, for losses and updates of one's own.

        Args:
            X: (n_samples, n_inputs): see `predict`; or Columns, samples that are laid out already (see `lay_out`).
            training: whether dropout acts.
            dropout: share of hidden activations dropped, in [0, 1).
            key: of the random streams of dropout, 0 to 2^64 - 1: the same key drops the same.
            activated: whether the output activation is applied.
            threads: at least 1; None: the network's.

        Returns:
            The tape: its `output` and `hidden` values, and the backward pass from any gradient at the output.

        Raises:
            InputError: where X is unusable, or an argument is out of range.

        Example:
            The gradient of the loss in any output, here their mean, at the input:

            >>> import numpy as np, trulysparse as ts
            >>> net = ts.SparseMLP.from_matrices([[[1.0, 2.0]], [[3.0]]], activation="relu", output="identity")
            >>> tape = net.forward(np.ones((2, 2)))
            >>> tape.output.tolist(), tape.hidden[0].tolist()
            ([[9.0], [9.0]], [[3.0], [3.0]])
            >>> tape.backward(np.full((2, 1), 0.5), input_gradient=True).tolist()
            [[1.5, 3.0], [1.5, 3.0]]
        """
        return record([self], X, training=training, dropout=dropout, keys=[key], activated=activated, threads=threads)[
            0
        ]

    def lay_out(self, X: Any) -> Columns:
        """Samples as the kernels take them, scaled by the network's scaling, for several forward passes.

        Args:
            X: (n_samples, n_inputs), see `predict`.

        Returns:
            Columns, which `forward` takes in place of X.

        Raises:
            InputError: where X is unusable.
        """
        return lay_out(self, X, self.threads)

    def update(
        self,
        gradients: Sequence[ParameterGradient],
        optimizer_state: Sequence[OptimizerState],
        rule: Any,
        *,
        factor: float = 1.0,
        key: int | None = None,
    ) -> None:
        """Updates parameters by gradients that are known.

        Args:
            gradients: of each layer, as `Tape.gradients` gives them in `parameters`; they may be overwritten.
            optimizer_state: of each layer; updated too.
            rule: what the optimizer's `rule` returned for this update.
            factor: what the gradients are multiplied by, say to clip them.
            key: of stochastic rounding, see Tape.backward.

        Raises:
            InputError: where the gradients do not fit the layers.

        Example:
            Gradients of two batches, added up, and clipped by their norm:

            >>> import numpy as np, trulysparse as ts
            >>> from trulysparse.optim import clip_factor, global_norm
            >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, output="identity", seed=0)
            >>> optimizer = ts.Adam(0.01)
            >>> state = [layer.new_state(optimizer) for layer in net.layers]
            >>> X = np.random.default_rng(0).standard_normal((2, 16, 4))
            >>> gradients = net.forward(X[0]).gradients(np.ones((16, 2))).parameters
            >>> gradients = net.forward(X[1]).gradients(np.ones((16, 2)), into=gradients, add=True).parameters
            >>> factor = clip_factor(global_norm(gradients, threads=1), max_norm=1.0)
            >>> net.update(gradients, state, optimizer.rule(0, 0.0, None), factor=factor)
        """
        check_gradients(self, gradients, "gradients")
        sink = Update(optimizer_state, rule, rounding_key(self, key))
        sink.apply(self.layers, gradients, self.threads, factor)

    def output_batches(
        self, X: Any, batch_size: int = 256, *, activated: bool = True
    ) -> Iterator[tuple[slice, Floats]]:
        matrix = self.matrix(X)
        size = min(checks.integer("batch_size", batch_size, low=1), matrix.n_samples, tile_columns(self.layer_sizes))
        size = largest_batch(self.layer_sizes, self.activation_types(), size)
        # Memory of this call's own: the kernels release the interpreter lock, and threads may predict side by side.
        work = InferenceWorkspace(self.layer_sizes, self.activation_types(), size, keeps_input=self.skip)
        signals = [work.activations(0, activations.IDENTITY)]
        signals += [work.activations(number, layer.activation) for number, layer in enumerate(self.chain, start=1)]
        tile = TilePass(self, signals)
        for samples in self._tiles(matrix, size, tile):
            z = signals[-1].values
            if activated:
                self.activate_output(z, self.threads)
            yield samples, z[:, : samples.stop - samples.start]

    def hidden_batches(self, X: Any, batch_size: int = 256) -> Iterator[tuple[slice, list[Floats]]]:
        """The activations of the hidden layers, batch by batch in order, without dropout.

        Args:
            X: (n_samples, n_inputs), see `predict`.
            batch_size: samples at a time, at least 1; fewer where a network is wide.

        Yields:
            (samples, activations of each hidden layer). Activations are (n_neurons, stride), whose first columns are
            the samples; views that the next batch overwrites.

        Example:
            >>> import numpy as np, trulysparse as ts
            >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
            >>> [(samples, hidden[0].shape[0]) for samples, hidden in net.hidden_batches(np.ones((5, 4)), 3)]
            [(slice(0, 3, None), 8), (slice(3, 5, None), 8)]
        """
        matrix = self.matrix(X)
        size = min(checks.integer("batch_size", batch_size, low=1), matrix.n_samples, tile_columns(self.layer_sizes))
        tile = TilePass(self, self.workspace().signals(size, 1.0))
        for samples in self._tiles(matrix, size, tile):
            yield samples, [widened(signal.values) for signal in tile.signals[1:-1]]

    def _tiles(self, matrix: Matrix, size: int, tile: TilePass) -> Iterator[slice]:
        """Takes all samples in order through the layers, `size` at a time; yields which have come through."""
        x = tile.signals[0].values
        with matrix.reader(np.arange(matrix.n_samples)) as reader:
            for start in range(0, matrix.n_samples, size):
                stop = min(matrix.n_samples, start + size)
                reader.load(np.arange(start, stop), x, self.scaling, self.threads)
                tile.forward(0, self.threads)
                yield slice(start, stop)

    def activate_output(self, z: Floats, threads: int) -> None:
        """Applies the output activation to values of the output layer, (n_outputs, columns), in place."""
        if self.output == "softmax":
            _kernels.softmax(z, threads)
        elif self.output == "sigmoid":
            _kernels.sigmoid(z, threads)
