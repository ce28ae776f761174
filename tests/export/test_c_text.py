"""C text means what it should to a C compiler."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.c_host import build
from trulysparse.errors import InputError
from trulysparse.export.c_part import CArray
from trulysparse.export.c_text import array_text, checked_name, comment_text, string_text


def test_compiler_reads_the_very_numbers_and_texts(tmp_path: Path, rng: np.random.Generator) -> None:
    f32 = np.finfo(np.float32)
    floats = np.concatenate(
        [
            np.array([0, 1, -1, 0.1, -3, f32.max, -f32.max, f32.tiny, f32.smallest_subnormal, 1 / 3], np.float32),
            np.frombuffer(rng.integers(0, 0x7F80, 4000).astype("<u4") << 16 | 0x1234, np.float32),
            rng.standard_normal(50).astype(np.float32),
        ]
    )
    arrays = [CArray("floats", floats, "weights")]
    for bits in (8, 16, 32):
        for kind in (f"int{bits}", f"uint{bits}"):
            if kind != "uint33":
                ends = np.iinfo(kind)
                arrays.append(CArray(kind[:-1] + "x" + kind[-1:], np.array([0, 1, ends.max, ends.min], kind), "index"))
    texts = ["plain", 'a "quote" \\ and ??/ trigraph', "\n\t\x00end", "é€😀", "%s", "1\x001"]
    sizes = [len(text.encode()) for text in texts]
    writes = "".join(f"fwrite({each.name}, sizeof {each.name}, 1, stdout);" for each in arrays)
    writes += "".join(
        f"fwrite({string_text(text)}, {n}, 1, stdout);" for text, n in zip(texts, sizes, strict=True) if n
    )
    main = "#include <stdint.h>\n#include <stdio.h>\n" + "".join(map(array_text, arrays))
    main += f"/* {comment_text('*/ // /* ??/ end *')} */\nint main(void) {{ {writes} return 0; }}\n"
    said = build(tmp_path, {"main.c": main}).run()
    assert said == b"".join(each.values.tobytes() for each in arrays) + b"".join(text.encode() for text in texts)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "int", "class", "ts", "ts_net", "TS_x", "_net", "é", None, 3, "a b"])
def test_names_that_c_cannot_have(name: object) -> None:
    with pytest.raises(InputError, match="name must"):
        checked_name(name)


def test_names_that_c_can_have() -> None:
    for name in ("net", "a", "Net_2", "tsunami"):
        assert checked_name(name) == name
