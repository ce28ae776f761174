"""Bytes of flash and RAM of each form in which a network can be on a device."""

from __future__ import annotations

from dataclasses import dataclass

from trulysparse.export.blob import blob_of, train_memory
from trulysparse.export.c_training import check_trainable
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.export.size import size_of
from trulysparse.export.source import Source


@dataclass(frozen=True)
class Bytes:
    """Bytes of flash and RAM; as a limit None for any number.

    Args:
        flash: const arrays and code.
        ram: buffers, or the memory of a training.
    """

    flash: int | None
    ram: int | None

    def within(self, limits: Bytes) -> bool:
        """Whether there is room for them.

        Args:
            limits: of a device.

        Example:
            >>> Bytes(1000, 100).within(Bytes(1000, None)), Bytes(1000, 100).within(Bytes(1000, 99))
            (True, False)
        """
        pairs = (self.flash, limits.flash), (self.ram, limits.ram)
        return all(most is None or (taken is not None and taken <= most) for taken, most in pairs)


@dataclass(frozen=True)
class Form:
    """How a network is on a device.

    Args:
        name: that tables have.
        code: bytes of its functions, as GCC 12 makes them for a Cortex-M4F with -O2; tests of the emulated device hold
            this against what the compiler makes.
        weights: 'float32' or 'int8', see export.c.
        index: 'u16', 'delta8' or 'auto', see export.c.
        training: whether it learns there; weights, connections and biases are in RAM then.
        velocity: of a training: 'float32', 'bfloat16', or None where momentum is 0.
    """

    name: str
    code: int
    weights: str = "float32"
    index: str = "auto"
    training: bool = False
    velocity: str | None = None


_CODE = {"float32": 1000, "int8": 1300}
_TRAINING_CODE = 18500
FORMS = (
    *(
        Form(f"{weights}, {index}", _CODE[weights], weights, index)
        for weights in ("float32", "int8")
        for index in ("u16", "delta8", "auto")
    ),
    Form("training without momentum", _TRAINING_CODE, training=True),
    Form("training, bfloat16 momentum", _TRAINING_CODE, training=True, velocity="bfloat16"),
    Form("training, float32 momentum", _TRAINING_CODE, training=True, velocity="float32"),
)
"""Those that there are."""


def bytes_of(source: Source, network: DeviceNetwork, form: Form, batch: int = 1) -> Bytes:
    """What a network takes in a form.

    Args:
        source: the network, of which a training has a blob.
        network: the same, as it is on the device.
        form: that it is to have there.
        batch: samples of a training step.

    Returns:
        Flash and RAM, without the stack.

    Raises:
        InputError: where the network cannot have the form.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.export.source import source_of
        >>> net = ts.SparseMLP((64, 100, 100, 10), epsilon=10, seed=0)
        >>> network = ts.export.DeviceNetwork.of(net)
        >>> small, large = (bytes_of(source_of(net), network, form) for form in (FORMS[5], FORMS[-1]))
        >>> small.flash < large.flash, small.ram < 1000, 50_000 < large.ram < 64 * 1024
        (True, True, True)
    """
    if form.training:
        check_trainable(source)
        flash, ram = len(blob_of(source.net)), train_memory(source.net, velocity=form.velocity, batch=batch)
        return Bytes(flash + form.code, ram)
    size = size_of(network, form.weights, form.index)
    return Bytes(size.flash + form.code, size.ram)
