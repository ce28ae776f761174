"""The networks of an estimator: one or, of an ensemble, several that become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from trulysparse.data import Scaling
from trulysparse.estimators._rescaling import rescale_inputs
from trulysparse.estimators._warm_start import carry_on
from trulysparse.nn.ensemble import merge_networks
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim.optimizer import with_schedule
from trulysparse.optim.schedules import ContinuedRate
from trulysparse.training import Callback, History, Trainer, fit_side_by_side, mean_history


class Members:
    """Networks of other seeds that are trained side by side on the same samples.

    Args:
        trainers: one for each.
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        self.trainers = list(trainers)
        self.optimizer = self.trainers[0].optimizer

    @property
    def networks(self) -> list[SparseMLP]:
        """One of each trainer."""
        return [trainer.net for trainer in self.trainers]

    def network(self, threads: int) -> SparseMLP:
        """The network that stands for all: the only one itself."""
        return self.networks[0] if len(self.trainers) == 1 else merge_networks(self.networks, threads=threads)

    def fit(self, X: Any, y: Any, callbacks: Sequence[Sequence[Callback]], threads: int, **settings: Any) -> History:
        """Trains all; callbacks are of each."""
        if len(self.trainers) == 1:
            return self.trainers[0].fit(X, y, callbacks=callbacks[0], **settings)
        histories = fit_side_by_side(self.trainers, X, y, callbacks=callbacks, threads=threads, **settings)
        return mean_history(histories)

    def go_on_from(self, before: Members) -> Members:
        """These trainers where those of another call have stopped; see carry_on."""
        pairs = zip(before.trainers, self.trainers, strict=True)
        self.trainers = [carry_on(old, new) for old, new in pairs]
        return self

    def one_pass(
        self, X: Any, y: Any, *, done: int, epochs: int, threads: int, weight: NDArray[Any] | None = None
    ) -> History:
        """An epoch without evolution, the schedule of the learning rate going on after `done` of `epochs`."""
        for trainer in self.trainers:
            trainer.evolution = None
            if hasattr(self.optimizer, "learning_rate"):
                trainer.optimizer = with_schedule(self.optimizer, lambda rate: ContinuedRate(rate, done, epochs))
        calls: list[list[Callback]] = [[] for _ in self.trainers]
        return self.fit(X, y, calls, threads, epochs=1, sample_weight=weight)

    def rescale(self, scaling: Scaling) -> None:
        """Lets the networks answer under the figures of a scaling as they have before."""
        for net in self.networks:
            assert net.scaling is not None
            net.scaling = rescale_inputs(net, net.scaling, scaling)
