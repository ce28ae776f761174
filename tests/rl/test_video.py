"""Episodes as animated pictures."""

from __future__ import annotations

import sys
from typing import ClassVar

import numpy as np
import pytest

from trulysparse.errors import InputError, MissingExtraError
from trulysparse.rl import video
from trulysparse.rl.video import record_episode

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium comes with the extra trulysparse[rl]")
Image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra trulysparse[images]")


class Screen(gymnasium.Env):
    """Shows how many steps there were as grey, and ends after some."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(self, length=5, size=(40, 60), render_mode="rgb_array"):
        self.length, self.size, self.render_mode = length, size, render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.t += 1
        return np.zeros(2, np.float32), 1.0 + action, self.t == self.length, False, {}

    def render(self):
        return np.full((*self.size, 3), 10 * self.t % 256, np.uint8)


class Ones:
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        assert deterministic
        return np.int64(1), None


def frames_of(path):
    with Image.open(path) as picture:
        shown = []
        for number in range(picture.n_frames):
            picture.seek(number)
            shown.append((picture.convert("RGB").getpixel((0, 0)), picture.info["duration"], picture.size))
        return shown


def test_frames_are_those_of_the_episode(tmp_path):
    path = tmp_path / "e.gif"
    assert record_episode(Ones(), Screen(5), path) == 10
    shown = frames_of(path)
    assert [pixel[0] for pixel, _, _ in shown] == [0, 10, 20, 30, 40]
    assert {duration for _, duration, _ in shown} == {50}
    assert shown[0][2] == (60, 40)
    assert [each.name for each in tmp_path.iterdir()] == ["e.gif"]


def test_wide_pictures_are_made_smaller_and_long_episodes_thinned(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "_MOST_FRAMES", 4)
    path = tmp_path / "e.gif"
    record_episode(Ones(), Screen(10, size=(100, 640)), path)
    shown = frames_of(path)
    assert [pixel[0] for pixel, _, _ in shown] == [0, 40, 80]
    assert {duration for _, duration, _ in shown} == {200}
    assert shown[0][2] == (320, 50)


@pytest.mark.parametrize(
    "env, message",
    [
        (Screen(render_mode=None), "env must have render_mode='rgb_array', not None"),
        (type("Dark", (Screen,), {"render": lambda self: None})(), "env renders no pictures"),
        (type("Broken", (Screen,), {"render": lambda self: 1 / 0})(), "env cannot be rendered here: division by zero"),
        (gymnasium.vector.SyncVectorEnv([Screen]), "env must be a single environment"),
    ],
)
def test_refusals_write_nothing(tmp_path, env, message):
    with pytest.raises(InputError, match=message):
        record_episode(Ones(), env, tmp_path / "e.gif")
    assert list(tmp_path.iterdir()) == []


def test_missing_pillow_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"trulysparse\[images\]"):
        record_episode(Ones(), Screen(), tmp_path / "e.gif")
