"""The evidence ladder under attack: false credibility, odd data, identifiers, and numbers made by hand."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from linearmodels.iv import IV2SLS

from jobchance.errors import IdentificationError, JobchanceError
from jobchance.identification.cards import CREDIBLE, NOT_IDENTIFIED, PREDICTS, Assumption, Card
from jobchance.identification.ladder import evidence_ladder
from jobchance.identification.leniency import fit_leniency
from jobchance.identification.switch_movers import mover_contrast
from jobchance.identification.two_rater import fit_two_rater
from jobchance.identification.value_added import value_added
from jobchance.indicator.optimism import leave_one_out_optimism
from jobchance.models.hazard import fit_hazard
from jobchance.models.hazard_curves import hazard_contrast
from jobchance.panel.build import build_panel
from jobchance.panel.model import AnalysisPanel
from jobchance.simulate.bip import simulate_study

pytestmark = pytest.mark.filterwarnings("error")

NULL = {"optimism_effect": 0.0, "belief_effect": 0.0}
QUICK = ("raw_gradient", "adjusted", "hazard", "two_raters", "leniency", "shift", "direction")
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high"]


def changed(panel, frame):
    return AnalysisPanel(frame, panel.flow, panel.meta)


def verdict(panel, rung="leniency", **options):
    return evidence_ladder(panel, rungs=[rung], **options).cards[rung].verdict


@pytest.fixture(scope="module")
def null_panel():
    return build_panel(simulate_study(seed=500, **NULL))


@pytest.fixture(scope="module")
def panel():
    study = simulate_study(seed=5, n_citizens=1000)
    return build_panel(study, covariates=["sex", "origin", "job_education_share_5y", "convicted"])


# False credibility: the true effect of optimism is zero in all of these ----------------------------------


@pytest.mark.parametrize(("seed", "sorting"), [(1, 0.2), (2, 0.3)])
def test_sorting_that_hides_behind_a_rule_of_chance_is_seen_in_the_citizens_own_answers(seed, sorting):
    panel = build_panel(simulate_study(seed=seed, sorting=sorting, **NULL))
    hidden = changed(panel, panel.frame.assign(assignment_rule="next_free"))
    assert verdict(hidden) != CREDIBLE
    assert verdict(panel) == PREDICTS  # with the rule as it was


def test_sorting_is_no_less_visible_at_changes_coded_as_outside_the_case():
    panel = build_panel(simulate_study(seed=1, sorting=0.5, **NULL))
    reason = panel.frame["shift_reason"]
    coded = panel.frame.assign(shift_reason=reason.where(reason.isna(), "caseworker_left"))
    assert verdict(changed(panel, coded), "shift") != CREDIBLE


def test_optimism_that_grows_with_past_success_is_not_an_effect(null_panel):
    frame = null_panel.frame.sort_values("date").copy()
    seen = frame[frame["event_observed"]].drop_duplicates("citizen_id", keep="last")
    when = seen["window_start"] + pd.to_timedelta(7 * seen["weeks_to_outcome"], unit="D")
    known = {j: np.sort(when[rows.index].to_numpy()) for j, rows in seen.groupby("caseworker_id")}
    past = [
        np.searchsorted(known[j], np.datetime64(day)) if j in known else 0
        for j, day in zip(frame["caseworker_id"], frame["date"], strict=True)
    ]
    frame["belief"] = frame["belief"] + np.log1p(past)
    frame = frame.sort_values(["citizen_id", "wave"])
    leaking = changed(null_panel, frame.assign(optimism=leave_one_out_optimism(frame)))
    card = evidence_ladder(leaking, rungs=["leniency"]).cards["leniency"]
    assert card.verdict == PREDICTS
    assert "fails" in [a.status for a in card.assumptions if a.name == "no_feedback"]


def test_optimism_that_knows_the_citizen_is_not_credible(null_panel):
    frame = null_panel.frame
    for leak in (frame["belief"], frame["optimism"] + 0.5 * frame["outcome"].fillna(0)):
        assert verdict(changed(null_panel, frame.assign(optimism=leak))) != CREDIBLE


def test_outcomes_that_optimists_lose_keep_the_verdict_down(null_panel):
    frame = null_panel.frame.copy()
    high = frame["optimism"] > frame["optimism"].median()
    lost = (frame["outcome"] == 0) & high & (np.random.default_rng(1).random(len(frame)) < 0.25)
    frame.loc[lost, ["outcome", "weeks_to_outcome"]] = np.nan
    frame.loc[lost, "censored"] = True
    assert verdict(changed(null_panel, frame)) != CREDIBLE


def test_without_a_covariate_or_a_rule_there_is_no_credible_leniency(null_panel):
    frame = null_panel.frame.drop(columns=["citizen_belief", "citizen_score"])
    card = evidence_ladder(changed(null_panel, frame), rungs=["leniency"]).cards["leniency"]
    assert {a.name: a.status for a in card.assumptions}["balance"] == "untested"
    assert card.verdict != CREDIBLE
    for rule in (None, "discretionary"):
        assert verdict(changed(null_panel, null_panel.frame.assign(assignment_rule=rule))) != CREDIBLE


@pytest.mark.parametrize("n_caseworkers", [3, 8, 12, 20])
def test_few_caseworkers_are_refused_or_in_doubt(n_caseworkers):
    study = simulate_study(seed=3, n_citizens=1500, n_caseworkers=n_caseworkers, n_jobcentres=1, **NULL)
    panel = build_panel(study)
    found = evidence_ladder(panel, rungs=["leniency", "shift"]).frame
    assert not (found["verdict"] == CREDIBLE).any()
    if n_caseworkers < 10:
        assert (found["verdict"] == NOT_IDENTIFIED).all()
        assert found["missing"].str.contains("clusters").all()


def test_citizens_entered_twice_do_not_buy_precision(null_panel):
    frame = null_panel.frame
    twins = frame.assign(citizen_id=frame["citizen_id"] + " b", measurement_id=frame["measurement_id"] + " b")
    both = changed(null_panel, pd.concat([frame, twins], ignore_index=True))
    rungs = ["raw_gradient", "adjusted", "leniency", "shift"]
    ratio = (
        evidence_ladder(both, rungs=rungs).frame["std_error"]
        / evidence_ladder(null_panel, rungs=rungs).frame["std_error"]
    )
    assert (ratio > 0.85).all()  # twice the rows would make it 0.71


def test_no_list_of_accepted_assumptions_overrules_a_test():
    tested = Assumption("balance", "doubtful", "balance_joint", p_value=0.03)
    failed = Assumption("random_assignment", "fails", "assignment_rule", value=0.1)
    card = Card("leniency", "dispositional", (tested, failed)).accept(["balance", "random_assignment"])
    assert [a.status for a in card.assumptions] == ["doubtful", "fails"]
    assert card.verdict == PREDICTS


# Words ---------------------------------------------------------------------------------------------------


def test_no_sentence_claims_an_effect_where_the_rule_contradicts_one():
    study = simulate_study(seed=3, n_citizens=1500, sorting=0.5, optimism_effect=0.0)
    ladder = evidence_ladder(build_panel(study), rungs=["raw_gradient", "leniency", "two_raters"])
    assert ladder.cards["leniency"].verdict == PREDICTS
    said = [part for part in ladder.text("en").split("\n\n") if "Verdict:" in part]
    assert len(said) == 3
    for part in said:
        assert not re.search(r"\b(effects?|causes?|caused|impact|raises|leads to)\b", part)


def test_association_designs_do_not_call_their_number_an_effect(panel):
    for fit in (fit_two_rater(panel), mover_contrast(panel), value_added(panel, permutations=19)):
        said = " ".join([*fit.remarks, *fit.conventions.values()])
        assert not re.search(r"\b(is|are) (the|an) effect\b|\bcauses?\b|\bimpact\b", said)


# Data as they come ---------------------------------------------------------------------------------------


def as_ints(frame):
    made = {c: pd.factorize(frame[c])[0] for c in ("citizen_id", "caseworker_id", "jobcentre_id")}
    return frame.assign(**made)


def as_categories(frame):
    columns = ("citizen_id", "caseworker_id", "jobcentre_id", "period", "origin", "shift_reason")
    return frame.assign(
        **{c: pd.Categorical(frame[c], [*sorted(frame[c].dropna().unique()), "never"]) for c in columns}
    )


def as_nullable(frame):
    kinds = {"belief": "Int64", "outcome": "Int64", "optimism": "Float64", "wave": "Int64", "sex": "Int64"}
    return frame.astype(kinds | {"censored": "boolean", "event_observed": "boolean"})


def as_arrow(frame):
    names = ("citizen_id", "caseworker_id", "jobcentre_id", "period", "origin")
    return frame.astype(dict.fromkeys(names, "string[pyarrow]"))


def shuffled(frame):
    mixed = frame.sample(frac=1, random_state=1)
    mixed.index = [0] * len(mixed)
    return mixed


def oddly_named(frame):
    made = as_ints(frame)
    for column, name in (("citizen_id", "Åse {}"), ("caseworker_id", "a.b [{}]")):
        made[column] = [name.format(value) for value in made[column]]
    return made


@pytest.fixture(scope="module")
def expected(panel):
    return evidence_ladder(panel, rungs=QUICK).frame


@pytest.mark.parametrize(
    "form",
    [as_ints, as_categories, as_nullable, as_arrow, shuffled, oddly_named, pd.DataFrame.convert_dtypes],
)
def test_the_same_data_in_other_types_give_the_same_ladder(panel, expected, form):
    given = form(panel.frame.copy())
    before = given.copy(deep=True)
    found = evidence_ladder(changed(panel, given), rungs=QUICK).frame
    pd.testing.assert_frame_equal(found[NUMBERS], expected[NUMBERS], rtol=1e-6)
    assert found["verdict"].tolist() == expected["verdict"].tolist()
    pd.testing.assert_frame_equal(given, before)  # the user's table stays as it was


def without(column):
    return lambda frame: frame.drop(columns=column)


POOR = {
    "empty": lambda f: f.iloc[:0],
    "one citizen": lambda f: f[f["citizen_id"] == f["citizen_id"].iloc[0]],
    "all censored": lambda f: f.assign(outcome=np.nan, censored=True),
    "everybody": lambda f: f.assign(outcome=1.0),
    "ten events": lambda f: f.assign(outcome=f["outcome"].where(f["outcome"].cumsum() <= 10, 0.0)),
    "text outcome": lambda f: f.assign(outcome=f["outcome"].map({0: "no", 1: "yes"})),
    "few known": lambda f: f.assign(outcome=f["outcome"].where(np.arange(len(f)) < 60)),
    "no outcome column": without("outcome"),
    "no belief column": without("belief"),
    "no optimism column": without("optimism"),
}


@pytest.mark.parametrize("name", POOR)
def test_what_carries_no_ladder_is_one_typed_error_with_counts_or_columns(panel, name):
    with pytest.raises(JobchanceError) as caught:
        evidence_ladder(changed(panel, POOR[name](panel.frame.copy())))
    assert re.search(r"\d|outcome|belief|optimism", str(caught.value))


@pytest.mark.parametrize(
    "column",
    ["action", "shift_reason", "assignment_rule", "citizen_belief", "citizen_score"],
)
def test_an_absent_column_refuses_its_rung_or_leaves_it_open_and_never_breaks(panel, column):
    poorer = changed(panel, panel.frame.drop(columns=column))
    frame = evidence_ladder(poorer, rungs=QUICK).frame
    refused = frame["verdict"] == NOT_IDENTIFIED
    assert frame.loc[refused, "estimate"].isna().all()
    assert (frame.loc[refused, "missing"] != "").all()
    if column == "assignment_rule":
        assert frame.set_index("rung").loc["leniency", "verdict"] != CREDIBLE


def test_no_identifier_leaves_in_texts_tables_errors_or_pickles(panel):
    frame = panel.frame.copy()
    for column, mark in (("citizen_id", "QQC"), ("caseworker_id", "QQW"), ("measurement_id", "QQM")):
        frame[column] = [f"{mark}{code:05d} æ" for code in pd.factorize(frame[column])[0]]
    frame.index = [f"QQI{k:05d}" for k in range(len(frame))]
    made = changed(panel, frame)
    ladder = evidence_ladder(made, rungs=QUICK)
    fits = [fit for rung in ladder.rungs for fit in rung.fits.values()]
    fits += [fit_leniency(made, outcome="outcome", method="2sls"), value_added(made, permutations=19)]
    said = [ladder.text("en"), ladder.text("da"), repr(ladder), ladder.frame.to_json()]
    for fit in fits:
        said += [repr(fit), str(fit.summary()), json.dumps(fit.to_dict(), default=str, ensure_ascii=False)]
        said.append(pickle.dumps(fit).decode("latin1"))
    for text in said:
        assert not re.search(r"QQ[CWMI]\d{5}", text)
    with pytest.raises(IdentificationError) as caught:
        evidence_ladder(changed(made, frame.head(40)))
    assert "QQ" not in str(caught.value)


# Numbers by hand -----------------------------------------------------------------------------------------


def relationships(panel, *, exposure=False):
    rows = panel.frame.sort_values(["citizen_id", "wave"]).dropna(subset=["caseworker_id"])
    rows = rows.drop_duplicates(["citizen_id", "caseworker_id"])
    rows = rows.dropna(subset=["outcome", "optimism", *(["belief"] if exposure else [])])
    rows = rows.assign(cell=rows["jobcentre_id"].astype(str) + rows["period"].astype(str))
    return rows[rows.groupby("cell")["caseworker_id"].transform("nunique") > 1]


def two_way_error(X, residual, groups, k):
    """Inclusion-exclusion by hand; the intersection of both has no factor."""
    scores, n = X * residual[:, None], len(X)
    both = pd.DataFrame(scores).groupby([pd.factorize(g)[0] for g in groups]).sum().to_numpy()
    meat = -both.T @ both
    for group in groups:
        sums = pd.DataFrame(scores).groupby(pd.factorize(group)[0]).sum().to_numpy()
        meat = meat + sums.T @ sums * len(sums) / (len(sums) - 1) * (n - 1) / (n - k)
    bread = np.linalg.inv(X.T @ X)
    return np.sqrt((bread @ meat @ bread)[0, 0])


def pair_components(rows, value):
    """Variance between caseworkers, of lasting and of passing noise, by looking at every pair of ratings."""
    v = rows[value].to_numpy() - rows[value].mean()
    who, by = (pd.factorize(rows[c])[0] for c in ("citizen_id", "caseworker_id"))
    sums, counts = np.zeros(3), np.zeros(3)
    for at in rows.groupby("cell").indices.values():
        P = np.outer(v[at], v[at])
        other, same = who[at][:, None] != who[at], by[at][:, None] == by[at]
        apart = other & ~same
        if not apart.any() or not (other & same).any():
            continue
        level = P[apart].mean()
        own = np.eye(len(at), dtype=bool)
        for k, pick in enumerate((other & same, ~other & same & ~own, own)):
            sums[k] += (P[pick] - level).sum()
            counts[k] += pick.sum()
    a, lasting, total = sums / counts
    return a, lasting - a, total - lasting


def test_the_measured_slope_is_least_squares_with_a_dummy_per_cell(panel):
    rows = relationships(panel)
    x = (rows["optimism"] / rows["optimism"].std()).to_numpy()
    X = np.column_stack([x, pd.get_dummies(rows["cell"], dtype=float)])
    y = rows["outcome"].to_numpy()
    b = np.linalg.lstsq(X, y, rcond=None)[0]
    fit = fit_leniency(panel, outcome="outcome", scale="measured")
    assert fit.nobs == len(rows)
    assert fit.estimates[0] == pytest.approx(b[0], rel=1e-9)
    error = two_way_error(X, y - X @ b, [rows["caseworker_id"], rows["citizen_id"]], X.shape[1])
    assert fit.std_errors.iloc[0] == pytest.approx(error, rel=1e-8)


def test_the_headline_is_the_slope_on_dispositions_predicted_from_pairs_by_hand(panel):
    rated = panel.frame.dropna(subset=["caseworker_id", "belief"])
    rated = rated.assign(
        cell=rated["jobcentre_id"] + rated["period"], z=rated["belief"] / rated["belief"].std()
    )
    a, u, e = pair_components(rated, "z")
    rows, share = relationships(panel), []
    by = dict(list(rated.groupby("caseworker_id")))
    for row in rows.itertuples():
        others = by[row.caseworker_id].loc[lambda d, i=row.citizen_id: d["citizen_id"] != i, "citizen_id"]
        m, n = others.value_counts().to_numpy(), max(len(others), 1)
        share.append(a / (a + u * (m**2).sum() / n**2 + e / n) if len(others) else 0.0)
    X = np.column_stack(
        [np.array(share) * rows["optimism"] / np.sqrt(a), pd.get_dummies(rows["cell"], dtype=float)]
    )
    b = np.linalg.lstsq(X, rows["outcome"].to_numpy(), rcond=None)[0]
    found = evidence_ladder(panel, rungs=["leniency"]).frame.iloc[0]
    assert found["estimate"] == pytest.approx(100 * b[0], rel=1e-8)
    fit = fit_leniency(panel, outcome="outcome")
    assert fit.statistics["disposition_sd"] == pytest.approx(np.sqrt(a), rel=1e-9)
    assert fit.statistics["reliability"] == pytest.approx(np.mean(share), rel=1e-9)


def test_two_stage_least_squares_is_that_of_linearmodels(panel):
    rows = relationships(panel, exposure=True)
    cells = pd.get_dummies(rows["cell"], dtype=float)
    clusters = pd.DataFrame({c: pd.factorize(rows[c])[0] for c in ("caseworker_id", "citizen_id")})
    theirs = IV2SLS(rows["outcome"], cells, rows["belief"], rows["optimism"]).fit()
    fit = fit_leniency(panel, outcome="outcome", method="2sls")
    assert fit.nobs == len(rows)
    assert fit.estimates[0] == pytest.approx(theirs.params["belief"], rel=1e-8)
    Z = np.column_stack([rows["optimism"], cells])
    X = np.column_stack([rows["belief"], cells])
    fitted = Z @ np.linalg.lstsq(Z, X, rcond=None)[0]
    residual = (rows["outcome"] - X @ theirs.params[["belief", *cells.columns]].to_numpy()).to_numpy()
    error = two_way_error(fitted, residual, [clusters[c] for c in clusters], X.shape[1])
    assert fit.std_errors.iloc[0] == pytest.approx(error, rel=1e-6)


def test_the_spread_is_that_of_the_naive_loop_over_pairs(panel):
    rows = panel.frame.sort_values(["citizen_id", "wave"]).dropna(subset=["caseworker_id"])
    rows = rows.drop_duplicates("citizen_id").dropna(subset=["outcome"])
    rows = rows.assign(cell=rows["jobcentre_id"] + rows["period"])
    rows = rows[rows.groupby("cell")["caseworker_id"].transform("nunique") > 1]
    v = rows["outcome"].to_numpy() - rows["outcome"].mean()
    by, total, pairs = pd.factorize(rows["caseworker_id"])[0], 0.0, 0
    for at in rows.groupby("cell").indices.values():
        P, same = np.outer(v[at], v[at]), by[at][:, None] == by[at]
        mates, apart = same & ~np.eye(len(at), dtype=bool), ~same
        total += P[mates].sum() - mates.sum() * P[apart].mean()
        pairs += int(mates.sum())
    fit = value_added(panel, covariates=[], permutations=19)
    assert fit.estimates[0] == pytest.approx(total / pairs, rel=1e-9)


def test_the_mover_contrast_is_least_squares_with_a_dummy_per_cell(panel):
    fit = mover_contrast(panel)
    rows = fit.rows.frame.iloc[fit.rows.used]
    cells = pd.get_dummies(rows["jobcentre_id"] + rows["period"], dtype=float)
    X = np.column_stack([rows["optimism_change"], rows["optimism_before"], cells])
    y = rows["outcome"].to_numpy(dtype=float)
    b = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(fit.estimates, b[:2], rtol=1e-7, atol=1e-12)
    error = two_way_error(X, y - X @ b, [rows["caseworker_id"], rows["citizen_id"]], X.shape[1])
    assert fit.std_errors.iloc[0] == pytest.approx(error, rel=1e-6)


def test_two_raters_solve_eight_moments(panel):
    fit = fit_two_rater(panel)
    rows = fit.rows.frame.iloc[fit.rows.used]
    S = np.cov(rows[["outcome", "belief_first", "belief_second", "citizen_score"]].T.astype(float), bias=True)
    phi, (zeta, v) = S[2, 3] / S[1, 3], (0.0, 0.0)
    v = S[1, 2] / phi
    zeta = S[1, 3] / v
    # regression of outcome and ratings on the latent trait, by matrices: cov(Y, T) = M (kappa, gamma)
    M = np.array([[v, S[1, 1], S[1, 2]], [phi * v, S[1, 2], S[2, 2]], [zeta * v, S[1, 3], S[2, 3]]])
    kappa, gamma1, gamma2 = np.linalg.solve(M, S[0, 1:])
    np.testing.assert_allclose(fit.estimates, [gamma1, gamma2], rtol=1e-8)
    assert fit.statistics["kappa"] == pytest.approx(kappa, rel=1e-7)


def test_the_hazard_contrast_is_a_difference_of_two_survivals(panel):
    ladder = evidence_ladder(panel, rungs=["hazard"])
    fit = ladder.fits("hazard")["hazard"]
    rows = fit.rows.frame.iloc[fit.rows.used]
    first = rows.sort_values(["citizen_id", "quarter"]).drop_duplicates("citizen_id")
    first = first[first["quarter"] + 3 <= rows["quarter"].max()]

    def reached(frame, params):
        alive = np.ones(len(frame))
        fixed = sum(
            params[name] * frame[name].to_numpy(dtype=float) for name in fit.terms if name in frame.columns
        )
        for term in (t for t in fit.terms if t.startswith(("origin[", "convicted["))):
            column, level = term[:-1].split("[")
            fixed = fixed + params[term] * (frame[column].astype(str) == level).to_numpy()
        for quarter in range(4):
            level = [params.get(f"quarter[{start + quarter}]", 0.0) for start in frame["quarter"]]
            eta = params["(Intercept)"] + np.array(level) + fixed
            alive = alive * np.exp(-np.exp(eta))
        return 1 - alive.mean()

    def contrast(values):
        params = pd.Series(values, index=fit.terms)
        return reached(first.assign(belief=first["belief"] + 1), params) - reached(first, params)

    b = fit.params.to_numpy()
    found = hazard_contrast(fit, "belief", horizon_periods=4).iloc[0]
    assert found["N_rows"] == len(first)
    assert found["estimate"] == pytest.approx(contrast(b), rel=1e-8)
    steps = 1e-5 * np.eye(len(b))
    gradient = np.array([(contrast(b + h) - contrast(b - h)) / 2e-5 for h in steps])
    error = np.sqrt(gradient @ fit.cov.to_numpy() @ gradient)
    assert found["std_error"] == pytest.approx(error, rel=1e-5)


def test_a_hazard_that_differs_by_group_is_the_share_by_group():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"citizen_id": np.arange(400), "x": np.repeat([0.0, 1.0], 200)})
    rows["event"] = (rng.random(400) < 0.2 + 0.2 * rows["x"]).astype(int)
    fit = fit_hazard("event ~ x", rows, baseline="none", vcov="model")
    shares = rows.groupby("x")["event"].mean()
    found = hazard_contrast(fit, "x", rows[rows["x"] == 0], horizon_periods=1).iloc[0]
    assert found["estimate"] == pytest.approx(shares[1.0] - shares[0.0], rel=1e-6)
    assert found["reading"] == "association"
