"""Settings of teams: what is refused, and that a sparsity takes the other's place."""

from __future__ import annotations

from typing import Any

import pytest

from trulysparse.errors import InputError
from trulysparse.evolution import SET, RigL
from trulysparse.rl.targets import SoftMellowmax
from trulysparse.rl.team_settings import QMIXSettings, TeamSettings, make_settings


@pytest.mark.parametrize(
    "given, message",
    [
        ({"sequence_length": 7}, r"sequence_length must divide batch_size \(128\), not be 7"),
        ({"td_lambda": 0.5}, "sequence_length must be at least 2"),
        ({"td_lambda": 1.5, "sequence_length": 2}, "td_lambda must lie"),
        ({"sequence_length": 8, "buffer_size": 8}, r"larger than sequence_length \(8\)"),
        ({"n_steps": 3}, "n_steps must be 1 for teams, not 3: use td_lambda"),
        ({"normalize_observations": True}, "normalize_observations must be False"),
        ({"soft_mellowmax": 10.0}, "soft_mellowmax must be a SoftMellowmax or None, not 10.0"),
        ({"share_parameters": 1}, "share_parameters must be True or False"),
        ({"batchsize": 3}, "'batchsize' is not a setting of teams; there are .*batch_size"),
        ({"density": 0.2, "epsilon": 3}, "density or epsilon"),
        ({"evolution": "nothing"}, "evolution must be"),
        ({"exploration_final_eps": -0.1}, "exploration_final_eps"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_settings(TeamSettings, given)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"mixing_units": 0}, "mixing_units must be at least 1, not 0"),
        ({"mixer_density": 0.0}, "mixer_density must lie"),
        ({"mixer_evolution": SET()}, "mixer_evolution must count updates"),
    ],
)
def test_settings_of_the_mixer_are_checked(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_settings(QMIXSettings, given)


def test_an_epsilon_takes_the_place_of_the_density() -> None:
    settings = make_settings(TeamSettings, {"epsilon": 8})
    assert (settings.density, settings.epsilon) == (None, 8.0)
    assert make_settings(TeamSettings, {"density": 0.3}).density == 0.3


def test_evolutions_may_be_named() -> None:
    settings = make_settings(QMIXSettings, {"evolution": "rigl", "mixer_evolution": "static"})
    assert isinstance(settings.evolution, RigL)
    assert settings.mixer_evolution is None
    assert make_settings(TeamSettings, {"soft_mellowmax": SoftMellowmax(2, 3)}).soft_mellowmax == SoftMellowmax(2, 3)
