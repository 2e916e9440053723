import numpy as np
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of, hatched

NAME = "indicator_distributions"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_segments_are_the_shares_and_fill_the_bar(frame):
    figure = draw(NAME, frame)
    for ax, side in zip(figure.axes, ("caseworker", "citizen"), strict=True):
        drawn = sorted(round(box.get_width(), 6) for box in ax.patches if box.get_width() > 0)
        own = frame[(frame["respondent"] == side) & (frame["base"] == "steps")]
        assert drawn == pytest.approx(sorted(round(share, 6) for share in own["share"]), abs=2e-6)
        assert sum(drawn) == pytest.approx(own["construct"].nunique(), abs=1e-4)


def test_questions_that_are_not_asked_say_so(frame):
    left, right = draw(NAME, frame, "en").axes
    assert [text.get_text() for text in left.texts].count("not asked") == 0
    assert [text.get_text() for text in right.texts].count("not asked") == 2


def test_hidden_steps_are_one_hatched_part(frame):
    hidden = frame.copy()
    one = (hidden["construct"] == "job_search") & (hidden["respondent"] == "caseworker")
    lost = one & hidden["level"].isin(["1", "2"])
    rest = 1 - hidden.loc[one & (hidden["base"] == "steps") & ~lost, "share"].sum()
    hidden.loc[lost, ["share", "conf_low", "conf_high", "N_citizens"]] = np.nan
    hidden["suppressed"] = lost
    figure = draw(NAME, hidden)
    (part,) = [box for box in hatched(figure.axes[0]) if box.get_width() > 0]
    assert part.get_width() == pytest.approx(rest)
    assert part.get_x() == 0
    assert_prints_well(NAME, hidden)


def test_headline_names_the_ends_only_if_their_intervals_are_apart(frame):
    other = frame.copy()
    high = (other["base"] == "high") & (other["respondent"] == "caseworker")
    other.loc[high, ["share", "conf_low", "conf_high"]] = [0.4, 0.35, 0.45]
    assert (
        draw(NAME, other, "en").description.headline == "How the answers to the 11 indicators are distributed"
    )
    other.loc[high & (other["construct"] == "cooperation"), ["share", "conf_low", "conf_high"]] = [
        0.6,
        0.55,
        0.65,
    ]
    assert draw(NAME, other, "en").description.headline.startswith("Most answer high on “cooperation skills”")


def test_placeholders_never_lead_the_headline(frame):
    other = frame.copy()
    top = (other["base"] == "high") & (other["construct"] == "placeholder10")
    other.loc[top, ["share", "conf_low", "conf_high"]] = [0.95, 0.94, 0.96]
    assert "placeholder" not in draw(NAME, other, "en").description.headline
