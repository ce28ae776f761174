"""A page in one file: no script, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trulysparse._core.version import __version__
from trulysparse.report.line_chart import thinned
from trulysparse.report.numbers import MISSING, shortened
from trulysparse.report.style import STYLE
from trulysparse.report.svg import element, escape

# Tables of more rows are folded away; of very long ones some rows are shown.
_OPEN_ROWS, _MOST_ROWS = 8, 60
_MOST_NOTES, _LONGEST_CELL = 60, 300
# Where a long name without spaces may be broken.
_BREAKS = re.compile(r"(?<=\w)([_./\-])(?=\w)")
_NUMBER = re.compile(rf"[-+]?[\d.,]+(e[-+]?\d+)?( ?[%a-zµ]{{1,2}})?|{MISSING}|-?∞")


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: names of the columns.
        rows: texts, one per column.
        is_sample: whether rows of a long table are spread evenly over it, as those of epochs; otherwise they are the
            first ones.

    Example:
        >>> from trulysparse.report.page import Table
        >>> Table(["class", "samples"], [["a", "12"]]).html()[-40:]
        "<td class='n'>12</td></tr></table></div>"
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    is_sample: bool = False

    def html(self) -> str:
        """The table as HTML, of numbers right-aligned."""
        n = len(self.rows)
        chosen = thinned(n, _MOST_ROWS) if self.is_sample else list(range(min(n, _MOST_ROWS)))
        rows = [self.rows[i] for i in chosen]
        right = [
            "n" if i and rows and all(_NUMBER.fullmatch(str(row[i])) for row in rows) else None
            for i in range(len(self.columns))
        ]
        head = "".join(_cell(name, kind, "th") for name, kind in zip(self.columns, right, strict=True))
        body = "".join(
            f"<tr>{''.join(_cell(cell, kind) for cell, kind in zip(row, right, strict=True))}</tr>" for row in rows
        )
        text = element("div", f"<table><tr>{head}</tr>{body}</table>", class_="scroll")
        return text if len(rows) == n else f"{text}<p class='soft'>{len(rows)} of {n:,} rows.</p>"

    def folded(self) -> str:
        """The table, folded away where it is long."""
        return (
            f"<details{' open' if len(self.rows) <= _OPEN_ROWS else ''}><summary>Table</summary>{self.html()}</details>"
        )


def _cell(text: Any, kind: str | None, tag: str = "td") -> str:
    text = str(text)
    if kind:
        return f"<{tag} class='n'>{escape(text)}</{tag}>"
    shown = _BREAKS.sub(r"\1<wbr>", escape(shortened(text, _LONGEST_CELL)))
    return f"<{tag}>{shown}</{tag}>"


@dataclass(frozen=True)
class Figure:
    """A picture with its table.

    Args:
        title: over it.
        svg: the picture; '': none, a table alone.
        caption: what there is to know about it.
        table: its numbers, or None.
        more: further HTML under it.
    """

    title: str
    svg: str
    caption: str = ""
    table: Table | None = None
    more: str = ""

    def html(self) -> str:
        """The figure as HTML."""
        caption = f"<figcaption>{escape(self.caption)}</figcaption>" if self.caption else ""
        table = "" if self.table is None else self.table.folded() if self.svg else self.table.html()
        return f"<figure><h3>{escape(self.title)}</h3>{self.svg}{caption}{table}{self.more}</figure>"


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: its heading.
        figures: side by side where there is room.
        text: HTML above them.
    """

    title: str
    figures: Sequence[Figure] = ()
    text: str = ""

    @property
    def anchor(self) -> str:
        """Where links on the page lead."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    def html(self) -> str:
        """The section as HTML."""
        cards = f"<div class='cards'>{''.join(figure.html() for figure in self.figures)}</div>" if self.figures else ""
        return f"<section id='{self.anchor}'><h2>{escape(self.title)}</h2>{self.text}{cards}</section>"


@dataclass(frozen=True)
class Page:
    """A page.

    Args:
        title: its heading.
        subtitle: under it.
        tiles: figures in large digits, by name.
        sections: its parts.
        text: HTML above the parts.
    """

    title: str
    subtitle: str = ""
    tiles: Mapping[str, str] = field(default_factory=dict)
    sections: Sequence[Section] = ()
    text: str = ""

    def html(self) -> str:
        """The page as one HTML file."""
        tiles = "".join(
            f"<div class='tile'><b>{escape(value)}</b><span>{escape(name)}</span></div>"
            for name, value in self.tiles.items()
        )
        links = "".join(f"<a href='#{each.anchor}'>{escape(each.title)}</a>" for each in self.sections)
        return (
            "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
            "<meta name='viewport' content='width=device-width,initial-scale=1'>"
            f"<link rel='icon' href='data:,'><title>{escape(self.title)}</title><style>{STYLE}</style></head>\n<body>"
            f"<header><h1>{escape(self.title)}</h1>"
            + (f"<p class='soft'>{escape(self.subtitle)}</p>" if self.subtitle else "")
            + (f"<nav aria-label='Parts'>{links}</nav>" if len(self.sections) > 1 else "")
            + (f"<div class='tiles'>{tiles}</div>" if tiles else "")
            + f"</header>\n<main>{self.text}\n"
            + "\n".join(section.html() for section in self.sections)
            + f"</main>\n<footer>Written by trulysparse {escape(__version__)}.</footer></body></html>\n"
        )


def facts_table(facts: Mapping[str, Any]) -> str:
    """Names and values as HTML."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
    return f"<table class='facts'>{rows}</table>" if rows else ""


def notes_list(notes: Sequence[str], kind: str | None = None) -> str:
    """Sentences as an HTML list."""
    shown = [f"<li>{escape(note)}</li>" for note in notes[:_MOST_NOTES]]
    if len(notes) > _MOST_NOTES:
        shown.append(f"<li>… and {len(notes) - _MOST_NOTES} more</li>")
    return element("ul", shown, class_=kind) if shown else ""
