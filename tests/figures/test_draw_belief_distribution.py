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

NAME = "belief_distribution"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_bars_and_published_markers_are_the_numbers(frame):
    (ax,) = draw(NAME, frame).axes
    assert bar_lengths(ax) == pytest.approx(list(frame["share"]))
    diamonds = [line for line in ax.lines if line.get_marker() == "D"]
    assert sorted(line.get_xdata()[0] for line in diamonds) == [0.06, 0.2]
    assert all(line.get_markerfacecolor() == "white" for line in diamonds)


def test_no_published_marker_over_another_question(frame):
    figure = draw(NAME, frame.assign(instrument="own"))
    assert not [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert figure.description.published == ()
    assert draw(NAME, frame).description.published == ("BT",)


def test_headline_follows_the_larger_end(frame):
    doubt = draw(NAME, frame, "en").description.headline
    assert "in doubt" in doubt
    turned = frame.copy()
    turned["share"] = [0.05, 0.1, 0.2, 0.3, 0.31, 0.04]
    belief = draw(NAME, turned, "en").description.headline
    assert "good chances" in belief
    assert "61%" in belief


def test_hidden_answers_are_hatched_and_the_headline_is_neutral(frame):
    hidden = frame.copy()
    lost = hidden["level"].isin(["2", "5"])
    hidden["suppressed"] = lost
    for column in ("share", "conf_low", "conf_high", "N_citizens"):
        hidden.loc[lost, column] = np.nan
    figure = draw(NAME, hidden, "en")
    assert len(hatched(figure.axes[0])) == 2
    assert "%" not in figure.description.headline
    assert "not shown for confidentiality" in figure.description.note
    assert_prints_well(NAME, hidden)


def test_scale_without_words_from_a_csv_of_numbers(frame):
    bare = frame[frame["level"] != "dont_know"].copy()
    bare["level"] = bare["label_da"] = bare["label_en"] = [1, 2, 3, 4, 5]
    figure = draw(NAME, pd.DataFrame(bare), "en")
    names = [text.get_text().replace("\xa0", " ") for text in figure.axes[0].get_yticklabels()]
    assert names == ["1 (lowest)", "2", "3", "4", "5 (highest)"]
