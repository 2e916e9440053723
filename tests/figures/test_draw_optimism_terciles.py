import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, bar_lengths, draw, frame_of

NAME = "optimism_terciles"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def _gap(frame, estimate, low, high):
    turned = frame.copy()
    turned.loc[turned["mark"] == "difference", ["estimate", "conf_low", "conf_high"]] = [estimate, low, high]
    return turned


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_bars_and_published_markers_are_the_numbers(frame):
    (ax,) = draw(NAME, frame).axes
    assert bar_lengths(ax) == pytest.approx(list(frame.loc[frame["mark"] == "level", "estimate"]))
    diamonds = sorted((x.get_xdata()[0], x.get_ydata()[0]) for x in ax.lines if x.get_marker() == "D")
    assert diamonds == [(0.053, 0.0), (0.07, 2.0)]


@pytest.mark.parametrize("other", [{"outcome": "job_or_education"}, {"horizon_weeks": 26}])
def test_no_published_marker_over_another_outcome_or_horizon(frame, other):
    figure = draw(NAME, frame.assign(**other), "en")
    assert figure.description.published == ()
    assert "ublished" not in figure.description.note


def test_note_says_that_the_published_horizon_is_not_stated(frame):
    assert "does not say how long" in draw(NAME, frame, "en").description.note


def test_headline_follows_the_interval(frame):
    assert "more often" in draw(NAME, _gap(frame, 0.02, 0.01, 0.03), "en").description.headline
    assert "less often" in draw(NAME, _gap(frame, -0.02, -0.03, -0.01), "en").description.headline
    assert "No clear difference" in draw(NAME, _gap(frame, 0.01, -0.01, 0.03), "en").description.headline
    bare = frame[frame["mark"] == "level"]
    assert "%" not in draw(NAME, bare, "en").description.headline


def test_contrast_and_counts_stand_in_the_picture(frame):
    figure = draw(NAME, _gap(frame, 0.017, 0.002, 0.032), "en")
    assert "1.7 percentage points (0.2–3.2)".replace(" ", " ") in figure.description.subtitle.replace(
        "\xa0", " "
    )
    assert "relative" in figure.description.subtitle
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    rows = frame[frame["mark"] == "level"]
    for name, (_, row) in zip(names, rows.iterrows(), strict=True):
        for count in ("N_rows", "N_citizens", "N_caseworkers"):
            assert f"{row[count]:,.0f}" in name


def test_reading_as_effect_is_tied_to_random_assignment(frame):
    words = draw(NAME, frame, "en").description.note
    assert "only if citizens are as good as randomly assigned" in words
    assert "F19" in words
    assert "Association, not effect" in words
