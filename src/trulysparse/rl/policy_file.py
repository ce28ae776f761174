"""Policies in files."""

from __future__ import annotations

from os import PathLike
from typing import Any, ClassVar, Self

from trulysparse.errors import InputError
from trulysparse.io import models


class PolicyFile:
    """Base of Policy and FleetPolicy: `save` and `load`."""

    described: ClassVar[str]
    """What errors call it."""

    def save(self: Any, path: str | PathLike[str]) -> None:
        """Writes it to one safetensors file, which `load` and `trulysparse.load` read without Gymnasium.

        Args:
            path: of the file; one that is there is replaced as a whole.

        Raises:
            OSError: where the file cannot be written; one that was there stays then.
        """
        models.save(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Reads what `save` wrote.

        Args:
            path: of the file.

        Returns:
            An object of this class.

        Raises:
            InputError: where the file is missing, truncated, damaged, or holds something else.

        Example:
            >>> import tempfile
            >>> import trulysparse as ts
            >>> from trulysparse.rl.policy import Policy
            >>> net = ts.SparseMLP((3, 8, 2), epsilon=1, output="identity", seed=0)
            >>> policy = Policy(net, head="tanh", n_actions=2)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     policy.save(folder + "/policy.safetensors")
            ...     same = Policy.load(folder + "/policy.safetensors")
            >>> bool((same([1, 2, 3]) == policy([1, 2, 3])).all())
            True
        """
        found = models.load(path, threads=1)
        if not isinstance(found, cls):
            raise InputError(
                f"{path} holds a {type(found).__name__}, not {cls.described}: read it with trulysparse.load"
            )
        return found
