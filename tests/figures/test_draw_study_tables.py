"""T1 and T2: the two tables drawn as pictures."""

import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of

from jobchance.figures._table import Cell, Column, draw_table
from jobchance.figures.base import Description, finish, new_figure


@pytest.fixture(scope="module")
def frames(bip_study, bip_panel):
    return {name: frame_of(name, bip_study, bip_panel) for name in ("study_overview", "instrument_table")}


@pytest.mark.parametrize("name", ["study_overview", "instrument_table"])
def test_prints_well_and_redraws_from_csv(frames, name):
    assert_prints_well(name, frames[name])
    assert_redraws_from_csv(name, frames[name])


def cells(figure):
    return [text.get_text().replace("\n", " ") for text in figure.axes[0].texts]


def test_overview_shows_every_number_and_published_ones_apart(frames):
    frame = frames["study_overview"]
    figure = draw("study_overview", frame, "en")
    shown = cells(figure)
    for value in frame.loc[frame["unit"] == "count", "value"]:
        assert f"{int(value):,}" in shown
    assert "3,500–5,512" in shown
    slanted = [t.get_text() for t in figure.axes[0].texts if t.get_fontstyle() == "oblique"]
    assert "3,500–5,512" in slanted
    assert "ERIQ: computed from published numbers" in shown


def test_overview_of_another_instrument_has_no_published_column(frames):
    other = frames["study_overview"].assign(instrument="own")
    figure = draw("study_overview", other, "en")
    assert not [cell for cell in cells(figure) if "ublished" in cell]
    assert figure.description.published == ()


def test_overview_headline_counts(frames):
    other = frames["study_overview"].assign(N_citizens_total=812, N_caseworkers_total=0, N_jobcentres_total=0)
    assert draw("study_overview", other, "en").description.headline.split() == [
        *["The", "study", "in", "numbers:", "812", "citizens"]
    ]


def test_instrument_marks_every_placeholder(frames):
    frame = frames["instrument_table"]
    figure = draw("instrument_table", frame, "en")
    slanted = [t.get_text() for t in figure.axes[0].texts if t.get_fontstyle() == "oblique"]
    constructs = int((frame["construct_status"] == "placeholder").sum())
    wordings = int((frame["wording_caseworker"] == "placeholder").sum())
    assert slanted.count("placeholder") == constructs + wordings
    assert (constructs, wordings) == (3, 10)
    assert "not the official wording" in figure.description.note


def test_table_aligns_decimals_and_grows_to_its_rows():
    figure, (ax,) = new_figure(height_cm=1)
    numbers = ["1.5", "10.25", "7", "0.125"]
    rows = [
        [Cell("a long first cell that must be broken into several lines of the table " * 2), Cell(n)]
        for n in numbers
    ]
    draw_table(ax, [Column("Words", 1), Column("Number", 1, "decimal")], rows, lang="en")
    finish(figure, Description("T0", "test", "en", "Headline", "", "", "", "alt"))
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    drawn = {t.get_text(): t for t in ax.texts}
    marks = []
    for text in ("1.5", "10.25", "0.125"):
        width = renderer.get_text_width_height_descent(
            "." + text.split(".")[1], drawn[text].get_fontproperties(), ismath=False
        )[0]
        marks.append(drawn[text].get_window_extent(renderer).x1 - width)
    assert max(marks) - min(marks) < 3
    lowest = min(t.get_window_extent(renderer).y0 for t in ax.texts)
    assert lowest > 0
    assert figure.get_figheight() * 2.54 > 6
