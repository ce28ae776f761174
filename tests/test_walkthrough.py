"""The commands of docs/walkthrough.md, run as a user runs them: in an empty folder, one after the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import trulysparse

PAGE = Path(__file__).parents[1] / "docs" / "walkthrough.md"
BLOCK = re.compile(r"(?:<!-- exits with (\d+) -->\n)?```bash\n(.*?)```", re.DOTALL)


@pytest.mark.slow
def test_the_commands_of_the_walkthrough_run(tmp_path):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "trulysparse").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trulysparse "$@"\n')
    (commands / "trulysparse").chmod(0o755)
    paths = {"PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(Path(trulysparse.__file__).parents[1])}
    folder = tmp_path / "empty"
    folder.mkdir()
    outputs = []
    for code, block in BLOCK.findall(PAGE.read_text()):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env=os.environ | paths,
            capture_output=True,
            text=True,
            check=False,
        )
        outputs.append(done.stdout + done.stderr)
        assert done.returncode == int(code or 0), f"{block}\n{outputs[-1]}"
        assert "Traceback" not in outputs[-1]
    whole = "\n".join(outputs)
    for said in (
        "--ignore 'last_contact'",  # the advice on dates
        "column 'bank'",  # which says nothing
        "±",
        "goes on from the last checkpoint",
        "separator",
        "mean absolute error",
    ):
        assert said in whole, said
    for page in ("runs/first/report.html", "runs/stays/report.html", "compared.html"):
        assert (folder / page).stat().st_size > 10_000
    lines = (folder / "predictions.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["prediction", "yes", "no"]
