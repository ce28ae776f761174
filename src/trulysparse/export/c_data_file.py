"""The arrays of a large network in a binary file, and the C code that finds them there."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trulysparse.errors import InputError
from trulysparse.export.c_part import CArray

HEAD_BYTES = 16
_MAGIC = 0x42535431  # "1TSB" in a little-endian file
_MOST_BYTES = (1 << 32) - 4


@dataclass(frozen=True)
class DataFile:
    """Little-endian: four uint32 (magic number, bytes of the file, CRC-32 of what follows, 0), then the arrays, each at
    a multiple of four bytes.

    Args:
        content: all of it.
        offsets: where each array begins.

    Example:
        >>> import numpy as np
        >>> from trulysparse.export.c_part import CArray
        >>> file = data_file([CArray("a", np.ones(3, np.int8), "index"), CArray("b", np.ones(1, np.float32), "rows")])
        >>> len(file.content), file.offsets
        (24, (16, 20))
    """

    content: bytes
    offsets: tuple[int, ...]

    @property
    def checksum(self) -> int:
        """CRC-32 of what follows the head."""
        return zlib.crc32(memoryview(self.content)[HEAD_BYTES:])


def data_file(arrays: Sequence[CArray]) -> DataFile:
    """The file of some arrays.

    Args:
        arrays: of types of one, two or four bytes.

    Returns:
        The file.

    Raises:
        InputError: where it would have 4 GiB or more.
    """
    offsets, parts, at = [], [], HEAD_BYTES
    for array in arrays:
        offsets.append(at)
        little: Any = array.values.astype(array.values.dtype.newbyteorder("<"), copy=False)
        parts += [little.tobytes(), bytes(-array.n_bytes % 4)]
        at += array.n_bytes + -array.n_bytes % 4
    if at > _MOST_BYTES:
        raise InputError(f"model takes {at:,} bytes in this form; a data file has at most {_MOST_BYTES:,}")
    body = b"".join(parts)
    head = np.array([_MAGIC, at, zlib.crc32(body), 0], "<u4").tobytes()
    return DataFile(head + body, tuple(offsets))


def data_text(arrays: Sequence[CArray], file: DataFile, name: str) -> str:
    """C code in the place of the arrays: their names point into the data that NAME_attach was given.

    Args:
        arrays: of the file.
        file: from `data_file`.
        name: prefix of all names.

    Returns:
        Definitions of a pointer, a macro for each array, and NAME_attach.

    Example:
        >>> import numpy as np
        >>> from trulysparse.export.c_part import CArray
        >>> arrays = [CArray("net_w", np.ones(3, np.float32), "weights")]
        >>> data_text(arrays, data_file(arrays), "net").splitlines()[1]
        '#define net_w ((const float*)(const void*)(net_data + 16u))'
    """
    macros = "".join(
        f"#define {array.name} ((const {array.c_type}*)(const void*)({name}_data + {offset}u))\n"
        for array, offset in zip(arrays, file.offsets, strict=True)
    )
    found = _ATTACH.replace("NAME", name).replace("MAGIC", f"0x{_MAGIC:08x}u")
    found = found.replace("BYTES", f"{len(file.content)}u").replace("CHECKSUM", f"0x{file.checksum:08x}u")
    return f"static const unsigned char* {name}_data;\n{macros}\n{found}"


def attach_prototype(name: str) -> str:
    """The prototype of NAME_attach.

    Args:
        name: prefix of all names.

    Example:
        >>> attach_prototype("net")
        'int net_attach(const void* data, size_t bytes)'
    """
    return f"int {name}_attach(const void* data, size_t bytes)"


_ATTACH = """static uint32_t NAME_checksum(const unsigned char* data, const unsigned char* end) { /* CRC-32 */
    uint32_t sum = 0xffffffffu;
    for (; data != end; ++data) {
        sum ^= *data;
        for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ (0xedb88320u & (0u - (sum & 1u)));
    }
    return ~sum;
}

int NAME_attach(const void* data, size_t bytes) {
    const uint32_t* head = (const uint32_t*)data;
    const unsigned char* from = (const unsigned char*)data;
    if ((uintptr_t)data % 4u) return 1;
    if (bytes < 16u || head[0] != MAGIC) return 2;
    if (bytes != BYTES || head[1] != BYTES) return 3;
    if (head[2] != CHECKSUM || NAME_checksum(from + 16, from + bytes) != CHECKSUM) return 4;
    NAME_data = from;
    return 0;
}
"""
