"""Profile intervals, Satterthwaite df and likelihood ratios against lme4 1.1-31, lmerTest 3.1-3."""

import numpy as np
import pandas as pd
import pytest
from cases import Case
from scipy import stats

from jobchance import compare_fits, fit_mixed, profile_intervals

# confint(method = "profile", oldNames = FALSE). lme4 interpolates the profile by a spline: about four digits.
SLEEP = {
    "sd[Subject.(Intercept)]": (14.3814053010, 37.7159960860),
    "cor[Subject.(Intercept).Days]": (-0.4815007393, 0.6849859744),
    "sd[Subject.Days]": (3.8011641180, 8.7533831805),
    "sigma": (22.8982668782, 28.8579965383),
    "(Intercept)": (237.6806955027, 265.1295146167),
    "Days": (7.3586533001, 13.5759187258),
}
PENICILLIN = {
    "sd[plate.(Intercept)]": (0.6335657876, 1.1821039842),
    "sd[sample.(Intercept)]": (1.0957892646, 3.5562919132),
    "sigma": (0.4858454002, 0.6294534785),
    "(Intercept)": (21.2666273836, 24.6778176064),
}
CBPP = {
    "sd[herd.(Intercept)]": (0.346073195, 1.0999747860),
    "(Intercept)": (-1.901212017, -0.9477539754),
    "period[2]": (-1.616783269, -0.4077630526),
    "period[3]": (-1.801024392, -0.5115360472),
    "period[4]": (-2.500750469, -0.8007553560),
}
CASES = [
    ("lmm_sleepstudy_slope", "Reaction ~ Days + (Days | Subject)", "gaussian", SLEEP),
    ("lmm_penicillin_crossed", "diameter ~ 1 + (1 | plate) + (1 | sample)", "gaussian", PENICILLIN),
    ("glmm_cbpp", "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial", CBPP),
]


@pytest.mark.parametrize(("case", "formula", "family", "expected"), CASES)
def test_profile_intervals_are_those_of_lme4(case, formula, family, expected):
    data = Case(case).data[0].copy()
    if "period" in data:
        data["period"] = data["period"].astype(str)
    table = profile_intervals(fit_mixed(formula, data, family=family)).set_index("parameter")
    assert set(table.index) == set(expected)
    for name, limits in expected.items():
        width = limits[1] - limits[0]
        np.testing.assert_allclose(
            table.loc[name, ["conf_low", "conf_high"]].astype(float), limits, atol=1e-4 * width
        )


def _synthetic():
    """240 rows of two crossed groups, made of sines so that R makes the same."""
    i = np.arange(240)
    a, b = i % 20, (i // 20 + 3 * (i % 5)) % 8
    x, w = np.sin(1.7 * i), np.cos(0.9 * i) * (i % 3)
    y = 1 + 0.5 * x + 0.2 * w + 0.8 * np.sin(3.1 * a) + 0.6 * np.cos(2.3 * b)
    y += 0.5 * np.sin(5.7 * a + 1) * x + 0.9 * np.sin(12.9898 * i * i / 7 + 0.3 * i)
    return pd.DataFrame({"a": a, "b": b, "x": x, "w": w, "k": np.where(a % 2, 1.0, -1.0), "y": y})


# lmerTest: estimate, standard error, Satterthwaite df
CROSSED = {
    "(Intercept)": (0.999854091584, 0.2081527161985, 7.86315060951),
    "x": (0.550010108651, 0.0592492052641, 211.26627046223),
    "w": (0.151242008046, 0.0474303653871, 216.50052998307),
    "k": (0.353877523005, 0.0654623926456, 17.97653979469),
}
CROSSED_SLOPE = {
    "(Intercept)": (1.001527015075, 0.2015162903005, 7.85838545854),
    "x": (0.548108225670, 0.0842735129029, 16.79832263189),
    "w": (0.141028901964, 0.0455846305344, 203.55073555935),
    "k": (0.355108123986, 0.0597258829654, 17.89811884797),
}


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("y ~ x + w + k + (1 | a) + (1 | b)", CROSSED),
        ("y ~ x + w + k + (x | a) + (1 | b)", CROSSED_SLOPE),
    ],
)
def test_satterthwaite_degrees_of_freedom_are_those_of_lmertest(formula, expected):
    """lmerTest takes numerical second derivatives; its optimum and df carry four to five digits."""
    fit = fit_mixed(formula, _synthetic())
    for term, (estimate, error, df) in expected.items():
        assert fit.params[term] == pytest.approx(estimate, rel=2e-6)
        assert fit.std_errors[term] == pytest.approx(error, rel=2e-6)
        assert fit.df[term] == pytest.approx(df, rel=2e-4)


def test_satterthwaite_of_public_data():
    """The sleep study is balanced: 17 exactly. The Hessian is one of differences: four to five digits."""
    sleep = fit_mixed("Reaction ~ Days + (Days | Subject)", Case("lmm_sleepstudy_slope").data[0])
    np.testing.assert_allclose(sleep.df, [17.0, 17.0], rtol=1e-4)
    penicillin = fit_mixed(
        "diameter ~ 1 + (1 | plate) + (1 | sample)", Case("lmm_penicillin_crossed").data[0]
    )
    assert penicillin.df.item() == pytest.approx(5.48709321867, rel=1e-4)


def test_statistic_and_p_value_of_the_sleep_study_are_those_of_r():
    """anova() of lme4 1.1-31 on the two ML fits: Chisq 42.1393, p 7.0724e-10 on 2 df (no mixture)."""
    data = Case("lmm_sleepstudy_slope").data[0]
    small = fit_mixed("Reaction ~ Days + (1 | Subject)", data, method="ml")
    large = fit_mixed("Reaction ~ Days + (Days | Subject)", data, method="ml")
    plain = compare_fits(small, large, boundary="none").iloc[0]
    assert plain["loglik_small"] == pytest.approx(-897.039321503, abs=1e-7)
    assert plain["loglik_large"] == pytest.approx(-875.969672232, abs=1e-7)
    assert plain["statistic"] == pytest.approx(42.1393, abs=5e-5)
    assert plain["p_value"] == pytest.approx(7.0724e-10, rel=1e-4)
    mixed = compare_fits(small, large).iloc[0]
    half = (stats.chi2.sf(mixed["statistic"], 1) + stats.chi2.sf(mixed["statistic"], 2)) / 2
    assert mixed["p_value"] == pytest.approx(half)
    assert mixed["reference"] == "0.5 chi2(1) + 0.5 chi2(2)"
