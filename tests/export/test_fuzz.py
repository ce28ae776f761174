"""Networks drawn at random, exported, compiled and compared with the frozen network and, in eight bits, with the
reference bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trulysparse as ts
from export.c_host import Answers, Exported, load_networks, run_networks
from export.random_networks import WIDE, Case, draw
from trulysparse.export import DeviceNetwork
from trulysparse.export.calibration import calibrate
from trulysparse.export.int8_reference import Int8Reference
from trulysparse.export.quantize import quantize

FEW = 10
MANY = 500
TOGETHER = 50  # in one program
WILD = np.float32([3e38, -3e38, np.inf, -np.inf, np.nan, 1e-40])


@dataclass(frozen=True)
class Form:
    """A case, written in one of the forms."""

    case: Case
    exported: Exported
    options: dict[str, Any]
    reference: Int8Reference | None

    def __str__(self) -> str:
        return f"{self.case.words}, exported with {self.options}"


def write(case: Case, seed: int, folder: Path) -> Form:
    """Exports a case in a form that its seed chooses."""
    rng = np.random.default_rng([22, seed])
    options: dict[str, Any] = {"index": str(rng.choice(["auto", "delta8", *(["u16"] if case.widest <= WIDE else [])]))}
    reference = None
    if seed % 2:
        options["weights"] = "int8"
        reference = Int8Reference(quantize(network := DeviceNetwork.of(case.model), calibrate(network, case.X)))
    else:
        options["scaling"] = str(rng.choice(["auto", "folded", "kept"]))
    path = folder / f"n{seed}.c"
    given = {"calibrate": case.X} if reference else {}
    ts.export.c(case.model, path, name=path.stem, **options, **given)
    exported = Exported(path, path.stem, case.n_inputs, case.n_outputs, case.n_actions)
    return Form(case, exported, options, reference)


def differences(form: Form, X: np.ndarray, found: Answers) -> list[str]:
    """What of the answers to samples is not as it must be."""
    expected = compared(form.case, X) if form.reference is None else None
    problems = []

    def require(right: Any, what: str) -> None:
        if not right:
            problems.append(f"{what}: {form}")

    require((found.predictions == largest(form.case, found.scores)).all(), "net_predict is not that of net_scores")
    if form.reference is not None:
        require(found.scores.tobytes() == form.reference.scores(X).tobytes(), "scores have other bits")
        require((found.predictions == form.reference.predict(X)).all(), "other predictions")
        if form.case.n_actions:
            actions = form.reference.act(X)
            require(found.actions.tobytes() == np.ascontiguousarray(actions).tobytes(), "actions have other bits")
        return problems
    scores, actions = expected
    off = close(found.scores, scores)
    require(off <= 1, f"scores are {off:.3g} times too far off")
    if actions is not None:
        off = close(found.actions, actions)
        require(off <= 1, f"actions are {off:.3g} times too far off")
    return problems


def compared(case: Case, X: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Scores of the frozen network; and a policy's actions, where they are numbers."""
    frozen = case.network.freeze()
    # Of a regression the predictions: they are in the unit of the targets.
    scores = frozen.predict(X) if case.network.target_scaling else frozen.decision_function(X)
    return scores.reshape(len(X), -1)[:, : case.n_outputs], case.model.predict(X)[0] if case.n_actions else None


def close(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference in units of 1e-5 of the scale of the answers."""
    scale = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(found.astype(np.float64) - expected).max()) / (1e-5 * scale)


def largest(case: Case, scores: np.ndarray) -> np.ndarray:
    if case.n_outputs == 1 and not case.policy and case.network.output != "softmax":
        return scores[:, 0] > 0
    return scores.argmax(axis=1)


def fuzz(seeds: range, folder: Path) -> list[str]:
    """The differences of all networks of the seeds."""
    forms = [write(draw(seed), seed, folder) for seed in seeds]
    samples = [form.case.X for form in forms]
    found = run_networks(folder, [form.exported for form in forms], samples)
    problems = [each for triple in zip(forms, samples, found, strict=True) for each in differences(*triple)]
    # As a user may compile: products and sums in one instruction, wide vectors, unsigned char. Integers care not.
    eights = [form for form in forms if form.reference is not None]
    flags = ["-O3", "-march=native", "-ffp-contract=fast", "-funsigned-char"]
    fast = load_networks(folder, [form.exported for form in eights], flags)
    wild = [np.resize(WILD, (2, form.case.n_inputs)) for form in eights]
    samples = [np.vstack([form.case.X, each]) for form, each in zip(eights, wild, strict=True)]
    problems += [each for triple in zip(eights, samples, fast(samples), strict=True) for each in differences(*triple)]
    return sorted(set(problems))


def test_random_networks(tmp_path):
    assert fuzz(range(FEW), tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FEW, MANY, TOGETHER))
def test_hundreds_of_random_networks(tmp_path, first):
    assert fuzz(range(first, first + TOGETHER), tmp_path) == []
