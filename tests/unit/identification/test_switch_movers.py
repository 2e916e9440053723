"""The contrast of citizens who change caseworker, against the same regression with dummy variables."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from switch_panel import chance_panel, panel_of, rows_of

from jobchance.errors import DesignError, IdentificationError, SpecError
from jobchance.identification.cards import CREDIBLE, Card, read_checks
from jobchance.identification.switch_movers import mover_contrast
from jobchance.identification.switch_moves import read_moves
from jobchance.identification.switch_rows import EXOGENOUS, read_history
from jobchance.identification.switch_scale import scale_optimism
from jobchance.identification.thresholds import Thresholds
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster, Robust


@pytest.fixture(scope="module")
def panel():
    return chance_panel(1, citizens=700, workers=60, centres=3, slope=0.05, step=-0.1)


@pytest.fixture(scope="module")
def fit(panel):
    return mover_contrast(panel)


def by_hand(panel, reliability, reasons=EXOGENOUS):
    """Rows of the contrast from the panel's own columns, one loop over citizens."""
    scale = reliability / np.sqrt(reliability * panel.frame["optimism"].var())
    records = []
    for _, rows in panel.frame.groupby("citizen_id"):
        for old, new in zip(rows.iloc[:-1].itertuples(), rows.iloc[1:].itertuples(), strict=True):
            if old.caseworker_id != new.caseworker_id and new.shift_reason in reasons:
                records.append(
                    {
                        "y": new.outcome,
                        "change": scale * (new.optimism - old.optimism),
                        "before": scale * old.optimism,
                        "cell": new.jobcentre_id + new.period,
                        "worker": new.caseworker_id,
                        "sex": float(new.sex == "man"),
                    }
                )
    return pd.DataFrame(records).dropna()


def test_estimate_is_that_of_the_regression_with_dummies(panel):
    fit = mover_contrast(panel, reliability=0.8, vcov=Cluster("caseworker_id"))
    rows = by_hand(panel, 0.8)
    X = pd.get_dummies(rows["cell"], dtype=float).assign(change=rows["change"], before=rows["before"])
    made = sm.OLS(rows["y"], X).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(rows["worker"])[0]}, use_t=True
    )
    assert fit.nobs == len(rows)
    np.testing.assert_allclose(fit.estimates, made.params[["change", "before"]], rtol=1e-9)
    np.testing.assert_allclose(fit.std_errors, made.bse[["change", "before"]], rtol=1e-9)


def test_symmetry_is_that_of_the_regression_with_dummies(panel):
    table = mover_contrast(panel, reliability=0.8, vcov=Robust()).diagnostics["symmetry"].set_index("term")
    rows = by_hand(panel, 0.8)
    X = pd.get_dummies(rows["cell"], dtype=float).assign(
        up=rows["change"].clip(lower=0), down=rows["change"].clip(upper=0), before=rows["before"]
    )
    made = sm.OLS(rows["y"], X).fit(cov_type="HC1")
    contrast = made.t_test("up - down = 0")
    np.testing.assert_allclose(table.loc[["up", "down"], "estimate"], made.params[["up", "down"]], rtol=1e-9)
    np.testing.assert_allclose(table.loc["difference", "estimate"], contrast.effect[0], rtol=1e-9)
    np.testing.assert_allclose(table.loc["difference", "std_error"], contrast.sd.item(), rtol=1e-8)


def test_balance_is_that_of_the_regression_with_dummies(panel):
    table = mover_contrast(panel, reliability=0.8, vcov=Robust()).diagnostics["balance"].set_index("term")
    rows = by_hand(panel, 0.8)
    X = pd.get_dummies(rows["cell"], dtype=float).assign(
        new=rows["change"] + rows["before"], before=rows["before"]
    )
    sex = (rows["sex"] - rows["sex"].mean()) / rows["sex"].std(ddof=0)
    made = sm.OLS(sex, X).fit(cov_type="HC1")
    np.testing.assert_allclose(table.loc["sex=man", "estimate"], made.params["new"], rtol=1e-9)
    np.testing.assert_allclose(table.loc["sex=man", "std_error"], made.bse["new"], rtol=1e-8)
    assert dict(table["role"].value_counts()) == {"tested": 3, "held_fixed": 1}


def test_many_covariates_are_tested_one_by_one():
    panel = chance_panel(9, citizens=500)
    rng = np.random.default_rng(0)
    noise = {f"x{k}": rng.normal(size=len(panel.frame)) for k in range(9)}
    checks = mover_contrast(panel_of(panel.frame.assign(**noise), tuple(noise))).diagnostics["checks"]
    line = checks.set_index("assumption").loc["conditional_random_reassignment"]
    assert np.isnan(line["statistic"])
    assert 0 < line["p_value"] <= 1


def test_a_step_for_everybody_who_changes_is_not_in_the_contrast(panel):
    history = read_history(panel).frame
    raised = history[panel.frame.columns].assign(outcome=history["outcome"] + 0.3 * history["change"])
    one, other = mover_contrast(panel), mover_contrast(panel_of(raised, ("age", "sex")))
    np.testing.assert_allclose(one.estimates, other.estimates, atol=1e-12)


def test_the_scale_is_a_prediction_of_the_disposition():
    found = []
    for seed in range(20):
        panel = chance_panel(seed, citizens=600, workers=80, centres=4)
        scale = scale_optimism(panel.frame)
        alpha = np.random.default_rng(seed).normal(size=80)  # the first draw of the panel
        # optimism compares within jobcentres
        within = alpha - np.array([alpha[k::4].mean() for k in range(4)])[np.arange(80) % 4]
        spread = np.sqrt((within**2).sum() / 76)
        true = within[panel.frame["caseworker_id"].str[1:].astype(int)]
        z = scale.disposition.to_numpy()
        explained = np.corrcoef(z, true)[0, 1] ** 2 - scale.reliability.mean()
        size = scale.sd / (0.5 * spread / panel.frame["belief"].std()) - 1
        found.append((np.polyfit(z, true / spread, 1)[0] - 1, size, explained))
    off, noise = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    assert (noise < 0.02).all()
    assert (abs(off) < 3 * noise + 0.02).all()


def test_a_given_reliability_stretches_the_slope():
    panel = chance_panel(4)
    full, half = (mover_contrast(panel, reliability=r).params["optimism_change"] for r in (1.0, 0.49))
    assert half == pytest.approx(full / 0.7, rel=1e-9)


def test_statistics_say_what_the_slope_rests_on(fit, panel):
    found = fit.statistics
    rows = read_moves(read_history(panel), EXOGENOUS).chosen
    assert found["mover_slope"] == fit.params["optimism_change"]
    assert found["relative"] == pytest.approx(found["mover_slope"] / rows["outcome"].mean())
    assert found["n_shifts"] == len(rows)
    assert found["n_movers"] == rows["citizen_id"].nunique()
    movers = fit.diagnostics["movers"]
    assert list(movers["group"]) == ["all", "exogenous", "first", "chosen", "chosen"]
    assert movers.loc[1, "estimate"] == pytest.approx(fit.params["optimism_change"])
    up_and_down = movers.loc[movers["group"] == "chosen", "n_shifts"]
    assert up_and_down.sum() == movers.loc[1, "n_shifts"]


def test_documented_chance_can_be_credible():
    fit = mover_contrast(chance_panel(1, citizens=2500, workers=100, slope=0.05, step=-0.1, ability=0.1))
    card = Card("shift", "dispositional_movers", read_checks(fit.diagnostics["checks"]))
    assert card.verdict == CREDIBLE
    low, high = fit.conf_int().loc["optimism_change"]
    assert 0 < low < 0.05 < high


def test_without_reasons_it_can_only_suggest(panel):
    blank = panel_of(panel.frame.drop(columns="shift_reason"), ("age",))
    fit = mover_contrast(blank)
    status = fit.diagnostics["checks"].set_index("assumption")["status"]
    assert status["exogenous_timing"] == "untested"
    assert status["no_anticipation"] == "doubtful"
    assert Card("shift", "x", read_checks(fit.diagnostics["checks"])).verdict == "suggestive"
    assert any("no reasons" in note for note in fit.notes)
    with pytest.raises(IdentificationError) as error:
        mover_contrast(blank, reasons=["leave"])
    assert error.value.missing == ("shift_reason",)


def test_case_driven_changes_leave_doubt(panel):
    fit = mover_contrast(panel, reasons="all")
    status = fit.diagnostics["checks"].set_index("assumption")
    assert status.loc["exogenous_timing", "status"] == "doubtful"
    assert status.loc["exogenous_timing", "value"] == pytest.approx(fit.statistics["share_exogenous"])
    other = mover_contrast(panel, reasons=["requested"])
    assert other.diagnostics["checks"].set_index("assumption").loc["exogenous_timing", "value"] == 0


@pytest.mark.parametrize(("rows_before", "status"), [(1, "fails"), (0, "holds")])
def test_balance_is_of_covariates_before_the_change(rows_before, status):
    panel = chance_panel(5, citizens=800, ability=0.1)
    history = read_history(panel).frame
    frame = history[panel.frame.columns].assign(age=np.random.default_rng(0).normal(size=len(history)))
    # the more optimistic the new caseworker, the older the citizen, before the change or only after it
    coming = history["optimism"].where(history["change"]).groupby(history["citizen_id"])
    frame["age"] += coming.shift(-rows_before).fillna(0)
    checks = mover_contrast(panel_of(frame, ("age",))).diagnostics["checks"].set_index("assumption")
    assert checks.loc["conditional_random_reassignment", "status"] == status


def test_beliefs_that_drift_towards_the_coming_caseworker_fail_the_pre_trend():
    panel = chance_panel(6, citizens=800, waves=8)
    frame = read_history(panel).frame[[*panel.frame.columns, "change"]].copy()
    coming = frame["optimism"].where(frame["change"]).groupby(frame["citizen_id"]).bfill()
    coming = coming.groupby(frame["citizen_id"]).shift(-1)
    frame["belief"] += 2 * coming.fillna(0) * frame["wave"]
    checks = mover_contrast(panel_of(frame.drop(columns="change"))).diagnostics["checks"]
    assert checks.set_index("assumption").loc["no_pre_trend", "status"] == "fails"


@pytest.mark.parametrize("seed", range(3))
def test_labels_and_row_order_do_not_matter(seed):
    panel = chance_panel(seed)
    mixed = panel.frame.sample(frac=1, random_state=seed)
    for column in ("citizen_id", "caseworker_id", "jobcentre_id"):
        mixed[column] = column + mixed[column].str[::-1]
    one, other = mover_contrast(panel), mover_contrast(panel_of(mixed, ("age", "sex")))
    np.testing.assert_allclose(one.estimates, other.estimates, rtol=1e-8)
    np.testing.assert_allclose(one.std_errors, other.std_errors, rtol=1e-8)
    for name in ("movers", "symmetry", "balance", "pre_trend"):
        left, right = one.diagnostics[name], other.diagnostics[name]
        pd.testing.assert_frame_equal(left, right, rtol=1e-6)


def test_too_little_is_refused_with_everything_that_lacks():
    few = chance_panel(0, citizens=30, workers=6)
    with pytest.raises(IdentificationError) as error:
        mover_contrast(few)
    assert set(error.value.missing) == {"movers", "clusters"}
    assert not any(f"c{i}" in str(error.value).split() for i in range(30))
    constant = chance_panel(0)
    with pytest.raises(IdentificationError) as error:
        mover_contrast(panel_of(constant.frame.assign(outcome=0.0)))
    assert error.value.missing == ("outcome",)
    mover_contrast(chance_panel(0, citizens=60, workers=24), thresholds=Thresholds(min_movers=10))


def test_caseworkers_who_do_not_differ_are_refused():
    for frame in (
        rows_of(a="AB", b="BA", c="AA"),
        chance_panel(0).frame.assign(optimism=np.nan),
    ):
        with pytest.raises(IdentificationError) as error:
            mover_contrast(panel_of(frame))
        assert error.value.missing == ("optimism",)


def test_options_are_checked(panel):
    with pytest.raises(SpecError, match="shoe_size"):
        mover_contrast(panel, covariates=["shoe_size"])
    with pytest.raises(SpecError, match="reliability"):
        mover_contrast(panel, reliability=0)


def test_hostile_rows_are_left_out_not_fatal():
    panel = chance_panel(8, citizens=500)
    frame = panel.frame.copy()
    rng = np.random.default_rng(0)
    frame.loc[rng.random(len(frame)) < 0.1, "caseworker_id"] = None
    frame.loc[rng.random(len(frame)) < 0.1, "belief"] = np.nan
    frame.loc[rng.random(len(frame)) < 0.1, "outcome"] = np.nan
    frame.loc[rng.random(len(frame)) < 0.1, "jobcentre_id"] = None
    frame.loc[rng.random(len(frame)) < 0.2, "age"] = np.nan
    frame = frame[rng.random(len(frame)) > 0.05]
    frame.loc[frame["caseworker_id"].isna(), "optimism"] = np.nan
    fit = mover_contrast(panel_of(frame, ("age", "sex")))
    assert np.isfinite(fit.estimates).all()
    assert np.isfinite(fit.std_errors).all()


def test_the_fit_is_stored_and_printed_without_persons(fit, panel):
    back = Fit.from_dict(fit.to_dict())
    assert back.params.equals(fit.params)
    text = fit.summary()
    assert not any(worker in text.split() for worker in panel.frame["caseworker_id"].unique())
    again = fit.with_vcov(Cluster("caseworker_id"))
    assert again.std_errors["optimism_change"] > 0


# ---- what keeps a difference between new caseworkers from passing for their effect ---------------------


def movers_checks(panel, **options):
    return mover_contrast(panel, **options).diagnostics["checks"].set_index("assumption")


def test_balance_of_what_says_nothing_is_untested():
    """Here nothing about the citizen matters for the outcome, so balance has nothing to see."""
    found = movers_checks(chance_panel(5, citizens=800))
    assert found.loc["informative_covariates", "status"] == "doubtful"
    assert found.loc["conditional_random_reassignment", "status"] == "untested"
    assert found.loc["conditional_random_reassignment", "p_value"] > 0.05
    telling = movers_checks(chance_panel(5, citizens=800, ability=0.1))
    assert telling.loc["conditional_random_reassignment", "status"] == "holds"


def test_outcomes_lost_with_new_optimists_are_seen():
    panel = chance_panel(7, citizens=1500, workers=60, centres=3, ability=0.1)
    assert movers_checks(panel).loc["no_selective_loss", ["status", "value"]].tolist() == ["holds", 0.0]
    rng = np.random.default_rng(0)
    high = panel.frame["optimism"] > panel.frame["optimism"].median()
    statuses = []
    for lost in (0.3 * high, 0.15):
        gone = rng.random(len(panel.frame)) < lost
        kept = panel.frame.assign(outcome=panel.frame["outcome"].where(~gone))
        line = movers_checks(panel_of(kept, ("age", "sex"))).loc["no_selective_loss"]
        statuses.append(line["status"])
        assert 0.1 < line["value"] < 0.2
    assert statuses == ["fails", "holds"]


def test_optimism_that_holds_the_outcome_is_refused_or_fails():
    panel = chance_panel(7, citizens=800)
    with pytest.raises(DesignError, match="several values in"):
        mover_contrast(
            panel_of(panel.frame.assign(optimism=panel.frame["optimism"] + panel.frame["outcome"]))
        )
    pair = panel.frame.groupby(["citizen_id", "caseworker_id"])["outcome"].transform("first")
    mixed = panel_of(panel.frame.assign(optimism=panel.frame["optimism"] + 0.5 * pair))
    line = movers_checks(mixed).loc["optimism_leaves_out"]
    assert (line["status"], line["test"]) == ("fails", "optimism_between_own_citizens")
    assert movers_checks(panel).loc["optimism_leaves_out", "value"] == pytest.approx(1.0)


def test_something_else_than_a_panel_is_refused(panel):
    with pytest.raises(SpecError, match="AnalysisPanel"):
        mover_contrast(panel.frame)
