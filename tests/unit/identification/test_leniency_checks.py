"""Checks of the leniency design: size where the assumption holds, power where it does not; IV beside them."""

import numpy as np
import pandas as pd
import pytest
from leniency_cases import PERIODS, as_panel, changed, made_panel

from jobchance.identification.cards import CREDIBLE, SUGGESTIVE, Card, read_checks
from jobchance.identification.leniency import fit_leniency
from jobchance.identification.leniency_checks import feedback, selective_loss
from jobchance.identification.leniency_disposition import predict_disposition
from jobchance.identification.leniency_judge import judge_test
from jobchance.identification.leniency_rows import CELLS, leniency_rows
from jobchance.identification.leniency_tables import (
    balance_table,
    conduct_table,
    covariate_names,
    holm,
    monotonicity_table,
    numbers,
)
from jobchance.identification.thresholds import Thresholds
from jobchance.numerics.demean import demean

LIMITS = Thresholds()


def rows_of(panel, **options):
    asked = {"outcome": "job", "exposure": "belief", "cells": CELLS, "rows": "relationships"}
    return leniency_rows(panel, **(asked | {"need_exposure": True, "thresholds": LIMITS} | options))


def share_below(p_values, level=0.05):
    return float(np.mean(np.asarray(p_values) < level))


def above_nominal(n):
    """Three standard errors of a share of n tests above 5 per cent."""
    return 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)


# ---- balance -------------------------------------------------------------------------------------------


def joint_p(seed, sorting):
    return balance_table(rows_of(made_panel(seed, sorting=sorting)), ["older", "score", "group"])[1].p_value


def test_balance_test_keeps_its_size():
    assert 0.0 < share_below([joint_p(seed, 0.0) for seed in range(120)]) < above_nominal(120)


def test_balance_test_sees_sorting():
    assert share_below([joint_p(seed, 0.3) for seed in range(15)], level=0.01) == 1.0


def test_balance_coefficient_is_a_standardised_slope():
    panel = made_panel(5, sorting=0.3)
    rows = rows_of(panel)
    table = balance_table(rows, ["score"])[0].set_index("column")
    z, x = rows.frame["score"].to_numpy(), rows.optimism / rows.optimism.std(ddof=1)
    D = pd.get_dummies(rows.cell).to_numpy(dtype=float)
    expected = np.linalg.lstsq(np.column_stack([x, D]), z / z.std(ddof=1), rcond=None)[0][0]
    assert table.loc["score", "estimate"] == pytest.approx(expected)


def test_balance_in_size_and_in_probability_are_apart():
    """Many rows: a small slope is certain, and yet small."""
    panel = made_panel(1, citizens=6000, sorting=0.08)
    checks = fit_leniency(panel, outcome="job").diagnostics["checks"].set_index("assumption")
    assert checks.loc["balance", "status"] in ("fails", "doubtful")
    assert checks.loc["balance_size", "status"] == "holds"
    strong = fit_leniency(made_panel(1, sorting=0.6), outcome="job").diagnostics["checks"]
    assert strong.set_index("assumption").loc["balance_size", "status"] == "fails"


def test_missing_covariates_stand_at_their_mean():
    panel = made_panel(3)
    holes = panel.frame["score"].where(np.arange(len(panel.frame)) % 3 > 0)
    table, joint = balance_table(rows_of(changed(panel, panel.frame.assign(score=holes))), ["score", "older"])
    assert table.set_index("column").loc["score", "n_rows"] == holes.notna().sum()
    assert 0 < joint.p_value < 1


def test_too_many_covariates_for_the_joint_test_fall_back_to_bonferroni():
    panel = made_panel(2, caseworkers=20)
    traits = {f"t{k}": np.random.default_rng(k).normal(size=len(panel.frame)) for k in range(8)}
    table, joint = balance_table(rows_of(changed(panel, panel.frame.assign(**traits))), list(traits))
    p = table.set_index("column")["p_value"]
    single = p.drop("predicted_outcome")
    expected = 2 * min(len(single) * single.min(), p["predicted_outcome"])
    assert joint.p_value == pytest.approx(min(1, expected))


def test_levels_of_texts_are_columns_but_the_commonest_and_the_rare():
    frame = pd.DataFrame({"g": ["a"] * 60 + ["b"] * 30 + ["c"] * 5 + [None] * 5, "t": [True, False] * 50})
    made = numbers(frame, ["g", "t"])
    assert list(made) == ["g=b", "t"]
    assert np.isnan(made["g=b"]).sum() == 5


def test_covariates_are_the_panels_own_and_the_citizens_belief():
    panel = made_panel(1)
    assert covariate_names(panel, None) == ("older", "score", "group")
    with_belief = changed(panel, panel.frame.assign(citizen_belief=1.0))
    assert covariate_names(with_belief, None)[-1] == "citizen_belief"
    assert covariate_names(panel, ["group"]) == ("group",)


def test_without_covariates_balance_is_untested():
    checks = fit_leniency(made_panel(1), outcome="job", covariates=()).diagnostics["checks"]
    status = checks.set_index("assumption")["status"]
    assert status["balance"] == status["balance_size"] == "untested"


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, np.nan])), [0.03, 0.06, 0.06, np.nan])


# ---- loss and feedback ---------------------------------------------------------------------------------


def test_loss_of_outcomes_among_optimists_is_seen():
    panel = made_panel(4)
    rng = np.random.default_rng(4)
    lost = rng.random(len(panel.frame)) < 0.1 + 0.25 * (panel.frame["optimism"] > 0)
    selective = rows_of(changed(panel, panel.frame.assign(outcome=panel.frame["outcome"].where(~lost))))
    assert selective_loss(selective, LIMITS).status == "fails"
    assert selective_loss(rows_of(panel), LIMITS).status == "holds"
    p_values = []
    for seed in range(100):
        made = made_panel(seed, citizens=800)
        gone = np.random.default_rng(seed).random(len(made.frame)) < 0.15
        kept = changed(made, made.frame.assign(outcome=made.frame["outcome"].where(~gone)))
        p_values.append(selective_loss(rows_of(kept), LIMITS).p_value)
    assert share_below(p_values) < above_nominal(100)


def test_caseworkers_who_learn_from_outcomes_are_seen():
    """In the second panel ratings rise with the outcomes of the caseworker's citizens before."""
    assert share_below(
        [feedback(rows_of(made_panel(s, effect=0.3)), LIMITS).p_value for s in range(80)]
    ) < above_nominal(80)
    panel = made_panel(3, citizens=3000)
    frame = panel.frame
    mood = pd.Series(0.0, index=frame.index)
    for _, mine in frame.groupby("caseworker_id"):
        seen, later = (mine["period"] == period for period in PERIODS[1:])
        mood[mine.index[later]] = 3.0 * (mine.loc[seen, "outcome"].mean() - frame["outcome"].mean())
    learnt = as_panel(frame.assign(belief=frame["belief"] + mood))
    assert feedback(rows_of(learnt), LIMITS).status == "fails"
    assert feedback(rows_of(changed(panel, frame.drop(columns="date"))), LIMITS).status == "untested"


# ---- instruments ---------------------------------------------------------------------------------------


def test_two_stages_are_the_reduced_form_over_the_first_stage():
    panel = made_panel(6, through=0.4)
    fit = fit_leniency(panel, outcome="job", method="2sls")
    rows = rows_of(panel)
    y, d, o = demean(np.column_stack([rows.y, rows.frame["exposure"], rows.optimism]), [rows.cell]).T
    assert fit.terms == ("belief",)
    assert fit.params["belief"] == pytest.approx((o @ y) / (o @ d), rel=1e-9)
    assert fit.statistics["effective_f"] == pytest.approx(
        float(fit.diagnostics["checks"].set_index("assumption").loc["relevance", "value"])
    )
    assert fit_leniency(panel, outcome="job", method="liml").params["belief"] == pytest.approx(
        fit.params["belief"], rel=1e-9
    )
    low, high = fit.conf_int().loc["belief"]
    assert low < 0.4 < high


def test_dummies_of_caseworkers_as_instruments():
    fit = fit_leniency(made_panel(6, through=0.4), outcome="job", method="ujive")
    low, high = fit.conf_int().loc["belief"]
    assert low < 0.4 < high
    assert set(fit.inference.clusters) == {"caseworker_id", "citizen_id"}
    assert {"checks", "balance", "monotonicity", "exclusion", "judge", "thirds"} <= set(fit.diagnostics)


def test_instruments_stay_suggestive_until_the_analyst_accepts_exclusion():
    fit = fit_leniency(made_panel(1, through=0.4), outcome="job", method="2sls")
    card = Card("leniency_iv", "late", read_checks(fit.diagnostics["checks"]))
    assert card.verdict == SUGGESTIVE
    assert [a.name for a in card.assumptions if a.status == "doubtful"] == ["exclusion"]
    assert card.accept(["exclusion"]).verdict == CREDIBLE
    assert any("exclusion" in note for note in fit.notes)


def test_rows_without_the_exposure_are_dropped_for_instruments_only():
    panel = made_panel(1)
    frame = panel.frame.assign(belief=panel.frame["belief"].where(np.arange(len(panel.frame)) % 10 > 0))
    holes = changed(panel, frame)
    assert fit_leniency(holes, outcome="job").nobs == len(frame)
    assert fit_leniency(holes, outcome="job", method="2sls").nobs == frame["belief"].notna().sum()


def test_a_group_in_which_optimism_works_backwards_is_seen():
    panel = made_panel(7)
    frame = panel.frame.copy()
    theirs = frame["group"] == "c"
    frame.loc[theirs, "belief"] = 6 - frame.loc[theirs, "belief"]
    # optimism as others rate, for whom it works forwards
    table = monotonicity_table(rows_of(changed(panel, frame)), ["group", "older", "score"])
    worst = table.loc[table["p_holm"].idxmin()]
    assert (worst["column"], worst["level"]) == ("group", "c")
    assert worst["p_holm"] < 0.01
    assert set(table["column"]) == {"group", "older"}
    assert monotonicity_table(rows_of(panel), ["group", "older"])["p_holm"].min() > 0.5


def test_what_optimists_do_besides_is_listed():
    panel = made_panel(8)
    rng = np.random.default_rng(8)
    action = (rng.random(len(panel.frame)) < 0.3 + 0.3 * (panel.frame["optimism"] > 0)).astype(float)
    table = conduct_table(rows_of(changed(panel, panel.frame.assign(action=action)))).set_index("column")
    assert table.loc["action", "p_holm"] < 0.01
    assert "relation_weeks" not in table.index


def judge_p(seed, **options):
    rows = rows_of(made_panel(seed, citizens=1200, **options))
    return judge_test(rows, predict_disposition(rows)).p_value


@pytest.mark.parametrize("through", [0.0, 0.8])
def test_judge_test_keeps_its_size_where_only_the_belief_acts(through):
    """Also with a strong effect and beliefs that go with what the outcome depends on."""
    assert share_below([judge_p(seed, through=through) for seed in range(60)]) < above_nominal(60)


def test_judge_test_sees_other_differences_between_caseworkers():
    assert share_below([judge_p(seed, through=0.4, direct=0.4) for seed in range(20)]) > 0.9


def test_judge_test_sees_slopes_steeper_than_the_outcome_is_wide():
    """A disposition that moves the share ten times as much as the belief can."""
    panel = made_panel(9, spread=0.1, citizens=20000)
    frame, rng = panel.frame, np.random.default_rng(9)
    up = frame["optimism"].rank(pct=True)
    steep = changed(panel, frame.assign(outcome=(rng.random(len(frame)) < up).astype(float)))
    rows = rows_of(steep)
    assert judge_test(rows, predict_disposition(rows)).slope_p < 0.01
