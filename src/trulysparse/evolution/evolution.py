"""Topology evolution: a prune rule, a growth rule and a schedule, composed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trulysparse._core import checks
from trulysparse._core.arrays import Floats, zeros
from trulysparse.connectivity.coordinates import INDEXED, Uniform, storages_of
from trulysparse.errors import InputError
from trulysparse.evolution.budget import Budget, as_lost
from trulysparse.evolution.grow import Grow, no_growth
from trulysparse.evolution.prune import LayerPrune, NetworkPrune, keep_largest
from trulysparse.evolution.rewire import Change, rewire
from trulysparse.evolution.schedule import CubicDensity, Schedule
from trulysparse.evolution.view import LayerView, check_keep_mask, check_new_connections
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.optim import OptimizerState

if TYPE_CHECKING:
    from trulysparse.nn.mlp import SparseMLP


class Evolution:
    """Replaces connections during training.

    prune: which go (trulysparse.evolution.prune). grow: where as many come (evolution.grow). schedule: when, and which
    fraction. budget: how many each layer grows (evolution.budget). fresh: weights of new connections, 'init' (as the
    network's start) or 'zero'; their optimizer state is zero. With 'zero', a connection removed and chosen again
    in the same evolution never left: it keeps weight and state. output_layer: whether it evolves too. density: lets the
    number of connections fall in the course of training, by magnitude across layers, before each evolution.

    Each rule declares the storages it works with (`storages`, {"indexed", "tiled"} or {"indexed"}, the default); a
    method works with those that all its rules do.

    Kept connections keep weight and optimizer state. All evolving layers are pruned before any grows, unless the prune
    rule needs gradients.
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
        found = storages_of(self.prune) & storages_of(self.grow) & storages_of(self.budget)
        # Across layers, or with weights that are known before they are drawn, takes the index.
        across = isinstance(self.prune, NetworkPrune) or self.density is not None or self.fresh == "zero"
        return found & INDEXED if across else found

    def check_storage(self, net: SparseMLP) -> None:
        """InputError where this method cannot evolve a network that is stored like `net`."""
        wanted = "tiled" if net.storage_config.tiled else "indexed"
        if wanted in self.storages:
            return
        parts = (("prune", self.prune), ("grow", self.grow), ("budget", self.budget))
        wrong = next((f"its {part} rule" for part, rule in parts if wanted not in storages_of(rule)), "it")
        raise InputError(
            f"evolution {self.name!r} cannot evolve a network with storage={net.storage_config.kind!r}: {wrong} does not "
            f"declare {wanted!r} among its storages" + ("; SET can, or use net.indexed()" if wanted == "tiled" else "")
        )

    def due(self, done: int, steps_per_epoch: int, total: int) -> bool:
        """Whether to evolve when `done` of `total` updates are over."""
        return self.schedule.due(done, steps_per_epoch, total)

    def start(
        self,
        net: SparseMLP,
        optimizer_state: Sequence[OptimizerState],
        *,
        key: int,
        threads: int,
        progress: float = 0.0,
        evolution_state: dict[str, Any] | None = None,
    ) -> EvolutionStep:
        """Begins one evolution. key: of its random streams. progress: share of training that is over. memory: what the
        rules keep from one evolution to the next."""
        return EvolutionStep(
            self, net, optimizer_state, key, threads, progress, {} if evolution_state is None else evolution_state
        )

    def evolve(
        self, net: SparseMLP, optimizer_state: Sequence[OptimizerState], key: int, threads: int, **settings: Any
    ) -> int:
        """Evolves once without gradients; returns how many connections were replaced."""
        if self.needs_gradient:
            raise InputError(f"{type(self).__name__} needs gradients: use Trainer.evolve(X_batch, y_batch)")
        current = self.start(net, optimizer_state, key=key, threads=threads, **settings)
        return sum(map(current.layer, current.views))


class EvolutionStep:
    """One evolution of a network, layer by layer in any order."""

    def __init__(
        self,
        method: Evolution,
        net: SparseMLP,
        optimizer_state: Sequence[OptimizerState],
        key: int,
        threads: int,
        progress: float,
        evolution_state: dict[str, Any],
    ) -> None:
        method.check_storage(net)
        self._method = method
        self._net = net
        self._threads = threads
        layers = net.layers if method.output_layer else net.layers[:-1]
        fraction = method.schedule.fraction_at(progress)
        self.views = {
            number: LayerView(
                layer,
                optimizer_state[number],
                number,
                fraction,
                key,
                threads,
                evolution_state.setdefault(f"{number}", {}),
            )
            for number, layer in enumerate(layers)
        }
        views = list(self.views.values())
        if method.density is not None and views:
            self._shrink(views, method.density, progress, evolution_state)
        # Marks for all layers at once only where one layer's depend on the others: they take a byte a connection.
        self._early = isinstance(method.prune, NetworkPrune) or method.budget is not as_lost
        if self._early and views:
            if isinstance(method.prune, NetworkPrune):
                keeps = method.prune.across(views)
            else:
                keeps = [method.prune(view) for view in views]
            for view, keep in zip(views, keeps, strict=True):
                view.keep_mask = keep
            for view, count in zip(views, method.budget(views), strict=True):
                view.count = count

    def _shrink(
        self, views: Sequence[LayerView], density: CubicDensity, progress: float, evolution_state: dict[str, Any]
    ) -> None:
        now = sum(view.layer.n_connections for view in views)
        surplus = now - density.target(evolution_state.setdefault("initial", now), progress)
        if surplus > 0:
            for view, keep in zip(views, keep_largest(views, surplus), strict=True):
                assert not isinstance(view.layer, TiledLayer)  # see check_storage
                rewire(view.layer, view.optimizer_state, Change(keep), self._threads)

    def layer(self, number: int, x: Floats | None = None, dy: Floats | None = None) -> int:
        """Evolves one layer, given its input and output gradient where a rule needs them; returns how many connections
        came. Layers that do not evolve are passed over."""
        if number not in self.views:
            return 0
        self.decide(number, x, dy)
        return self.apply(number)

    def decide(self, number: int, x: Floats | None, dy: Floats | None) -> None:
        """Decides what goes and where to grow, and leaves the layer as it is."""
        view = self.views[number]
        view.x, view.dy = x, dy
        if not self._early:
            assert not isinstance(self._method.prune, NetworkPrune)
            view.keep_mask = self._method.prune(view)
            view.count = view.removed
        check_keep_mask(view, self._method.prune)
        view.new_connections = self._method.grow(view) if view.count else no_growth(view)
        check_new_connections(view, self._method.grow)
        if self._method.fresh == "zero":
            view.restore_regrown()
        view.x = view.dy = None

    def apply(self, number: int) -> int:
        """Does what `look` decided."""
        view = self.views[number]
        layer, count = view.layer, view.count
        if view.moved is not None:
            layer.values, view.moved = view.moved, None
        if isinstance(layer, TiledLayer):
            assert view.keep_mask is not None
            layer.fetch()
            keys = view.stream("grow"), view.stream("fresh")
            layer.evolve(view.keep_mask, count, self._net.init, keys, view.optimizer_state, self._threads)
            layer.release()
        elif view.removed or count:
            assert not isinstance(view.new_connections, Uniform)
            change = Change(view.keep_mask, view.new_connections)
            view.keep_mask = view.new_connections = None
            if self._method.fresh == "zero":
                change.fresh = zeros(count, self._net.dtype)
            else:
                scale = self._net.init.scale(layer.connectivity)
                change.fresh = self._net.init.draw(count, scale, self._net.dtype, view.stream("fresh"), self._threads)
            rewire(layer, view.optimizer_state, change, self._threads)
        view.keep_mask = view.new_connections = None
        remember = getattr(self._method.prune, "remember", None)
        if remember is not None:
            remember(view)
        return count
