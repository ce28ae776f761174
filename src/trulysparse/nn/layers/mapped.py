"""MappedLayer: a tiled layer in memory-mapped files, for networks that do not fit into memory.

A step never writes over what the step before left: updated values go to the other of two files, and a manifest that is
replaced whole names those in force. A run that is killed goes on from the end of its last step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Stored, not_finite, type_name
from trulysparse._core.mapped_arrays import ArrayFolder, fetch, release
from trulysparse.connectivity import TiledConnectivity
from trulysparse.errors import InputError
from trulysparse.nn.activations import LayerActivation
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.optim import Optimizer, OptimizerState
from trulysparse.optim.optimizer import check_optimizer
from trulysparse.optim.state import fresh_slots


class MappedLayer(TiledLayer):
    """A TiledLayer whose arrays are files. Each array that updates change has a spare, which the next update
    fills."""

    def __init__(
        self,
        connectivity: TiledConnectivity,
        values: Stored,
        bias: Stored,
        activation: LayerActivation,
        folder: ArrayFolder,
        name: str,
        spare: tuple[list[Stored], list[Stored]] | None = None,
    ) -> None:
        super().__init__(connectivity, values, bias, activation)
        self._folder = folder
        self._name = name
        self._spare = spare or ([self._twin("weight", values)], [self._twin("bias", bias)])

    def _twin(self, part: str, array: Stored) -> Stored:
        return self._folder.create(f"{self._name}.{part}", len(array), array.dtype)

    def new_state(self, optimizer: Optimizer) -> OptimizerState:
        """Optimizer state for this layer, all zero, with spares."""
        check_optimizer(optimizer)
        kind, parts = self.slot_type(optimizer), range(optimizer.n_slots)
        create, (weights, biases) = self._folder.create, self._spare
        del weights[1:], biases[1:]
        weights += [create(f"{self._name}.slot{i}", self.n_connections, kind) for i in parts]
        biases += [create(f"{self._name}.bias_slot{i}", len(self.bias), kind) for i in parts]
        return OptimizerState(
            [create(f"{self._name}.slot{i}", self.n_connections, kind) for i in parts],
            [create(f"{self._name}.bias_slot{i}", len(self.bias), kind) for i in parts],
            fresh_slots(optimizer),
        )

    def arrays(self, optimizer_state: OptimizerState) -> dict[str, list[NDArray[Any]]]:
        """All arrays, by what they are."""
        return {
            "connectivity": [self.connectivity.ptr, self.connectivity.packed],
            "weight": [self.values, *optimizer_state.weight],
            "bias": [self.bias, *optimizer_state.bias],
            "spare_weight": self._spare[0],
            "spare_bias": self._spare[1],
        }

    def manifest(self, optimizer_state: OptimizerState) -> dict[str, Any]:
        """What `opened` needs to find the layer again."""
        entries: dict[str, Any] = {
            part: [self._folder.entry(array) for array in arrays]
            for part, arrays in self.arrays(optimizer_state).items()
        }
        con = self.connectivity
        return {"n_in": con.n_in, "n_out": con.n_out, "shift": con.shift, **entries}

    @staticmethod
    def opened(
        folder: ArrayFolder,
        name: str,
        manifest: dict[str, Any],
        sizes: Sequence[int],
        weights: str,
        activation: LayerActivation,
    ) -> tuple[MappedLayer, OptimizerState]:
        """The layer that a manifest names, and its optimizer state; InputError where it is not a layer of `sizes`
        neurons with weights of that type, or does not hold together. Reads every connection and weight once."""
        parts = ("connectivity", "weight", "bias", "spare_weight", "spare_bias")
        if not isinstance(manifest, dict) or not all(isinstance(manifest.get(part), list) for part in parts):
            raise InputError(f"it must list {', '.join(parts)}")
        n_in, n_out = (checks.integer(key, manifest.get(key), low=1) for key in ("n_in", "n_out"))
        if [n_in, n_out] != list(sizes):
            raise InputError(f"it connects {n_in} x {n_out} neurons, not {sizes[0]} x {sizes[1]}")
        lists = [manifest[part] for part in parts]
        if len(lists[0]) != 2 or not 1 <= len(lists[1]) <= 3 or len({len(each) for each in lists[1:]}) != 1:
            raise InputError("it must list 2 arrays of connections, and as many of weights, biases and spares of both")
        ptr, packed = folder.open(lists[0][0], ("int64",)), folder.open(lists[0][1], ("uint32",))
        connectivity = TiledConnectivity(n_in, n_out, manifest.get("shift"), ptr, packed)  # type: ignore[arg-type]
        weight, bias, spare_weight, spare_bias = (
            [
                folder.open(entry, (weights,) if i == 0 else ("float32", "bfloat16"), size)
                for i, entry in enumerate(entries)
            ]
            for entries, size in zip(lists[1:], (len(packed), n_out) * 2, strict=True)
        )
        for part, arrays in (("weight", weight), ("bias", bias)):
            for array in arrays:
                if wrong := not_finite(array):
                    raise InputError(f"{part} holds {wrong}")
        for array, spare in zip([*weight, *bias], [*spare_weight, *spare_bias], strict=True):
            if array.dtype != spare.dtype:
                raise InputError(f"a spare is {type_name(spare)}, not {type_name(array)}")
        for array in (packed, *weight):
            release(array)
        layer = MappedLayer(connectivity, weight[0], bias[0], activation, folder, name, (spare_weight, spare_bias))
        return layer, OptimizerState(weight[1:], bias[1:])

    def snapshot(self) -> tuple[TiledConnectivity, Stored, Stored]:
        """Connections, weights and biases as they are now, in files without a name."""
        scratch, con = self._folder.scratch, self.connectivity
        copied = TiledConnectivity.trusted(con.n_in, con.n_out, con.shift, scratch(con.ptr), scratch(con.packed))
        return copied, scratch(self.values), scratch(self.bias)

    def restore(self, snapshot: tuple[TiledConnectivity, Stored, Stored]) -> None:
        """Puts a snapshot back, into files of the layer."""
        con, values, bias = snapshot
        store, name = self._folder.store, self._name
        ptr, packed = store(f"{name}.ptr", con.ptr), store(f"{name}.place", con.packed)
        self.connectivity = TiledConnectivity.trusted(con.n_in, con.n_out, con.shift, ptr, packed)
        self.values, self.bias = store(f"{name}.weight", values), store(f"{name}.bias", bias)
        self._spare = [self._twin("weight", values)], [self._twin("bias", bias)]

    def _new_arrays(self, pointers: int, size: int, optimizer_state: OptimizerState) -> list[np.ndarray]:
        create, name = self._folder.create, self._name
        kinds = [self.values.dtype, *(slot.dtype for slot in optimizer_state.weight)]
        names = ["weight", *(f"slot{i}" for i in range(len(optimizer_state.weight)))]
        self._spare[0][:] = [create(f"{name}.{part}", size, kind) for part, kind in zip(names, kinds, strict=True)]
        return [
            create(f"{name}.ptr", pointers, np.dtype(np.int64)),
            create(f"{name}.place", size, np.dtype(np.uint32)),
            *(create(f"{name}.{part}", size, kind) for part, kind in zip(names, kinds, strict=True)),
        ]

    def _require_arrays(self, optimizer_state: OptimizerState) -> None:
        raise InputError(
            "an optimizer whose rule works on arrays needs gradients and values in memory, where layers in files have "
            "no place; use SGD or Adam"
        )

    def _into(self, optimizer_state: OptimizerState) -> tuple[list[Stored], list[Stored]]:
        return self._spare

    def _updated(self, optimizer_state: OptimizerState) -> None:
        weights, biases = self._spare
        weights[0], self.values = self.values, weights[0]
        biases[0], self.bias = self.bias, biases[0]
        for i in range(len(optimizer_state.weight)):
            weights[i + 1], optimizer_state.weight[i] = optimizer_state.weight[i], weights[i + 1]
            biases[i + 1], optimizer_state.bias[i] = optimizer_state.bias[i], biases[i + 1]

    def fetch(self) -> None:
        """Starts reading what the next pass needs."""
        for array in (self.connectivity.ptr, self.connectivity.packed, self.values, self.bias):
            fetch(array)

    def release(self) -> None:
        """Gives the layer's memory back."""
        for array in (self.connectivity.packed, self.values, self.bias, *self._spare[0], *self._spare[1]):
            release(array)
