"""Trainer: the public face of a training step, the loop around it, and parallel training."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import scipy.sparse as sp
from numpy.typing import ArrayLike

from trulysparse._core import checks, memory
from trulysparse._core.arrays import Floats
from trulysparse.data import check_finite
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution
from trulysparse.nn import memory_use
from trulysparse.nn.losses import Loss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import SGD, Optimizer, OptimizerState
from trulysparse.training.callbacks import checkpointer
from trulysparse.training.callbacks.base import Callback
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import History
from trulysparse.training.loop import ParallelTraining, TrainingLoop
from trulysparse.training.position import Position
from trulysparse.training.step import TrainingStep


class Trainer(TrainingLoop):
    """Trains one network.

    optimizer: SGD or Adam. loss: None for the one of the network's output activation. evolution: how the topology
    changes, or None (it stays). batch_size: samples per update. dropout: share of hidden activations dropped, in [0,
    1). seed: of shuffling, dropout and evolution; the same bits whatever `threads` (None: the network's). callbacks: of
    each fit. parallel: how fit spreads over workers, WASAP or WASSP, or None: this process trains alone, with `threads`
    threads. optimizer_state: optimizer state of an earlier trainer to go on with, or None: zero. micro_batch_size: take so many
    samples of a batch at a time and add their gradients up, an array along the connections, before the update; None:
    all at once. recompute: keep each recompute-th layer's activations only, and compute those between again on the way
    back (a third more time; 1: keep all).

    Attributes: step_count, updates so far; epoch, epochs so far (what schedules see; set it in loops of your
    own); epochs, of the call of fit in progress, or None; position, where in it; progress, the share of it that is
    over; stop, set by callbacks to end fit."""

    def __init__(
        self,
        net: SparseMLP,
        *,
        optimizer: Optimizer | None = None,
        loss: Loss | str | None = None,
        evolution: Evolution | None = None,
        batch_size: int = 128,
        dropout: float = 0.0,
        seed: int = 0,
        threads: int | None = None,
        callbacks: Sequence[Callback] = (),
        parallel: ParallelTraining | None = None,
        optimizer_state: Sequence[OptimizerState] | None = None,
        micro_batch_size: int | None = None,
        recompute: int = 1,
    ) -> None:
        optimizer = SGD() if optimizer is None else optimizer
        checks.integer("batch_size", batch_size, low=1)
        checks.integer("recompute", recompute, low=1)
        size = batch_size
        if micro_batch_size is not None:
            size = checks.integer("micro_batch_size", micro_batch_size, low=1, high=batch_size)
        if evolution is not None:
            evolution.check_storage(net)
        if evolution is not None and evolution.needs_gradient and size < batch_size:
            raise InputError(
                f"micro_batch_size must be None where evolution={type(evolution).__name__} looks at the gradients of a "
                "whole batch; choose a smaller batch_size"
            )
        if parallel is not None and not callable(getattr(parallel, "train", None)):
            raise InputError(f"parallel must be a WASAP, a WASSP or None, not {parallel!r}")
        if parallel is not None and net.storage_config.tiled:
            raise InputError("parallel training needs a network with storage='indexed'; see net.indexed()")
        memory.require(
            memory_use.training_bytes(
                net.layer_sizes,
                net.n_connections,
                size,
                optimizer.n_slots,
                net.storage_config,
                state=optimizer.state,
                every=recompute,
            ),
            f"training at batch_size={batch_size}",
            "choose a smaller batch_size or micro_batch_size, or recompute activations (recompute=3)",
        )
        step = TrainingStep(
            net,
            optimizer,
            loss,
            optimizer_state=optimizer_state,
            seed=seed,
            micro_batch_size=size,
            recompute=recompute,
            dropout=dropout,
            threads=threads,
        )
        super().__init__(step, evolution=evolution, batch_size=batch_size)
        self.callbacks = tuple(callbacks)
        self.parallel = parallel

    def step(self, X_batch: Any, y_batch: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """One update on the given samples; returns their (weighted) mean loss before it.

        X_batch: (n, n_inputs). y_batch: labels (n,) or targets (n, n_outputs). sample_weight: (n,) or None.
        """
        data = FitData.checked(self.net, self.loss, X_batch, y_batch, sample_weight)
        return self.training_step.update(data.whole(), self.epoch, self.epochs)

    def gradients(
        self, X_batch: Any, y_batch: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, list[tuple[sp.csr_array, Floats]]]:
        """The loss and, layer by layer, its gradient: a csr_array (n_out, n_in) over the connections and an
        array (n_out,) over the biases. Parameters stay as they are; without dropout."""
        data = FitData.checked(self.net, self.loss, X_batch, y_batch, sample_weight)
        value, found = self.training_step.gradients(data.whole())
        pairs = zip(self.net.layers, found, strict=True)
        return value, [(layer.to_csr(layer.in_order(weights)), bias) for layer, (weights, bias) in pairs]

    def check_batch(self, X_batch: Any, y_batch: ArrayLike) -> None:
        """InputError where `step` and `gradients` could not take these samples."""
        FitData.checked(self.net, self.loss, X_batch, y_batch)

    def evolve(self, X_batch: Any = None, y_batch: ArrayLike | None = None) -> int:
        """Evolves the topology now (in loops of your own); returns how many connections came. Methods that look at
        gradients (RigL and its like) need a batch, and take its gradient in place of an update."""
        method = self.evolution
        if X_batch is None or y_batch is None or method is None or not method.needs_gradient:
            return self.evolve_now()
        return self.evolve_now(FitData.checked(self.net, self.loss, X_batch, y_batch).whole())

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        epochs: int,
        validation_data: tuple[Any, ArrayLike] | None = None,
        sample_weight: ArrayLike | None = None,
        callbacks: Sequence[Callback] = (),
        shuffle: bool = True,
        resume: Position | str | PathLike[str] | None = None,
    ) -> History:
        """Trains for `epochs` passes over the samples, each in a fresh order, the last partial batch included.

        X: (n_samples, n_inputs), NumPy of any numeric type, SciPy sparse, memory map or DataFrame, converted
        batch by batch. y: labels or targets, see the loss. validation_data: (X, y), scored after each epoch.
        callbacks: in addition to the trainer's own. Each call is a training of its own: learning rates and evolution
        schedules begin anew, and what evolution remembers is forgotten; weights, optimizer state and step_count go on.
        resume: goes on with a call that was broken off, with the same bits: a checkpoint of it (the file, or the folder
        of a Checkpointer, whose state this trainer and its network then take), or its position where the trainer has
        that state already. Raises InputError for unusable data, DivergenceError where the loss stops being finite.
        """
        checks.integer("epochs", epochs, low=1)
        if resume is not None and self.parallel is not None:
            raise InputError("resume is for training that is not parallel")
        validation = None
        if validation_data is not None:
            found = FitData.checked(self.net, self.loss, *validation_data, names=("validation X", "validation y"))
            validation = found.matrix, found.targets
        data = FitData.checked(
            self.net,
            self.loss,
            X,
            y,
            sample_weight,
            epochs=epochs,
            shuffle=shuffle,
            validation=validation,
            callbacks=(*self.callbacks, *callbacks),
        )
        if not data.matrix.streamed:
            check_finite(data.matrix)
        if resume is not None and not isinstance(resume, Position):
            resume = checkpointer.resume(resume, self)
        if self.parallel is None:
            return self.run(data, resume)
        parallel = self.parallel
        return self._session(data, None, lambda: parallel.train(self, data))
