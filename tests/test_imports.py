"""The order of the package's folders: nothing upstream imports downstream, no modules import in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import trulysparse

PACKAGE = Path(trulysparse.__file__).parent

# Each folder may import from those before it. `_kernels` is the compiled module, which imports nothing of ours.
ORDER = (
    "errors",
    "_kernels",
    "_core",
    "connectivity",
    "optim",
    "data",
    "preprocessing",
    "task",
    "nn",
    "evolution",
    "io",
    "training",
    "pruning",
    "parallel",
    "planning",
    "analysis",
    "report",
    "recipe",
    "estimators",
    "unsupervised",
    "rl",
    "grid",
    "torch",
    "export",
    "bench",
    "cli",
)

Imports = dict[str, set[str]]


@cache
def imports_of(package: Path) -> Imports:
    """The modules of ours that each module imports, wherever in the file, also for types alone."""
    paths = {module_name(package, path): path for path in package.rglob("*.py")}
    return {module: set(_imported(path.read_text(), paths)) for module, path in paths.items()}


def module_name(package: Path, path: Path) -> str:
    parts = (package.name, *path.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(source: str, modules: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "trulysparse")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module is not None and node.module.split(".")[0] == "trulysparse":
                for alias in node.names:
                    name = f"{node.module}.{alias.name}"
                    yield name if name in modules or alias.name == "_kernels" else node.module


def folder_of(module: str) -> str:
    """The folder, or the module on the top floor, that a module belongs to; '' for the package itself."""
    return [*module.split("."), ""][1]


def upward_imports(imports: Imports) -> list[str]:
    """Imports from a folder that comes later in ORDER."""
    rank = {folder: number for number, folder in enumerate(ORDER)}
    wrong = []
    for module, targets in imports.items():
        if folder_of(module) in ("", "__main__"):  # the public face imports from everywhere
            continue
        for target in targets:
            if folder_of(target) not in rank or rank[folder_of(target)] > rank[folder_of(module)]:
                wrong.append(f"{module} imports {target}")
    return sorted(wrong)


def circles(imports: Imports) -> list[list[str]]:
    """Groups of modules that reach each other (strongly connected components of more than one, by Tarjan's rule). A
    package stands for its __init__ alone."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for target in imports[module]:
            if target not in imports or target == module:
                continue
            if target not in number:
                visit(target)
            if target in stack:
                low[module] = min(low[module], low[target])
        if low[module] == number[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in imports:
        if module not in number:
            visit(module)
    return found


def test_imports_go_one_way() -> None:
    assert upward_imports(imports_of(PACKAGE)) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(imports_of(PACKAGE)) == []


def test_every_folder_has_a_place_in_the_order() -> None:
    folders = {folder_of(module) for module in imports_of(PACKAGE)} - {"", "__main__"}
    assert folders | {"_kernels"} == set(ORDER)


def test_forbidden_imports_are_found(tmp_path: Path) -> None:
    forbidden = {
        "nn/losses/make.py": "from trulysparse.training import Trainer",
        "_core/checks.py": "import trulysparse.nn",
        "optim/sgd.py": "def late():\n    from trulysparse.cli import main",
    }
    package = tmp_path / "trulysparse"
    for path in PACKAGE.rglob("*.py"):
        copy = package / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    for module, statement in forbidden.items():
        with (package / module).open("a") as file:
            file.write(f"\n{statement}\n")
    found = upward_imports(imports_of(package))
    assert len(found) == len(forbidden)
    for module in forbidden:
        name = module_name(package, package / module)
        assert [line for line in found if line.startswith(f"{name} imports ")]


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_the_top_floor_holds_the_public_face_alone() -> None:
    files = [path.name for path in PACKAGE.iterdir() if path.is_file() and not path.name.endswith(".so")]
    assert len(files) <= 8, files


@pytest.mark.parametrize("module", ["trulysparse", "trulysparse.recipe"])
def test_library_loads_neither_terminal_nor_scikit_learn(module: str) -> None:
    """What small devices may do without: bars on a terminal and estimators are loaded when they are used."""
    code = f"import sys, {module}; print(sorted({{name.split('.')[0] for name in sys.modules}} & {{*sys.argv[1:]}}))"
    unwanted = ["rich", "typer", "sklearn", "ray", "pandas", "matplotlib"]
    done = subprocess.run([sys.executable, "-c", code, *unwanted], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_progress_bar_loads_rich_when_it_starts() -> None:
    code = (
        "import sys, numpy as np, trulysparse as ts; X = np.eye(4);"
        "trainer = ts.Trainer(ts.SparseMLP((4, 8, 2)), callbacks=[ts.ProgressBar()]); print('rich' in sys.modules);"
        "trainer.fit(X, [0, 1, 0, 1], epochs=1); print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
