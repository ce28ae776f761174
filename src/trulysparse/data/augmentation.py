"""Augmentation of images: each time a sample is trained on, it is turned, shifted and mirrored at random."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, radians
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key
from trulysparse.data.matrix import Reader, as_in_memory
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError


@dataclass(frozen=True)
class ImageAugmentation:
    """Turns, shifts and mirrors images, each by other random amounts each time it is trained on. An output pixel is
    interpolated between four pixels (bilinear); from beyond the border it has the value of the nearest pixel. Samples
    are changed before they are scaled; see fit_scaling(augmentation=).

    Args:
        shape: of an image, whose values are a sample's features in C order: (height, width), (channels, height, width)
            or (height, width, channels).
        rotation: largest angle in degrees, in [0, 180]; angles are uniform on [-rotation, rotation].
        shift: largest shift as a share of the height, and of the width, in [0, 1]; both uniform on [-shift, shift].
        flip: whether half of the images are mirrored left to right.
        channels: "first" or "last" in a shape of three numbers; None: the smaller one of both ends.

    Raises:
        InputError: where an argument is out of range, or the shape does not say where its channels are.

    Source:
        The transforms are those of Keras' ImageDataGenerator with fill_mode="nearest"; with rotation=10, shift=0.1 and
        flip=True they are the setting of Curci, Mocanu and Pechenizkiy (2021) for CIFAR-10.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 3 * 8 * 8), dtype=np.uint8)
        >>> augmentation = ts.ImageAugmentation((3, 8, 8), rotation=10, shift=0.1, flip=True)
        >>> net = ts.SparseMLP((192, 32, 2), epsilon=4, seed=0, threads=1)
        >>> history = ts.Trainer(net, augmentation=augmentation, batch_size=16).fit(X, np.arange(64) % 2, epochs=2)
        >>> augmentation.apply(X, seed=1).shape
        (64, 192)
    """

    shape: tuple[int, ...]
    rotation: float = 0.0
    shift: float = 0.0
    flip: bool = False
    channels: str | None = None

    def __post_init__(self) -> None:
        shape = checks.listed("shape", self.shape, "integers")
        if len(shape) not in (2, 3):
            raise InputError(f"shape must have two or three numbers, such as (3, 32, 32), not {self.shape!r:.80}")
        object.__setattr__(self, "shape", tuple(checks.integer("shape", size, low=1) for size in shape))
        object.__setattr__(self, "rotation", checks.real("rotation", self.rotation, low=0, high=180))
        object.__setattr__(self, "shift", checks.real("shift", self.shift, low=0, high=1))
        if not isinstance(self.flip, bool):
            raise InputError(f"flip must be True or False, not {self.flip!r:.80}")
        if self.channels is not None:
            checks.choice("channels", self.channels, ("first", "last"))
        elif len(shape) == 3 and shape[0] == shape[2]:
            raise InputError(f"shape {self.shape} does not tell where channels are: give channels='first' or 'last'")

    @classmethod
    def from_text(cls, text: str, shape: tuple[int, ...], argument: str = "augmentation") -> Self:
        """Makes one of its settings as text.

        Args:
            text: such as "rotation=10,shift=0.1,flip".
            shape: of an image.
            argument: what errors call the text.

        Returns:
            The augmentation.

        Raises:
            InputError: where the text names anything else, or a value is out of range.

        Example:
            >>> ImageAugmentation.from_text("shift=0.1,flip", (28, 28))
            ImageAugmentation(shape=(28, 28), rotation=0.0, shift=0.1, flip=True, channels=None)
        """
        settings: dict[str, Any] = {}
        for part in text.split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if name == "flip" and not equals:
                settings[name] = True
            elif name == "channels" and equals:
                settings[name] = value
            elif name in ("rotation", "shift") and equals:
                try:
                    settings[name] = float(value)
                except ValueError:
                    raise InputError(f"{argument}: {name} must be a number, not '{value}'") from None
            else:
                raise InputError(
                    f"{argument} must name rotation=DEGREES, shift=SHARE, flip or channels=first, with commas between, "
                    f"not '{part.strip()}'"
                )
        if not shape:
            raise InputError(f"{argument} needs the shape of an image, such as 28,28 or 3,32,32")
        return cls(shape, **settings)

    @property
    def n_features(self) -> int:
        """Values of an image."""
        return prod(self.shape)

    @property
    def channels_last(self) -> bool:
        """Whether the values of a pixel lie beside each other."""
        if len(self.shape) == 2:
            return False
        return self.channels == "last" if self.channels else self.shape[2] < self.shape[0]

    @property
    def _sizes(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        if len(self.shape) == 2:
            return 1, self.shape[0], self.shape[1]
        first, middle, last = self.shape
        return (last, first, middle) if self.channels_last else (first, middle, last)

    def transforms(self, rows: NDArray[np.int64], key: int) -> NDArray[np.float64]:
        """What becomes of each image.

        Args:
            rows: numbers of the samples, (n,).
            key: of the random numbers.

        Returns:
            (n, 6): pixel (i, j) of the result comes from row t[0] i + t[1] j + t[2], column t[3] i + t[4] j + t[5].
        """
        _, height, width = sizes = self._sizes
        out = np.empty((len(rows), 6))
        ranges = radians(self.rotation), self.shift * height, self.shift * width
        _kernels.draw_transforms(stream_key(key, "augmentation"), rows, sizes, ranges, self.flip, out)
        return out

    def load(
        self, reader: Reader, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, key: int, threads: int
    ) -> None:
        """As Reader.load, with changed samples.

        Args:
            reader: loads the samples as they are.
            rows: their numbers, int64, at most `stride` of them.
            out: float32 or float64, n_features x stride; columns beyond the samples become 0.
            scaling: applied to the changed values; None: none.
            key: of the random numbers; the same key and rows give the same values.
            threads: how many threads to use.

        Raises:
            InputError: at NaN and infinity.
        """
        reader.load(rows, out, None, threads)
        offset, factor = scaling.arrays() if scaling else (None, None)
        transforms = self.transforms(rows, key)
        _kernels.transform_images(out, transforms, self._sizes, self.channels_last, offset, factor, threads)

    def apply(self, X: Any, *, seed: int = 0, dtype: str = "float32", threads: int | None = None) -> Floats:
        """Changed images, to look at or for other libraries.

        Args:
            X: (n_samples, n_features), NumPy of any numeric type, SciPy sparse, memory map or DataFrame.
            seed: of the random numbers, at least 0.
            dtype: of the result, 'float32' or 'float64'.
            threads: how many threads to use; None: all cores.

        Returns:
            (n_samples, n_features).

        Raises:
            InputError: where samples have another number of features, or values that are not finite.
        """
        matrix = as_in_memory(X)
        self.check_features(matrix.n_features, "X has")
        checks.choice("dtype", dtype, ("float32", "float64"))
        n, threads = matrix.n_samples, checks.thread_count(threads)
        loaded = np.empty((self.n_features, _kernels.padded_batch(n)), dtype)
        key = stream_key(checks.integer("seed", seed, low=0), "apply")
        self.load(matrix, np.arange(n), loaded, None, key, threads)
        return np.ascontiguousarray(loaded[:, :n].T)

    def check_features(self, n_features: int, whose: str) -> None:
        """InputError where images do not have so many values. whose: 'X has', for messages."""
        if n_features != self.n_features:
            image = f"an image of {' x '.join(map(str, self.shape))} has {self.n_features} values"
            raise InputError(f"augmentation: {image}, but {whose} {n_features}")
