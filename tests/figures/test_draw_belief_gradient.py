import numpy as np
import pandas as pd
import pytest
from descriptive_frames import (
    assert_prints_well,
    assert_redraws_from_csv,
    bar_lengths,
    draw,
    frame_of,
    hatched,
)

NAME = "belief_gradient"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def _diamonds(ax):
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "D"]


def _gap(frame, estimate, low, high):
    """The frame with another difference between the outermost answers."""
    turned = frame.copy()
    row = turned["mark"] == "difference"
    turned.loc[row, ["estimate", "conf_low", "conf_high"]] = [estimate, low, high]
    return turned


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_redraws_from_csv_without_dont_know(frame):
    assert_redraws_from_csv(NAME, frame[frame["level"] != "dont_know"])


def test_bars_whiskers_and_published_markers_are_the_numbers(frame):
    (ax,) = draw(NAME, frame).axes
    bars = frame[frame["mark"] == "level"]
    assert bar_lengths(ax) == pytest.approx(list(bars["estimate"]))
    whiskers = sorted(tuple(line.get_xdata()) for line in ax.lines if line.get_marker() == "|")
    np.testing.assert_allclose(whiskers, bars[["conf_low", "conf_high"]].sort_values("conf_low"))
    assert sorted(_diamonds(ax)) == [(0.01, 0.0), (0.27, 4.0)]


@pytest.mark.parametrize(
    "other",
    [{"outcome": "education"}, {"horizon_weeks": 26}, {"respondent": "citizen"}, {"construct": "job_search"}],
)
def test_no_published_marker_over_another_question(frame, other):
    figure = draw(NAME, frame.assign(**other))
    assert _diamonds(figure.axes[0]) == []
    assert figure.description.published == ()
    assert draw(NAME, frame).description.published == ("BT",)


@pytest.mark.parametrize(
    ("lang", "words"), [("da", "Sammenhæng, ikke effekt"), ("en", "Association, not effect")]
)
def test_association_stands_in_picture_note_and_alt(frame, lang, words):
    figure = draw(NAME, frame, lang)
    assert figure.axes[0].get_title(loc="right") == words
    assert words in figure.description.note
    assert words in figure.description.alt


def test_headline_follows_the_data(frame):
    share = frame[frame["mark"] == "level"].set_index("level")["estimate"]
    steep = draw(NAME, frame, "en").description.headline
    assert "believes in it" in steep
    assert f"{100 * share['5']:.0f}%" in steep
    assert "No clear difference" in draw(NAME, _gap(frame, 0.01, -0.02, 0.04), "en").description.headline
    assert "Ingen sikker forskel" in draw(NAME, _gap(frame, 0.01, -0.02, 0.04), "da").description.headline
    assert "reversed" in draw(NAME, _gap(frame, -0.1, -0.2, -0.05), "en").description.headline


def test_other_questions_are_named_by_their_answers(frame):
    own = draw(NAME, frame.assign(construct="job_search"), "en").description.headline
    assert "with the answer “yes”" in own
    assert "believes in it" not in own


def test_absolute_and_relative_difference_stand_in_the_note(frame):
    note = draw(NAME, frame, "da").description.note
    assert "procentpoint" in note
    assert "gange så stor" in note
    assert "konfidensinterval" in note


def test_hidden_answers_are_hatched_and_nothing_is_compared_with_them(frame):
    hidden = frame.copy()
    lost = hidden["level"].isin(["1", "2"]) | (hidden["mark"] != "level")
    for column in ("estimate", "conf_low", "conf_high", "N_citizens", "N_events"):
        hidden[column] = hidden[column].astype(float).mask(lost, np.nan)
    hidden["suppressed"] = lost
    figure = draw(NAME, hidden, "en")
    assert len(hatched(figure.axes[0])) == 2
    assert "%" not in figure.description.headline
    assert "not shown for confidentiality" in figure.description.note
    assert_prints_well(NAME, hidden)


def test_steps_without_words(frame):
    bare = frame[frame["level"] != "dont_know"].copy()
    bare["label_da"] = bare["label_en"] = bare["level"]
    figure = draw(NAME, pd.DataFrame(bare.assign(construct="self_efficacy")), "en")
    names = [text.get_text().replace("\xa0", " ") for text in figure.axes[0].get_yticklabels()]
    assert names[0].startswith("1 (lowest)")
    assert names[-1].startswith("5 (highest)")
