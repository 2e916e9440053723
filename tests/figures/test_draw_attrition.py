"""F90: marks are those of the frame, small cells and differences never come out, words fit the numbers."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw

import jobchance as jc
from jobchance.disclosure.check import check
from jobchance.errors import SpecError
from jobchance.findings.attrition import attrition_frame, belief_groups
from jobchance.sensitivity.attrition_steps import read_steps

NAME = "attrition"
POLICY = jc.DisclosurePolicy.preset("cautious_dk")


@pytest.fixture(scope="module")
def made():
    study = jc.simulate_study(seed=2013, n_citizens=900)
    return study, jc.build_panel(study)


@pytest.fixture(scope="module")
def frame(made):
    return attrition_frame(*made, policy=POLICY, imputations=3)


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_the_frame_passes_the_check(frame):
    assert check(frame, POLICY, output="F90", disclosure_class="Frequencies") == []


def test_shares_are_those_counted_by_hand(made, frame):
    _, panel = made
    rows = panel.frame
    times = rows.groupby("citizen_id").size()
    steps = frame[(frame["quantity"] == "step") & (frame["level"] == "1")].set_index("series")
    assert steps.loc["measured", "N_citizens"] == (times > 1).sum()
    assert steps.loc["measured", "share"] == pytest.approx((times > 1).mean(), abs=1e-6)
    assert steps["share"].sum() == pytest.approx(1, abs=1e-6)
    first = rows.drop_duplicates("citizen_id").set_index("citizen_id")
    low = first.index[first["belief"].isin([1, 2])]
    still = frame[(frame["quantity"] == "still") & (frame["series"] == "low") & (frame["number"] == 3)]
    assert still["share"].iloc[0] == pytest.approx((times[low] >= 3).mean(), abs=1e-6)


@pytest.mark.parametrize(("n", "least"), [(60, 5), (150, 10), (500, 5)])
def test_nobody_can_be_told_from_neighbouring_counts(n, least):
    """Every reason, every step down in a group, and every step down outside both has enough citizens."""
    study = jc.simulate_study(seed=n, n_citizens=n)
    panel = jc.build_panel(study)
    policy = jc.DisclosurePolicy(min_persons=least)
    frame = attrition_frame(study, panel, policy=policy, imputations=2)
    counts = frame.loc[frame["quantity"].isin(["step", "still"]), "N_citizens"].dropna()
    assert (counts >= least).all()
    total = panel.frame.groupby("citizen_id").size()
    order = read_steps(panel).order
    first = panel.frame[order == 0].set_index("citizen_id")["belief"]
    low, high = belief_groups(panel.frame["belief"])
    still = frame[(frame["quantity"] == "still") & frame["N_citizens"].notna()]
    for k in sorted(still["number"].unique()):
        left = (total == k - 1) | (total < k) & (total >= k - 1)
        for members in (first.isin(low), first.isin(high), ~first.isin([*low, *high])):
            assert (left & members.reindex(left.index)).sum() >= least
    sizes = frame[frame["quantity"] == "estimate"]["N_citizens"].dropna().unique()
    gaps = np.abs(np.subtract.outer(sizes, sizes))
    assert not ((gaps > 0) & (gaps < least)).any()


def test_points_and_bounds_stand_where_the_frame_says(frame):
    points = draw(NAME, frame, "en").axes[2]
    rows = frame[frame["quantity"] == "estimate"].reset_index(drop=True)
    thick = [line for line in points.lines if line.get_linewidth() > 5]
    assert len(thick) == 1
    bound = rows[rows["lower"].notna()].iloc[0]
    assert list(thick[0].get_xdata()) == pytest.approx([bound["lower"], bound["upper"]])
    drawn = [float(line.get_xdata()[0]) for line in points.lines if line.get_marker() == "o"]
    assert drawn == pytest.approx(rows["estimate"].dropna().tolist())


def headline(frame):
    steps, rows = (frame[frame["quantity"] == name] for name in ("step", "estimate"))
    return import_module("jobchance.figures.attrition")._headline(steps, rows, "en")


def test_headline_follows_the_intervals(frame):
    assert "same sign" in headline(frame)
    other = frame.copy()
    other.loc[other["series"] == "bounds", "conf_low"] = -0.01
    assert "depends" in headline(other)


def test_hidden_and_uncomputed_methods_are_said(frame):
    """A hidden row takes the comparison out of the headline; a method without a number is named."""
    other = frame.copy()
    bounds, imputed = other["series"] == "bounds", other["series"] == "imputed"
    other.loc[bounds | imputed, ["estimate", "lower", "upper", "conf_low", "conf_high", "N_citizens"]] = None
    other.loc[bounds, "suppressed"] = True
    other["missing"] = other["missing"].astype(object)
    other.loc[imputed, "missing"] = "not_computed"
    words = draw(NAME, other, "en").description
    assert "difference" not in words.headline
    assert "confidentiality" in words.note
    assert "Could not be computed: Answers imputed." in words.note


def test_groups_of_any_scale():
    assert belief_groups(pd.Series([1, 2, 3, 4, 5, np.nan])) == ((1, 2), (4, 5))
    assert belief_groups(pd.Series([0, 1])) == ((0,), (1,))
    with pytest.raises(SpecError, match="fewer than two levels"):
        belief_groups(pd.Series([3.0, 3.0]))
