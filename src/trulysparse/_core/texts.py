"""Many texts in two arrays: their UTF-8 bytes in a row, and where each begins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError

_LONE = "surrogatepass"  # half a character, as damaged files hold, is kept as it is


def pack(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Puts texts into arrays.

    Args:
        texts: any number.

    Returns:
        (bytes, offsets): the UTF-8 bytes of all; offsets, one more than texts, text i being bytes[offsets[i] :
        offsets[i + 1]].

    Example:
        >>> data, offsets = pack(["a", "", "é"])
        >>> data.tolist(), offsets.tolist()
        ([97, 195, 169], [0, 1, 1, 3])
    """
    encoded = [text.encode("utf-8", _LONE) for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


def unpack(data: NDArray[np.uint8], offsets: NDArray[np.int64], what: str = "texts") -> list[str]:
    """The texts that `pack` put into arrays.

    Args:
        data: the bytes.
        offsets: where they begin, and the end.
        what: how an error calls them.

    Raises:
        InputError: where the arrays do not hold texts.

    Example:
        >>> unpack(*pack(["a", "", "é"]))
        ['a', '', 'é']
    """
    ends = offsets.tolist()
    if not ends or ends[0] != 0 or ends[-1] != len(data) or (np.diff(offsets) < 0).any():
        raise InputError(f"{what}: the offsets do not fit {len(data)} bytes of text")
    raw = data.tobytes()
    try:
        return [raw[start:stop].decode("utf-8", _LONE) for start, stop in pairwise(ends)]
    except UnicodeDecodeError:
        raise InputError(f"{what} are not UTF-8 text") from None
