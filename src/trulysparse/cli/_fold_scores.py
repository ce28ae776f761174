"""Scores of the folds of a cross-validation, and the file that keeps them until all folds are over."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core.files import write_whole
from trulysparse.cli._json import read_object
from trulysparse.cli._scores import score_figures
from trulysparse.errors import InputError


@dataclass
class FoldScores:
    """Scores of the folds that are over.

    Attributes:
        scores: of each fold, see training.evaluate.
        n_samples: how many were scored in all.
    """

    scores: list[dict[str, float]] = field(default_factory=list)
    n_samples: int = 0

    def __len__(self) -> int:
        return len(self.scores)

    def add(self, scores: dict[str, float], n_samples: int) -> None:
        """Adds a fold."""
        self.scores.append(score_figures(scores))
        self.n_samples += n_samples

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each score over the folds."""
        return {name: float(np.mean([each[name] for each in self.scores])) for name in self.scores[0]}

    @property
    def deviation(self) -> dict[str, float]:
        """The standard deviation of each score over the folds (of a sample: n - 1)."""
        return {name: float(np.std([each[name] for each in self.scores], ddof=1)) for name in self.scores[0]}

    def figures(self) -> dict[str, Any]:
        """The means and deviations as JSON holds them: 'accuracy', 'accuracy_std', ..., and 'folds', each one's."""
        spread = {f"{name}_std": value for name, value in self.deviation.items()}
        return {**self.mean, **spread, "folds": self.scores}

    def write(self, path: Path) -> None:
        """Keeps the scores in a file."""
        text = json.dumps({"scores": self.scores, "n_samples": self.n_samples}) + "\n"
        write_whole(path, lambda temporary: temporary.write_text(text))

    @staticmethod
    def read(path: Path) -> FoldScores:
        """The scores in a file, none where there is no file; InputError where it is damaged."""
        if not path.is_file():
            return FoldScores()
        values = read_object(path)
        scores, n_samples = values.get("scores"), values.get("n_samples")
        known = isinstance(scores, list) and all(
            isinstance(each, dict) and all(isinstance(value, int | float) for value in each.values()) for each in scores
        )
        if not known or not isinstance(n_samples, int):
            raise InputError(f"RUN: '{path}' cannot be read (it does not hold the scores of folds)")
        assert isinstance(scores, list)
        return FoldScores(scores, n_samples)
