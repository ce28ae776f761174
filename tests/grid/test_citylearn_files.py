"""Homes in CityLearn's layout: nothing is overwritten. What is written is read back in readers/test_citylearn.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grid_files import some_days
from trulysparse.errors import InputError
from trulysparse.grid.citylearn_files import write_citylearn
from trulysparse.grid.readers.citylearn import read_citylearn

DATA = some_days(2, 0, 30)


def test_a_home_without_panels_is_written_with_zeros(tmp_path):
    pv = DATA.pv.copy()
    pv[:, 1] = 0
    write_citylearn(replace(DATA, pv=pv, pv_kw=DATA.pv_kw * [1, 0]), tmp_path)
    data = read_citylearn(tmp_path)
    assert not data.pv[:, 1].any()
    assert data.pv[:, 0].any()


def test_what_is_there_stays(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for folder in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(InputError, match="is there already and not an empty folder"):
            write_citylearn(DATA, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["", "../home", "pricing"])
def test_names_must_be_those_of_files(tmp_path, name):
    with pytest.raises(InputError, match="names must be those of files"):
        write_citylearn(replace(DATA, names=("a", name)), tmp_path / "set")
    assert not (tmp_path / "set").exists()
