"""What keeps a difference between caseworkers from passing for their effect: weak balance, wrong optimism."""

import numpy as np
import pandas as pd
import pytest
from leniency_cases import changed, made_panel

import jobchance as jc
from jobchance.errors import DesignError, SpecError
from jobchance.identification.cards import CREDIBLE, Card, read_checks
from jobchance.identification.leniency import fit_leniency
from jobchance.identification.leniency_rows import CELLS, leniency_rows
from jobchance.identification.leniency_strength import measure_strength
from jobchance.identification.leniency_tables import balance_table
from jobchance.identification.thresholds import Thresholds
from jobchance.panel.model import AnalysisPanel

OWN_ANSWERS = ("citizen_score", "citizen_belief")


def rows_of(panel):
    asked = {"outcome": "job", "exposure": "belief", "cells": CELLS, "rows": "relationships"}
    return leniency_rows(panel, need_exposure=False, thresholds=Thresholds(), **asked)


def checks(fit):
    return fit.diagnostics["checks"].set_index("assumption")


def credible(fit):
    return Card("leniency", "dispositional", read_checks(fit.diagnostics["checks"])).verdict == CREDIBLE


def studied(seed, *, sorting, covariates, own_answers, n=1500):
    """A simulated study without an effect, called left to chance whether it was or not."""
    study = jc.simulate_study(seed=seed, n_citizens=n, sorting=sorting, optimism_effect=0)
    panel = jc.build_panel(study, covariates=covariates)
    frame = panel.frame.assign(assignment_rule="next_free")
    if not own_answers:
        frame = frame.drop(columns=[c for c in OWN_ANSWERS if c in frame])
    return AnalysisPanel(frame, panel.flow, panel.meta)


# ---- balance of what says nothing ----------------------------------------------------------------------


def test_balance_of_noise_is_no_balance():
    panel = made_panel(1)
    noise = changed(panel, panel.frame.assign(z=np.random.default_rng(0).normal(size=len(panel.frame))))
    found = checks(fit_leniency(noise, outcome="job", covariates=["z"]))
    assert found.loc["balance", "status"] == "untested"
    assert found.loc["balance", "p_value"] > 0.05
    assert found.loc["informative_covariates", "status"] == "doubtful"
    assert checks(fit_leniency(panel, outcome="job")).loc["balance", "status"] == "holds"


def test_what_was_found_against_balance_stays():
    """Sorting on a column that tells nothing is sorting all the same."""
    panel = made_panel(1)
    noise = np.random.default_rng(0).normal(size=len(panel.frame))
    frame = panel.frame.assign(z=noise + panel.frame["optimism"])
    found = checks(fit_leniency(changed(panel, frame), outcome="job", covariates=["z"]))
    assert found.loc["balance", "status"] == "fails"


@pytest.mark.parametrize("sorting", [0.0, 0.2])
def test_hidden_sorting_is_never_credible(sorting):
    fit = fit_leniency(
        studied(5, sorting=sorting, covariates=["sex"], own_answers=False), outcome="job", covariates=["sex"]
    )
    assert not credible(fit)


def test_the_citizens_own_answers_carry_balance():
    panel = studied(5, sorting=0.0, covariates=["sex", "origin"], own_answers=True)
    found = checks(fit_leniency(panel, outcome="job", covariates=["sex", "origin", *OWN_ANSWERS]))
    assert found.loc["balance", "status"] == "holds"
    assert found.loc["informative_covariates", "value"] > 0.8


def test_the_former_caseworkers_answer_shows_sorting_on_the_unseen():
    """A panel without covariates, its citizens sorted: only who rated them before can tell."""
    found = [
        fit_leniency(made_panel(s, sorting=0.5, citizens=3000), outcome="job", covariates=()).diagnostics
        for s in range(3)
    ]
    for tables in found:
        assert list(tables["balance"]["column"]) == ["belief_before"]
        line = tables["checks"].set_index("assumption").loc["balance"]
        assert line["status"] == "fails"
        assert tables["balance"]["n_rows"].iloc[0] < 0.5 * 3000


def test_former_answers_are_those_given_first_by_the_caseworker_before():
    panel = made_panel(2, citizens=400, caseworkers=24)
    frame = fit_leniency(panel, outcome="job").rows.frame
    for _, rows in frame.groupby("citizen_id"):
        values = rows.sort_values("wave")
        assert np.isnan(values["exposure_before"].iloc[0])
        if len(values) > 1:
            assert values["exposure_before"].iloc[1] == values["belief"].iloc[0]
            assert values["optimism_before"].iloc[1] == values["optimism"].iloc[0]


def test_strength_by_hand():
    rng = np.random.default_rng(0)
    n = 4000
    cell, cluster = np.repeat(np.arange(20), 200), np.repeat(np.arange(100), 40)
    ability, answer = rng.normal(size=(2, n))
    y = ability + 2 * answer + rng.normal(size=n)
    found = measure_strength(y, ability[:, None], answer, cell=cell, cluster=cluster)
    assert found.share == pytest.approx(1 / 4, abs=0.03)
    assert found.joint.p_value < 1e-6
    none = measure_strength(y, np.empty((n, 0)), answer, cell=cell, cluster=cluster)
    assert np.isnan(none.joint.p_value)
    empty = [
        measure_strength(y, rng.normal(size=(n, 3)), None, cell=cell, cluster=cluster) for _ in range(200)
    ]
    assert np.mean([s.joint.p_value < 0.05 for s in empty]) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


# ---- optimism that is something else -------------------------------------------------------------------


def test_a_rating_of_the_row_in_place_of_optimism_is_refused():
    panel = made_panel(1)
    again = pd.concat([panel.frame, panel.frame.assign(wave=panel.frame["wave"] + 2)])
    own = again.assign(optimism=again["belief"] + 0.1 * again["wave"])
    with pytest.raises(DesignError, match="several values in") as caught:
        fit_leniency(changed(panel, own), outcome="job")
    assert "C00001" not in str(caught.value)


@pytest.mark.parametrize("column", ["belief", "outcome", "score"])
def test_optimism_with_something_of_the_citizen_in_it_fails(column):
    """One value for each citizen and caseworker, but not only of other citizens."""
    panel = made_panel(1)
    mixed = panel.frame["optimism"] + 0.3 * panel.frame[column]
    line = checks(fit_leniency(changed(panel, panel.frame.assign(optimism=mixed)), outcome="job")).loc[
        "optimism_leaves_out"
    ]
    assert line["status"] == "fails"
    assert line["test"] == "optimism_between_own_citizens"


def test_optimism_of_other_caseworkers_fails():
    panel = made_panel(1)
    names = panel.frame["caseworker_id"].unique()
    level = dict(zip(names, np.random.default_rng(3).normal(size=len(names)), strict=True))
    drawn = panel.frame["caseworker_id"].map(level)
    line = checks(fit_leniency(changed(panel, panel.frame.assign(optimism=drawn)), outcome="job")).loc[
        "optimism_leaves_out"
    ]
    assert line["status"] == "fails"


def test_optimism_of_a_built_panel_leaves_out():
    line = checks(fit_leniency(jc.build_panel(jc.simulate_study(seed=2, n_citizens=600)), outcome="job")).loc[
        "optimism_leaves_out"
    ]
    assert line["status"] == "holds"
    assert line["value"] > 0.99


# ---- words ---------------------------------------------------------------------------------------------


def test_an_effect_is_named_only_where_the_card_is_credible():
    fine = made_panel(1)
    poor = made_panel(1, sorting=0.5)
    open_ = changed(fine, fine.frame.drop(columns="assignment_rule"))
    for panel, effect in ((fine, True), (poor, False), (open_, False)):
        fit = fit_leniency(panel, outcome="job")
        assert credible(fit) == effect
        said = " ".join(fit.remarks)
        assert ("the effect of being given" in said) == effect
        assert ("an association" in said) != effect
    said = " ".join(fit_leniency(poor, outcome="job", method="2sls").remarks)
    assert "an association" in said


def test_something_else_than_a_panel_is_refused():
    with pytest.raises(SpecError, match="AnalysisPanel"):
        fit_leniency(made_panel(1).frame, outcome="job")


def test_nullable_columns_give_the_same_checks():
    panel = made_panel(1)
    holes = panel.frame.assign(belief=panel.frame["belief"].where(np.arange(len(panel.frame)) % 9 > 0))
    plain = fit_leniency(changed(panel, holes), outcome="job")
    again = fit_leniency(changed(panel, holes.convert_dtypes()), outcome="job")
    pd.testing.assert_frame_equal(plain.diagnostics["checks"], again.diagnostics["checks"])
    pd.testing.assert_frame_equal(plain.diagnostics["balance"], again.diagnostics["balance"])


def test_infinite_covariates_are_refused_with_their_number():
    panel = made_panel(1)
    endless = panel.frame["score"].where(np.arange(len(panel.frame)) >= 3, np.inf)
    with pytest.raises(DesignError, match="score is infinite in 3 rows"):
        fit_leniency(changed(panel, panel.frame.assign(score=endless)), outcome="job")


def test_the_predicted_outcome_shows_faint_sorting():
    """Sorting on what many traits hold a little of: their weighted sum sees it, at the same size."""
    chance, sorted_ = [], []
    for seed in range(60):
        for found, sorting in ((chance, 0.0), (sorted_, 0.12)):
            panel = made_panel(seed, sorting=sorting)
            rng = np.random.default_rng(seed)
            noise = {f"z{k}": rng.normal(size=len(panel.frame)) for k in range(8)}
            rows = rows_of(changed(panel, panel.frame.assign(**noise)))
            found.append(balance_table(rows, ["score", "older", *noise])[1].p_value)
    assert np.mean(np.less(chance, 0.05)) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)
    assert np.mean(np.less(sorted_, 0.05)) > 0.8


def test_weights_of_the_predicted_outcome_are_those_within_caseworkers():
    panel = made_panel(4)
    rows = rows_of(panel)
    table = balance_table(rows, ["score", "older"])[0].set_index("column")
    frame, dummies = rows.frame, []
    for codes in (rows.cell, frame["caseworker_id"]):
        dummies.append(pd.get_dummies(pd.Series(np.asarray(codes)), dtype=float).to_numpy())
    Z = frame[["score", "older"]].to_numpy(dtype=float)
    weights = np.linalg.lstsq(np.column_stack([Z, *dummies]), rows.y, rcond=None)[0][:2]
    index, x = Z @ weights, rows.optimism / rows.optimism.std(ddof=1)
    slope = np.linalg.lstsq(np.column_stack([x, dummies[0]]), index / index.std(ddof=1), rcond=None)[0][0]
    assert table.loc["predicted_outcome", "estimate"] == pytest.approx(slope)
