"""Tests mirror modules: nn/mlp.py is tested in tests/nn/test_mlp.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import trulysparse

PACKAGE = Path(trulysparse.__file__).parent
TESTS = Path(__file__).parent

# Modules of so few lines need no test file of their own.
FEW_LINES = 25

# Modules that are tested through another, and the test file that does so.
COVERED_BY = {
    "cli/_checkpoints.py": "cli/test_resume.py",
    "cli/_export_tables.py": "cli/test_export.py",
    "cli/_exporting.py": "cli/test_exportable.py",
    "cli/_plan_text.py": "cli/test_plan.py",
    "cli/_results.py": "cli/test_train.py",
    "cli/_select_command.py": "cli/test_select.py",
    "cli/_selecting.py": "cli/test_select.py",
    "cli/_tables.py": "cli/test_compare.py",
    "cli/grid/_bounding.py": "cli/grid/test_bound.py",
    "cli/grid/_reporting.py": "cli/grid/test_report.py",
    "cli/grid/_running.py": "cli/grid/test_run.py",
    "cli/rl/_algorithms.py": "cli/rl/test_settings.py",
    "cli/rl/_environment.py": "cli/rl/test_train.py",
    "cli/rl/_policies.py": "cli/rl/test_evaluate.py",
    "cli/rl/_processes.py": "cli/rl/test_train.py",
    "cli/rl/_results.py": "cli/rl/test_train.py",
    "cli/rl/_seed.py": "cli/rl/test_train.py",
    "cli/rl/_training.py": "cli/rl/test_train.py",
    "cli/rl/resume.py": "cli/rl/test_train.py",
    "cli/_training.py": "cli/test_train.py",
    "cli/_training_run.py": "cli/test_train.py",
    "export/c_data_file.py": "export/test_c_file.py",
    "export/c_float.py": "export/test_c_file.py",
    "export/c_forms.py": "export/test_c_file.py",
    "export/c_part.py": "export/test_c_file.py",
    "export/c_source.py": "export/test_c_file.py",
    "estimators/_docs.py": "test_docstrings.py",
    "export/network_state.py": "export/test_scipy_form.py",
    "export/onnx_graph.py": "export/test_onnx_file.py",
    "export/onnx_nodes.py": "export/test_onnx_file.py",
    "export/onnx_outputs.py": "export/test_onnx_file.py",
    "grid/homes.py": "grid/test_environment.py",
    "grid/readings.py": "grid/test_environment.py",
    "grid/rows.py": "grid/test_outcome.py",
    "grid/step.py": "grid/test_environment.py",
    "grid/agents/topology.py": "grid/agents/test_training.py",
    "grid/power_flow/matrices.py": "grid/power_flow/test_flow.py",
    "grid/power_flow/details.py": "grid/power_flow/test_flow.py",
    "grid/power_flow/result.py": "grid/power_flow/test_flow.py",
    "grid/power_flow/solver.py": "grid/power_flow/test_flow.py",
    "nn/fleet/base.py": "nn/fleet/test_fleet.py",
    "nn/fleet/blocks.py": "nn/fleet/test_fleet.py",
    "nn/fleet/build.py": "nn/fleet/test_fleet.py",
    "nn/fleet/call.py": "nn/fleet/test_fleet.py",
    "nn/fleet/checks.py": "nn/fleet/test_fleet.py",
    "nn/fleet/predict.py": "nn/fleet/test_fleet.py",
    "nn/fleet/signals.py": "nn/fleet/test_fleet.py",
    "nn/layers/fleet_layer.py": "nn/fleet/test_fleet.py",
    "nn/losses/base.py": "nn/losses/test_custom.py",  # protocols
    "parallel/ray/server_actor.py": "parallel/ray/test_driver.py",  # actors run on a cluster alone: slow tests
    "parallel/ray/worker_actor.py": "parallel/ray/test_driver.py",
    "rl/policy_file.py": "rl/test_policy.py",
    "rl/rings.py": "rl/test_replay.py",
    "rl/environment_interface.py": "rl/test_environments.py",
    "rl/learning_agent.py": "rl/test_loop.py",  # a protocol
    "training/fleet_loss.py": "training/test_fleet_trainer.py",
    "training/callbacks/running.py": "training/callbacks/test_base.py",  # a protocol
    "unsupervised/selection/method.py": "unsupervised/selection/test_registry.py",  # a protocol
}


def modules() -> dict[str, int]:
    """The modules below the package, as paths with slashes, and their numbers of lines."""
    return {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text().splitlines())
        for path in PACKAGE.rglob("*.py")
        if path.stem not in ("__init__", "__main__")
    }


def mirror(module: str) -> str:
    """The test file of a module of its own."""
    path = Path(module)
    return path.with_name(f"test_{path.stem.lstrip('_')}.py").as_posix()


def untested(lines: Mapping[str, int], tests: Iterable[str], covered_by: Mapping[str, str]) -> list[str]:
    """The modules that have more than a few lines and no test file."""
    files = set(tests)
    return sorted(
        f"{module} needs {covered_by.get(module, mirror(module))}"
        for module, n_lines in lines.items()
        if n_lines > FEW_LINES and covered_by.get(module, mirror(module)) not in files
    )


def test_every_module_has_a_test_file():
    tests = [path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")]
    assert untested(modules(), tests, COVERED_BY) == []


def test_exceptions_are_modules_that_need_one():
    for module in COVERED_BY:
        assert (PACKAGE / module).is_file(), module
        assert not (TESTS / mirror(module)).exists(), f"{module} has a test file of its own"


@pytest.mark.parametrize(
    "module, n_lines, tests, missing",
    [
        ("nn/new.py", 26, [], ["nn/new.py needs nn/test_new.py"]),
        ("nn/new.py", 25, [], []),
        ("nn/new.py", 26, ["nn/test_new.py"], []),
        ("nn/new.py", 26, ["test_new.py", "optim/test_new.py"], ["nn/new.py needs nn/test_new.py"]),
        ("cli/_new.py", 26, ["cli/test_new.py"], []),
        ("cli/_parts.py", 26, ["cli/test_train.py"], []),
        ("cli/_parts.py", 26, ["cli/test_parts.py"], ["cli/_parts.py needs cli/test_train.py"]),
        ("new.py", 26, [], ["new.py needs test_new.py"]),
    ],
)
def test_module_without_tests_is_found(module, n_lines, tests, missing):
    assert untested({module: n_lines}, tests, {"cli/_parts.py": "cli/test_train.py"}) == missing
