import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of

NAME = "variance_decomposition"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def _texts(figure):
    return [text.get_text().replace("\xa0", " ") for text in figure.axes[0].texts]


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_cells_are_the_numbers(frame):
    texts = _texts(draw(NAME, frame, "en"))
    for _, row in frame[frame["mark"] == "icc"].iterrows():
        low, high = 100 * row["conf_low"], 100 * row["conf_high"]
        assert f"{100 * row['estimate']:.1f}% ({low:.1f}–{high:.1f})" in texts
        assert f"{row['N_groups']:,.0f}" in texts
        assert f"{row['N_rows']:,.0f}" in texts


def test_rows_do_not_add_up_is_said(frame):
    assert "rækkerne kan ikke lægges sammen" in draw(NAME, frame, "da").description.note
    assert "the rows do not add up" in draw(NAME, frame, "en").description.note


def test_headline_follows_the_caseworkers_interval(frame):
    def headline(estimate, low, high):
        turned = frame.copy()
        row = (turned["mark"] == "icc") & (turned["level"] == "caseworker")
        turned.loc[row, ["estimate", "conf_low", "conf_high"]] = [estimate, low, high]
        return draw(NAME, turned, "en").description.headline

    assert headline(0.05, 0.02, 0.09).startswith("5.0% of the variation")
    assert headline(0.005, 0.0, 0.012).startswith("No detectable variation")
    other = frame[frame["level"] != "caseworker"]
    assert "%" not in draw(NAME, other, "en").description.headline


def test_refused_level_says_why(frame):
    refused = frame[frame["level"] != "jobcentre"].to_dict("records")
    context = frame.iloc[0].to_dict() | {
        "mark": "refused",
        "level": "jobcentre",
        "reason": "few",
        "estimate": None,
        "conf_low": None,
        "conf_high": None,
    }
    given = type(frame)([*refused, context])
    figure = draw(NAME, given, "en")
    assert any("fewer than five groups" in text.replace("\n", " ") for text in _texts(figure))
    assert_prints_well(NAME, given)
