"""The text of a C file or header: what it says of itself, arrays, runtime and functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from trulysparse._core.version import __version__
from trulysparse.export.c_data_file import DataFile, attach_prototype, data_text
from trulysparse.export.c_float import only_choice
from trulysparse.export.c_forms import Emitted
from trulysparse.export.c_part import CPart
from trulysparse.export.c_text import array_text, comment_text, string_text
from trulysparse.export.device_network import DeviceNetwork, activation_name
from trulysparse.export.size import Size

_MOST_NAMES = 200  # named in comments


@dataclass(frozen=True, eq=False)
class CSource:
    """What is written as C.

    Args:
        emitted: the network in its form.
        size: of it.
        name: prefix of all names.
        weights: 'float32' or 'int8'.
        data: where the arrays are, if not in the text.
        data_name: name of that file.
    """

    emitted: Emitted
    size: Size
    name: str
    weights: str
    data: DataFile | None = None
    data_name: str = ""

    def c_file(self) -> str:
        """A file to be compiled on its own.

        Returns:
            C99 text.
        """
        return self._about(False) + self._includes() + self._macros() + self._definitions()

    def header(self) -> str:
        """A header with all of it: its functions are static, and no name of it is another one's.

        Returns:
            C99 text, to be included where the functions are called.
        """
        text = self._macros() + self._definitions()
        for prototype in self._public():
            text = text.replace(f"{prototype} {{", f"static inline {prototype} {{")
        text = re.sub(r"\bts_(\w+)", rf"{self.name}_ts_\1", text)
        text = re.sub(r"\bTS_(\w+)", rf"{self.name.upper()}_TS_\1", text)
        return self._guarded(self._about(True) + self._includes(), text)

    def prototypes(self, c_name: str) -> str:
        """A header for the C file.

        Args:
            c_name: of that file.

        Returns:
            C99 text.
        """
        functions = "".join(f"{prototype};\n" for prototype in self._public())
        linkage = ('#ifdef __cplusplus\nextern "C" {\n#endif\n', "#ifdef __cplusplus\n}\n#endif\n")
        return self._guarded(
            f"/* What {comment_text(c_name)} defines; see there. */\n" + self._includes(),
            self._macros() + linkage[0] + functions + linkage[1],
        )

    # ---- pieces ----

    def _public(self) -> tuple[str, ...]:
        attach = (attach_prototype(self.name),) if self.data is not None else ()
        return attach + self.emitted.part.public

    def _includes(self) -> str:
        return "#include <stddef.h>\n#include <stdint.h>\n\n"

    def _macros(self) -> str:
        network, upper = self.emitted.network, self.name.upper()
        text = f"#define {upper}_INPUTS {network.n_inputs}\n#define {upper}_OUTPUTS {network.n_outputs}\n"
        if network.labels is not None and len(network.labels) == network.n_outputs:
            text += f"#define {upper}_LABELS {{{', '.join(string_text(str(label)) for label in network.labels)}}}\n"
        return text + "\n"

    def _definitions(self) -> str:
        part = self.emitted.part
        if self.data is None:
            arrays = "".join(map(array_text, part.arrays))
        else:
            arrays = data_text(part.arrays, self.data, self.name)
        defines = "".join(f"#define {each}\n" for each in part.defines)
        runtime = "\n".join(runtime_text(each, part.defines) for each in part.runtime)
        return f"{defines}\n{runtime}\n{arrays}\n{part.code}"

    def _guarded(self, head: str, text: str) -> str:
        guard = f"{self.name.upper()}_H"
        return f"{head}#ifndef {guard}\n#define {guard}\n\n{text}\n#endif\n"

    def _about(self, header: bool) -> str:
        lines = list(_about(self.emitted, self.size, self.weights, self.name, self._public()))
        if self.data is not None:
            lines += ["", *_about_data(self.name, self.data_name)]
        lines += ["", *_about_use(header, self.emitted.part)]
        return "/* " + "\n".join(f" * {comment_text(line)}".rstrip() for line in lines)[3:] + "\n */\n"


@cache
def _runtime(name: str) -> str:
    return (files("trulysparse.export") / "c_runtime" / name).read_text()


def runtime_text(name: str, defines: Sequence[str]) -> str:
    """A file of the runtime, without the sections that its defines do not ask for.

    Args:
        name: of the file.
        defines: macros, with values where they have some.

    Returns:
        C text.

    Example:
        >>> from trulysparse.export.c_source import runtime_text
        >>> text = runtime_text("ts_net.h", ["TS_NET_FULL"])
        >>> "ts_rows_full" in text, "ts_rows_u16" in text
        (True, False)
    """
    defined = {each.split()[0] for each in defines}
    kept, section = [], None
    for line in _runtime(name).splitlines():
        if section is None and (found := re.match(r"#ifdef (TS_NET_\w+)", line)):
            section = found[1]
        elif section is not None and line == "#endif":
            section = None
        elif section is None or section in defined:
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)) + "\n"


def _about(emitted: Emitted, size: Size, weights: str, name: str, public: Sequence[str]) -> Iterator[str]:
    """What the network is, and what the functions do."""
    network = emitted.network
    sizes = "-".join(map(str, network.layer_sizes))
    yield f"A sparse network {sizes} with {network.n_connections:,} connections, weights in {weights}."
    yield f"Written by trulysparse {__version__}. Constants: {size.flash:,} bytes; static buffers: {size.ram:,} bytes."
    yield ""
    for layer, rows, taken in zip(emitted.network.layers, emitted.rows, size.layers, strict=True):
        kind = activation_name(layer.activation)
        slope = f" of slope {layer.activation[1]:g}" if kind == "leaky_relu" else ""
        yield (
            f"  {taken.name}: {layer.n_connections:,} connections ({rows.form}), {kind}{slope}, {taken.flash:,} bytes"
        )
    yield ""
    for prototype in public:
        yield f"{prototype}"
        yield from (f"    {line}" for line in _purpose(prototype, network, name))
    if network.rounded:
        yield ""
        yield "Weights were float64; they are rounded to float32."
    yield from _about_names(network)


def _purpose(prototype: str, network: DeviceNetwork, name: str) -> list[str]:
    """What a function does, by its name."""
    what = prototype.split("(", maxsplit=1)[0].rsplit(maxsplit=1)[-1].removeprefix(f"{name}_")
    n_in, n_out = network.n_inputs, network.n_outputs
    scale = "" if network.offset is None else ", which are scaled here"
    if what == "scores":
        unit = {"softmax": ", before softmax", "sigmoid": ", before the sigmoid"}.get(network.output, "")
        unit = ", in the unit of the targets" if network.target_factor is not None else unit
        return [f"The {n_out} outputs z{unit}, of {n_in} inputs x{scale}."]
    if what == "predict":
        if n_out == 1 and not only_choice(network):
            return ["1 where the output is above 0, else 0."]
        return ["The number, from 0, of the largest output; of equal ones the first."]
    return {
        "act": [f"The {n_out} components of the action for an observation x."],
        "attach": ["Takes the data, which must stay where they are. 0, or 1: not at a multiple of four bytes, 2: other",
                   "data, or of the other byte order, 3: another size, 4: another checksum; then nothing has changed."],
        "probabilities": [f"The {n_out} probabilities."],
        "quantize": [f"{n_in} inputs in eight bits."],
    }.get(what, ["As the function of that name without _int8, of inputs in eight bits."])  # fmt: skip


def _about_names(network: DeviceNetwork) -> Iterator[str]:
    """Names of inputs and outputs, as far as they are few."""
    if network.encoded:
        yield ""
        yield "Tables go through the model's preprocessor first: x has the columns that it gives, see Inputs."
    for title, names in (("Inputs", network.feature_names), ("Outputs", network.labels)):
        if names is not None:
            yield ""
            yield f"{title}:"
            for number, each in enumerate(names[:_MOST_NAMES]):
                yield f"  {number} {str(each)[:80]}"
            if len(names) > _MOST_NAMES:
                yield f"  ... {len(names)} in all"


def _about_data(name: str, data_name: str) -> Iterator[str]:
    yield f"The arrays are in {data_name}: bring it into memory, or flash, at a multiple of four bytes, and call"
    yield f"{name}_attach once before all else. Nothing is copied."


def _about_use(header: bool, part: CPart) -> Iterator[str]:
    libm = f" From the C library: {', '.join(part.libm)}." if part.libm else " No C library is needed."
    yield f"C99. No allocation, no input or output.{libm} Static buffers are written at each call:"
    yield "one thread at a time. x and the results must not overlap."
    if header:
        yield "Functions are static: each C file that includes this one has buffers of its own."
