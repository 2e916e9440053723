import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from jobchance import Cluster, Fit, comparisons, fit_glm
from jobchance.errors import DesignError, SpecError

N = 1_200


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=N),
            "treated": rng.integers(0, 2, N),
            "edu": rng.choice(["none", "short", "long"], N),
            "worker": rng.integers(0, 40, N),
        }
    )
    frame["flag"] = frame["treated"] == 1
    frame["sex"] = np.where(frame["flag"], "M", "K")
    eta = -1 + 0.6 * frame["x"] + 0.8 * frame["treated"] + 0.3 * (frame["edu"] == "long")
    frame["job"] = (rng.random(N) < 1 / (1 + np.exp(-eta))).astype(int)
    frame["weeks"] = rng.poisson(np.exp(0.2 * eta + 1))
    return frame


def _oracle(data, model):
    exog = np.column_stack([np.ones(N), data["x"], data["treated"]])
    fitted = model(data["job"], exog).fit(
        disp=0, tol=1e-13, cov_type="cluster", cov_kwds={"groups": data["worker"].to_numpy()}
    )
    return fitted.get_margeff(dummy=True).summary_frame().iloc[1]


@pytest.mark.parametrize(("link", "model"), [("logit", sm.Logit), ("probit", sm.Probit)])
@pytest.mark.parametrize("variable", ["treated", "flag", "sex"])
def test_binary_contrast_equals_statsmodels_with_clusters(data, link, model, variable):
    fit = fit_glm(f"job ~ x + {variable}", data, family="binomial", link=link, vcov=Cluster("worker"))
    row = comparisons(fit, variable).iloc[0]
    oracle = _oracle(data, model)
    assert row["estimate"] == pytest.approx(oracle["dy/dx"], rel=1e-6)
    assert row["std_error"] == pytest.approx(oracle["Std. Err."], rel=1e-6)
    assert row["p_value"] == pytest.approx(oracle["Pr(>|z|)"], rel=1e-3)
    assert row["estimate_pp"] == pytest.approx(100 * row["estimate"])


def _numerically(fit, quantity, step=1e-6):
    """Derivative of a quantity of a fit by its coefficients, by central differences."""
    from dataclasses import replace

    gradient = []
    for j in range(len(fit.terms)):
        moved = []
        for sign in (1, -1):
            estimates = fit.estimates.copy()
            estimates[j] += sign * step
            moved.append(quantity(replace(fit, estimates=estimates)))
        gradient.append((moved[0] - moved[1]) / (2 * step))
    return np.array(gradient)


CASES = [
    ("job ~ poly(x, 2) * treated + edu", "binomial", "logit", "x", None),
    ("job ~ x * edu", "binomial", "cloglog", "edu", None),
    ("job ~ x * treated", "binomial", "identity", "treated", None),
    ("weeks ~ spline(x, df=3) * edu", "poisson", None, "x", (-0.5, 1)),
    ("weeks ~ x * C(edu, ref='none')", "gaussian", None, "x", 0.5),
]


@pytest.mark.parametrize(("formula", "family", "link", "variable", "contrast"), CASES)
def test_difference_and_delta_method_by_brute_force(data, formula, family, link, variable, contrast):
    fit = fit_glm(formula, data, family=family, link=link, vcov=Cluster("worker"))
    found = comparisons(fit, variable, contrast=contrast)
    for i, (low, high) in enumerate(_pairs(data, formula, variable, contrast)):
        before, after = (data.assign(**{variable: value}) for value in (low, high))

        def difference(some_fit, a=before, b=after):
            return float(np.mean(some_fit.predict(b) - some_fit.predict(a)))

        gradient = _numerically(fit, difference)
        row = found.iloc[i]
        assert row["estimate"] == pytest.approx(difference(fit), rel=1e-10)
        assert row["std_error"] == pytest.approx(np.sqrt(gradient @ fit.covariance @ gradient), rel=1e-5)
        assert row["baseline"] == pytest.approx(fit.predict(before).mean())
        assert row["compared"] == pytest.approx(fit.predict(after).mean())


def _pairs(data, formula, variable, contrast):
    """Low and high values that a contrast stands for."""
    if variable == "edu":
        first = "none" if "ref" in formula else "long"
        return [(first, other) for other in sorted({"none", "short", "long"} - {first})]
    if variable == "treated":
        return [(0, 1)]
    if isinstance(contrast, tuple):
        return [contrast]
    return [(data[variable], data[variable] + (contrast or 1))]


def test_relative_change_by_brute_force(data):
    fit = fit_glm("job ~ x * treated", data, family="binomial", vcov=Cluster("worker"))
    row = comparisons(fit, "treated").iloc[0]

    def log_ratio(some_fit):
        low, high = (some_fit.predict(data.assign(treated=value)).mean() for value in (0, 1))
        return np.log(high / low)

    gradient = _numerically(fit, log_ratio)
    reach = 1.959964 * np.sqrt(gradient @ fit.covariance @ gradient)
    assert row["relative_change"] == pytest.approx(row["compared"] / row["baseline"] - 1)
    assert row["relative_low"] == pytest.approx(np.exp(log_ratio(fit) - reach) - 1, rel=1e-5)
    assert row["relative_high"] == pytest.approx(np.exp(log_ratio(fit) + reach) - 1, rel=1e-5)


def test_odds_ratio_is_the_exponential_of_the_coefficient(data):
    fit = fit_glm("job ~ x + edu", data, family="binomial", vcov=Cluster("worker"))
    row = comparisons(fit, "x", scale="odds_ratio").iloc[0]
    interval = fit.conf_int()
    assert row["estimate"] == pytest.approx(np.exp(fit.params["x"]))
    assert row["conf_low"] == pytest.approx(np.exp(interval["conf_low"]["x"]))
    assert row["conf_high"] == pytest.approx(np.exp(interval["conf_high"]["x"]))
    assert row["p_value"] == pytest.approx(fit.pvalues["x"])
    assert row["std_error"] == pytest.approx(np.exp(fit.params["x"]) * fit.std_errors["x"])
    beside = comparisons(fit, "x").iloc[0]
    assert beside["odds_ratio"] == row["estimate"]
    assert beside["odds_ratio_low"] == row["conf_low"]


def test_linear_model_gives_the_coefficient_with_its_t_interval(data):
    fit = fit_glm("weeks ~ x + edu", data, family="gaussian", vcov=Cluster("worker"))
    row = comparisons(fit, "x").iloc[0]
    assert row["measure"] == "average difference"
    assert row["estimate"] == pytest.approx(fit.params["x"])
    assert row["df"] == 39
    assert row["conf_low"] == pytest.approx(fit.conf_int()["conf_low"]["x"])
    assert np.isnan(row["estimate_pp"])
    assert np.isnan(row["odds_ratio"])


def test_numeric_column_coded_by_levels_is_compared_by_levels(data):
    grades = data.assign(grade=data.index % 3 + 1)
    fit = fit_glm("job ~ C(grade, ref=2) + x", grades, family="binomial", vcov="model")
    assert comparisons(fit, "grade")["contrast"].tolist() == ["1 vs 2", "3 vs 2"]
    pair = comparisons(fit, "grade", contrast=(1, 3))
    assert pair["contrast"].tolist() == ["3 vs 1"]
    expected = fit.predict(grades.assign(grade=3)).mean() - fit.predict(grades.assign(grade=1)).mean()
    assert pair["estimate"].iloc[0] == pytest.approx(expected)


def test_reversed_contrast_changes_the_sign(data):
    fit = fit_glm("job ~ x + edu", data, family="binomial", vcov="model")
    forward = comparisons(fit, "edu", contrast=("none", "long")).iloc[0]
    backward = comparisons(fit, "edu", contrast=("long", "none")).iloc[0]
    assert forward["estimate"] == pytest.approx(-backward["estimate"])
    assert forward["std_error"] == pytest.approx(backward["std_error"])


def test_other_data_and_their_incomplete_rows(data):
    fit = fit_glm("job ~ x + edu", data, family="binomial", vcov="model")
    part = data.iloc[:50].drop(columns="job")
    part.loc[[0, 1], "x"] = np.nan
    row = comparisons(fit, "x", data=part).iloc[0]
    assert row["N_rows"] == 48
    rest = part.iloc[2:]
    expected = (fit.predict(rest.assign(x=rest["x"] + 1)) - fit.predict(rest)).mean()
    assert row["estimate"] == pytest.approx(expected)


def test_a_stored_fit_compares_the_same_on_given_data(data):
    fit = fit_glm("job ~ x + edu", data, family="binomial", vcov=Cluster("worker"))
    again = Fit.from_dict(fit.to_dict())
    pd.testing.assert_frame_equal(comparisons(again, "edu", data=data), comparisons(fit, "edu"))
    with pytest.raises(SpecError, match="needs the rows behind the fit"):
        comparisons(again, "edu")


def test_no_label_says_effect(data):
    fit = fit_glm("job ~ x + edu", data, family="binomial", vcov="model")
    for scale in ("probability", "outcome", "odds_ratio"):
        frame = comparisons(fit, "edu", scale=scale)
        words = " ".join([*frame.columns, *frame["measure"], *frame["contrast"]])
        assert "effect" not in words.lower()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variable": "nowhere"}, "variable='nowhere' is not known. Allowed: x, edu"),
        ({"variable": "x", "contrast": (1, 2, 3)}, "a pair"),
        ({"variable": "x", "contrast": "sd"}, "is a number"),
        ({"variable": "x", "contrast": np.inf}, "is a number"),
        ({"variable": "edu", "contrast": 1}, "edu is categorical"),
        ({"variable": "x", "scale": "odds-ratio"}, "Did you mean 'odds_ratio'"),
        ({"variable": "x", "level": 95}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(data, arguments, message):
    fit = fit_glm("job ~ x + edu", data, family="binomial", vcov="model")
    with pytest.raises(SpecError, match=message):
        comparisons(fit, **arguments)


def test_scales_that_the_fit_does_not_have(data):
    linear = fit_glm("weeks ~ x", data, family="gaussian", vcov="model")
    with pytest.raises(SpecError, match="needs a binomial or ordinal fit"):
        comparisons(linear, "x", scale="probability")
    with pytest.raises(SpecError, match="needs a logit fit"):
        comparisons(linear, "x", scale="odds_ratio")


def test_unseen_levels_and_empty_data(data):
    fit = fit_glm("job ~ x + edu", data, family="binomial", vcov="model")
    with pytest.raises(DesignError, match="edu: a level that the fit has not seen"):
        comparisons(fit, "edu", contrast=("none", "doctor"))
    with pytest.raises(DesignError, match="None of 3 rows is complete"):
        comparisons(fit, "x", data=data.iloc[:3].assign(x=np.nan))
