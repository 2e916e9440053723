import re

import pandas as pd

from jobchance.formatting import Formatter
from jobchance.report.output import Output
from jobchance.report.page import Block, Line, Page, Section, Table, frame_table, page_figure, render_page

FRAME = pd.DataFrame(
    {
        "level": ["1", "<b>2</b>"],
        "share": [0.012345, float("nan")],
        "N_citizens": [1234, 20],
        "outcome": "job",
    }
)


def output(**changes):
    given = {
        "id": "F15",
        "name": "belief_gradient",
        "frame": FRAME,
        "png": b"\x89PNG",
        "headline": "27 % <script>",
        "note": "",
        "source": "",
        "alt": 'bars "27"',
        "disclosure_class": "LinearAggregations",
        "estimand": "predictive",
    }
    return Output(**{**given, **changes})


def page(**changes):
    given = {
        "lang": "da",
        "title": "Tro & job",
        "lead": "lead",
        "banner": "",
        "reading_title": "r",
        "reading": [Line(term="t", text="x")],
        "key_title": "k",
        "key_points": [Line(text="p", id="F15")],
        "contents_title": "c",
        "sections": [Section("s", "i", [page_figure(output(), "da")])],
        "numbers_title": "n",
        "method_title": "m",
        "not_drawn_title": "nd",
        "not_drawn": [],
        "withheld_title": "w",
        "withheld": [],
        "flow_title": "f",
        "flow": Table([], []),
        "method": [Block("b", ["l"])],
        "footer": "foot",
    }
    return Page(**{**given, **changes})


def test_the_page_is_self_contained_and_escaped():
    html = render_page(page())
    assert "<script" not in html
    assert "&lt;b&gt;2&lt;/b&gt;" in html
    assert 'alt="bars &#34;27&#34;"' in html
    assert "Tro &amp; job" in html
    assert re.findall(r'(?:src|href)="(?!data:image/png;base64,|#)', html) == []
    assert "url(" not in html
    assert "@import" not in html


def test_optional_parts_are_absent_when_empty_and_present_when_not():
    assert 'class="banner"' not in render_page(page())
    assert "SIMULERET" in render_page(page(banner="SIMULERET"))
    assert "F9: needs caseworker" in render_page(page(not_drawn=["F9: needs caseworker"]))
    assert "withheld line" in render_page(page(withheld=["withheld line"]))


def test_the_table_behind_a_figure_is_in_the_readers_numbers():
    table = frame_table(FRAME, Formatter("da"))
    assert [h.text for h in table.header] == ["level", "share", "N_citizens"], "constants are left out"
    assert [c.text for c in table.rows[0]] == ["1", "0,01235", "1.234"]
    assert table.rows[1][1].text == ".."
    assert [c.numeric for c in table.rows[0]] == [False, True, True]
    assert frame_table(FRAME, Formatter("en")).rows[0][2].text == "1,234"


def test_one_row_keeps_its_columns():
    assert len(frame_table(FRAME.head(1), Formatter("en")).header) == 4
