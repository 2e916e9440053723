import numpy as np
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of, hatched

NAME = "caseworker_spread"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def _verdict(frame, p, share):
    turned = frame.copy()
    turned.loc[(turned["mark"] == "gap") & (turned["kind"] == "raw"), "p_value"] = p
    turned.loc[turned["mark"] == "noise_variance", "estimate"] = share
    return turned


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_bars_and_marks_are_the_numbers(frame):
    left, right = draw(NAME, frame).axes
    quarters = frame[frame["mark"] == "quarter"].set_index(["level", "kind"])["estimate"]
    bars = [box.get_height() for container in left.containers for box in container]
    expected = [
        quarters[level, kind] for level in ("lowest", "highest") for kind in ("raw", "noise", "shrunken")
    ]
    assert bars == pytest.approx(expected)
    groups = frame[frame["mark"] == "group"]
    for kind, marker in (("raw", "o"), ("shrunken", "s")):
        (drawn,) = (line for line in right.lines if line.get_marker() == marker)
        np.testing.assert_allclose(drawn.get_ydata(), groups.loc[groups["kind"] == kind, "estimate"])


def test_noise_and_shrunken_always_stand_beside_the_raw_spread(frame):
    figure = draw(NAME, frame, "en")
    assert [entry.text for entry in figure.key_entries][:3] == [
        "raw share",
        "pure chance",
        "after allowing for chance",
    ]
    for word in ("Pure chance", "After allowing for chance", "True standard deviation"):
        assert word in figure.description.note


def test_published_spread_only_over_its_own_outcome(frame):
    def diamonds(given):
        left = draw(NAME, given).axes[0]
        return sorted(x.get_ydata()[0] for x in left.lines if x.get_marker() == "D")

    assert diamonds(frame) == [0.07, 0.23]
    assert diamonds(frame.assign(outcome="job")) == []
    assert "are not stated" in draw(NAME, frame, "en").description.note


def test_headline_compares_raw_with_chance(frame):
    def headline(p, share):
        return draw(NAME, _verdict(frame, p, share), "da").description.headline

    assert "ikke påviseligt større" in headline(0.4, 0.95)
    assert headline(0.01, 0.7).startswith(
        "Det meste af forskellen mellem sagsbehandlere kan være tilfældighed"
    )
    assert "adskiller sig mere end ved ren tilfældighed" in headline(0.001, 0.3)


def test_hidden_quarter_is_hatched_and_the_headline_neutral(frame):
    hidden = frame.copy()
    lost = (hidden["mark"] == "quarter") & (hidden["level"] == "lowest")
    for column in ("estimate", "conf_low", "conf_high", "N_citizens", "N_events"):
        hidden[column] = hidden[column].astype(float).mask(lost)
    hidden["suppressed"] = lost
    figure = draw(NAME, hidden, "en")
    assert len(hatched(figure.axes[0])) >= 3
    assert "%" not in figure.description.headline
    assert_prints_well(NAME, hidden)
