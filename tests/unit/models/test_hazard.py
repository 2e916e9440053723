"""Hazard models: baselines, exits, spells, frailty, probabilities and their standard errors."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from jobchance import Cluster, Fit, fit_glm
from jobchance.errors import DesignError, EstimationError, FormulaError, SpecError
from jobchance.models.hazard import fit_hazard
from jobchance.models.hazard_curves import hazard_contrast, hazard_incidence


def _draw(n, *, seed, sd=0.0, periods=6):
    """Spells with exits job and education, a belief that moves, caseworkers and a frailty of the job."""
    rng = np.random.default_rng(seed)
    frailty, made = sd * rng.normal(size=n), []
    for i in range(n):
        belief = rng.integers(1, 6)
        for t in range(periods):
            belief = int(np.clip(belief + rng.integers(-1, 2), 1, 5))
            job = 1 - np.exp(-np.exp(-3.2 + 0.1 * t + 0.3 * belief + frailty[i]))
            u = rng.random()
            code = "job" if u < job else "education" if u < job + 0.05 else "none"
            made.append((i, t, belief, rng.integers(30), code))
            if code != "none":
                break
    frame = pd.DataFrame(made, columns=["citizen_id", "quarter", "belief", "caseworker_id", "exit"])
    return frame.assign(event=(frame["exit"] == "job").astype(int))


@pytest.fixture(scope="module")
def rows():
    return _draw(700, seed=4)


def test_a_level_per_period_with_and_without_intercept(rows):
    free = fit_hazard("event ~ 0 + belief", rows)
    against = fit_hazard("event ~ belief", rows)
    assert free.terms[:6] == tuple(f"quarter[{t}]" for t in range(6))
    assert free.loglik == pytest.approx(against.loglik, abs=1e-9)
    assert against.params["(Intercept)"] == pytest.approx(free.params["quarter[0]"], abs=1e-8)
    same = fit_glm("event ~ 0 + C(quarter) + belief", rows, family="binomial", link="cloglog")
    assert np.array_equal(same.estimates, free.estimates)
    assert np.array_equal(same.covariance, free.covariance)
    assert list(free.inference.clusters) == ["caseworker_id"]
    assert fit_hazard("event ~ -1 + belief", rows).terms == free.terms


def test_smooth_baselines_nest(rows):
    forms = ("none", "linear", "polynomial:2", "polynomial:3", "steps")
    logliks = [fit_hazard("event ~ belief", rows, baseline=form, vcov="model").loglik for form in forms]
    assert logliks == sorted(logliks)
    spline = fit_hazard("event ~ belief", rows, baseline="spline:4", vcov="model")
    assert len(spline.terms) == 6
    with pytest.raises(SpecError, match="polynomial:<degree>"):
        fit_hazard("event ~ belief", rows, baseline="cubic")


def test_grouping_periods_keeps_the_cloglog_coefficient():
    """The grouped form of proportional hazards: joining periods changes the baseline only."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=40_000)
    time = rng.exponential(size=40_000) / np.exp(-2 + 0.5 * x)
    for width in (1.0, 2.0):
        made = []
        for t in range(int(8 / width)):
            at_risk = time >= width * t
            event = time[at_risk] < width * (t + 1)
            made.append(pd.DataFrame({"quarter": t, "x": x[at_risk], "event": event.astype(int)}))
        fit = fit_hazard("event ~ x", pd.concat(made), entity=None, vcov="model")
        assert abs(fit.params["x"] - 0.5) < 3 * fit.std_errors["x"]


def test_observed_information_of_clustered_cloglog(rows):
    """Clustered standard errors with a numerical Hessian, as Stata's cloglog, vce(cluster)."""
    fit = fit_hazard("event ~ belief", rows, baseline="linear", vcov=Cluster("caseworker_id"))
    X = np.column_stack([np.ones(len(rows)), rows["quarter"], rows["belief"]])
    y = rows["event"].to_numpy()

    def gradient(beta):
        rate = np.exp(X @ beta)
        return X * np.where(y == 1, rate / np.expm1(rate), -rate)[:, None]

    step = 1e-6 * np.eye(3)
    hessian = np.array(
        [(gradient(fit.estimates + e).sum(0) - gradient(fit.estimates - e).sum(0)) / 2e-6 for e in step]
    )
    scores = pd.DataFrame(gradient(fit.estimates)).groupby(rows["caseworker_id"].to_numpy()).sum().to_numpy()
    bread = np.linalg.inv(-hessian)
    G, n = len(scores), len(rows)
    stata = bread @ scores.T @ scores @ bread * G / (G - 1)
    assert np.allclose(fit.covariance, stata * (n - 1) / (n - 3), rtol=1e-5)


def test_separate_exits_are_separate_fits(rows):
    both = fit_hazard("exit ~ belief", rows)
    for cause in ("job", "education"):
        alone = fit_hazard("exit ~ belief", rows, cause=cause)
        assert np.allclose([both.params[f"{cause}: {t}"] for t in alone.terms], alone.estimates, atol=1e-9)
        assert np.allclose(
            [both.std_errors[f"{cause}: {t}"] for t in alone.terms], alone.std_errors, rtol=1e-7
        )
    again = Fit.from_dict(both.to_dict())
    first = rows.drop_duplicates("citizen_id")
    assert hazard_incidence(again, first).equals(hazard_incidence(both, first))
    with pytest.raises(SpecError, match="alone"):
        hazard_contrast(alone, "belief")
    with pytest.raises(SpecError, match="design"):
        both.predict(rows)


def test_codes_may_be_numbers_or_categories(rows):
    text = fit_hazard("exit ~ belief", rows, vcov="model")
    numbers = rows.assign(exit=rows["exit"].map({"none": 0, "education": 1, "job": 2}))
    assert np.array_equal(fit_hazard("exit ~ belief", numbers, vcov="model").estimates, text.estimates)
    named = rows.assign(exit=rows["exit"].replace("none", "still there").astype("category"))
    with pytest.raises(DesignError, match="no_event="):
        fit_hazard("exit ~ belief", named)
    made = fit_hazard("exit ~ belief", named, no_event="still there", vcov="model")
    assert np.array_equal(made.estimates, text.estimates)


def test_incidence_by_hand(rows):
    """The mean over citizens of products of hazards, and derivatives by finite differences."""
    for options in ({"competing": "cause_specific"}, {"competing": "multinomial"}):
        fit = fit_hazard("exit ~ belief", rows, baseline="linear", vcov="model", **options)
        first = rows.drop_duplicates("citizen_id")
        curve = hazard_incidence(fit, rows)

        def job_by_end(beta, fit=fit, first=first, options=options):
            b = beta.reshape(2, 3)
            gone, still = np.zeros(len(first)), np.ones(len(first))
            for t in range(6):
                eta = np.column_stack([c[0] + c[1] * t + c[2] * first["belief"] for c in b])
                e = np.exp(eta)
                h = (
                    e / (1 + e.sum(1, keepdims=True))
                    if options["competing"] == "multinomial"
                    else -np.expm1(-e)
                )
                gone += still * h[:, 1]
                still = still * (1 - h.sum(1))
            return gone.mean()

        row = curve[(curve["cause"] == "job") & (curve["period"] == 5)].iloc[0]
        assert row["estimate"] == pytest.approx(job_by_end(fit.estimates), abs=1e-12)
        slope = optimize.approx_fprime(fit.estimates, job_by_end, 1e-7)
        assert row["std_error"] == pytest.approx(np.sqrt(slope @ fit.covariance @ slope), rel=1e-4)


def test_contrast_by_hand(rows):
    fit = fit_hazard("event ~ belief", rows, baseline="linear")
    row = hazard_contrast(fit, "belief", rows, horizon_periods=4).iloc[0]
    first = rows.drop_duplicates("citizen_id")

    def gap(beta, relative=False):
        made = []
        for step in (0, 1):
            total = sum(np.exp(beta[0] + beta[1] * t + beta[2] * (first["belief"] + step)) for t in range(4))
            made.append(np.mean(-np.expm1(-total)))
        return np.log(made[1] / made[0]) if relative else made[1] - made[0]

    assert row["estimate_pp"] == pytest.approx(100 * gap(fit.estimates), abs=1e-10)
    slope = optimize.approx_fprime(fit.estimates, gap, 1e-7)
    assert row["std_error"] == pytest.approx(np.sqrt(slope @ fit.covariance @ slope), rel=1e-4)
    relative = optimize.approx_fprime(fit.estimates, gap, 1e-7, True)
    spread = 1.959964 * np.sqrt(relative @ fit.covariance @ relative)
    assert np.log1p(row["relative_high"]) == pytest.approx(gap(fit.estimates, True) + spread, abs=1e-4)
    assert row["reading"] == "association"
    every = hazard_contrast(fit, "belief", rows, starts="all").iloc[0]
    assert every["N_rows"] == (rows["quarter"] <= 2).sum()


def test_frailty_against_a_dense_grid():
    """Adaptive quadrature with few points is far off with one exit per person; the default is not."""
    rows = _draw(400, seed=11, sd=1.0)
    fit = fit_hazard("event ~ belief", rows, baseline="linear", frailty="citizen_id")
    sd = fit.variance_components["sd"].iloc[0]
    X = np.column_stack([np.ones(len(rows)), rows["quarter"], rows["belief"]])
    node = np.linspace(-9, 9, 1501)
    weight = np.exp(-(node**2) / 2) / np.exp(-(node**2) / 2).sum()
    rate = np.exp((X @ fit.estimates)[:, None] + sd * node)
    logs = np.where(rows["event"].to_numpy()[:, None] == 1, np.log(-np.expm1(-rate)), -rate)
    exact = np.log(
        np.exp(pd.DataFrame(logs).groupby(rows["citizen_id"].to_numpy()).sum().to_numpy()) @ weight
    )
    assert fit.loglik == pytest.approx(exact.sum(), abs=0.1)
    assert abs(fit.statistics["loglik_change"]) < 0.1
    assert any("read it as a check" in note for note in fit.notes)
    first = rows.drop_duplicates("citizen_id")
    total = sum(
        np.exp(fit.estimates @ [1, t, 0] + fit.params["belief"] * first["belief"].to_numpy())
        for t in range(4)
    )
    by_hand = np.mean(1 - np.exp(-total[:, None] * np.exp(sd * node)) @ weight)
    row = hazard_contrast(fit, "belief", rows).iloc[0]
    assert row["baseline"] == pytest.approx(by_hand, abs=1e-6)

    def baseline(joint):
        total = sum(np.exp(joint[1] + joint[2] * t + joint[3] * first["belief"].to_numpy()) for t in range(4))
        return np.mean(1 - np.exp(-total[:, None] * np.exp(joint[0] * node)) @ weight)

    curve = hazard_incidence(fit, rows)
    slope = optimize.approx_fprime(fit.joint.estimates, baseline, 1e-6)
    error = np.sqrt(slope @ fit.joint.covariance @ slope)
    assert curve["std_error"].iloc[3] == pytest.approx(error, rel=1e-3)


def test_spells_that_are_none_are_refused(rows):
    extra = rows[rows["event"] == 1].head(3).assign(quarter=lambda f: f["quarter"] + 1)
    twice = pd.concat([rows, extra.assign(event=1)])
    with pytest.raises(DesignError, match=r"3 of 700 have more than one exit.*3 rows lie after an exit"):
        fit_hazard("event ~ belief", twice)
    with pytest.raises(DesignError, match="2 rows repeat the period"):
        fit_hazard("event ~ belief", pd.concat([rows, rows[rows["event"] == 0].head(2)]))


def test_late_entry_and_gaps_are_counted(rows):
    long = rows["citizen_id"].map(rows.groupby("citizen_id").size()) >= 4
    someone = rows.loc[long, "citizen_id"].unique()[:9]
    gap = ~(rows["citizen_id"].isin(someone[:5]) & (rows["quarter"] == 1))
    late = ~(rows["citizen_id"].isin(someone[5:]) & (rows["quarter"] == 0))
    fit = fit_hazard("event ~ belief", rows[gap & late])
    assert any(note.startswith("5 of 700 have gaps") for note in fit.notes)
    assert any(note.startswith("4 of 700 enter after") for note in fit.notes)
    entered = rows.assign(entry=np.where(rows["citizen_id"].isin(someone[5:]), 1, 0))[gap]
    other = fit_hazard("event ~ belief", entered, entry="entry")
    assert np.array_equal(other.estimates, fit.estimates)
    assert other.sample.dropped["before entry"] == 4


def test_a_period_without_exits_is_named(rows):
    silent = rows.assign(event=np.where(rows["quarter"] == 3, 0, rows["event"]))
    with pytest.raises(DesignError, match=r"event in 1 period \(3\).*polynomial"):
        fit_hazard("event ~ belief", silent)
    assert fit_hazard("event ~ belief", silent, baseline="linear").converged
    with pytest.raises(EstimationError, match=r"education.*separation"):
        fit_hazard("exit ~ mark", rows.assign(mark=(rows["exit"] == "education").astype(int)))


@pytest.mark.parametrize(
    ("formula", "options", "error", "message"),
    [
        ("event ~ belief + (1 | citizen_id)", {}, FormulaError, "frailty="),
        ("event ~ belief", {"link": "log"}, SpecError, "link"),
        ("event ~ belief", {"cause": "job"}, SpecError, "codes of exits"),
        ("event ~ belief", {"competing": "multinomial"}, SpecError, "several exits"),
        ("exit ~ belief", {"competing": "multinomial", "link": "cloglog"}, SpecError, "is a logit"),
        ("exit ~ belief", {"competing": "multinomial", "cause": "job"}, SpecError, "give one of the two"),
        ("exit ~ belief", {"cause": "jobb"}, SpecError, "Did you mean 'job'"),
        ("exit ~ belief", {"frailty": "citizen_id"}, SpecError, "cause="),
        ("event ~ belief", {"time": "week"}, FormulaError, "week"),
    ],
)
def test_options_that_do_not_fit(rows, formula, options, error, message):
    with pytest.raises(error, match=message):
        fit_hazard(formula, rows, **options)


def test_contrasts_that_cannot_be_asked(rows):
    fit = fit_hazard("event ~ belief", rows)
    for options in ({"step": 0}, {"horizon_periods": 7}, {"starts": "last"}, {"level": 2}):
        with pytest.raises(SpecError):
            hazard_contrast(fit, "belief", rows, **options)
    with pytest.raises(SpecError, match="variable"):
        hazard_contrast(fit, "quarter", rows)
    with pytest.raises(SpecError, match="fit_hazard"):
        hazard_contrast(fit_glm("event ~ belief", rows, family="binomial"), "belief", rows)


def test_no_message_holds_an_identifier(rows):
    secret = rows.assign(citizen_id="C-" + rows["citizen_id"].astype(str))
    with pytest.raises(DesignError) as caught:
        fit_hazard("event ~ belief", pd.concat([secret, secret.head(1)]))
    assert "C-" not in str(caught.value)
    assert "C-" not in fit_hazard("event ~ belief", secret).summary()


def test_a_formula_may_hold_the_baseline_itself() -> None:
    """Person-period rows as textbooks make them: no column `quarter`, no `citizen_id`."""
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"grade": np.tile([7, 8, 9], 200), "x": rng.normal(size=600)})
    data["event"] = (rng.random(600) < 0.2).astype(int)
    own = fit_hazard("event ~ 0 + C(grade) + x", data, link="logit", vcov="model")
    asked = fit_hazard("event ~ 0 + x", data, link="logit", vcov="model", time="grade", entity=None)
    np.testing.assert_allclose(sorted(own.params), sorted(asked.params), rtol=1e-8)
    assert any("No column citizen_id" in note for note in own.notes)
