"""ReDo: recycling dormant neurons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import no_growth
from trulysparse.evolution.layers import EvolvableLayers, consecutive_layers
from trulysparse.evolution.methods.static import Static
from trulysparse.evolution.prune import magnitude
from trulysparse.evolution.recycle import RecycleStep
from trulysparse.evolution.schedule import Schedule
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.network import Network
from trulysparse.optim import OptimizerState


class ReDo(Evolution):
    """Every `every_updates` updates: gives hidden neurons that do next to nothing on a batch a new start. Those whose
    mean |activation| is at most tau times their layer's mean get new weights and a bias of 0, and weights of 0 lead out
    of them, so that the network computes almost the same. The optimizer state of these connections is that of new ones.
    The topology stays, or changes by another method at the same time.

    It is for trainings whose targets move, such as reinforcement learning, where neurons fall silent. It takes the
    place of an update, on its batch.

    Cost: connections x batch.

    Args:
        tau: at least 0; 0: only neurons that are silent on the whole batch. The source takes 0.025, and 0.1 for DQN.
        every_updates: updates from one time to the next, at least 1; None: 1000, or as often as `method` evolves.
        until: the end: an integer is a number of updates, a float a fraction of training; None: the end of training, or
            that of `method`.
        method: an evolution of the topology that takes place at the same times, and first, such as SET(); None: the
            topology stays. Its own interval and end count, so every_updates and until must be None with it.

    Raises:
        InputError: where an argument is out of range or does not go with `method`.

    Source:
        Sokar, Agarwal, Castro and Evci, "The dormant neuron phenomenon in deep reinforcement learning", ICML 2023,
        algorithm 1. Biases start at 0 as in the authors' code; weights as the network's did, by its own rule; Adam's
        moments start anew, its bias correction goes on counting the network's updates.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, activation="relu", seed=0)
        >>> net.layers[0].bias[:5] = -100  # these neurons never fire
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> trainer = ts.Trainer(net, evolution=ts.ReDo(), batch_size=16)
        >>> trainer.evolve(X, y)  # no connection is added
        0
        >>> net.layers[0].bias[:5].tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]
    """

    name = "redo"

    def __init__(
        self,
        tau: float = 0.025,
        *,
        every_updates: int | None = None,
        until: int | float | None = None,
        method: Evolution | None = None,
    ) -> None:
        self.tau = checks.real("tau", tau, low=0)
        if method is not None and (not isinstance(method, Evolution) or isinstance(method, ReDo | Static)):
            raise InputError(f"method must be an evolution of the topology, such as SET(), or None, not {method!r:.80}")
        if method is not None and (every_updates is not None or until is not None):
            name = "until" if every_updates is None else "every_updates"
            raise InputError(f"{name} cannot be combined with method, whose own interval and end count")
        self.method = method
        if method is None:
            schedule = Schedule(0.0, every_updates=1000).in_updates(every_updates, until)
            super().__init__(magnitude, no_growth, schedule, fresh="zero")
        else:
            super().__init__(
                method.prune,
                method.grow,
                method.schedule,
                budget=method.budget,
                fresh=method.fresh,
                output_layer=method.output_layer,
                density=method.density,
                percolate=method.percolate,
            )

    @property
    def needs_gradient(self) -> bool:
        """True: it looks at a batch's activations."""
        return True

    @property
    def storages(self) -> frozenset[str]:
        """Those of layers whose connections are indexed."""
        return super().storages & frozenset({"indexed"})

    def due(self, done: int, steps_per_epoch: int | None, total: int | None) -> bool:
        """Whether to evolve now: as `method` says where there is one.

        Args:
            done: updates so far.
            steps_per_epoch: updates per epoch; None only where the schedule counts updates.
            total: updates of the whole training; None where that is not known and not needed.

        Returns:
            True where it is time.

        Raises:
            InputError: where a number is None that is needed.
        """
        if self.method is not None:
            return self.method.due(done, steps_per_epoch, total)
        return super().due(done, steps_per_epoch, total)

    @property
    def needs_total(self) -> bool:
        """Whether it depends on how many updates the whole training has."""
        return super().needs_total if self.method is None else self.method.needs_total

    def check_storage(self, layers: EvolvableLayers, evolving: Sequence[int] | None = None) -> None:
        """Checks that layers are indexed, follow one another, and that no end is tied to the other.

        Args:
            layers: a network, a layer or a sequence of layers.
            evolving: see `start`.

        Raises:
            InputError: where they are not.
        """
        super().check_storage(layers, evolving)
        if isinstance(layers, Network) and layers.tied:
            raise InputError("evolution 'redo' cannot give neurons of a network a new start whose ends are tied")
        consecutive_layers(layers, "evolution 'redo'")

    def start(
        self,
        layers: EvolvableLayers,
        optimizer_state: OptimizerState | Sequence[OptimizerState],
        *,
        key: int,
        threads: int,
        training_progress: float = 0.0,
        evolution_state: dict[str, Any] | None = None,
        init: WeightInit | None = None,
        evolving: Sequence[int] | None = None,
        total_updates: int | None = None,
    ) -> RecycleStep:
        """Begins one evolution; see Evolution.start.

        Args:
            layers: a network, a layer, or layers that follow one another.
            optimizer_state: of each layer.
            key: of the random streams.
            threads: threads that kernels may use.
            training_progress: fraction of training that is over.
            evolution_state: what is remembered from one evolution to the next.
            init: how weights start; None: as those of the network.
            evolving: numbers of the layers whose topology `method` changes; neurons of all layers get a new start.
            total_updates: of the whole training.

        Returns:
            The step, whose n_recycled counts the neurons.

        Raises:
            InputError: where an argument does not fit.
        """
        return RecycleStep(
            self,
            layers,
            optimizer_state,
            key,
            threads,
            training_progress,
            {} if evolution_state is None else evolution_state,
            init=init,
            evolving=evolving,
            total_updates=total_updates,
        )
