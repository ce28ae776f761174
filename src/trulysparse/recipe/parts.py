"""The objects that a recipe's names stand for: activation, optimizer, evolution, workers, callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trulysparse._core import checks
from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.evolution import Evolution, make_evolution
from trulysparse.nn import activations
from trulysparse.nn.activations import Activation
from trulysparse.optim import LayerRates, Optimizer, SuPar, check_optimizer
from trulysparse.optim.adam import Adam
from trulysparse.optim.layer_rates import make_layer_rates
from trulysparse.optim.schedules import CosineRate, LearningRate
from trulysparse.optim.sgd import SGD
from trulysparse.parallel import WASAP, WASSP
from trulysparse.pruning import ImportancePruning
from trulysparse.recipe.options import RecipeOptions, known
from trulysparse.training import Callback, EarlyStopping


class RecipeParts(RecipeOptions):
    """Makes the objects that options name; see Recipe."""

    def make_activation(self) -> Activation:
        """The hidden layers' activation."""
        return activations.make_activation(self.resolved().activation, self.alpha)

    def make_optimizer(self) -> Optimizer:
        """The optimizer, with its schedule."""
        own = self.resolved()
        if not isinstance(own.optimizer, str):
            check_optimizer(own.optimizer, self.spelled("optimizer"))
            return own.optimizer
        name = checks.choice(self.spelled("optimizer"), own.optimizer, ("sgd", "adam"))
        rate: LearningRate | float = known(own.learning_rate)
        if checks.choice(self.spelled("schedule"), self.schedule, ("constant", "cosine")) == "cosine":
            rate = CosineRate(known(own.learning_rate), warmup=self.warmup)
        decay, state = known(own.weight_decay), self.momentum_precision
        if name == "adam":
            mode = self.weight_decay_mode or Adam.weight_decay_mode
            return Adam(rate, weight_decay=decay, weight_decay_mode=mode, state=state, fresh_state=self.fresh_state)
        mode = self.weight_decay_mode or SGD.weight_decay_mode
        return SGD(rate, self.momentum, self.nesterov, decay, mode, state)

    def make_layer_rates(self) -> LayerRates | None:
        """By what the learning rates of layers differ, or None."""
        if self.layer_rates == "supar":
            return SuPar(self.base_fan_in, self.rate_exponent)
        return make_layer_rates(self.layer_rates, self.spelled("layer_rates"))

    def make_evolution(self) -> Evolution | None:
        """How the topology changes, or None."""
        own = self.resolved()
        if own.evolution is None or isinstance(own.evolution, Evolution):
            return own.evolution
        return make_evolution(
            own.evolution,
            zeta=self.zeta,
            until=None if own.evolve_until == 1 else own.evolve_until,
            percolate=self.percolate,
            fresh=self.fresh,
            argument=self.spelled("evolution"),
        )

    def make_augmentation(self) -> ImageAugmentation | None:
        """How samples are changed as they are trained on, or None."""
        if not isinstance(self.augmentation, str):
            return self.augmentation
        return ImageAugmentation.from_text(self.augmentation, self.image_shape, self.spelled("augmentation"))

    def make_parallel(
        self, *, address: str | None = None, data: Callable[[], tuple[Any, Any]] | None = None
    ) -> WASAP | None:
        """How workers share the training, or None.

        Args:
            address: of a running Ray cluster; None: a local one is started.
            data: what workers on a cluster call for their samples; None: arrays travel.

        Returns:
            The configuration, or None where one process trains alone.
        """
        if isinstance(self.parallel, WASAP):
            return self.parallel
        if not self.is_parallel:
            return None
        name = checks.choice(self.spelled("parallel"), self.parallel or "wasap", ("wasap", "wassp"))
        kind = WASSP if name == "wassp" else WASAP
        data = data if self.backend == "ray" else None
        return kind(self.workers, self.phase1_epochs, backend=self.backend, address=address, data=data)

    def make_callbacks(self) -> list[Callback]:
        """Importance pruning and early stopping, where they are asked for."""
        callbacks: list[Callback] = []
        if self.importance_pruning:
            start, every = self.importance_start, self.importance_every
            callbacks.append(ImportancePruning(self.importance_pruning, start=start, every=every))
        if self.patience is not None:
            callbacks.append(EarlyStopping(self.monitor, patience=self.patience))
        return callbacks
