"""Pictures read back: their elements, and that they are whole."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ET.Element:
    """The picture as XML; fails where it is not well-formed."""
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert root.find(f"{SVG}title") is not None
    return root


def found(svg: str, name: str) -> list[ET.Element]:
    return parsed(svg).findall(f".//{SVG}{name}")


def texts(svg: str) -> list[str]:
    """What is written in it, without what is shown when pointed at."""
    return ["".join([each.text or "", *(child.tail or "" for child in each)]) for each in found(svg, "text")]


def floats(element: ET.Element, *names: str) -> list[float]:
    return [float(element.get(name, "nan")) for name in names]


def tables(html: str) -> list[list[list[str]]]:
    """The cells of the tables in a page."""
    out = []
    for table in re.findall("<table.*?</table>", html, re.S):
        rows = re.findall("<tr>(.*?)</tr>", table, re.S)
        out.append([[re.sub("<.*?>", "", cell) for cell in re.findall("<t[hd].*?>(.*?)</t[hd]>", row)] for row in rows])
    return out
