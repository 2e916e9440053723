import numpy as np
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of, hatched

NAME = "job_by_indicator_level"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def points(ax, marker):
    return sorted(line.get_ydata()[0] for line in ax.lines if line.get_marker() == marker)


def test_points_are_the_shares_by_panel_and_respondent(frame):
    axes = [ax for ax in draw(NAME, frame).axes if ax.get_visible()]
    for ax, construct in zip(axes, dict.fromkeys(frame["construct"]), strict=True):
        for side, marker in (("caseworker", "o"), ("citizen", "s")):
            own = frame[(frame["construct"] == construct) & (frame["respondent"] == side)]
            shares = own.loc[own["quantity"] == "level", "estimate"].dropna()
            assert points(ax, marker) == pytest.approx(sorted(shares))


def test_published_markers_only_for_the_published_question_outcome_and_horizon(frame):
    assert points(draw(NAME, frame).axes[0], "D") == [0.01, 0.27]
    for change in ({"outcome": "education"}, {"horizon_weeks": 26}, {"instrument": "own"}):
        assert points(draw(NAME, frame.assign(**change)).axes[0], "D") == []


def test_headline_counts_slopes_whose_joint_interval_is_above_zero(frame):
    other = frame.copy()
    trend = (other["quantity"] == "trend") & (other["respondent"] == "caseworker")
    other.loc[trend, ["conf_low", "conf_high"]] = [-0.01, 0.01]
    none = draw(NAME, other, "en").description
    assert none.headline.startswith("None of the 11")
    three = other["construct"].isin(["job_search", "cooperation", "network"])
    other.loc[trend & three, ["conf_low", "conf_high"]] = [0.001, 0.02]
    some = draw(NAME, other, "en").description
    assert "3 of 11" in some.headline
    assert "Association, not effect" in some.note
    assert "Bonferroni" in some.note
    other.loc[trend, ["conf_low", "conf_high"]] = [0.001, 0.02]
    assert draw(NAME, other, "en").description.headline.endswith("on all 11 indicators")


def test_key_shows_the_shapes_that_stand_for_the_respondents(frame):
    keys = [(entry.marker, entry.filled) for entry in draw(NAME, frame).key_entries]
    assert keys == [("o", True), ("s", True), ("D", False)]


def test_one_indicator_stands_alone(frame):
    one = frame[(frame["construct"] == "job_search") & (frame["respondent"] == "citizen")]
    words = draw(NAME, one, "en").description
    assert "job-search behaviour" in words.headline
    assert "per step" in words.note
    assert_prints_well(NAME, one)


def test_hidden_step_is_hatched_and_explained(frame):
    hidden = frame.copy()
    lost = hidden.index[(hidden["construct"] == "cooperation") & (hidden["level"] == "5")]
    hidden.loc[lost, ["estimate", "conf_low", "conf_high", "N_citizens", "N_events"]] = np.nan
    hidden["suppressed"] = hidden.index.isin(lost)
    figure = draw(NAME, hidden)
    assert len(hatched(figure.axes[5])) == 2
    assert "diskretion" in figure.description.note
