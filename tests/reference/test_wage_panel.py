import pytest
from cases import Case

from jobchance import Cluster, fit_mixed, fit_panel
from jobchance.models.hausman import hausman

PANEL = {"entity": "id", "time": "t"}


@pytest.fixture(scope="module")
def wages():
    return Case("wage_panel_rewb")


@pytest.fixture(scope="module")
def hybrid(wages):
    return fit_panel("lwage ~ union + wks + blk", wages.data[0], estimator="hybrid", vcov="model", **PANEL)


@pytest.mark.parametrize(
    ("part", "name"),
    [("within", "union"), ("within", "wks"), ("between", "union"), ("between", "wks"), ("between", "blk")],
)
def test_within_between_model_equals_lme4(wages, hybrid, part, name):
    wages.check(f"{part}.{name}.b", hybrid.params[f"{part}({name})"])
    wages.check(f"{part}.{name}.se", hybrid.std_errors[f"{part}({name})"])


def test_variances_likelihood_and_contextual_effects(wages, hybrid):
    sds = hybrid.variance_components.set_index("group")["sd"]
    wages.check("sd_id", sds["id"])
    wages.check("sd_res", sds["Residual"])
    wages.check("reml_loglik", hybrid.loglik)
    for name in ("union", "wks"):
        wages.check(f"contextual.{name}", hybrid.statistics[f"contextual({name})"])


def test_within_part_is_the_fixed_effects_estimator_exactly(wages, hybrid):
    within = fit_panel("lwage ~ union + wks + blk", wages.data[0], vcov="model", **PANEL)
    assert within.sample.dropped_terms == ("blk (does not vary within id)",)
    for name in ("union", "wks"):
        assert hybrid.params[f"within({name})"] == pytest.approx(within.params[name], rel=1e-11)
        assert hybrid.std_errors[f"within({name})"] == pytest.approx(within.std_errors[name], rel=1e-8)


def test_between_part_is_the_between_estimator_in_a_balanced_panel(wages, hybrid):
    between = fit_panel(
        "lwage ~ union + wks + blk", wages.data[0], estimator="between", vcov="model", **PANEL
    )
    for name in ("union", "wks", "blk"):
        assert hybrid.params[f"between({name})"] == pytest.approx(between.params[name], rel=1e-9)


def test_hausman(wages):
    fits = [
        fit_panel("lwage ~ union + wks", wages.data[0], estimator=e, vcov="model", **PANEL)
        for e in ("within", "random")
    ]
    made = hausman(*fits)
    wages.check("hausman.chisq", made.statistic)
    wages.check("hausman.df", made.df)
    wages.check("hausman.p", made.p_value)


def test_hybrid_is_the_mixed_model_on_the_two_parts(wages, hybrid):
    data = wages.data[0].copy()
    for name in ("union", "wks"):
        data[f"{name}_m"] = data.groupby("id")[name].transform("mean")
        data[f"{name}_w"] = data[name] - data[f"{name}_m"]
    mixed = fit_mixed("lwage ~ union_w + wks_w + union_m + wks_m + blk + (1 | id)", data)
    assert mixed.loglik == pytest.approx(hybrid.loglik, abs=1e-7)
    assert mixed.params["union_w"] == pytest.approx(hybrid.params["within(union)"], rel=1e-9)
    assert mixed.statistics["icc"] == pytest.approx(hybrid.statistics["icc"], rel=1e-7)
    clustered = mixed.with_vcov(Cluster("id")).std_errors["union_w"]
    assert clustered == pytest.approx(hybrid.with_vcov(Cluster("id")).std_errors["within(union)"], rel=1e-8)
