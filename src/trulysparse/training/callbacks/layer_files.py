"""Checkpoints of layers that live in files: a manifest that names what is in force, and what callbacks remember."""

from __future__ import annotations

from pathlib import Path

from trulysparse.io import checkpoints, model_writer
from trulysparse.io.callback_state import Arrays, Kept
from trulysparse.io.checkpoint_folder import write_arrays
from trulysparse.nn.layers.mapped import MappedLayer
from trulysparse.training.callbacks.running import RunningTrainer

_FILES = "callbacks-*.safetensors"


class LayerFiles:
    """Commits the layers of a network that lives in files.

    Args:
        folder: where the arrays of callbacks are written; that of the layers is `layers` in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrays: Arrays = {}  # of callbacks, as they were written last
        self._file: str | None = None
        self._tidy = False  # whether only the file in force is there

    def commit(self, trainer: RunningTrainer, kept: Kept, *, sync: bool = False) -> None:
        """Puts the layers as they are now in force.

        Args:
            trainer: of the network.
            kept: what callbacks remember.
            sync: whether all values have to outlive a power cut.
        """
        net = trainer.net
        folder = net.storage_config.folder
        layers: list[MappedLayer] = net.layers
        assert folder is not None
        pairs = list(zip(layers, trainer.optimizer_state, strict=True))
        state = {
            "network": model_writer.settings(net),
            **checkpoints.counters(trainer),
            "position": trainer.position.to_json(),
            "kept": self._written(kept, trainer.step_count),
            "layers": [layer.manifest(optimizer_state) for layer, optimizer_state in pairs],
        }
        arrays = [
            a for layer, optimizer_state in pairs for kind in layer.arrays(optimizer_state).values() for a in kind
        ]
        folder.commit(state, arrays, sync=sync)
        if not self._tidy:
            for path in self._folder.glob(_FILES):
                if path.name != self._file:
                    path.unlink()
            self._tidy = True

    def _written(self, kept: Kept, step_count: int) -> dict[str, object]:
        """What the manifest says of callbacks, whose arrays are written where they are others than before."""
        entries, arrays = kept.to_json()
        if arrays.keys() != self._arrays.keys() or any(self._arrays[name] is not each for name, each in arrays.items()):
            self._file = _FILES.replace("*", f"{step_count:08d}") if arrays else None
            if self._file is not None:
                write_arrays(self._folder / self._file, arrays)
            self._arrays, self._tidy = arrays, False
        return {"file": self._file, "callbacks": entries}
