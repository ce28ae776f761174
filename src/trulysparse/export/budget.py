"""What a network takes on a device in each form that it can have there, what of that fits, and what would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeVar

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.export.form_bytes import FORMS, Bytes, Form, bytes_of
from trulysparse.export.source import Source, source_of
from trulysparse.nn.mlp import SparseMLP
from trulysparse.pruning import prune_neurons

Key = TypeVar("Key", int, float)

# Below this many connections per neuron at either end, networks learn little.
_LEAST_EPSILON = 0.5
_PERCENTILES = range(1, 100)


@dataclass(frozen=True)
class Smaller:
    """A network that fits where this one does not.

    Args:
        connections: of it.
        density: share of the connections that its layer sizes allow.
        layer_sizes: of it.
        bytes: what it takes in the form.
        epsilon: of a network with the same layer sizes, drawn at random; None: of one that was pruned.
        percentile: of importance pruning, which gives it from this network; None: of one that was drawn.
    """

    connections: int
    density: float
    layer_sizes: tuple[int, ...]
    bytes: Bytes
    epsilon: float | None = None
    percentile: int | None = None


@dataclass(frozen=True)
class FormBudget:
    """A form, what it takes, and whether that is there.

    Args:
        form: of the network.
        bytes: what it takes; None where the form is not possible.
        fits: whether the device has that.
        reason: why the form is not possible, or ''.
        sparser: the network of the same layer sizes with the most connections that fits; None where this one fits, or
            none does.
        pruned: the largest that importance pruning makes of this network and that fits; likewise.
    """

    form: Form
    bytes: Bytes | None
    fits: bool
    reason: str = ""
    sparser: Smaller | None = None
    pruned: Smaller | None = None


@dataclass(frozen=True)
class DeviceBudget:
    """What `device_budget` finds.

    Args:
        layer_sizes: of the network.
        connections: of it.
        ram: bytes there are, or None: any number.
        flash: likewise.
        forms: each with what it takes.
    """

    layer_sizes: tuple[int, ...]
    connections: int
    ram: int | None
    flash: int | None
    forms: tuple[FormBudget, ...] = field(repr=False)

    @property
    def fitting(self) -> list[str]:
        """The names of the forms that fit."""
        return [each.form.name for each in self.forms if each.fits]

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        return asdict(self)


def device_budget(
    model: Any, *, ram: int | None = None, flash: int | None = None, batch: int = 1, advise: bool = True
) -> DeviceBudget:
    """What a network takes on a device: flash and RAM of each form, whether they are there, and what would fit.

    Bytes are those of the files that export.c writes and of the memory that the training runtime asks for, and, in
    flash, of the functions (see form_bytes.Form). The stack, and what else a program does, come on top. What would fit
    is not estimated: networks are drawn, or pruned, and counted.

    Args:
        model: what export.c takes.
        ram: bytes that the network may take of it, at least 1; None: any number.
        flash: likewise.
        batch: samples of a training step, at least 1.
        advise: whether to look for networks that fit where this one does not.

    Returns:
        The budget.

    Raises:
        InputError: where an argument is out of range, or the model is none that can be exported.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.export.budget import device_budget
        >>> budget = device_budget(ts.SparseMLP((64, 100, 100, 10), epsilon=10, seed=0), ram=64 * 1024, flash=14 * 1024)
        >>> budget.fitting
        ['int8, delta8', 'int8, auto']
        >>> first = budget.forms[0]
        >>> first.form.name, first.bytes.flash > budget.flash, first.sparser.epsilon < 10
        ('float32, u16', True, True)
    """
    for name, value in (("ram", ram), ("flash", flash)):
        if value is not None:
            checks.integer(name, value, low=1)
    batch = checks.integer("batch", batch, low=1)
    source = source_of(model)
    network = DeviceNetwork.of(model)
    limits = Bytes(flash, ram)
    forms = []
    for form in FORMS:
        try:
            taken = bytes_of(source, network, form, batch)
        except InputError as error:
            forms.append(FormBudget(form, None, False, str(error)))
            continue
        fits = taken.within(limits)
        looked_for = advise and not fits
        search = _Search(source, network, form, limits, batch)
        forms.append(
            FormBudget(
                form,
                taken,
                fits,
                sparser=search.sparser() if looked_for else None,
                pruned=search.pruned() if looked_for else None,
            )
        )
    return DeviceBudget(network.layer_sizes, network.n_connections, ram, flash, tuple(forms))


@dataclass(frozen=True)
class _Search:
    """Looks for a network that fits in a form."""

    source: Source
    network: DeviceNetwork
    form: Form
    limits: Bytes
    batch: int

    def sparser(self) -> Smaller | None:
        """See FormBudget. Epsilon is rounded down to two digits after the point, and that network is counted."""
        sizes, net = self.network.layer_sizes, self.source.net
        most = self._most_epsilon()
        if most < _LEAST_EPSILON:
            return None

        def drawn(hundredths: int) -> Smaller:
            epsilon = hundredths / 100
            other = SparseMLP(
                sizes, epsilon=epsilon, skip=net.skip, activation=net.activation, output=net.output, seed=0, threads=1
            )
            for name in ("scaling", "target_scaling", "labels", "feature_names"):
                setattr(other, name, getattr(net, name))
            for layer in other.layers:
                layer.bias[:] = 1  # files leave out biases that are all 0, which training changes
            return replace(self._counted(other), epsilon=epsilon)

        return _largest(drawn, range(round(100 * _LEAST_EPSILON), int(100 * most) + 1), self._fits)

    def pruned(self) -> Smaller | None:
        """See FormBudget."""
        if len(self.network.layer_sizes) < 3 or self.source.net.tied:
            return None

        def pruned(number: int) -> Smaller:
            percentile = 100 - number
            other = self.source.net.copy()
            prune_neurons(other, percentile)
            return replace(self._counted(other), percentile=percentile)

        return _largest(pruned, _PERCENTILES, self._fits)

    def _fits(self, found: Smaller) -> bool:
        return found.bytes.within(self.limits)

    def _most_epsilon(self) -> float:
        """No network with a larger epsilon than this has both fewer connections than this one and room: a connection
        takes at least two bytes."""
        rooms = [limit for limit in (self.limits.flash, self.limits.ram if self.form.training else None) if limit]
        connections = min([self.network.n_connections, *(room // 2 for room in rooms)])
        return connections / min(a + b for a, b in pairwise(self.network.layer_sizes))

    def _counted(self, net: SparseMLP) -> Smaller:
        """What another network takes where the head of a policy stays as it is."""
        own = self.network
        network = replace(DeviceNetwork.of(net), head=own.head, n_actions=own.n_actions, low=own.low, high=own.high)
        return Smaller(
            net.n_connections,
            net.density,
            net.layer_sizes,
            bytes_of(replace(self.source, net=net), network, self.form, self.batch),
        )


def _largest(make: Callable[[int], Smaller], numbers: Sequence[int], fits: Callable[[Smaller], bool]) -> Smaller | None:
    """What the largest of ascending numbers makes that fits, found by halving; None where none does."""
    best = None
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) // 2
        found = make(numbers[middle])
        if fits(found):
            best, low = found, middle + 1
        else:
            high = middle
    return best
