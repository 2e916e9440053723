import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, bar_lengths, draw, frame_of

NAME = "caseworker_shift_counts"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_bars_are_the_shares_and_the_published_share_is_hollow(frame):
    (ax,) = draw(NAME, frame).axes
    assert bar_lengths(ax) == pytest.approx(list(frame["share"]))
    (diamond,) = [line for line in ax.lines if line.get_marker() == "D"]
    assert diamond.get_xdata()[0] == 0.4
    assert not [
        line for line in draw(NAME, frame.assign(instrument="x")).axes[0].lines if line.get_marker() == "D"
    ]


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.41, "About four in ten"), (0.295, "About three in ten"), (0.45, "45% of citizens")],
)
def test_headline_in_tenths_only_near_a_tenth(frame, share, words):
    other = frame.copy()
    other.loc[other["shifts"] == "any", "share"] = share
    assert words in draw(NAME, other, "en").description.headline


def test_headline_without_a_number_where_the_share_is_hidden(frame):
    other = frame.copy()
    other.loc[other["shifts"].isin(["any", "0"]), ["share", "conf_low", "conf_high", "N_citizens"]] = None
    assert draw(NAME, other, "en").description.headline == "How many times citizens change caseworker"
