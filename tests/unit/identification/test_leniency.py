"""`fit_leniency`: the estimate against dummy variables, who enters, what is refused, invariances."""

import numpy as np
import pandas as pd
import pytest
from leniency_cases import as_panel, changed, made_panel

from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.cards import CREDIBLE, PREDICTS, Card, read_checks
from jobchance.identification.leniency import fit_leniency
from jobchance.identification.thresholds import Thresholds
from jobchance.models.panel import fit_panel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster, Robust


@pytest.fixture(scope="module")
def panel():
    return made_panel(1, effect=0.3)


@pytest.fixture(scope="module")
def fit(panel):
    return fit_leniency(panel, outcome="job")


def statuses(fit):
    return fit.diagnostics["checks"].set_index("assumption")["status"].to_dict()


def test_measured_scale_is_the_regression_with_cell_effects(panel):
    fit = fit_leniency(panel, outcome="job", scale="measured")
    rows = panel.frame
    rows = rows.assign(
        cell=rows["jobcentre_id"] + rows["period"], x=rows["optimism"] / rows["optimism"].std()
    )
    peer = fit_panel(
        "outcome ~ x", rows, entity="cell", time=None, vcov=Cluster("caseworker_id", "citizen_id")
    )
    assert fit.nobs == peer.nobs == len(rows)
    assert fit.params["optimism"] == pytest.approx(peer.params["x"], rel=1e-10)
    assert fit.std_errors["optimism"] == pytest.approx(peer.std_errors["x"], rel=1e-10)
    assert fit.df["optimism"] == 59


def test_disposition_scale_undoes_the_noise(panel, fit):
    measured = fit_leniency(panel, outcome="job", scale="measured")
    assert fit.params["optimism"] > measured.params["optimism"]
    assert 0.5 < fit.statistics["reliability"] < 0.95
    # dispositions have a standard deviation of 0.5 against some 1.2 of the belief
    assert fit.statistics["disposition_sd"] == pytest.approx(0.5 / panel.frame["belief"].std(), rel=0.25)
    assert fit.statistics["calibration"] == pytest.approx(1, abs=3 * fit.statistics["calibration_se"])


def test_unit_of_the_exposure_does_not_matter(panel, fit):
    rescaled = as_panel(panel.frame.assign(belief=10 * panel.frame["belief"] - 3))
    again = fit_leniency(rescaled, outcome="job")
    assert again.params["optimism"] == pytest.approx(fit.params["optimism"], rel=1e-8)
    assert again.std_errors["optimism"] == pytest.approx(fit.std_errors["optimism"], rel=1e-8)


def test_standard_error_of_the_unit_is_that_of_its_jackknife():
    """Delete one caseworker at a time, variance components and all; one citizen, one caseworker."""
    panel = made_panel(3, citizens=600, caseworkers=24, offices=2, effect=1.0, moved=0.0, periods=("2014H1",))

    def slope(frame):
        return fit_leniency(changed(panel, frame), outcome="job", covariates=())

    whole, who = slope(panel.frame), panel.frame["caseworker_id"]
    values = np.array([slope(panel.frame[who != j]).estimates[0] for j in who.unique()])
    jackknife = np.sqrt(23 / 24 * np.sum((values - values.mean()) ** 2))
    known = fit_leniency(panel, outcome="job", covariates=(), scale="measured")
    ratio = whole.estimates[0] / known.estimates[0]
    assert whole.std_errors["optimism"] == pytest.approx(jackknife, rel=0.1)
    # taken as known, the unit would hide a good part of that
    assert ratio * known.std_errors["optimism"] < 0.9 * jackknife


def test_labels_and_order_of_rows_do_not_matter(panel, fit):
    frame = panel.frame
    names = {
        c: dict(zip(frame[c].unique(), np.random.default_rng(0).permutation(frame[c].nunique()), strict=True))
        for c in ("citizen_id", "caseworker_id", "jobcentre_id")
    }
    other = frame.assign(**{c: frame[c].map(code).map("x{:05d}".format) for c, code in names.items()})
    other = other.sample(frac=1, random_state=1)
    again = fit_leniency(changed(panel, other), outcome="job")
    np.testing.assert_allclose(again.estimates, fit.estimates, rtol=1e-9)
    np.testing.assert_allclose(again.covariance, fit.covariance, rtol=1e-8)
    for name in ("balance", "thirds"):
        pd.testing.assert_frame_equal(again.diagnostics[name], fit.diagnostics[name], rtol=1e-7)


def test_own_belief_changes_nothing_in_own_optimism(panel):
    one = panel.frame["citizen_id"] == panel.frame["citizen_id"].iloc[0]
    turned = panel.frame.assign(rating=panel.frame["belief"].where(~one, (panel.frame["belief"] + 2) % 7))
    plain = panel.frame.assign(rating=panel.frame["belief"])
    fits = [
        fit_leniency(changed(panel, f), outcome="job", exposure="rating", scale="measured")
        for f in (plain, turned)
    ]
    own = [f.rows.frame.loc[one.reindex(f.rows.frame.index), "optimism"].to_numpy() for f in fits]
    np.testing.assert_allclose(own[0], own[1], rtol=1e-12)
    assert fits[0].estimates[0] != fits[1].estimates[0]


def test_other_exposure_with_the_same_values_gives_the_same_optimism(panel, fit):
    again = fit_leniency(
        changed(panel, panel.frame.assign(rating=panel.frame["belief"])), outcome="job", exposure="rating"
    )
    assert again.params["optimism"] == pytest.approx(fit.params["optimism"], rel=1e-10)


def test_cells_are_those_asked_for(panel):
    merged = panel.frame.assign(place=panel.frame["jobcentre_id"])
    fit = fit_leniency(changed(panel, merged), outcome="job", cells=("place",))
    assert fit.statistics["n_cells"] == 4
    assert fit_leniency(panel, outcome="job").statistics["n_cells"] == 12


@pytest.mark.parametrize("rows", ["relationships", "first", "all"])
def test_rows(panel, rows):
    again = pd.concat([panel.frame, panel.frame.assign(wave=panel.frame["wave"] + 2)])
    fit = fit_leniency(changed(panel, again), outcome="job", rows=rows)
    expected = {
        "relationships": len(panel.frame),
        "first": panel.frame["citizen_id"].nunique(),
        "all": len(again),
    }
    assert fit.nobs == expected[rows]
    assert sum(fit.sample.dropped.values()) == len(again) - fit.nobs
    assert set(fit.inference.clusters) == {"caseworker_id"} | ({"citizen_id"} if rows != "first" else set())
    assert statuses(fit)["no_selection_into_rows"] == ("doubtful" if rows == "all" else "stated")
    assert any("rows='all'" in note for note in fit.notes) == (rows == "all")


def test_first_measurement_counts_even_where_its_outcome_is_unknown(panel):
    first = ~panel.frame["citizen_id"].duplicated()
    unknown = first & (np.arange(len(first)) % 2 == 0)
    again = pd.concat([panel.frame, panel.frame.assign(wave=panel.frame["wave"] + 2)])
    frame = again.assign(outcome=again["outcome"].where(~unknown.reindex(again.index) | (again["wave"] > 2)))
    fit = fit_leniency(changed(panel, frame), outcome="job", rows="first")
    assert fit.sample.dropped["job unknown"] == unknown.sum()
    assert fit.nobs == (first & ~unknown).sum()


def test_cells_with_one_caseworker_and_one_row_are_dropped_and_counted(panel):
    frame = panel.frame.copy()
    mine = frame["caseworker_id"] == "S005"
    frame.loc[mine, "period"] = "2016H1"
    frame.loc[frame.index[~mine][0], "period"] = "2016H2"
    fit = fit_leniency(changed(panel, frame), outcome="job")
    assert fit.sample.dropped == {"alone in a cell": 1, "cell with one caseworker": int(mine.sum())}
    assert fit.sample.n_singletons == 1
    assert fit.statistics["n_caseworkers"] == 59


def test_thirds_are_adjusted_for_cells(panel, fit):
    thirds = fit.diagnostics["thirds"]
    base = fit.statistics["base_rate"]
    assert np.average(thirds["share"], weights=thirds["n_rows"]) == pytest.approx(base)
    assert fit.statistics["thirds_low"] < fit.statistics["thirds_middle"] < fit.statistics["thirds_high"]
    shifted = panel.frame.assign(outcome=panel.frame["outcome"] + 5 * (panel.frame["jobcentre_id"] == "J0"))
    again = fit_leniency(changed(panel, shifted), outcome="job").diagnostics["thirds"]["share"]
    np.testing.assert_allclose(again - again.mean(), thirds["share"] - thirds["share"].mean(), atol=1e-9)


def test_binary_outcomes_have_percentage_points():
    fit = fit_leniency(made_panel(2, binary=True, effect=0.3), outcome="job")
    assert fit.statistics["estimate_pp"] == pytest.approx(100 * fit.params["optimism"])
    assert fit.statistics["relative"] == pytest.approx(fit.params["optimism"] / fit.statistics["base_rate"])
    assert fit.diagnostics["thirds"]["n_events"].sum() == fit.statistics["base_rate"] * fit.nobs


def test_another_column_as_outcome(panel):
    named = changed(panel, panel.frame.assign(hours=panel.frame["outcome"], outcome=np.nan))
    fit = fit_leniency(named, outcome="hours")
    assert fit.outcome == "hours"
    assert fit.params["optimism"] == pytest.approx(fit_leniency(panel, outcome="job").params["optimism"])


def test_stored_and_read_back(fit):
    again = Fit.from_dict(fit.to_dict())
    assert again.summary() == fit.summary()
    assert again.rows is None
    for name, table in fit.diagnostics.items():
        pd.testing.assert_frame_equal(again.diagnostics[name], table, check_dtype=False)


def test_other_standard_errors(fit, panel):
    assert fit.with_vcov(Cluster("jobcentre_id")).inference.clusters == {"jobcentre_id": 4}
    robust = fit_leniency(panel, outcome="job", vcov=Robust())
    assert robust.params["optimism"] == fit.params["optimism"]
    assert robust.std_errors["optimism"] != fit.std_errors["optimism"]


def test_a_caseworker_without_ratings_in_the_panel_has_no_say(panel):
    frame = panel.frame.copy()
    frame.loc[frame["caseworker_id"] == "S007", "belief"] = np.nan
    fit = fit_leniency(changed(panel, frame), outcome="job")
    assert np.isfinite(fit.std_errors["optimism"])
    assert fit.nobs == len(frame)


# ---- what is refused -----------------------------------------------------------------------------------


def refused(panel, **options):
    with pytest.raises(IdentificationError) as caught:
        fit_leniency(panel, outcome="job", **options)
    return caught.value


def test_nobody_named(panel):
    assert refused(changed(panel, panel.frame.drop(columns="caseworker_id"))).missing == ("caseworkers",)
    assert refused(changed(panel, panel.frame.assign(caseworker_id=None))).missing == ("caseworkers",)


def test_one_caseworker_in_every_cell(panel):
    alone = panel.frame.assign(period=panel.frame["caseworker_id"])
    assert refused(changed(panel, alone)).missing == ("assignment_within_cells",)


def test_no_complete_row(panel):
    assert refused(changed(panel, panel.frame.assign(outcome=np.nan))).missing == ("rows",)


def test_everything_missing_is_said_at_once(panel):
    few = panel.frame[panel.frame["caseworker_id"].isin(["S001", "S002", "S003"])].iloc[:60]
    error = refused(changed(panel, few.assign(outcome=1.0, optimism=0.0)))
    assert error.missing == ("clusters", "citizens", "optimism_variation", "outcome_variation")
    assert "3 caseworkers" in str(error)
    assert "S001" not in str(error)


def test_few_events():
    panel = made_panel(2, binary=True)
    rare = panel.frame["outcome"].where(panel.frame["outcome"].cumsum() <= 19, 0.0)
    error = refused(changed(panel, panel.frame.assign(outcome=rare)))
    assert error.missing == ("events",)
    assert "19 events" in str(error)
    assert fit_leniency(
        changed(panel, panel.frame.assign(outcome=rare)), outcome="job", thresholds=Thresholds(min_events=19)
    )


def test_nothing_but_noise():
    panel = made_panel(2, spread=0.0)
    assert refused(panel).missing == ("disposition_variance",)
    fit = fit_leniency(panel, outcome="job", scale="measured")
    assert fit.statistics["reliability"] == 0
    assert statuses(fit)["reliability_of_optimism"] == "fails"
    assert statuses(fit)["relevance"] == "fails"


def test_options_and_columns(panel):
    for options in (
        {"method": "ols"},
        {"rows": "last"},
        {"scale": "z"},
        {"exposure": "faith"},
        {"cells": ()},
    ):
        with pytest.raises(SpecError):
            fit_leniency(panel, outcome="job", **options)
    with pytest.raises(SpecError, match="no column income"):
        fit_leniency(panel, outcome="income")
    with pytest.raises(SpecError, match="covariates: the panel has no column beauty"):
        fit_leniency(panel, outcome="job", covariates=["beauty"])


# ---- the card ------------------------------------------------------------------------------------------


def verdict(fit):
    return Card("leniency", "dispositional", read_checks(fit.diagnostics["checks"])).verdict


def test_documented_chance_and_balance_make_it_credible(panel, fit):
    assert statuses(fit)["random_assignment"] == "by_design"
    assert statuses(fit)["balance"] == "holds"
    assert verdict(fit) == CREDIBLE


@pytest.mark.parametrize(
    ("rule", "status"),
    [("specialised", "fails"), (None, "untested"), ("mixed", "doubtful"), ("day_of_birth", "by_design")],
)
def test_rules_of_assignment(panel, rule, status):
    n = len(panel.frame)
    rules = np.where(np.arange(n) % 3 == 0, "requested", "next_free") if rule == "mixed" else rule
    fit = fit_leniency(changed(panel, panel.frame.assign(assignment_rule=rules)), outcome="job")
    assert statuses(fit)["random_assignment"] == status
    assert (verdict(fit) == CREDIBLE) == (status == "by_design")
    assert (verdict(fit) == PREDICTS) == (status == "fails")


def test_without_the_column_assignment_is_untested(panel):
    fit = fit_leniency(changed(panel, panel.frame.drop(columns="assignment_rule")), outcome="job")
    assert statuses(fit)["random_assignment"] == "untested"
    card = Card("leniency", "dispositional", read_checks(fit.diagnostics["checks"]))
    assert card.verdict != CREDIBLE
    assert card.accept(["random_assignment"]).verdict == CREDIBLE


def test_documented_chance_does_not_override_lost_balance():
    fit = fit_leniency(made_panel(1, sorting=0.4), outcome="job")
    assert statuses(fit)["random_assignment"] == "by_design"
    assert statuses(fit)["balance"] == "fails"
    card = Card("leniency", "dispositional", read_checks(fit.diagnostics["checks"]))
    assert card.verdict == PREDICTS
    assert card.accept(["balance", "balance_size"]).verdict == PREDICTS
