"""The ladder: refusals stay in the frame, claims are counted jointly, bad input is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.cards import CREDIBLE, NOT_IDENTIFIED, SUGGESTIVE, Assumption, Card
from jobchance.identification.ladder import RUNGS, _guard, evidence_ladder
from jobchance.identification.ladder_result import COLUMNS, EvidenceLadder
from jobchance.identification.rungs.model import Line, Rung
from jobchance.identification.thresholds import Thresholds
from jobchance.panel.build import build_panel
from jobchance.panel.model import AnalysisPanel
from jobchance.simulate.bip import simulate_study

QUICK = ["raw_gradient", "adjusted", "within_citizen", "leniency", "shift"]


def credible(name: str, z: float) -> Rung:
    line = Line(z, 1.0, "pp per sd of optimism", "relationships", np.inf, 900, 1000, 90)
    return Rung(Card(name, "dispositional", (Assumption("random_assignment", "holds"),)), line)


def verdicts(*rungs: Rung) -> list[str]:
    return [r.card.verdict for r in _guard(rungs, level=0.95, joint=0.025)]


@pytest.fixture(scope="module")
def panel() -> AnalysisPanel:
    study = simulate_study(seed=11, n_citizens=1200)
    return build_panel(study, covariates=["sex", "job_education_share_5y"])


def test_the_headline_claims_at_the_joint_level_and_not_just_below_five_per_cent():
    assert verdicts(credible("leniency", 2.4)) == [CREDIBLE]
    assert verdicts(credible("leniency", 2.1)) == [SUGGESTIVE]  # p = 0.036
    assert verdicts(credible("leniency", 1.0)) == [CREDIBLE]  # no claim, nothing to lower


def test_after_a_headline_that_finds_nothing_no_other_design_may_claim():
    assert verdicts(credible("leniency", 0.5), credible("shift", 5.0)) == [CREDIBLE, SUGGESTIVE]
    assert verdicts(credible("leniency", 4.0), credible("shift", 5.0)) == [CREDIBLE, CREDIBLE]
    assert verdicts(credible("shift", 5.0)) == [CREDIBLE]  # without a credible headline it comes first


def test_false_claims_of_two_designs_stay_below_the_joint_level():
    rng = np.random.default_rng(4)
    claims = 0
    for _ in range(4000):
        rungs = _guard(
            [credible("leniency", rng.normal()), credible("shift", rng.normal())], level=0.95, joint=0.025
        )
        claims += any(r.card.verdict == CREDIBLE and abs(r.line.estimate) > 1.96 for r in rungs)
    assert claims / 4000 < 0.025 + 3 * np.sqrt(0.025 * 0.975 / 4000)


def test_what_is_not_identified_has_no_number_in_the_frame():
    weak = Assumption("relevance", "fails", breaks=NOT_IDENTIFIED)
    rung = Rung(Card("leniency_iv", "case_level_iv", (weak,)), credible("leniency_iv", 3.0).line)
    row = EvidenceLadder((rung,), {"base_rate": 0.06}, Thresholds()).frame.iloc[0]
    assert row["verdict"] == NOT_IDENTIFIED
    assert row[["estimate", "conf_low", "conf_high", "p_value", "relative"]].isna().all()


def test_the_frame_has_the_fixed_columns_first_and_a_row_per_rung(panel):
    ladder = evidence_ladder(panel, rungs=QUICK)
    assert tuple(ladder.frame.columns[: len(COLUMNS)]) == COLUMNS
    assert ladder.frame["rung"].tolist() == [name for name in RUNGS if name in QUICK]
    assert set(ladder.cards) == set(QUICK)
    row = ladder.frame.set_index("rung").loc["leniency"]
    assert row["relative"] == pytest.approx(row["estimate"] / (100 * row["base_rate"]))
    assert row["conf_low"] < row["estimate"] < row["conf_high"]


def test_the_raw_gradient_is_the_difference_of_two_shares(panel):
    ladder = evidence_ladder(panel, rungs=["raw_gradient"])
    known = panel.frame.dropna(subset=["outcome"]).sort_values(["citizen_id", "wave"])
    first = known.drop_duplicates(["citizen_id", "caseworker_id"])  # "don't know" there leaves the row out
    shares = 100 * first.groupby("belief")["outcome"].mean()
    assert ladder.frame["estimate"].iloc[0] == pytest.approx(shares.loc[5.0] - shares.loc[1.0])
    assert ladder.frame["verdict"].iloc[0] == "predicts only"


def test_what_a_study_cannot_carry_is_refused_in_its_row_with_what_is_missing(panel):
    one = panel.frame.drop_duplicates("citizen_id").assign(action=np.nan, caseworker_id="S1", optimism=np.nan)
    ladder = evidence_ladder(AnalysisPanel(one, panel.flow, panel.meta))
    frame = ladder.frame.set_index("rung")
    refused = frame.index[frame["verdict"] == "not identified here"]
    assert {"within_citizen", "two_raters", "leniency", "leniency_iv", "shift", "direction"} <= set(refused)
    assert frame.loc[refused, "estimate"].isna().all()
    assert (frame.loc[refused, "missing"] != "").all()
    assert set(ladder.refusals) == set(refused)


def test_a_column_that_one_design_lacks_refuses_that_design_alone(panel):
    ladder = evidence_ladder(
        AnalysisPanel(panel.frame.drop(columns="period"), panel.flow, panel.meta),
        rungs=["raw_gradient", "leniency"],
    )
    frame = ladder.frame.set_index("rung")
    assert frame.loc["raw_gradient", "verdict"] == "predicts only"
    assert frame.loc["leniency", "missing"] == "columns"


def test_order_of_rows_and_other_ids_change_nothing(panel):
    rng = np.random.default_rng(0)
    frame = panel.frame.sample(frac=1, random_state=1)
    for column in ("citizen_id", "caseworker_id", "jobcentre_id"):
        found = sorted(frame[column].unique())
        frame[column] = frame[column].map(
            dict(zip(found, rng.permutation(len(found)).astype(str), strict=True))
        )
    other = evidence_ladder(AnalysisPanel(frame, panel.flow, panel.meta), rungs=QUICK).frame
    numbers = ["estimate", "std_error", "conf_low", "conf_high"]
    expected = evidence_ladder(panel, rungs=QUICK).frame
    pd.testing.assert_frame_equal(other[numbers], expected[numbers], rtol=1e-6)


def test_the_analyst_may_accept_exclusion_and_the_card_says_so(panel):
    ladder = evidence_ladder(panel, rungs=["leniency_iv"], accept=["exclusion"])
    statuses = ladder.assumptions.set_index("assumption")["status"]
    assert statuses["exclusion"] in ("accepted", "doubtful")  # doubtful where a test warns
    assert ladder.meta["accepted"] == ("exclusion",)


def test_bad_arguments_are_named(panel):
    with pytest.raises(SpecError, match="leniency"):
        evidence_ladder(panel, rungs=["lenieny"])
    with pytest.raises(SpecError, match="level"):
        evidence_ladder(panel, level=95)
    with pytest.raises(SpecError, match="several names"):
        evidence_ladder(panel, rungs=["leniency"], accept="exclusion")
    with pytest.raises(SpecError, match=r"no card has: nonsense"):
        evidence_ladder(panel, rungs=["leniency"], accept=["nonsense"])
    with pytest.raises(SpecError, match="question itself"):
        evidence_ladder(panel, covariates=["outcome", "sex"])
    with pytest.raises(SpecError, match="build_panel"):
        evidence_ladder(panel.frame)
    with pytest.raises(SpecError, match="no_such"):
        evidence_ladder(panel, covariates=["no_such"])
    small = AnalysisPanel(panel.frame.head(30), panel.flow, panel.meta)
    with pytest.raises(IdentificationError, match=r"9 citizens.*2 with the outcome") as caught:
        evidence_ladder(small)
    assert caught.value.missing == ("citizens", "events")


def test_a_subset_claims_no_more_than_the_whole_ladder(panel):
    """The headline is run even if only the shift is asked for."""
    alone = evidence_ladder(panel, rungs=["shift"])
    beside = evidence_ladder(panel, rungs=["leniency", "shift"])
    assert alone.frame["rung"].tolist() == ["shift"]
    assert alone.frame["verdict"].iloc[0] == beside.frame.set_index("rung").loc["shift", "verdict"]


@pytest.mark.parametrize("belief", [3.0, np.nan])
def test_a_belief_without_variation_is_refused_by_every_rung_that_needs_it(panel, belief):
    flat = AnalysisPanel(panel.frame.assign(belief=belief), panel.flow, panel.meta)
    frame = evidence_ladder(flat, rungs=["raw_gradient", "adjusted", "hazard", "within_citizen"]).frame
    assert (frame["verdict"] == "not identified here").all()


def test_thresholds_change_verdicts_not_numbers(panel):
    plain = evidence_ladder(panel, rungs=["leniency"]).frame.iloc[0]
    strict = evidence_ladder(panel, rungs=["leniency"], thresholds=Thresholds(reliability=0.99)).frame.iloc[0]
    assert strict["estimate"] == plain["estimate"]
    assert strict["verdict"] != CREDIBLE
