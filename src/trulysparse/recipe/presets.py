"""Recipes by name: settings that were chosen on held-out training samples of a data set, for a given time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from trulysparse._core import checks
from trulysparse.recipe.options import RecipeOptions


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


def _preset(about: str, **values: Any) -> Preset:
    unknown = set(values) - {each.name for each in fields(RecipeOptions)}
    assert not unknown, unknown
    return Preset(about, MappingProxyType(values))


PRESETS: Mapping[str, Preset] = MappingProxyType({})


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
