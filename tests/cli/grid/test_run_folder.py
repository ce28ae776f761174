"""The folder of a run on the grid."""

from __future__ import annotations

import json

import pytest

from command import contents
from trulysparse.cli.grid import _run_folder as folder
from trulysparse.cli.grid._settings import GridSettings
from trulysparse.errors import InputError

SETTINGS = GridSettings(agents="es,self-consumption", hidden=(8,))


@pytest.fixture
def out(tmp_path):
    """The folder of a run that was broken off."""
    path = tmp_path / "r"
    path.mkdir()
    folder.write_config(path, SETTINGS, threads=2)
    for name in ("no-control", "perfect-foresight", "es-0"):
        file = folder.outcome_file(path, name)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"outcome")
    checkpoint = folder.training_folder(path, "es-dense-0") / folder.TRAINING
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"state")
    folder.policy_file(path, "es-0").write_bytes(b"agents")
    folder.figures_file(path, "es-0").write_text("{}")
    (path / "progress.csv").write_text("agents,seed\n")
    return path


def test_settings_are_read_back(out):
    assert folder.read_settings(out) == (SETTINGS, 2)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kind": "agents"}, "is not a run of `trulysparse grid`"),
        ({"density": "much"}, "cannot be read"),
        ({"density": 2.0}, "cannot be read"),
        ({"threads": 0}, "cannot be read"),
        ({"hidden": ["a"]}, "cannot be read"),
    ],
)
def test_damaged_settings(out, change, message):
    path = out / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=message):
        folder.read_settings(out)


def test_no_folder_and_a_file(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        folder.read_settings(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        folder.read_settings(tmp_path / "file")


def test_the_same_run_goes_on_and_another_is_refused(out, tmp_path):
    assert folder.check_free(out, SETTINGS, False) is True
    other = GridSettings(agents="es,self-consumption", hidden=(8,), density=0.3)
    with pytest.raises(
        InputError, match="broken off, with another --density; go on with `trulysparse grid run --resume"
    ):
        folder.check_free(out, other, False)
    assert folder.check_free(out, other, True) is False
    (out / "results.json").write_text("{}")
    with pytest.raises(InputError, match="finished run"):
        folder.check_free(out, SETTINGS, False)
    assert folder.check_free(tmp_path / "new", SETTINGS, False) is False


@pytest.mark.parametrize("name", ["config.json", "progress.csv", "report.html", "outcomes", "agents"])
def test_what_is_not_of_a_run_is_in_the_way(tmp_path, name):
    (tmp_path / name).mkdir() if "." not in name else (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="is in the way"):
        folder.check_free(tmp_path, SETTINGS, True)


def test_a_training_of_another_command_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="`trulysparse train`"):
        folder.check_free(tmp_path, SETTINGS, True)


def test_clearing_removes_what_a_run_wrote_and_nothing_else(out):
    mine = {"notes.txt": b"a", "outcomes/mine.safetensors": b"b", "agents/own.json": b"c", "agents/es-dense-0/x": b"d"}
    for name, text in mine.items():
        (out / name).write_bytes(text)
    folder.clear(out)
    assert contents(out) == mine
    for name in mine:
        (out / name).unlink()
    assert not (out / "outcomes" / "es-0.safetensors").exists()


def test_clearing_leaves_no_empty_folders(out):
    folder.clear(out)
    assert list(out.iterdir()) == []
