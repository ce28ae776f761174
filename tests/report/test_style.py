"""The style sheet of a page."""

from __future__ import annotations

import re

from trulysparse.report.style import DARK, LIGHT, STYLE


def test_both_themes_define_every_variable_in_use():
    used = set(re.findall(r"var\(--(\w+)", STYLE))
    assert used <= set(LIGHT)
    assert set(LIGHT) == set(DARK)


def test_paper_is_light():
    dark = STYLE.index("@media screen and (prefers-color-scheme:dark)")
    assert STYLE.index(LIGHT["ground"]) < dark < STYLE.index(DARK["ground"])


def test_blocks_are_closed_and_nothing_comes_from_elsewhere():
    assert STYLE.count("{") == STYLE.count("}")
    assert "url(" not in STYLE
    assert "@import" not in STYLE
