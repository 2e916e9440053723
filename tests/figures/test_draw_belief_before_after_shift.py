import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of, hatched

NAME = "belief_before_after_shift"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_points_and_hidden_cells_are_those_of_the_frame(frame):
    left, right = draw(NAME, frame).axes
    cells = frame[frame["quantity"] == "cell"]
    assert len(hatched(left)) == int(cells["estimate"].isna().sum())
    drawn = sorted(line.get_xdata()[0] for line in right.lines if line.get_marker() in ("o", "s"))
    moved = frame[frame["quantity"].isin(["changed", "up", "down"]) & (frame["group"] != "difference")]
    assert drawn == pytest.approx(sorted(moved["estimate"]))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.02, 0.1, "more often"), (-0.02, 0.1, "No clear difference"), (-0.1, -0.02, "less often")],
)
def test_headline_holds_the_shift_against_no_shift(frame, low, high, words):
    other = frame.copy()
    row = (other["quantity"] == "changed") & (other["group"] == "difference")
    other.loc[row, ["conf_low", "conf_high"]] = [low, high]
    words_drawn = draw(NAME, other, "en").description
    assert words in words_drawn.headline
    assert "Association, not effect" in words_drawn.note
