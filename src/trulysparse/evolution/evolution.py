"""Topology evolution: a prune rule, a growth rule and a schedule, composed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trulysparse._core import checks
from trulysparse.connectivity.coordinates import INDEXED, storages_of
from trulysparse.errors import InputError
from trulysparse.evolution.budget import Budget, as_lost
from trulysparse.evolution.grow import Grow
from trulysparse.evolution.prune import LayerPrune, NetworkPrune
from trulysparse.evolution.schedule import CubicDensity, Schedule
from trulysparse.evolution.step import EvolutionStep
from trulysparse.optim import OptimizerState

if TYPE_CHECKING:
    from trulysparse.nn.mlp import SparseMLP


class Evolution:
    """Replaces connections during training.

    Connections that remain keep weight and optimizer state. All evolving layers are pruned before any grows, unless the
    prune rule needs gradients. Each rule declares the storages it works with (`storages`, {"indexed", "tiled"} or, the
    default, {"indexed"}); a method works with those that all its rules do.

    Args:
        prune: which connections are removed; see trulysparse.evolution.prune.
        grow: where as many are added; see trulysparse.evolution.grow.
        schedule: when, and which fraction.
        budget: how many each layer grows; see trulysparse.evolution.budget. Default: as many as it lost.
        fresh: weights of new connections: 'init' (drawn as the network's at its start) or 'zero'. Their optimizer state
            is zero. With 'zero', a connection that is removed and chosen again in the same evolution keeps its weight
            and state.
        output_layer: whether the output layer evolves too.
        density: lets the number of connections fall in the course of training, by magnitude across layers, before each
            evolution; None: the number is constant.

    Raises:
        InputError: where `fresh` is neither, or a prune rule that needs gradients comes with another budget.

    Example:
        A method of one's own, in a `Trainer`:

        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import grow, prune
        >>> method = ts.Evolution(prune.magnitude, grow.uniform, ts.Schedule(0.3, every_epochs=1))
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=method, batch_size=16).fit(X, y, epochs=2)
        >>> net.n_connections
        290

        In a loop of one's own, without a `Trainer`. The clock is the number of updates; `evolution_state` carries what
        rules store from one evolution to the next:

        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> optimizer = ts.SGD(0.1, momentum=0.9)
        >>> optimizer_state = [layer.new_state(optimizer) for layer in net.layers]
        >>> evolution_state = {}
        >>> total, steps_per_epoch, replaced = 30, 10, 0
        >>> for done in range(1, total + 1):
        ...     pass  # one update of net.layers and optimizer_state
        ...     if method.due(done, steps_per_epoch, total):
        ...         step = method.start(
        ...             net,
        ...             optimizer_state,
        ...             key=done,
        ...             threads=1,
        ...             training_progress=done / total,
        ...             evolution_state=evolution_state,
        ...         )
        ...         replaced += sum(step.evolve_layer(number) for number in step.views)
        >>> replaced  # 60 of 200 connections of the hidden layer, twice
        120

        See EvolutionStep for methods that need gradients.
    """

    name = "custom"

    def __init__(
        self,
        prune: LayerPrune | NetworkPrune,
        grow: Grow,
        schedule: Schedule,
        *,
        budget: Budget = as_lost,
        fresh: str = "init",
        output_layer: bool = False,
        density: CubicDensity | None = None,
    ) -> None:
        self.prune = prune
        self.grow = grow
        self.schedule = schedule
        self.budget = budget
        self.fresh = checks.choice("fresh", fresh, ("init", "zero"))
        self.output_layer = output_layer
        self.density = density
        if getattr(prune, "needs_gradient", False) and budget is not as_lost:
            raise InputError("a prune rule that needs gradients decides layer by layer: budget must be as_lost")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.schedule})"

    @property
    def needs_gradient(self) -> bool:
        """Whether a rule looks at gradients: evolution then takes the place of an update, on that update's batch."""
        return bool(getattr(self.prune, "needs_gradient", False) or getattr(self.grow, "needs_gradient", False))

    @property
    def storages(self) -> frozenset[str]:
        """The storages that all rules work with, of 'indexed' and 'tiled'."""
        common = storages_of(self.prune) & storages_of(self.grow) & storages_of(self.budget)
        # Deciding across layers, and restoring regrown connections, need the index.
        needs_index = isinstance(self.prune, NetworkPrune) or self.density is not None or self.fresh == "zero"
        return common & INDEXED if needs_index else common

    def check_storage(self, net: SparseMLP) -> None:
        """Checks that this method can evolve a network that is stored like `net`.

        Args:
            net: the network.

        Raises:
            InputError: where it cannot, with the rule that is the reason.
        """
        wanted = "tiled" if net.storage_config.tiled else "indexed"
        if wanted in self.storages:
            return
        parts = (("prune", self.prune), ("grow", self.grow), ("budget", self.budget))
        reason = next((f"its {part} rule" for part, rule in parts if wanted not in storages_of(rule)), "it")
        advice = "; SET can, or use net.indexed()" if wanted == "tiled" else ""
        raise InputError(
            f"evolution {self.name!r} cannot evolve a network with storage={net.storage_config.kind!r}: {reason} "
            f"does not declare {wanted!r} among its storages{advice}"
        )

    def due(self, done: int, steps_per_epoch: int, total: int) -> bool:
        """Whether to evolve now.

        Args:
            done: updates so far.
            steps_per_epoch: updates per epoch.
            total: updates of the whole training.

        Returns:
            What the schedule says.
        """
        return self.schedule.due(done, steps_per_epoch, total)

    def start(
        self,
        net: SparseMLP,
        optimizer_state: Sequence[OptimizerState],
        *,
        key: int,
        threads: int,
        training_progress: float = 0.0,
        evolution_state: dict[str, Any] | None = None,
    ) -> EvolutionStep:
        """Begins one evolution. The network does not change until the step's layers are evolved, except that `density`
        removes connections at once.

        Args:
            net: the network.
            optimizer_state: of each layer, as `layer.new_state(optimizer)` makes it; it is changed in place.
            key: of the random streams, another one for each evolution.
            threads: threads that kernels may use.
            training_progress: fraction of training that is over, 0 to 1.
            evolution_state: a dictionary in which rules store what they need at the next evolution; pass the same one
                each time. None: a new one.

        Returns:
            The step.

        Raises:
            InputError: where the method cannot evolve a network that is stored like this one.
        """
        state = {} if evolution_state is None else evolution_state
        return EvolutionStep(self, net, optimizer_state, key, threads, training_progress, state)

    def evolve(
        self,
        net: SparseMLP,
        optimizer_state: Sequence[OptimizerState],
        key: int,
        threads: int,
        *,
        training_progress: float = 0.0,
        evolution_state: dict[str, Any] | None = None,
    ) -> int:
        """Evolves all layers once, without gradients.

        Args:
            net: the network.
            optimizer_state: see `start`.
            key: see `start`.
            threads: see `start`.
            training_progress: see `start`.
            evolution_state: see `start`.

        Returns:
            The number of connections that were added.

        Raises:
            InputError: where the method needs gradients.
        """
        if self.needs_gradient:
            raise InputError(f"{type(self).__name__} needs gradients: use Trainer.evolve(X_batch, y_batch)")
        step = self.start(
            net,
            optimizer_state,
            key=key,
            threads=threads,
            training_progress=training_progress,
            evolution_state=evolution_state,
        )
        return sum(map(step.evolve_layer, step.views))
