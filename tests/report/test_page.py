"""Pages and their tables."""

from __future__ import annotations

import re

from pictures import tables
from trulysparse.report.page import Figure, Page, Section, Table, facts_table, notes_list

NASTY = "<script>alert('x')</script>"


def test_texts_are_escaped_everywhere():
    table = Table([NASTY, "b"], [[NASTY, NASTY]])
    figure = Figure(NASTY, "", NASTY, table)
    section = Section(NASTY, [figure], facts_table({NASTY: NASTY}) + notes_list([NASTY]))
    page = Page(NASTY, NASTY, {NASTY: NASTY}, [section]).html()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 11


def test_numbers_are_aligned_right_and_names_left():
    rows = [["class", "n", "text"], ["1", "1,234", "a"], ["2", "\N{EN DASH}", "5"], ["3", "1.5e-07", "6"]]
    html = Table(rows[0], rows[1:]).html()
    assert html.count("<td class='n'>") == 3
    assert html.count("<th class='n'>") == 1
    assert tables(html) == [rows]


def test_long_tables_are_folded_and_cut():
    rows = [[str(i), str(i * i)] for i in range(1000)]
    assert "<details open>" in Table(["a", "b"], rows[:8]).folded()
    long = Table(["a", "b"], rows).folded()
    assert "<details><summary>" in long
    assert "60 of 1,000 rows." in long
    [shown] = tables(long)
    assert shown[1:] == rows[:60]
    [shown] = tables(Table(["a", "b"], rows, is_sample=True).html())
    assert (shown[1], shown[-1], len(shown)) == (rows[0], rows[-1], 61)


def test_long_names_may_be_broken_and_very_long_ones_are_cut():
    html = Table(["a"], [["first_second_third"], ["x" * 1000]]).html()
    assert "first_<wbr>second_<wbr>third" in html
    assert len(html) < 600


def test_links_lead_to_sections():
    page = Page("t", sections=[Section("One part", text="a"), Section("Another: part", text="b")]).html()
    links, anchors = set(re.findall("href='#(.*?)'", page)), set(re.findall("<section id='(.*?)'", page))
    assert links == anchors == {"one-part", "another-part"}


def test_many_notes_are_cut():
    assert "… and 40 more" in notes_list([str(i) for i in range(100)])
    assert notes_list([]) == ""
