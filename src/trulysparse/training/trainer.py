"""Trainer: trains a network in steps of one's own, in epochs, or with workers."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import scipy.sparse as sp
from numpy.typing import ArrayLike

from trulysparse._core import checks, memory
from trulysparse._core.arrays import Floats
from trulysparse.data import check_finite
from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution
from trulysparse.io import checkpoint_folder
from trulysparse.io.position import Position
from trulysparse.nn import memory_use
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.losses import AnyLoss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import LayerRates, Optimizer, OptimizerState, check_optimizer
from trulysparse.optim.optimizer import state_type
from trulysparse.optim.sgd import SGD
from trulysparse.training.callbacks.base import Callback, kinds_of
from trulysparse.training.fit_data import FitData
from trulysparse.training.history import History
from trulysparse.training.loop import ParallelTraining, TrainingLoop
from trulysparse.training.passes import checked_batch
from trulysparse.training.step import TrainingStep

_LARGEST_BATCH = 2**31 - 1


class Trainer(TrainingLoop):
    """Trains one network.

    Args:
        net: the network; its layers are changed in place.
        optimizer: SGD, Adam or one of your own, see optim.Optimizer; None: SGD().
        layer_rates: by what the learning rates of layers differ: 'supar' or SuPar(...), by the number of inputs of
            their neurons; or an object of your own, see optim.LayerRates. None: they do not.
        loss: a loss, its name, None for the one of the network's output activation, or one of your own; see Loss.
        evolution: how the topology changes; None: it stays.
        batch_size: samples per update, at least 1.
        dropout: share of hidden activations dropped, in [0, 1).
        input_noise: standard deviation of normal noise that is added to the samples of each batch, at least 0, in units
            of the scaled features. Like input_dropout it acts in training alone, not on targets that are the samples.
        input_dropout: share of input values set to 0, in [0, 1); others are divided by 1 - input_dropout.
        input_masking: share of input values set to 0, in [0, 1); others stay as they are. Not with input_dropout.
        input_swap: share of input values that become those of the same feature in another sample of the batch (of those
            taken through the network together; see micro_batch_size), in [0, 1].
        redraw_input_noise: whether noise, dropout and masking of inputs are drawn anew for each batch. False: they are
            a function of seed, row of X and feature, the same in each epoch; in `step`, rows are those of X_batch.
        augmentation: how samples are changed at random each time they are trained on, an ImageAugmentation; None: they
            are not. Scores and gradients() are of the samples as given.
        seed: of shuffling, dropout, noise and evolution, at least 0. The same seed gives the same bits, whatever
            `threads`.
        threads: that compute; None: the network's.
        callbacks: of each call of fit.
        parallel: how fit spreads the work over workers, WASAP or WASSP; None: this process trains alone.
        optimizer_state: of an earlier trainer, to go on with; None: zero.
        micro_batch_size: samples of a batch taken through the network at a time; their gradients are added up, in an
            array along the connections, before the update. Fewer need less memory. None: 128, or more where a network
            is narrow: as many as kernels take at full speed.
        recompute: keep the activations of each recompute-th layer only, and compute those between again in the
            backward pass: less memory, about a third more time. 1: keep all.
        max_gradient_norm: above 0; a gradient whose norm, over all weights and biases, is greater is scaled down to it.
            None: gradients are not clipped. In parallel training each worker clips its own.

    Attributes:
        net, optimizer, layer_rates, loss, batch_size, dropout, augmentation, seed, threads, callbacks: as given.
        input_noise, input_dropout, input_masking, input_swap, redraw_input_noise: as given; may be set.
        parallel, recompute, micro_batch_size, max_gradient_norm: as given.
        evolution: how the topology changes; may be set between calls of fit.
        optimizer_state: of each layer.
        step_count: updates so far.
        state_updates: updates since the optimizer's state was zero: what Adam's bias correction counts.
        epoch: epochs so far, a fraction within one: what schedules see. Set it in loops of your own.
        epochs: of the call of fit in progress, or None.
        position: where in that call training is.
        training_progress: the share of that call that is over, in [0, 1].
        stop: set by callbacks to end fit after the current epoch.

    Raises:
        InputError: where an argument is out of range or does not go with another.
        NotEnoughMemoryError: where training would not fit into memory.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> X = np.random.default_rng(0).standard_normal((64, 4))
        >>> y = (X[:, 0] > 0).astype(int)
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1)
        >>> trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), evolution=ts.SET(), batch_size=16)
        >>> history = trainer.fit(X, y, epochs=5)
        >>> len(history), trainer.step_count, history["loss"][-1] < history["loss"][0]
        (5, 20, True)
    """

    def __init__(
        self,
        net: SparseMLP,
        *,
        optimizer: Optimizer | None = None,
        layer_rates: LayerRates | str | None = None,
        loss: AnyLoss | str | None = None,
        evolution: Evolution | None = None,
        batch_size: int = 128,
        dropout: float = 0.0,
        input_noise: float = 0.0,
        input_dropout: float = 0.0,
        input_masking: float = 0.0,
        input_swap: float = 0.0,
        redraw_input_noise: bool = True,
        augmentation: ImageAugmentation | None = None,
        seed: int = 0,
        threads: int | None = None,
        callbacks: Sequence[Callback] = (),
        parallel: ParallelTraining | None = None,
        optimizer_state: Sequence[OptimizerState] | None = None,
        micro_batch_size: int | None = None,
        recompute: int = 1,
        max_gradient_norm: float | None = None,
    ) -> None:
        if isinstance(net, Fleet):
            raise InputError("net must be a SparseMLP, not Fleet; a fleet is trained by FleetTrainer")
        optimizer = SGD() if optimizer is None else optimizer
        check_optimizer(optimizer)
        if not isinstance(evolution, Evolution | None):
            raise InputError(f"evolution must be a method of evolution, such as SET(), or None, not {evolution!r:.80}")
        checks.integer("batch_size", checks.integer("batch_size", batch_size, low=1), low=1, high=_LARGEST_BATCH)
        checks.integer("recompute", recompute, low=1)
        if micro_batch_size is not None:
            checks.integer("micro_batch_size", micro_batch_size, low=1, high=batch_size)
        if input_swap and (micro_batch_size or batch_size) == 1:
            raise InputError("input_swap needs at least 2 samples at a time: a greater batch_size or micro_batch_size")
        if evolution is not None:
            evolution.check_storage(net)
        if evolution is not None and evolution.needs_gradient and (micro_batch_size or batch_size) < batch_size:
            raise InputError(
                f"micro_batch_size must be None where evolution={type(evolution).__name__} looks at the gradients of a "
                "whole batch; choose a smaller batch_size"
            )
        if parallel is not None and not callable(getattr(parallel, "train", None)):
            raise InputError(f"parallel must be a WASAP, a WASSP or None, not {parallel!r}")
        if parallel is not None and net.tied:
            raise InputError("parallel must be None of a network with tied ends")
        if parallel is not None and net.storage_config.tiled:
            raise InputError("parallel training needs a network with storage='indexed'; see net.indexed()")
        memory.require(
            memory_use.training_bytes(
                net.layer_sizes,
                net.n_connections,
                batch_size,
                optimizer.n_slots,
                net.storage_config,
                state=state_type(optimizer),
                every=recompute,
                micro_batch_size=micro_batch_size,
                whole=evolution is not None and evolution.needs_gradient,
                summed=max_gradient_norm is not None,
                pre_activations=net.keeps_pre_activations,
            ),
            f"training at batch_size={batch_size}",
            "choose a smaller batch_size or micro_batch_size, or recompute activations (recompute=3)",
        )
        step = TrainingStep(
            net,
            optimizer,
            loss,
            optimizer_state=optimizer_state,
            layer_rates=layer_rates,
            seed=seed,
            micro_batch_size=micro_batch_size,
            max_gradient_norm=max_gradient_norm,
            recompute=recompute,
            dropout=dropout,
            input_noise=input_noise,
            input_dropout=input_dropout,
            input_masking=input_masking,
            input_swap=input_swap,
            redraw_input_noise=redraw_input_noise,
            augmentation=augmentation,
            threads=threads,
        )
        super().__init__(step, evolution=evolution, batch_size=batch_size)
        self.callbacks = _checked_callbacks(callbacks)
        self.parallel = parallel

    def step(self, X_batch: Any, y_batch: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """One update on the given samples.

        Args:
            X_batch: (n, n_inputs).
            y_batch: labels (n,) or targets (n, n_outputs).
            sample_weight: (n,), at least 0; None: all 1.

        Returns:
            Their weighted mean loss before the update.

        Raises:
            InputError: where the samples do not fit the network or each other.
            DivergenceError: where the loss is not finite; nothing is updated then.

        Example:
            >>> import numpy as np
            >>> import trulysparse as ts
            >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=3, threads=1), optimizer=ts.SGD(0.1))
            >>> X = np.random.default_rng(0).standard_normal((16, 4))
            >>> losses = [trainer.step(X, (X[:, 0] > 0).astype(int)) for _ in range(20)]
            >>> losses[-1] < losses[0], trainer.step_count
            (True, 20)
        """
        step = self.training_step
        batch = checked_batch(step.passes.net, step.passes.loss, X_batch, y_batch, sample_weight)
        return step.update(batch, self.epoch, self.epochs)

    def gradients(
        self, X_batch: Any, y_batch: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, list[tuple[sp.csr_array, Floats]]]:
        """The loss and its gradient, without dropout and noise; parameters stay as they are.

        Args:
            X_batch: (n, n_inputs).
            y_batch: labels (n,) or targets (n, n_outputs).
            sample_weight: (n,), at least 0; None: all 1.

        Returns:
            The weighted mean loss and, for each layer, its gradient: a csr_array (n_out, n_in) over the connections
            and an array (n_out,) over the biases. Of tied ends each one's part: the gradient of their weights is the
            first plus the transpose of the last.

        Raises:
            InputError: where the samples do not fit the network or each other.

        Example:
            >>> import numpy as np
            >>> import trulysparse as ts
            >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=3, threads=1))
            >>> loss, gradients = trainer.gradients(np.ones((16, 4)), np.zeros(16, int))
            >>> [(weight.shape, bias.shape) for weight, bias in gradients]
            [((8, 4), (8,)), ((2, 8), (2,))]
        """
        batch = checked_batch(self.net, self.loss, X_batch, y_batch, sample_weight)
        value, gradients = self.training_step.gradients(batch)
        pairs = zip(self.net.layers, gradients, strict=True)
        return value, [(layer.to_csr(layer.in_order(weights)), bias) for layer, (weights, bias) in pairs]

    def check_batch(self, X_batch: Any, y_batch: ArrayLike) -> None:
        """Checks that `step` and `gradients` can take these samples.

        Args:
            X_batch: (n, n_inputs).
            y_batch: labels (n,) or targets (n, n_outputs).

        Raises:
            InputError: where they cannot.
        """
        checked_batch(self.net, self.loss, X_batch, y_batch)

    def evolve(self, X_batch: Any = None, y_batch: ArrayLike | None = None) -> int:
        """Evolves the topology now, for loops of your own; fit does so when it is due.

        Args:
            X_batch: (n, n_inputs), for methods that look at gradients (RigL and its like), which take the gradient of
                these samples in place of an update; others ignore it.
            y_batch: their labels (n,) or targets (n, n_outputs).

        Returns:
            How many connections were added.

        Raises:
            InputError: where the trainer has no evolution, or no batch that it needs.

        Example:
            >>> import trulysparse as ts
            >>> net = ts.SparseMLP((20, 50, 10), epsilon=4, seed=0, threads=1)
            >>> ts.Trainer(net, evolution=ts.SET(0.3)).evolve()
            73
        """
        method = self.evolution
        if X_batch is None or y_batch is None or method is None or not method.needs_gradient:
            return self.evolve_now()
        return self.evolve_now(checked_batch(self.net, self.loss, X_batch, y_batch))

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
        """Trains for `epochs` passes over the samples, the last partial batch of each included.

        Each call is a training of its own: learning rates and evolution schedules begin anew, and evolution state is
        dropped; weights, optimizer state and step_count go on.

        Args:
            X: (n_samples, n_inputs), NumPy of any numeric type, SciPy sparse, memory map or DataFrame; converted batch
                by batch.
            y: labels (n_samples,), or values (n_samples, n_outputs) of any type that X may have, also X itself; see the
                loss. Values are in the unit of y: a network's `scaling` is of X alone.
            epochs: passes over the samples, at least 1.
            validation_data: (X, y), scored after each epoch; None: no scores.
            sample_weight: (n_samples,), at least 0; None: all 1.
            callbacks: in addition to the trainer's own.
            shuffle: whether each epoch takes the samples in a fresh order.
            resume: goes on with a call that was broken off, given the same other arguments, with the same bits as if
                it had not been. The folder of a Checkpointer or a checkpoint's file, whose state this trainer and its
                network then take; or the `position` of a trainer that has that state itself. None: from the start.

        Returns:
            One record per epoch, of those before a break too.

        Raises:
            InputError: where samples or arguments cannot be used.
            DivergenceError: where the loss is not finite.

        Example:
            For one that is broken off and resumed, see Checkpointer.

            >>> import numpy as np
            >>> import trulysparse as ts
            >>> X, y = np.random.default_rng(0).standard_normal((64, 4)), np.arange(64) % 2
            >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1), batch_size=16)
            >>> history = trainer.fit(X, y, epochs=3, validation_data=(X, y))
            >>> len(history), sorted(history.records[0])[-2:]
            (3, ['val_accuracy', 'val_loss'])
        """
        checks.integer("epochs", epochs, low=1)
        if not isinstance(resume, Position | str | PathLike | None):
            raise InputError(f"resume must be a checkpoint's path or a position, not {resume!r:.80}")
        validation = None
        if validation_data is not None:
            if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
                raise InputError(f"validation_data must be a pair (X, y), not {validation_data!r:.80}")
            validation = FitData.checked(self.net, self.loss, *validation_data, names=("validation X", "validation y"))
        data = FitData.checked(
            self.net,
            self.loss,
            X,
            y,
            sample_weight,
            epochs=epochs,
            shuffle=shuffle,
            validation=validation,
            callbacks=sorted((*self.callbacks, *_checked_callbacks(callbacks)), key=lambda each: each.comes_last),
        )
        if not data.matrix.streamed:
            check_finite(data.matrix)
        if resume is not None and not isinstance(resume, Position):
            resume = checkpoint_folder.resume(resume, self, kinds_of(data.callbacks), self._check_start)
        elif resume is not None:
            self._check_start(resume)
        if self.parallel is None:
            return self.run(data, resume)
        parallel = self.parallel
        return self._run_fit(data, resume, lambda: parallel.train(self, data))

    def _check_start(self, position: Position) -> None:
        """InputError where training cannot go on from a position, as another kind of training came to it."""
        if self.parallel is not None:
            self.parallel.check_start(position)
        elif position.parallel is not None:
            raise InputError("resume: the checkpoint was written by parallel training: give the Trainer parallel=")


def _checked_callbacks(callbacks: Sequence[Callback]) -> tuple[Callback, ...]:
    every = checks.listed("callbacks", callbacks, "Callback objects")
    for number, callback in enumerate(every):
        if not isinstance(callback, Callback):
            raise InputError(f"callbacks[{number}] must be a Callback, not {callback!r:.80}")
    return tuple(every)
