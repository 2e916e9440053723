"""The canvas: no text is clipped or overlaps, at any length, in any language, for every kind of mark."""

import matplotlib as mpl
import numpy as np
import pytest
from extents import assert_no_text_overlap, assert_nothing_clipped, drawn_texts
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle

from jobchance.figures import marks, style
from jobchance.figures.base import Description, finish, height_for_rows, new_figure
from jobchance.figures.frame import balance, wrap

WORDS = (
    "Beskæftigelsesmedarbejderens langsigtede arbejdsmarkedsparathedsvurdering af borgeren set i forhold til "
    "helbredsmestring, jobsøgningsadfærd og $5 i \\alpha_1 {klammer}"
)
LENGTHS = (1, 130, 900)


def words(length):
    return (f"{WORDS} " * (length // len(WORDS) + 1))[:length].strip() or "x"


def described(lang="da", length=60):
    text = words(length)
    return Description(
        id="F0", name="demo", lang=lang, headline=text, subtitle=text, note=text, source=text, alt=text
    )  # fmt: skip


def bars(length, lang):
    figure, (ax,) = new_figure(height_cm=height_for_rows(5))
    labels = [words(min(length, 300)), "ja", "nej", words(30), "ved ikke"]
    marks.horizontal_bars(
        ax, labels, [0.27, 0.12, np.nan, 0.05, 0.01], low=[0.2, 0.1, np.nan, 0.03, 0.0],
        high=[0.34, 0.15, np.nan, 0.08, 0.03], value_labels=["27 % (N = 212)", "12 %", "", "5 %", "1 %"],
    )  # fmt: skip
    marks.percent_axis(ax, axis="x", lang=lang)
    marks.grid_lines(ax, axis="x")
    ax.set_xlabel(words(min(length, 300)))
    marks.published_marker(ax, 0.27, 0, key="BT", lang=lang)
    marks.published_marker(ax, 0.01, 4, key="BT", lang=lang)
    return figure


def columns(length, lang):
    figure, (ax,) = new_figure(height_cm=6)
    labels = [words(min(length, 60)), "mellem\nN = 1.300", "høj"]
    values = [0.053, 0.061, 0.07]
    marks.vertical_bars(
        ax, labels, values, low=[0.04, 0.05, 0.06], high=[0.065, 0.07, 0.08],
        value_labels=["5,3 %", "6,1 %", "7,0 %"], colours=[style.LOW, style.MIDDLE, style.HIGH],
    )  # fmt: skip
    marks.percent_axis(ax, axis="y", lang=lang)
    for place, value in ((0, 0.053), (2, 0.07)):
        marks.published_marker(ax, place, value, key="SB-R", lang=lang)
    return figure


def likert_panels(length, lang):
    figure, axes = new_figure(height_cm=8, rows=2, cols=2, sharex=True, sharey=True)
    shares = np.array([[0.05, 0.06, 0.2, 0.3, 0.39], [0.2] * 5, [np.nan] * 5])
    for number, ax in enumerate(axes):
        marks.stacked_bars(
            ax, [words(min(length, 90)), "tro", "skjult"], shares, lang=lang, key=number == 0,
            names=["slet ikke", "lidt", words(min(length, 200)), "meget", "ved ikke"],
            colours=[*style.likert_colours(4), "#E5E5E5"], hatches=["", "", "", "", "//"],
        )  # fmt: skip
        ax.set_title(words(min(length, 120)), loc="left")
    return figure


def curves(length, lang):
    figure, (ax,) = new_figure(height_cm=7)
    weeks = np.arange(53)
    ends = []
    for i, colour in enumerate(style.ordered_colours(6)):
        share = weeks / 52 * (0.01 + 0.001 * i)  # six lines that end within half a percentage point
        marks.step_line(ax, weeks, share, low=share * 0.8, high=share * 1.2, colour=colour)
        ends.append(marks.EndLabel(52, float(share[-1]), words(min(length, 30)), colour))
    marks.end_labels(ax, ends)
    marks.percent_axis(ax, axis="y", lang=lang)
    marks.reference_line(ax, 26, axis="x", dashed=True)
    marks.published_marker(ax, 52, 0.013, key="BT", lang=lang)
    ax.set_xlim(0, 52)
    ax.set_ylim(0, 0.3)
    ax.set_ylabel(words(min(length, 130)))
    return figure


def heat(length, lang):
    figure, (ax,) = new_figure(height_cm=7)
    values = np.linspace(0.01, 0.6, 25).reshape(5, 5)
    values[2, 3] = np.nan
    marks.heat_map(
        ax, values, row_labels=[words(min(length, 60))] * 5, col_labels=[words(min(length, 40))] * 5,
        texts=[[f"{v:.0%}" for v in row] for row in values], low=0, high=0.6,
    )  # fmt: skip
    return figure


def forest(length, lang):
    figure, (ax,) = new_figure(height_cm=height_for_rows(4))
    marks.interval_points(
        ax, ["alder", words(min(length, 200)), "skjult", "køn"], [0.1, -0.02, np.nan, 0.0],
        low=[0.05, -0.1, np.nan, -0.2], high=[0.15, 0.06, np.nan, 0.2],
        value_labels=["0,10", "−0,02", "", "0,00"],
    )  # fmt: skip
    marks.reference_line(ax)
    marks.number_axis(ax, axis="x", lang=lang)
    return figure


KINDS = (bars, columns, likert_panels, curves, heat, forest)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_clipped_or_overlaps(kind, length):
    lang = "da" if length % 2 else "en"
    with style.context():
        figure = finish(kind(length, lang), described(lang, length))
    assert_nothing_clipped(figure)
    assert_no_text_overlap(figure)
    assert figure.get_figwidth() * 2.54 == pytest.approx(16.0)


def test_the_helper_sees_what_is_wrong():
    figure = finish(bars(40, "da"), described())
    moved = figure.texts[0]
    moved.set_position((10.0, 1.0))
    with pytest.raises(AssertionError, match="off the canvas"):
        assert_nothing_clipped(figure)
    moved.set_position(figure.texts[1].get_position())
    with pytest.raises(AssertionError, match="words on words"):
        assert_no_text_overlap(figure)


def test_words_come_out_whole_and_unparsed():
    figure = finish(bars(130, "da"), described("da", 300))
    text = " ".join(name for name, _ in drawn_texts(figure))
    joined = text.replace("-\n", "").replace("\n", " ")
    assert words(300) in joined
    assert "Anm.: " in joined
    assert "Kilde: " in joined
    english = finish(bars(40, "en"), described("en", 40))
    assert {"Note: ", "Source: "} <= {
        name[: name.index(":") + 2] for name, _ in drawn_texts(english) if ": " in name
    }


def test_drawing_is_deterministic_and_finishing_again_replaces_the_words():
    one, other = (finish(bars(130, "da"), described("da", 130)) for _ in range(2))
    assert np.array_equal(np.asarray(one.canvas.buffer_rgba()), np.asarray(other.canvas.buffer_rgba()))
    again = finish(one, described("da", 130))
    assert len(again.texts) == len(other.texts)
    figure = likert_panels(40, "da")
    finish(figure, described("da", 40))
    keys = len(figure.texts), len(figure.patches)
    finish(figure, described("da", 40))
    assert (len(figure.texts), len(figure.patches)) == keys


def test_a_callers_matplotlib_is_neither_used_nor_changed():
    with mpl.rc_context({"font.size": 31.0, "axes.facecolor": "pink", "lines.linewidth": 9.0}):
        with style.context():
            changed = finish(bars(40, "da"), described())
        assert mpl.rcParams["font.size"] == 31.0
    with style.context():
        plain = finish(bars(40, "da"), described())
    assert np.array_equal(np.asarray(changed.canvas.buffer_rgba()), np.asarray(plain.canvas.buffer_rgba()))


def test_nothing_is_smaller_than_nine_points():
    with style.context():
        figure = finish(likert_panels(40, "da"), described())
    texts = [*figure.texts, *(text for ax in figure.axes for text in [*ax.texts, *ax.get_xticklabels()])]
    assert min(text.get_fontsize() for text in texts) >= 9.0


def test_hidden_cells_look_alike_whatever_was_hidden():
    def hatched(ax):
        return [p for p in ax.patches if isinstance(p, Rectangle) and p.get_hatch() == "////"]

    _, (ax,) = new_figure()
    marks.horizontal_bars(ax, ["a", "b", "c"], [np.nan, 0.5, np.nan])
    stubs = hatched(ax)
    assert len(stubs) == 2
    assert len({(p.get_width(), p.get_height()) for p in stubs}) == 1
    assert [text.get_text() for text in ax.texts] == ["..", ".."]


def test_bars_are_as_long_as_their_values_and_intervals_end_where_they_should():
    _, (ax,) = new_figure()
    marks.horizontal_bars(
        ax, ["a", "b"], [0.2, 0.4], low=[0.1, 0.3], high=[0.3, 0.5], value_labels=["20 %", "40 %"]
    )
    assert [bar.get_width() for bar in ax.patches] == [0.2, 0.4]
    assert [tuple(line.get_xdata()) for line in ax.lines] == [(0.1, 0.3), (0.3, 0.5)]
    assert [text.xy for text in ax.texts] == [(0.3, 0), (0.5, 1)]  # outside the interval's end


def test_value_words_stand_clear_of_a_published_marker_beside_the_bar():
    _, (ax,) = new_figure()
    marks.horizontal_bars(
        ax, ["a", "b", "c"], [0.2, 0.4, 0.2], low=[0.1, 0.3, 0.1], high=[0.3, 0.5, 0.3],
        value_labels=["20 %", "40 %", "20 %"], markers={0: 0.35, 1: 0.1, 2: 0.48},
    )  # fmt: skip
    assert [text.xy[0] for text in ax.texts] == [0.35, 0.5, 0.3]  # only a marker in the way moves the words


def test_titles_leave_no_word_alone_and_long_compounds_break_at_their_hyphen():
    figure, _ = new_figure()
    renderer, font = figure.canvas.get_renderer(), FontProperties(size=9)
    text = "Omkring fire ud af ti borgere skifter sagsbehandler mindst én gang"
    width = renderer.get_text_width_height_descent(text, font, ismath=False)[0]
    first, last = balance(text, 0.95 * width, font, renderer).split("\n")
    assert min(len(first), len(last)) > 0.7 * max(len(first), len(last))
    assert wrap(text, 0.95 * width, font, renderer).endswith("\ngang")
    assert "Offentliggjort" in balance("Offentliggjort (BIP)", 0.3 * width, font, renderer)  # no word is cut
    long = "Streger viser 95\xa0pct.-konfidensintervaller"
    room = renderer.get_text_width_height_descent(long, font, ismath=False)[0] - 10
    assert wrap(long, room, font, renderer) == "Streger viser 95\xa0pct.-\nkonfidensintervaller"


def test_published_numbers_beyond_the_bars_stay_inside_the_axes():
    _, (ax,) = new_figure()
    marks.horizontal_bars(ax, ["a", "b"], [0.1, 0.2])
    before = ax.get_ylim()
    marks.hollow_marker(ax, 0.27, 1)
    assert ax.get_xlim()[0] == 0.0
    assert ax.get_xlim()[1] > 0.27
    assert ax.get_ylim() == before  # rows still run from the top down
    drawn = ax.lines[-1]
    assert (list(drawn.get_xdata()), drawn.get_markerfacecolor()) == ([0.27], "white")


def test_segments_add_up_and_carry_their_numbers():
    _, (ax,) = new_figure()
    marks.stacked_bars(
        ax, ["a"], np.array([[0.04, 0.36, 0.6]]), names=["x", "y", "z"], lang="da",
        colours=style.likert_colours(3),
    )  # fmt: skip
    assert [p.get_width() for p in ax.patches] == [0.04, 0.36, 0.6]
    assert [text.get_text() for text in ax.texts] == ["36", "60"]  # under 5 % there is no room


def test_numbers_on_axes_are_in_the_readers_language():
    for lang, expected in (("da", "2,5 %"), ("en", "2.5%")):
        figure, (ax,) = new_figure()
        ax.set_ylim(0, 0.1)
        marks.percent_axis(ax, axis="y", lang=lang)
        ax.set_yticks([0, 0.025, 0.05])
        marks.number_axis(ax, axis="y", lang=lang, unit="percent", ticks=4)
        figure.canvas.draw()
        shown = [text.get_text().replace("\xa0", " ") for text in ax.get_yticklabels()]
        assert expected in shown


def test_text_on_colours_has_enough_contrast():
    for colour in [*style.likert_colours(5), *style.ordered_colours(6), style.NOISE, style.SUPPRESSED]:
        assert style.contrast(style.text_colour_on(colour), colour) >= 4.5, colour
    assert style.contrast(style.GREY_TEXT, "#FFFFFF") >= 4.5


def test_meanings_differ_in_colour():
    meanings = [
        style.CASEWORKER,
        style.CITIZEN,
        style.LOW,
        style.MIDDLE,
        style.HIGH,
        style.NOISE,
        style.NEUTRAL,
    ]
    assert len(set(meanings)) == len(meanings)


def test_description_is_complete_before_it_can_be_read():
    figure, _ = new_figure()
    with pytest.raises(RuntimeError, match="finish"):
        _ = figure.description
    assert finish(figure, described()).description.id == "F0"
