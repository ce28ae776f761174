"""ContrastiveDivergence: updates of a Boltzmann machine, both phases of a batch in one pass along the connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty, zeros
from trulysparse._core.random import stream_key
from trulysparse._kernels import Update, UpdateRule
from trulysparse.data import Reader
from trulysparse.evolution.step import EvolutionStep
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.columns import spans
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.optim import SGD
from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine, next_key

_FLUSH = 64  # updates whose errors are added up in the machine's type before they go into a double


@dataclass(frozen=True)
class DivergenceSettings:
    """How a machine learns.

    Args:
        learning_rate: above 0.
        momentum: in [0, 1).
        weight_decay: share of each weight and bias that an update takes away, in [0, 1).
        k: Gibbs steps per update, at least 1.
        persistent: whether chains go on from update to update.
    """

    learning_rate: float = 0.1
    momentum: float = 0.0
    weight_decay: float = 0.0
    k: int = 1
    persistent: bool = False


class _Phases:
    """Memory for both phases of so many samples, apart and side by side."""

    def __init__(self, machine: BoltzmannMachine, n: int) -> None:
        self.data, self.data_hidden = machine.columns(n)
        self.model, self.model_hidden = machine.columns(n)
        stride = 2 * self.data.values.shape[1]
        dtype = machine.net.dtype
        self.visible = Activations(empty(machine.n_visible * stride, dtype).reshape(-1, stride))
        self.hidden = empty(machine.n_hidden * stride, dtype).reshape(-1, stride)
        self.visible_gradient = zeros(machine.n_visible, dtype)


class ContrastiveDivergence:
    """Gradient steps of contrastive divergence: of each batch the difference between what data and model expect,
    w += rate * (<v h>_data - <v h>_model).

    The model's phase is k steps of Gibbs sampling that start at the data (CD-k). Hidden units are drawn in both phases;
    visible ones are means. With `persistent`, it is k steps of chains that go on from update to update, one per sample
    of a batch; all their units are drawn, and products are of probabilities.

    Both phases lie side by side, [v_data, v_model] and [-h_data, h_model]: the gradient along the connections is then
    one backward pass of the layer, which updates the weights on the spot. A batch is taken in tiles of
    `machine.width` samples.

    Args:
        machine: learns; changed in place.
        settings: how.
        batch_size: chains where they persist, at least 1.
        seed: of what is drawn.
        threads: at least 1; the same bits for any number.

    Attributes:
        state: momentum along the connections and the hidden biases.
        visible_momentum: of the visible biases, or none.
        chains: states of the hidden units of persistent chains, (n_hidden, batch_size), or None.
        n_updates: so far; it names the random streams.

    Source:
        Hinton, "Training products of experts by minimizing contrastive divergence" (2002); with decay and drawn units
        as in the code of Mocanu et al. (2018). Persistent chains: Tieleman, "Training restricted Boltzmann machines
        using approximations to the likelihood gradient" (2008).

    Example:
        >>> import numpy as np
        >>> from trulysparse.data import as_matrix
        >>> from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence, DivergenceSettings
        >>> from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine
        >>> machine = BoltzmannMachine.draw(8, 4, density=0.5, seed=0, threads=1)
        >>> learner = ContrastiveDivergence(machine, DivergenceSettings(0.1), batch_size=6, seed=0, threads=1)
        >>> X = as_matrix(np.tile([1.0, 0.0], (6, 4)))
        >>> for _ in range(100):
        ...     learner.update(X, np.arange(6))
        >>> bool((machine.visible_bias[::2] > 0).all() and (machine.visible_bias[1::2] < 0).all())
        True
    """

    def __init__(
        self, machine: BoltzmannMachine, settings: DivergenceSettings, *, batch_size: int, seed: int, threads: int
    ) -> None:
        self.machine = machine
        self.settings = settings
        self.batch_size = batch_size
        self.seed = seed
        self.threads = threads
        self.state = machine.layer.new_state(SGD(settings.learning_rate, settings.momentum))
        dtype = machine.net.dtype
        self.visible_momentum: list[Floats] = [zeros(machine.n_visible, dtype)] if settings.momentum else []
        self.chains: Floats | None = None
        if settings.persistent:
            self.chains = zeros(machine.n_hidden * batch_size, dtype).reshape(-1, batch_size)
        self.n_updates = 0
        self._phases: dict[int, _Phases] = {}
        self._gradient: ParameterGradient | None = None
        self._errors = zeros(machine.n_visible, dtype)
        self._error = 0.0

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles make their own memory of batches."""
        return self.__dict__ | {"_phases": {}, "_gradient": None}

    def update(self, reader: Reader, rows: NDArray[np.int64]) -> None:
        """One update.

        Args:
            reader: loads samples.
            rows: numbers of those of the batch, int64; where chains persist at most batch_size.

        Raises:
            InputError: at a value that cannot be used.
        """
        machine, settings, layer = self.machine, self.settings, self.machine.layer
        n, decay = len(rows), settings.weight_decay
        rate = settings.learning_rate / n
        rule = UpdateRule(Update.SGD, learning_rate=rate, momentum=settings.momentum, decay=decay)
        key = stream_key(self.seed, "gibbs", self.n_updates)
        tiles, gradient, visible = spans(n, machine.width), None, []
        for number, tile in enumerate(tiles):
            phases = self._run(reader, rows, tile, key, number)
            if number < len(tiles) - 1:
                gradient = layer.gradients(
                    phases.hidden, phases.visible, None, self.threads, self._whole_gradient(), add=number > 0
                )
                visible.append((phases.visible_gradient.copy(), 1.0))
        if decay:  # of biases, which the rule leaves alone
            layer.bias *= layer.bias.dtype.type(1 - decay)
        rule.add = gradient is not None
        layer.backward(phases.hidden, phases.visible, None, self.state, rule, self.threads, gradient)
        visible.append((phases.visible_gradient, 1.0))
        slot = self.visible_momentum[0] if self.visible_momentum else None
        rule.add = False
        _kernels.update(machine.visible_bias, slot, None, visible, rule, False, self.threads)
        self.n_updates += 1
        if self.n_updates % _FLUSH == 0:
            self._flush()

    def evolve(self, step: EvolutionStep, reader: Reader, rows: NDArray[np.int64]) -> None:
        """Evolves the topology in place of an update, by a method that looks at gradients: those of this batch, which
        is taken as one tile.

        Args:
            step: of the machine's layer.
            reader: loads samples.
            rows: see `update`.
        """
        key = stream_key(self.seed, "gibbs", self.n_updates)
        phases = self._run(reader, rows, slice(0, len(rows)), key, 0)
        step.take(0, self.machine.layer, phases.hidden, phases.visible, None, self.threads)
        self.n_updates += 1

    def gradient(self, reader: Reader, rows: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """What the next update descends, times the number of samples, without that update.

        Args:
            reader: loads samples.
            rows: see `update`; one tile at most.

        Returns:
            Along the connections, the hidden and the visible biases.
        """
        kept = None if self.chains is None else self.chains.copy()
        key = stream_key(self.seed, "gibbs", self.n_updates)
        phases = self._run(reader, rows, slice(0, len(rows)), key, 0)
        weight, bias = self.machine.layer.gradients(phases.hidden, phases.visible, None, self.threads)
        self.chains = kept
        return weight, bias, phases.visible_gradient.copy()

    def arrays(self) -> list[Floats]:
        """All that updates change in place: weights, biases, momentum, chains."""
        layer, machine = self.machine.layer, self.machine
        chains = [] if self.chains is None else [self.chains]
        learned = [layer.values, layer.bias, machine.visible_bias]
        return [*learned, *self.state.weight, *self.state.bias, *self.visible_momentum, *chains]

    def taken_error(self) -> float:
        """The sum of squared differences between data and reconstruction since it was last taken."""
        self._flush()
        error, self._error = self._error, 0.0
        return error

    def _flush(self) -> None:
        self._error += float(self._errors.sum(dtype=np.float64))
        self._errors[:] = 0

    def _whole_gradient(self) -> ParameterGradient:
        layer = self.machine.layer
        if self._gradient is None or self._gradient[0].shape != layer.values.shape:
            self._gradient = layer.new_gradient()
        return self._gradient

    def _memory(self, n: int) -> _Phases:
        stride = int(_kernels.padded_batch(n))
        phases = self._phases.get(stride)
        if phases is None:
            if len(self._phases) > 2:  # batches of many sizes, as in a stream
                self._phases.clear()
            phases = self._phases[stride] = _Phases(self.machine, stride)
        return phases

    def _run(self, reader: Reader, rows: NDArray[np.int64], tile: slice, key: int, number: int) -> _Phases:
        """Both phases of a tile, joined. number: of the tile in its batch."""
        machine, threads, settings = self.machine, self.threads, self.settings
        taken = rows[tile]
        n = len(taken)
        phases = self._memory(n)
        data, model, data_hidden, model_hidden = phases.data, phases.model, phases.data_hidden, phases.model_hidden
        first = number * (2 * settings.k + 1)
        reader.load(taken, data.values, machine.net.scaling, threads)
        machine.hidden_given(data, data_hidden, n, None if settings.persistent else next_key(key, first), threads)
        if self.chains is None:
            source = data_hidden
            for at in range(settings.k):
                machine.visible_given(source, model, n, None, threads)
                machine.hidden_given(model, model_hidden, n, next_key(key, first + 1 + at), threads)
                source = model_hidden
        else:
            model_hidden.values[:, :n] = self.chains[:, tile]
            model_hidden.values[:, n:] = 0
            for at in range(settings.k):
                drawn = next_key(key, first + 1 + 2 * at)
                machine.visible_given(model_hidden, model, n, drawn, threads)
                last = at == settings.k - 1
                machine.hidden_given(model, model_hidden, n, None if last else next_key(drawn, 1), threads)
        join: Any = _kernels.join_phases
        join(data_hidden.values, model_hidden.values, phases.hidden, -1.0, None, None, threads)
        gradient, errors = phases.visible_gradient, None if settings.persistent else self._errors
        join(data.values, model.values, phases.visible.values, 1.0, gradient, errors, threads)
        if self.chains is not None:
            drawn = next_key(key, first + 2 * settings.k)
            _kernels.draw_units(model_hidden.values, None, n, False, True, drawn, threads)
            self.chains[:, tile] = model_hidden.values[:, :n]
        return phases
