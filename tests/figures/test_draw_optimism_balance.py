import numpy as np
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of

NAME = "optimism_balance"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def _joint(frame, p):
    turned = frame.copy()
    turned.loc[turned["mark"] == "joint", "p_value"] = p
    return turned


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_points_and_intervals_are_the_numbers(frame):
    (ax,) = draw(NAME, frame).axes
    rows = frame[frame["mark"] == "coefficient"]
    points = [line.get_xdata()[0] for line in ax.lines if line.get_marker() in ("o", "D")]
    assert points == pytest.approx(list(rows["estimate"]))
    spans = [tuple(x.get_xdata()) for x in ax.lines if len(x.get_xdata()) == 2 and x.get_linewidth() == 1.4]
    np.testing.assert_allclose(spans, rows[["conf_low", "conf_high"]])


def test_intervals_without_zero_have_another_marker(frame):
    moved = frame.copy()
    first = moved.index[moved["mark"] == "coefficient"][0]
    moved.loc[first, ["estimate", "conf_low", "conf_high"]] = [0.3, 0.2, 0.4]
    figure = draw(NAME, moved, "en")
    assert [line.get_marker() for line in figure.axes[0].lines].count("D") >= 1
    assert "excludes zero" in figure.description.alt


def test_headline_follows_the_joint_test(frame):
    balanced = draw(NAME, _joint(frame, 0.4), "da").description.headline
    assert balanced.startswith("Ingen tegn på skævhed")
    assert "jævnt" not in balanced
    assert "skævt" in draw(NAME, _joint(frame, 0.01), "da").description.headline
    none = draw(NAME, _joint(frame, np.nan), "en")
    assert "imbalance" not in none.description.headline
    assert "is not made" in none.description.note


def test_note_warns_that_balance_is_no_proof(frame):
    assert "no proof of random allocation" in draw(NAME, frame, "en").description.note
    assert "ikke et bevis" in draw(NAME, frame, "da").description.note
    assert "< 0.001" in draw(NAME, _joint(frame, 1e-5), "en").description.note.replace("\xa0", " ")
