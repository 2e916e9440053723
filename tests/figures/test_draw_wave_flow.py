import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of

NAME = "wave_flow"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_bars_and_numbers_are_those_of_the_frame(frame):
    ax, numbers = draw(NAME, frame, "en").axes
    waves = frame[(frame["quantity"] == "wave") & (frame["series"] == "any")]
    heights = [box.get_height() for c in ax.containers for box in c]
    assert heights == pytest.approx(list(waves["share"]))
    written = [text.get_text() for text in numbers.texts]
    assert written[: len(waves)] == [f"{n:,}" for n in waves["N_citizens"].astype(int)]


def test_hidden_counts_are_dots(frame):
    hidden = frame.copy()
    row = (hidden["series"] == "citizen") & (hidden["level"] == "4")
    hidden.loc[row, ["share", "N_citizens"]] = None
    hidden.loc[row, "suppressed"] = True
    figure = draw(NAME, hidden)
    assert [text.get_text() for text in figure.axes[1].texts].count("..") == 1
    assert "diskretion" in figure.description.note


def test_headline_changes_with_the_data(frame):
    other = frame.copy()
    other.loc[(other["quantity"] == "at_least") & (other["level"] == "3"), "share"] = 0.915
    assert (
        draw(NAME, other, "en").description.headline
        == "92% of citizens take part in at least three measurements"
    )
    without = frame[frame["quantity"] != "at_least"]
    assert "%" not in draw(NAME, without, "en").description.headline
