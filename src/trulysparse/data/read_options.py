"""How a source is to be read, as the options of the command line say it."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How DATA is to be read. An option that the format has no use for is refused by files.read.

    Args:
        target: the column of labels or values of a table, or several joined by commas; None: it is guessed, and the
            table's notes say so.
        group: the column whose equal values belong together when samples are split; not a feature.
        time: the column of numbers or dates that sorts samples in time; not a feature.
        header: whether the first line of a .csv file names the columns; None: it must.
        separator: what separates the fields of a .csv file: ',', ';', '|', 'tab' or 'space', or another character;
            None: it is detected.
        encoding: the encoding of a .csv file, as Python names it; None: it is detected.
        zero_based: whether a .libsvm file numbers its features from 0; None: it does if it has a feature 0.
        stream: whether samples stay in their file and are read block by block.

    Example:
        >>> ReadOptions(target="price", separator=";").given()
        ['target', 'separator']
    """

    target: str | None = None
    group: str | None = None
    time: str | None = None
    header: bool | None = None
    separator: str | None = None
    encoding: str | None = None
    zero_based: bool | None = None
    stream: bool = False

    def given(self) -> list[str]:
        """The names of the options that are not at their defaults."""
        return [field.name for field in fields(self) if getattr(self, field.name) != field.default]
