"""The passes of a batch through a network: whole, or in tiles whose gradients are added up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key
from trulysparse._kernels import UpdateRule
from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.data.matrix import as_matrix
from trulysparse.data.sample_weights import sample_weights
from trulysparse.data.targets import ValueReader
from trulysparse.errors import DivergenceError, InputError
from trulysparse.nn import losses
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.layers.tied import join_ends
from trulysparse.nn.losses import AnyLoss, Loss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.passes import tile_columns
from trulysparse.nn.sinks import Gradients, Sink, Update
from trulysparse.nn.tile_pass import TilePass
from trulysparse.optim import OptimizerState
from trulysparse.optim.clipping import clip_factor, global_norm
from trulysparse.optim.rules import AnyRule, all_fused
from trulysparse.training.batch import Batch, checked_targets
from trulysparse.training.corruption import Corruption


def checked_batch(net: SparseMLP, loss: Loss, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Batch:
    """All the samples that a user gives as one batch, checked.

    Raises:
        InputError: where they do not fit the network, the loss or each other.
    """
    matrix = as_matrix(X) if net.preprocessor is None and net.target_scaling is None else net.matrix(X)
    if matrix.n_features != net.layer_sizes[0]:
        net.matrix(X)  # has the words for it
    if y is X or net.target_scaling is not None:
        targets = checked_targets(net, loss, matrix, X, y)
    else:  # what checked_targets does then
        targets = loss.check_targets(y, net.layer_sizes[-1], net.dtype)
    if len(targets) != matrix.n_samples:
        raise InputError(f"X has {matrix.n_samples} samples, but y has {len(targets)}")
    weight = None if sample_weight is None else sample_weights(sample_weight, matrix.n_samples)
    loaded = targets if isinstance(targets, np.ndarray) else targets.reader()
    return Batch(matrix, np.arange(matrix.n_samples), loaded, weight)


_MEMORY = ("_work", "_tiles", "_shares", "_sums")


class BatchPasses:
    """Passes of batches through `net`, with memory for the activations of one tile. Several may share a network's
    arrays, each in a thread of its own.

    Args:
        net: the network.
        loss: a loss, its name, or None for the one of the network's output activation.
        micro_batch_size: samples per tile; None: see nn.passes.tile_columns.
        recompute: keep the activations of each recompute-th layer only, and compute those between again in the
            backward pass.
        dropout: share of hidden activations dropped, in [0, 1).
        input_noise, input_dropout, input_masking, input_swap, redraw_input_noise: see Corruption.
        noise_seed: of corruption that is not redrawn.
        augmentation: how samples are changed at random where dropout applies; None: they are not.
        threads: None for the network's.
        max_gradient_norm: above 0; a gradient of a greater norm, over all weights and biases, is scaled down to it.
            None: it is not.
    """

    def __init__(
        self,
        net: SparseMLP,
        loss: AnyLoss | str | None = None,
        *,
        micro_batch_size: int | None = None,
        recompute: int = 1,
        dropout: float = 0.0,
        input_noise: float = 0.0,
        input_dropout: float = 0.0,
        input_masking: float = 0.0,
        input_swap: float = 0.0,
        redraw_input_noise: bool = True,
        noise_seed: int = 0,
        augmentation: ImageAugmentation | None = None,
        threads: int | None = None,
        max_gradient_norm: float | None = None,
    ) -> None:
        self.net = net
        self.loss = losses.make_loss(loss, net.output)
        self.micro_batch_size = micro_batch_size
        self.recompute = checks.integer("recompute", recompute, low=1)
        self.dropout = checks.real("dropout", dropout, low=0, high=1, high_open=True)
        self.corruption = Corruption(input_noise, input_dropout, input_masking, input_swap, redraw_input_noise)
        if not self._corrupts and not redraw_input_noise:
            raise InputError("redraw_input_noise must be True where there is no noise, dropout or masking of inputs")
        self.noise_seed = noise_seed
        if augmentation is not None:
            if not isinstance(augmentation, ImageAugmentation):
                raise InputError(f"augmentation must be an ImageAugmentation or None, not {augmentation!r:.80}")
            augmentation.check_features(net.layer_sizes[0], "the network has")
        self.augmentation = augmentation
        self.threads = net.threads if threads is None else checks.thread_count(threads)
        if max_gradient_norm is not None:
            checks.real("max_gradient_norm", max_gradient_norm, low=0, low_open=True)
        self.max_gradient_norm = max_gradient_norm
        self.resize()

    @property
    def corruption(self) -> Corruption:
        """What is done to the samples of a training batch."""
        return self._corruption

    @corruption.setter
    def corruption(self, corruption: Corruption) -> None:
        self._corruption, self._corrupts = corruption, bool(corruption)

    def resize(self) -> None:
        """Allocates memory anew, for a network whose layers have another number of neurons."""
        net = self.net
        self.sizes = net.layer_sizes
        self.tiled = net.storage_config.tiled
        self._columns = tile_columns(net.layer_sizes)
        self._work = net.workspace(every=self.recompute)
        self._tiles: dict[tuple[int, float], TilePass] = {}
        self._shares: dict[int, Floats] = {}
        self._sums: Sequence[ParameterGradient] = ()

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles get memory of their own, which is not worth its way."""
        return {name: value for name, value in self.__dict__.items() if name not in _MEMORY}

    def __setstate__(self, state: dict[str, Any]) -> None:
        sizes = state["sizes"]
        self.__dict__.update(state)
        self.resize()
        self.sizes = sizes  # of layers that were changed since, as they were: TrainingStep.refresh compares

    @property
    def is_random(self) -> bool:
        """Whether passes in training need a key."""
        return self.dropout > 0 or self._corrupts or self.augmentation is not None

    @property
    def tile_size(self) -> int:
        """Samples per tile."""
        return self.micro_batch_size or self._columns

    def forward(
        self,
        batch: Batch,
        key: int = 0,
        *,
        dropout: bool = True,
        loaded: Callable[[], None] | None = None,
        total: float | None = None,
    ) -> tuple[TilePass, float]:
        """Forward pass and mean loss; the last activations then hold the gradient at the output.

        Args:
            batch: the samples, taken as one tile.
            key: of the random numbers of dropout, augmentation and corruption.
            dropout: False to leave them out.
            loaded: called once the samples are in memory.
            total: weight of all samples of the batch that this one is a part of; loss and gradient are then this
                part's share. None: this is the whole batch.

        Returns:
            The tile, and the loss.
        """
        net, rows, weight, n = self.net, batch.rows, batch.weight, len(batch.rows)
        tile = self._tile(n, 1.0 - self.dropout if dropout else 1.0)
        x, z = tile.signals[0].values, tile.signals[-1].values
        if self.augmentation is None or not dropout:
            batch.reader.load(rows, x, net.scaling, self.threads)
        else:
            require_other_targets(batch)
            self.augmentation.load(batch.reader, rows, x, net.scaling, key, self.threads)
        if loaded is not None:
            loaded()
        targets: Any = batch.targets
        again = False
        if dropout and self._corrupts:
            again = batch.loads_again(x, z, net.scaling)
            if not again:
                targets = batch.load_targets(x, z, net.scaling, self.threads, own=True)
            self._corrupt(x, rows, key)
        tile.forward(key, self.threads)
        if again:
            batch.reader.load(rows, x, net.scaling, self.threads)  # clean, as targets
        if total is None and weight is None:
            share = self._shares.get(n)
            if share is None:
                share = self._shares[n] = _shares(z, n, None, float(n))
                share.setflags(write=False)  # it is handed to losses of anybody's own, and used again
        else:
            share = _shares(z, n, weight, batch.total_weight if total is None else total)
        if not isinstance(targets, np.ndarray):
            targets = batch.load_targets(x, z, net.scaling, self.threads)
        value = self.loss.gradient(z, targets, share, self.threads)
        if again:
            self._corrupt(x, rows, key)  # as it was: the backward pass reads it
        return tile, value

    def _corrupt(self, x: Floats, rows: NDArray[np.int64], key: int) -> None:
        """Corrupts loaded samples, in the same way each time that it is asked to."""
        noise_key = key if self.corruption.redraw else stream_key(self.noise_seed, "corruption")
        self.corruption.apply(x, len(rows), noise_key, self.threads, rows)

    def backward(self, tile: TilePass, sink: Sink) -> None:
        """Backward pass after `forward`, which overwrites the activations and hands each layer's gradient to `sink`."""
        tile.backward(tile.signals[-1].values, sink, self.threads)

    def update(
        self,
        batch: Batch,
        optimizer_state: Sequence[OptimizerState],
        rule: AnyRule,
        *,
        dropout_key: int = 0,
        rounding_key: int | None = None,
        step: int = 0,
    ) -> float:
        """Both passes of a batch, and the update of the parameters.

        Args:
            batch: the samples.
            optimizer_state: of each layer.
            rule: of the optimizer, for all layers or for each.
            dropout_key: `key` of `forward`.
            rounding_key: of the random numbers of stochastic rounding; None: nothing is rounded.
            step: number of the update, for the message where the loss is not finite.

        Returns:
            The loss.

        Raises:
            DivergenceError: where the loss is not finite; nothing is updated then.
        """
        sink, value = Update(optimizer_state, rule, rounding_key), 0.0
        fused = (type(rule) is UpdateRule and rule.updates) or all_fused(rule)
        if self.max_gradient_norm is not None or not fused:
            value, gradients = self.gradients(batch, dropout_key, into=self._gradient_sums(), step=step, clip=True)
            sink.apply(self.net.layers, gradients, self.threads)
            return value
        for first, last, tile, share in self._tiles_of(batch, dropout_key, step=step):
            value += share
            if last:
                sink.gradients = None if first else self._gradient_sums()
                self.backward(tile, sink)
            else:
                self.backward(tile, Gradients(self._gradient_sums(), add=not first))
        return value

    def gradients(
        self,
        batch: Batch,
        key: int = 0,
        *,
        into: Sequence[ParameterGradient] | None = None,
        dropout: bool = True,
        loaded: Callable[[], None] | None = None,
        step: int | None = None,
        clip: bool = False,
    ) -> tuple[float, Sequence[ParameterGradient]]:
        """The loss of a batch and its gradient; parameters stay as they are.

        Args:
            batch: the samples.
            key: see `forward`.
            into: arrays to write to, of each layer along its connections and its biases; None: new ones.
            dropout: see `forward`.
            loaded: called once the first tile's samples are in memory.
            step: number of the update, for the message where the loss is not finite; None: any loss is accepted.
            clip: scale the gradient down to max_gradient_norm where it is greater. Of tied ends it is then the first
                one's as a whole, and that of the last is 0.

        Returns:
            The loss, and each layer's gradient.

        Raises:
            DivergenceError: where `step` is given and the loss is not finite.
        """
        value, into = 0.0, into or [layer.new_gradient() for layer in self.net.layers]
        for first, _, tile, share in self._tiles_of(batch, key, dropout=dropout, loaded=loaded, step=step):
            value += share
            self.backward(tile, Gradients(into, add=not first))
        if clip:
            join_ends(self.net.layers, into)
        if clip and self.max_gradient_norm is not None:
            factor = clip_factor(global_norm(into, self.threads), self.max_gradient_norm)
            if factor < 1:
                for array in (array for gradient in into for array in gradient):
                    np.multiply(array, array.dtype.type(factor), out=array)
        return value, into

    def _tiles_of(
        self,
        batch: Batch,
        key: int,
        *,
        dropout: bool = True,
        loaded: Callable[[], None] | None = None,
        step: int | None = None,
    ) -> Iterator[tuple[bool, bool, TilePass, float]]:
        """(whether it is the first, the last, the tile after its forward pass, its share of the loss) for each tile."""
        n, size = len(batch.rows), self.tile_size
        if n <= size:
            tile, share = self.forward(batch, key, dropout=dropout, loaded=loaded)
            if step is not None:
                require_finite(share, step)
            yield True, True, tile, share
            return
        total = batch.total_weight
        for part, start in enumerate(range(0, n, size)):
            tile, share = self.forward(
                batch.part(start, start + size),
                stream_key(key, "part", part) if part and key else key,
                dropout=dropout,
                loaded=None if part else loaded,
                total=total,
            )
            if step is not None:
                require_finite(share, step)
            yield part == 0, start + size >= n, tile, share

    def _tile(self, n: int, keep_probability: float) -> TilePass:
        """Memory for n samples, with the calls that were prepared for it."""
        tile = self._tiles.get((n, keep_probability))
        if tile is None:
            stride = self._work.stride
            signals = self._work.signals(n, keep_probability)
            if self._work.stride != stride:
                self._tiles = {}  # they hold on to the smaller memory
            tile = self._tiles[n, keep_probability] = TilePass(self.net, signals, self.recompute)
        tile.net = self.net
        return tile

    def _gradient_sums(self) -> Sequence[ParameterGradient]:
        """Arrays for the gradient of a batch of several tiles, kept from batch to batch."""
        layers, sums = self.net.layers, self._sums
        fit = len(sums) == len(layers) and all(
            weight.size == layer.n_connections and bias.size == layer.bias.size
            for (weight, bias), layer in zip(sums, layers, strict=True)
        )
        if not fit:
            self._sums = sums = ()  # free the old ones first
            self._sums = sums = [layer.new_gradient() for layer in layers]
        return sums


def _shares(z: Floats, n: int, weight: NDArray[np.float64] | None, total: float) -> Floats:
    """Each column's share in the mean over samples of this weight in total; 0 in the padding."""
    share: Floats = np.zeros(z.shape[1], z.dtype)
    if total > 0:
        share[:n] = 1.0 / total if weight is None else weight / total
    return share


def require_other_targets(batch: Batch) -> None:
    """InputError where a batch's targets are its own samples: they would not be those that augmentation makes."""
    if isinstance(batch.targets, ValueReader) and batch.targets.is_input:
        raise InputError("augmentation cannot be combined with targets that are the samples themselves")


def require_finite(loss: float, step: int) -> None:
    """DivergenceError where the loss is not finite."""
    if not isfinite(loss):
        raise DivergenceError(
            f"the loss is {loss} at step {step}: training has diverged; lower the learning rate or scale the features"
        )
