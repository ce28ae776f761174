"""Small PNG images, for pictures of more cells than SVG should hold."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

# The colour of the largest value; smaller ones let the ground of the page shine through, whatever its theme.
_COLOR = (0x1F, 0x7F, 0xC4)


def png(values: NDArray[np.float64]) -> bytes:
    """An image of values in one colour, from transparent (0) to full (1).

    Args:
        values: (rows, columns) in [0, 1]; what is not finite is transparent.

    Returns:
        The file's bytes: 8 bits per value, and a palette.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.png import png
        >>> png(np.eye(3))[:4]
        b'\\x89PNG'
    """
    rows, columns = values.shape
    levels = np.rint(255 * np.clip(np.nan_to_num(values, posinf=1.0), 0, 1)).astype(np.uint8)
    lines = np.zeros((rows, columns + 1), np.uint8)  # each line begins with its filter, 0: none
    lines[:, 1:] = levels
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", bytes(_COLOR) * 256),
        (b"tRNS", bytes(range(256))),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def png_uri(values: NDArray[np.float64]) -> str:
    """The image of `png` as a data URI, for the page that shows it.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.png import png_uri
        >>> png_uri(np.eye(3))[:22]
        'data:image/png;base64,'
    """
    return "data:image/png;base64," + base64.b64encode(png(values)).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
