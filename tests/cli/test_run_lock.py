"""What stands in the way of a run folder is refused before training."""

from __future__ import annotations

import pytest

from command import SMALL, refused


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "metrics.jsonl", "metrics.partial.jsonl", "report.html", ".lock"]
)
def test_folder_under_the_name_of_a_file_of_a_run_is_refused_and_kept(tmp_path, name):
    (tmp_path / "r" / name).mkdir(parents=True)
    (tmp_path / "r" / name / "mine").write_text("keep")
    assert f"{name}' is in the way" in refused("train", "digits", "--out", tmp_path / "r", *SMALL)
    assert [p.name for p in (tmp_path / "r").iterdir()] == [name]
    assert (tmp_path / "r" / name / "mine").read_text() == "keep"


@pytest.mark.parametrize("name", [".new", "checkpoint"])
@pytest.mark.parametrize("dangling", [False, True])
def test_file_under_the_name_of_a_folder_of_a_run_is_refused_and_kept(tmp_path, name, dangling):
    (tmp_path / "r").mkdir()
    path = tmp_path / "r" / name
    if dangling:
        path.symlink_to(tmp_path / "nothing")
    else:
        path.write_text("keep")
    assert f"{name}' is in the way" in refused("train", "digits", "--out", tmp_path / "r", *SMALL)
    assert [p.name for p in (tmp_path / "r").iterdir()] == [name]
