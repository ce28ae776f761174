"""A call of `select`: its options, checked before anything is read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from trulysparse._core import checks
from trulysparse.cli._command_line import option_words
from trulysparse.cli._options import integers
from trulysparse.cli._selection_files import DATA_OUT, OUT, REPORT, check_path
from trulysparse.cli._settings import Settings
from trulysparse.errors import InputError
from trulysparse.unsupervised.selection import make_method
from trulysparse.unsupervised.selector import SparseFeatureSelector

_FOLDS = 5
_METHOD = ("epochs", "hidden_layer_sizes", "epsilon", "batch_size", "learning_rate", "noise")  # settings of methods
# What messages of the selector call options of the command line.
_CALLED = {"n_features_to_select": "--features", "hidden_layer_sizes": "--hidden"}
_CALLED |= {name: "--" + name.replace("_", "-") for name in ("method", "accumulate", *_METHOD) if name not in _CALLED}


@dataclass(frozen=True, kw_only=True)
class SelectCommand:
    """A call of `select`; see there. given: names of the options of `settings` that the user wrote."""

    settings: Settings
    given: Collection[str]
    out: Path
    features: int | None = None
    method: str = "quickselection"
    accumulate: bool = False
    epochs: int | None = None
    hidden: str | None = None
    epsilon: float | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    noise: float | None = None
    repeats: int = 1
    no_target: bool = False
    test_size: float | None = None
    data_out: Path | None = None
    report: Path | None = None
    cv: int | None = None
    image_shape: str | None = None
    threads: int | None = None
    json: bool = False

    @property
    def n_folds(self) -> int:
        """Of the cross-validation; 0: there is none."""
        if self.cv is None:
            return 0 if self.report is None or self.no_target else _FOLDS
        return self.cv

    @cached_property
    def of_method(self) -> dict[str, Any]:
        """The settings of the method that are given."""
        hidden = None if self.hidden is None else integers("--hidden", self.hidden)
        named = {name: hidden if name == "hidden_layer_sizes" else getattr(self, name) for name in _METHOD}
        return {name: value for name, value in named.items() if value is not None}

    @cached_property
    def needs_y(self) -> bool:
        """Whether the method looks at labels; InputError where it has no such settings."""
        with as_options():
            return make_method(self.method, **self.of_method, accumulate=self.accumulate or None).needs_y

    def selector(self, task: str = "auto") -> SparseFeatureSelector:
        """What chooses. task: what labels are."""
        return SparseFeatureSelector(
            self.features,
            method=self.method,
            accumulate=self.accumulate,
            **self.of_method,
            task=task,
            n_repeats=self.repeats,
            n_jobs=self.threads,
            random_state=self.settings.seed,
        )

    def check(self) -> None:
        """Refuses what can be refused without the data."""
        self._check_paths()
        checks.integer("--seed", self.settings.seed, low=0, high=2**32 - 1)
        checks.integer("--repeats", self.repeats, low=1)
        checks.thread_count(self.threads)
        if self.features is not None:
            checks.integer("--features", self.features, low=1)
        if self.cv is not None and checks.integer("--cv", self.cv, low=0) == 1:
            raise InputError("--cv must be at least 2 folds, or 0 for none, not 1")
        if self.image_shape is not None and self.report is None:
            raise InputError("--image-shape is for the picture of --report")
        if self.no_target and (wrong := {"target", "task"} & set(self.given)):
            raise InputError(f"--no-target cannot be combined with --{max(wrong)}")
        self.settings.source().options.check()
        if self.needs_y and self.no_target:
            raise InputError(f"--no-target: method {self.method!r} learns from labels")
        if self.no_target and self.cv:
            raise InputError("--cv: without labels there is nothing to judge features by")

    def _check_paths(self) -> None:
        paths = [("--out", self.out, OUT), ("--data-out", self.data_out, DATA_OUT), ("--report", self.report, REPORT)]
        given = [(option, path, suffixes) for option, path, suffixes in paths if path is not None]
        for number, (option, path, suffixes) in enumerate(given):
            check_path(option, path, suffixes, self.settings.data)
            for other, same, _ in given[:number]:
                if path.resolve() == same.resolve():
                    raise InputError(f"{option} and {other} are the same file, '{path}'")

    def line(self) -> str:
        """The command that repeats it."""
        parts = ["trulysparse", "select", self.settings.data]
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name not in ("settings", "given", "json") and value != each.default:
                parts += option_words(each.name, value)
        own = {"data", *(each.name for each in fields(self))}
        for each in fields(Settings):
            if each.name in self.given and each.name not in own:
                parts += option_words(each.name, getattr(self.settings, each.name), each.metadata["flags"])
        return shlex.join(parts)


@contextmanager
def as_options() -> Iterator[None]:
    """Errors of the selector as errors of options, in one sentence."""
    try:
        yield
    except ValueError as error:
        text = str(error).split("\n")[0].replace("; leave it at None", "")
        name = re.match(r"\w+", text)
        if name is not None and name[0] in _CALLED:
            text = _CALLED[name[0]] + text[name.end() :]
        raise InputError(text) from None
