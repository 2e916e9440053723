from dataclasses import replace

import numpy as np
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw
from matplotlib.colors import to_rgba

import jobchance as jc
from jobchance.disclosure.check import check
from jobchance.errors import SpecError
from jobchance.figures import style
from jobchance.findings.placebo_distribution import placebo_frame

NAME = "placebo_distribution"
POLICY = jc.DisclosurePolicy.preset("cautious_dk")


@pytest.fixture(scope="module")
def rows(bip_panel):
    known = bip_panel.frame.dropna(subset=["outcome", "optimism"])
    first = known.drop_duplicates(["citizen_id", "caseworker_id"]).reset_index(drop=True)
    mean = first.groupby("caseworker_id")["optimism"].mean()
    return first.assign(disposition=first["caseworker_id"].map(mean / mean.std()))


def assigned(rows):
    dealt = jc.Assignment.shuffled(rows, "disposition", within=["jobcentre_id"], unit="caseworker_id")
    statistic = jc.LinearStatistic("outcome ~ C(jobcentre_id)", rows)
    return jc.randomisation_test(statistic, dealt, draws_or_all=499, seed=1)


@pytest.fixture(scope="module")
def made(rows):
    return assigned(rows)


@pytest.fixture(scope="module")
def frame(made, rows, bip_study, bip_panel):
    return placebo_frame(made, bip_study, bip_panel, rows=rows, policy=POLICY)


def test_prints_well_and_passes_disclosure(frame):
    assert check(frame, POLICY, output=NAME) == []
    assert_prints_well(NAME, frame)
    assert_redraws_from_csv(NAME, frame)


def test_bars_are_the_distribution(frame, made):
    bars = frame[frame["mark"] == "bin"]
    assert bars["arrangement_share"].sum() == pytest.approx(1, abs=1e-5)
    inside = bars[(bars["value"] >= -1e-3) & (bars["value_to"] <= 4e-3)]
    low, high = inside["value"].min(), inside["value_to"].max()
    expected = np.mean((made.draws >= low) & (made.draws < high))
    assert inside["arrangement_share"].sum() == pytest.approx(expected, abs=2 / 499)
    (observed,) = frame.loc[frame["mark"] == "observed", "value"]
    assert observed == pytest.approx(made.observed, rel=1e-6)
    heights = [p.get_height() for p in draw(NAME, frame).axes[0].patches]
    assert heights == pytest.approx(list(bars["arrangement_share"]))


def test_the_headline_says_whether_it_is_unusual(frame):
    rare, common = frame.assign(p_value=0.0004), frame.assign(p_value=0.4)
    assert "giver under 0,1 pct. af de mulige" in draw(NAME, rare).description.headline.replace("\u00a0", " ")
    assert "kan være tilfældig: 40,0 pct." in draw(NAME, common).description.headline.replace("\u00a0", " ")
    assert "only as good as the assumption" in draw(NAME, common, "en").description.note


@pytest.mark.parametrize("size", [0.3, 1.0, 2.4, 9.0])
@pytest.mark.parametrize("bins", [5, 41])
def test_the_second_colour_is_the_share_as_far_from_zero(rows, bip_study, bip_panel, made, size, bins):
    observed = -size * made.draws.std()
    count = int((np.abs(made.draws) >= abs(observed)).sum())
    test = replace(made, observed=observed, p_value=(1 + count) / 500)
    frame = placebo_frame(test, bip_study, bip_panel, rows=rows, policy=POLICY, bins=bins)
    bars = frame[frame["mark"] == "bin"]
    patches = draw(NAME, frame).axes[0].patches
    extreme = [p.get_height() for p in patches if p.get_facecolor() == to_rgba(style.LOW)]
    if abs(observed) >= bars["value_to"].max() / bins:
        assert sum(extreme) == pytest.approx(count / 499, abs=1e-5)
    assert len(patches) == bins


def test_few_persons_hide_the_whole_distribution(rows, bip_study, bip_panel, made):
    few = rows.head(4)
    frame = placebo_frame(made, bip_study, bip_panel, rows=few, policy=POLICY)
    assert frame["suppressed"].all()
    assert frame[["value", "value_to", "p_value"]].isna().all(axis=None)


def test_what_it_cannot_draw_is_refused(rows, bip_study, bip_panel, made):
    with pytest.raises(SpecError, match="odd whole number"):
        placebo_frame(made, bip_study, bip_panel, rows=rows, policy=POLICY, bins=10)
    with pytest.raises(SpecError, match="takes a RandomisationTest"):
        placebo_frame(None, bip_study, bip_panel, rows=rows, policy=POLICY)
    with pytest.raises(SpecError, match="zeros and ones"):
        placebo_frame(made, bip_study, bip_panel, rows=rows.assign(outcome=0.5), policy=POLICY)
    scaled = replace(made, conventions={"statistic": "t-statistic of the coefficient, by caseworker_id"})
    with pytest.raises(SpecError, match="without cluster="):
        placebo_frame(scaled, bip_study, bip_panel, rows=rows, policy=POLICY)
    censored = rows.assign(outcome=np.nan)
    with pytest.raises(SpecError, match="have no outcome"):
        placebo_frame(made, bip_study, bip_panel, rows=censored, policy=POLICY)
