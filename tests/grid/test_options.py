"""What a GridEnvironment may be given."""

from __future__ import annotations

import pytest

from trulysparse.errors import InputError
from trulysparse.grid.citylearn_files import write_citylearn
from trulysparse.grid.options import scenario_from
from trulysparse.grid.sample import sample_data
from trulysparse.grid.scenario import scenario_of


def test_homes_are_a_scenario_data_a_folder_or_the_sample(tmp_path):
    data = sample_data(2)
    write_citylearn(data, tmp_path / "homes")
    assert scenario_from(None, 1).n_homes == 6
    assert scenario_from(tmp_path / "homes", 3).n_homes == 6
    assert scenario_from(str(tmp_path / "homes"), 1).data.load.shape == data.load.shape
    assert scenario_from(scenario_of(data), 1).n_homes == 2
    with pytest.raises(InputError, match="a folder in CityLearn's layout, or None for the sample, not 3"):
        scenario_from(3, 1)
