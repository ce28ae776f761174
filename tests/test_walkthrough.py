"""The commands of docs/walkthrough.md and docs/edge.md, run as a user runs them: in an empty folder, in their order."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import trulysparse

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(
    r"(?:<!-- (?:exits with (?P<code>\d+)|needs (?P<needs>.*?)) -->\n)?```(?P<kind>bash|python)\n(?P<text>.*?)```",
    re.DOTALL,
)


class Folder:
    """An empty folder in which blocks of a page run, with `trulysparse` on the PATH.

    Python of a page is one program: a block goes on where the one before it ended.
    """

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        commands = tmp_path / "bin"
        commands.mkdir()
        (commands / "trulysparse").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trulysparse "$@"\n')
        (commands / "trulysparse").chmod(0o755)
        paths = {"PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(Path(trulysparse.__file__).parents[1])}
        self._environment = os.environ | paths
        self.path = tmp_path / "empty"
        self.path.mkdir()
        monkeypatch.chdir(self.path)
        self._names = {"__name__": "page"}
        self.said = ""

    def run(self, page: str, there: Callable[[str], bool] = lambda _: True) -> list[str]:
        """Runs the blocks of a page, but for those that need what is not there; returns what that is."""
        absent = []
        for found in BLOCK.finditer((DOCS / page).read_text()):
            missing = [each for each in (found["needs"] or "").split() if not there(each)]
            if missing:
                absent += missing
            elif found["kind"] == "python":
                exec(compile(found["text"], page, "exec"), self._names)
            else:
                self._bash(found["text"], int(found["code"] or 0))
        return absent

    def _bash(self, block: str, code: int) -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.path,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        self.said += said
        assert done.returncode == code, f"{block}\n{said}"
        assert "Traceback" not in said


@pytest.mark.slow
def test_the_commands_of_the_walkthrough_run(tmp_path, monkeypatch):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    folder = Folder(tmp_path, monkeypatch)
    folder.run("walkthrough.md")
    for said in (
        "--ignore 'last_contact'",  # the advice on dates
        "column 'bank'",  # which says nothing
        "±",
        "goes on from the last checkpoint",
        "separator",
        "mean absolute error",
    ):
        assert said in folder.said, said
    for page in ("runs/first/report.html", "runs/stays/report.html", "compared.html"):
        assert (folder.path / page).stat().st_size > 10_000
    lines = (folder.path / "predictions.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["prediction", "yes", "no"]


@pytest.mark.slow
def test_the_page_about_small_devices_runs(tmp_path, monkeypatch, capsys):
    """Blocks say which programs and packages they need besides trulysparse; those that are not there are left out."""

    def there(name: str) -> bool:
        return shutil.which(name) is not None or importlib.util.find_spec(name.replace("-", "_")) is not None

    folder = Folder(tmp_path, monkeypatch)
    absent = folder.run("edge.md", there)
    assert "same predictions: True" in capsys.readouterr().out
    if absent:
        pytest.skip(f"what needs {', '.join(dict.fromkeys(absent))} was left out")
