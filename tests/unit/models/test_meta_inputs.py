import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from jobchance import Robust, fit_glm, meta_analysis
from jobchance.errors import DesignError, SpecError
from jobchance.models.meta_checks import fill_missing_studies, leave_one_study_out
from jobchance.models.meta_tables import fitted_line, study_table

Y = np.array([0.1, 0.5, -0.2, 0.9, 0.3, 0.0])
V = np.array([0.02, 0.05, 0.01, 0.2, 0.03, 0.04])


@pytest.mark.parametrize(
    ("estimates", "variances", "options", "error", "message"),
    [
        (Y, V[:3], {}, SpecError, "6 estimates, 3 variances"),
        (Y, -V, {}, DesignError, "6 of 6 variances"),
        (Y, V, {"method": "pm"}, SpecError, "reml, ml, dl, ee"),
        (["a", "b"], V[:2], {}, SpecError, "must be numbers"),
        (Y[:1], V[:1], {}, DesignError, "1 studies"),
        (Y, V, {"moderators": pd.DataFrame({"variance": Y})}, SpecError, "different names"),
        (Y, V, {"moderators": pd.DataFrame({"a": Y[:2]})}, SpecError, "rows of moderators"),
    ],
)
def test_unusable_input(estimates, variances, options, error, message):
    with pytest.raises(error, match=message):
        meta_analysis(estimates, variances, **options)


def test_missing_studies_are_dropped_and_counted():
    fit = meta_analysis(np.append(Y, np.nan), np.append(V, 0.1))
    assert dict(fit.sample.dropped) == {"estimate is missing": 1}
    assert fit.params.iloc[0] == pytest.approx(meta_analysis(Y, V).params.iloc[0])


def test_dersimonian_laird_equals_statsmodels():
    other = combine_effects(Y, V, method_re="dl")
    fit = meta_analysis(Y, V, method="dl")
    assert fit.statistics["tau2"] == pytest.approx(other.tau2)
    assert fit.params.iloc[0] == pytest.approx(other.mean_effect_re)
    assert fit.loglik is None


def test_studies_that_agree_too_well():
    fit = meta_analysis(np.full(8, 0.2) + 1e-3 * np.arange(8), np.full(8, 0.1))
    assert fit.is_singular
    assert np.isnan(fit.statistics["tau2_low"])
    assert any("empty" in note for note in fit.notes)


def test_moderators_by_level_are_remembered():
    kind = pd.DataFrame({"kind": ["a", "b", "a", "b", "a", "b"]})
    fit = meta_analysis(Y, V, moderators=kind)
    assert fit.terms == ("(Intercept)", "kind[b]")
    new = fit.predict(pd.DataFrame({"kind": ["b"]}), random=False)
    assert new[0] == pytest.approx(fit.params.sum())


def test_shrunken_studies_lie_between_their_estimate_and_the_mean():
    fit = meta_analysis(pd.Series(Y, index=list("abcdef")), pd.Series(V, index=list("abcdef")))
    modes = fit.random_effects("study").set_index("level")
    assert list(modes.index) == list("abcdef")
    share = modes["estimate"].to_numpy() / (Y - fit.params.iloc[0])
    np.testing.assert_allclose(share, fit.statistics["tau2"] / (fit.statistics["tau2"] + V))
    np.testing.assert_allclose(fit.augment()["fitted"], fit.params.iloc[0] + modes["estimate"])


def test_equal_variances_and_no_heterogeneity_are_least_squares():
    rng = np.random.default_rng(2)
    x = rng.normal(size=30)
    y = 1 + x + rng.normal(size=30)
    data = pd.DataFrame({"y": y, "x": x})
    meta = meta_analysis(y, np.full(30, 0.5), moderators=pd.DataFrame({"x": x}), method="ee")
    ols = fit_glm("y ~ x", data, family="gaussian", vcov="model")
    np.testing.assert_allclose(meta.params, ols.params)
    np.testing.assert_allclose(meta.with_vcov(Robust("HC0")).cov, ols.with_vcov(Robust("HC0")).cov)


def test_tables_to_draw_from():
    fit = meta_analysis(Y, V)
    table = study_table(fit)
    assert table["weight"].sum() == pytest.approx(1)
    assert (table["weight"] * Y).sum() == pytest.approx(fit.params.iloc[0])
    np.testing.assert_allclose((table["conf_high"] - table["conf_low"]) / 2, 1.959964 * np.sqrt(V), rtol=1e-6)
    line = fitted_line(meta_analysis(Y, V, moderators=pd.Series(V, name="v")), np.array([0.0, 0.1]))
    assert list(line.columns) == ["value", "estimate", "conf_low", "conf_high"]
    with pytest.raises(SpecError, match="one numeric moderator"):
        fitted_line(fit, np.array([0.0]))


def test_checks_want_their_own_kind_of_fit():
    ols = fit_glm("y ~ 1", pd.DataFrame({"y": Y}), family="gaussian", vcov="model")
    for check in (fill_missing_studies, leave_one_study_out, study_table):
        with pytest.raises(SpecError, match="meta_analysis"):
            check(ols)
    with pytest.raises(SpecError, match="without moderators"):
        fill_missing_studies(meta_analysis(Y, V, moderators=pd.Series(V, name="v")))
    with pytest.raises(DesignError, match="Too few"):
        leave_one_study_out(meta_analysis(Y[:2], V[:2]))


def test_symmetric_studies_miss_nobody():
    y = np.array([-0.3, -0.1, 0.0, 0.1, 0.3])
    filled = fill_missing_studies(meta_analysis(y, np.array([0.05, 0.02, 0.01, 0.02, 0.05])))
    assert filled.statistics["n_filled"] == 0
    assert filled.nobs == 5


def test_the_side_of_missing_studies_needs_different_variances():
    with pytest.raises(DesignError, match="different variances"):
        fill_missing_studies(meta_analysis(Y, np.full(6, 0.02)))


def test_mirrored_studies_give_the_mirrored_answer():
    right = fill_missing_studies(meta_analysis(-Y, V))
    left = fill_missing_studies(meta_analysis(Y, V))
    assert (left.spec["side"], right.spec["side"]) == ("left", "right")
    assert left.params.iloc[0] == pytest.approx(-right.params.iloc[0])
