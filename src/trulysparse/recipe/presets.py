"""Recipes by name: settings that were chosen on held-out training samples of a data set, for a given time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from trulysparse._core import checks


@dataclass(frozen=True)
class Preset:
    """Values of a recipe's fields, and what they are for.

    Attributes:
        about: the data set and the time that it takes, for a list of presets.
        values: of the fields that are not as by default.
    """

    about: str
    values: Mapping[str, Any]

    def others(self, given: Collection[str]) -> dict[str, Any]:
        """The values that do not go against what a user gave.

        Args:
            given: names of fields that the user gave.

        Returns:
            Values of the other fields, by name.

        Example:
            >>> "epochs" in preset("fashion-mnist-5min").others({"epochs"})
            False
        """
        return {name: value for name, value in self.values.items() if name not in given}


# Hidden neurons see correlated inputs, and the output layer is dense. SET is what is not said: it is the default.
_COMMON: Mapping[str, Any] = {
    "connectivity": "correlated",
    "activation": "relu",
    "fan": "sparse",
    "learning_rate": 0.05,
    "schedule": "cosine",
    "warmup": 2.0,
    "weight_decay": 5e-4,
}

# Times are those of two cores of an AMD EPYC (Zen 5); docs/best_results.md has what comes of them.
PRESETS: Mapping[str, Preset] = {
    "fashion-mnist-5min": Preset(
        "Fashion-MNIST in 5 minutes",
        {**_COMMON, "hidden": (3136, 1568), "density": (0.051, 0.0191, 1.0), "dropout": 0.3, "epochs": 100},
    ),
    "fashion-mnist-30min": Preset(
        "Fashion-MNIST in 30 minutes, images mirrored",
        {
            **_COMMON,
            "hidden": (6272, 3136),
            "density": (0.051, 0.0096, 1.0),
            "dropout": 0.3,
            "epochs": 200,
            "augmentation": "flip",
            "image_shape": (28, 28),
        },
    ),
    "cifar10-30min": Preset(
        "CIFAR-10 in 30 minutes, as the images are",
        {**_COMMON, "hidden": (3072, 3072), "density": (0.0244, 0.0244, 1.0), "dropout": 0.3, "epochs": 40},
    ),
    "cifar10-2h": Preset(
        "CIFAR-10 in 2 hours, images (channels first) turned, shifted and mirrored",
        {
            **_COMMON,
            "hidden": (6144, 3072),
            "density": (0.0163, 0.0163, 1.0),
            "evolve_until": 0.7,
            "epochs": 500,
            "augmentation": "rotation=10,shift=0.1,flip",
            "image_shape": (3, 32, 32),
        },
    ),
}


def preset(name: str, argument: str = "preset") -> Preset:
    """A preset by its name.

    Args:
        name: one of PRESETS.
        argument: what an error calls `name`.

    Returns:
        The preset.

    Raises:
        InputError: where there is none of that name.

    Example:
        >>> preset("fashion-mnist-5min").values["epochs"] > 1
        True
    """
    return PRESETS[checks.choice(argument, name, tuple(PRESETS))]
