import numpy as np
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of

NAME = "optimism_reduced_form"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def _slope(frame, estimate, low, high):
    turned = frame.copy()
    turned.loc[turned["mark"] == "slope", ["estimate", "conf_low", "conf_high"]] = [estimate, low, high]
    return turned


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_curve_line_and_bins_are_the_numbers(frame):
    top, bottom = draw(NAME, frame).axes
    curve = frame[frame["mark"] == "curve"]
    smooth, straight = (line for line in top.lines if len(line.get_xdata()) > 1)
    np.testing.assert_allclose(smooth.get_ydata(), curve["estimate"])
    slope = frame.loc[frame["mark"] == "slope", "estimate"].iloc[0]
    x, y = straight.get_xdata(), straight.get_ydata()
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(slope)
    bins = frame[frame["mark"] == "bin"]
    boxes = [box for container in bottom.containers for box in container]
    np.testing.assert_allclose([box.get_height() for box in boxes], bins["N_rows"])
    np.testing.assert_allclose([box.get_x() for box in boxes], bins["x_low"])


def test_headline_follows_the_slope(frame):
    assert "more often" in draw(NAME, _slope(frame, 0.01, 0.004, 0.016), "en").description.headline
    assert "less often" in draw(NAME, _slope(frame, -0.01, -0.016, -0.004), "en").description.headline
    assert "No clear association" in draw(NAME, _slope(frame, 0.002, -0.004, 0.01), "en").description.headline
    assert "%" not in draw(NAME, frame[frame["mark"] != "slope"], "en").description.headline


def test_says_association_and_what_an_effect_would_need(frame):
    for lang, words in (("da", "Sammenhæng, ikke effekt"), ("en", "Association, not effect")):
        figure = draw(NAME, frame, lang)
        assert figure.axes[0].get_title(loc="right") == words
        assert words in figure.description.note
        assert "F19" in figure.description.note
