"""An episode as an animated picture."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from trulysparse._core import checks
from trulysparse._core.files import write_whole
from trulysparse.errors import InputError, MissingExtraError
from trulysparse.rl.environments import SingleEnvironment, open_environments

if TYPE_CHECKING:
    from PIL.Image import Image

_WIDTH = 320  # pixels; wider pictures are made smaller
_MOST_FRAMES = 600
_SHORTEST = 20  # ms a frame: browsers show shorter ones slowly


def record_episode(model: Any, env: Any, path: str | PathLike[str], *, seed: int = 0) -> float:
    """Lets a policy act for one episode and writes what the environment renders as an animated GIF.

    Args:
        model: an agent, a Policy, or anything with `predict(observation, deterministic=True) -> (action, state)`.
        env: a Gymnasium environment with render_mode='rgb_array'; it is reset.
        path: of the GIF, which is replaced as a whole. Pictures are at most 320 pixels wide; of long episodes every
            second one is shown, or fewer, so that there are at most 600.
        seed: of the environment.

    Returns:
        The episode's return.

    Raises:
        InputError: where the environment does not render, or cannot here.
        MissingExtraError: where Pillow is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import gymnasium
        >>> import trulysparse as ts
        >>> from trulysparse.rl.video import record_episode
        >>> agent = ts.rl.TD3("Pendulum-v1", hidden_layer_sizes=(8,), seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "episode.gif")
        ...     total = record_episode(agent, gymnasium.make("Pendulum-v1", render_mode="rgb_array"), path)
        ...     path.read_bytes()[:6]
        b'GIF89a'
    """
    checks.integer("seed", seed, low=0)
    require_pillow()
    environments = open_environments(env)
    if not isinstance(environments, SingleEnvironment):
        raise InputError("env must be a single environment, not a vector of them")
    if getattr(env, "render_mode", None) != "rgb_array":
        raise InputError(f"env must have render_mode='rgb_array', not {getattr(env, 'render_mode', None)!r}")
    observations = environments.reset(seed)
    film = _Film(env)
    shape = (1,) if environments.spaces.discrete else (1, -1)
    total, over = 0.0, False
    while not over:
        action, _ = model.predict(observations[0].copy(), deterministic=True)
        transition = environments.step(np.asarray(action).reshape(shape))
        observations = transition.next_observations
        total += float(transition.rewards[0])
        over = bool(transition.ended)
        if not over:  # the next episode has begun otherwise
            film.add()
    write_whole(path, film.save, sync=False)
    return total


def require_pillow() -> None:
    """MissingExtraError where Pillow is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise MissingExtraError("A video", "Pillow", "images") from None


class _Film:
    """The frames of an episode, thinned where they become too many."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self._frames: list[Image] = []
        self._every, self._count = 1, 0
        self.add()

    def add(self) -> None:
        """Takes a frame."""
        self._count += 1
        if (self._count - 1) % self._every:
            return
        self._frames.append(self._frame())
        if len(self._frames) > _MOST_FRAMES:
            self._frames = self._frames[::2]
            self._every *= 2

    def _frame(self) -> Image:
        from PIL import Image

        try:
            pixels = self._env.render()
        except Exception as error:  # what a library of graphics raises where it has no screen or driver
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"env cannot be rendered here: {reason}") from error
        if getattr(pixels, "ndim", 0) != 3:
            raise InputError("env renders no pictures, though its render_mode is 'rgb_array'")
        picture = Image.fromarray(pixels)
        if picture.width > _WIDTH:
            picture = picture.resize((_WIDTH, max(1, round(picture.height * _WIDTH / picture.width))))
        return picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)

    def save(self, path: Any) -> None:
        """Writes the GIF. Its times are in hundredths of a second."""
        fps = float(self._env.metadata.get("render_fps") or 30)
        duration = max(_SHORTEST, 10 * round(100 * self._every / fps))
        first, *others = self._frames
        first.save(path, format="GIF", save_all=True, append_images=others, duration=duration, loop=0)
