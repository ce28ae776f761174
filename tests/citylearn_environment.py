"""CityLearn 3.0.2 in a virtual environment of its own: made once, outside the repository, and asked in a subprocess."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

import pytest

VERSION = "3.0.2"
PLACE = "TRULYSPARSE_CITYLEARN_VENV"  # names an environment that has CityLearn, or where to make one
# CityLearn declares torch, torchvision and more, which are imported for what is not used here.
NEEDS = (
    *("numpy<2", "gymnasium==0.28.1", "pandas<2.3", "pyyaml", "simplejson", "scikit-learn==1.2.2"),
    *("platformdirs", "requests"),
)


@cache
def citylearn_python() -> Path:
    """The interpreter of an environment with CityLearn; skips the test where none can be made."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get(PLACE) or caches / "trulysparse-tests" / f"citylearn-{VERSION}")
    python = folder / "bin" / "python"
    if _version(python) == VERSION:
        return python
    if sys.version_info[:2] != (3, 11):
        pytest.skip(
            f"CityLearn {VERSION} needs scikit-learn 1.2.2, which has no wheel for this Python; {PLACE} names another"
        )
    if folder.exists() and not (folder / "pyvenv.cfg").is_file():
        pytest.skip(f"'{folder}' is there and is no virtual environment; {PLACE} names another place for one")
    try:
        venv.create(folder, with_pip=True)
        install = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--retries",
            "1",
            "--timeout",
            "30",
        ]
        subprocess.run([*install, *NEEDS], check=True, capture_output=True, text=True, timeout=600)
        subprocess.run(
            [*install, "--no-deps", f"citylearn=={VERSION}"], check=True, capture_output=True, text=True, timeout=120
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        pytest.skip(f"no environment with CityLearn {VERSION} can be made in '{folder}': {said[-1] if said else error}")
    if _version(python) != VERSION:
        pytest.skip(f"the environment in '{folder}' does not import CityLearn {VERSION}")
    return python


def run_citylearn(folder: Path, rule: str, hours: int, out: Path) -> dict[str, float]:
    """CityLearn's own indicators of a rule of citylearn_rules.py."""
    script = Path(__file__).with_name("citylearn_run.py")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {
        "OPENBLAS_NUM_THREADS": "1"
    }
    command = [str(citylearn_python()), str(script), str(folder), rule, str(hours), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(out.read_text())
    assert found["hours"] == hours
    return dict(found["indicators"])


def _version(python: Path) -> str | None:
    if not python.exists():
        return None
    code = "from importlib.metadata import version; import citylearn.citylearn; print(version('citylearn'))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
