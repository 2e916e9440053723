"""Data made to break `fit_mixed`: each ends in an error of our own or in the right answer."""

import numpy as np
import pandas as pd
import pytest

from jobchance import fit_mixed
from jobchance.errors import DesignError, EstimationError, JobchanceError
from jobchance.numerics.mixed.block import index_rows
from jobchance.numerics.mixed.linear import LinearBlock, LinearProblem
from jobchance.numerics.mixed.pool import LocalPool
from jobchance.numerics.mixed.problem import Factor, arrange_factors, build_blocks

OUTCOME = {"gaussian": "y", "binomial": "b", "poisson": "c", "ordinal": "o"}
DISCRETE = ("binomial", "poisson", "ordinal")


def make(seed=1, n=600, q=30, sd=1.0):
    rng = np.random.default_rng(seed)
    g, h, x = rng.integers(0, q, n), rng.integers(0, 12, n), rng.normal(size=n)
    eta = 0.3 + 0.5 * x + sd * rng.normal(size=q)[g] + 0.5 * rng.normal(size=12)[h]
    data = pd.DataFrame({"g": g, "h": h, "x": x, "eta": eta})
    data["y"] = eta + rng.normal(size=n)
    data["b"] = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
    data["c"] = rng.poisson(np.exp(eta))
    cuts = [-np.inf, -1, 0.5, 2, np.inf]
    data["o"] = pd.cut(eta + rng.logistic(size=n), cuts, labels=["a", "b", "c", "d"])
    return data


@pytest.fixture
def data():
    return make()


@pytest.fixture(scope="module")
def plain():
    data = make()
    return {family: fit_mixed(f"{y} ~ x + (1 | g)", data, family=family) for family, y in OUTCOME.items()}


def fit(family, right, data, **options):
    return fit_mixed(f"{OUTCOME[family]} ~ {right}", data, family=family, **options)


def sd(found, group):
    return found.variance_components.set_index("group").loc[group, "sd"]


# --- separation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", DISCRETE)
def test_complete_separation_names_its_column(data, family):
    data["z"] = {"binomial": data["b"], "poisson": data["c"] > 0, "ordinal": data["o"].cat.codes}[family]
    data["z"] = data["z"].astype(int)
    with pytest.raises(EstimationError, match=r"no maximum.*\bz\b.*separation"):
        fit(family, "x + z + (1 | g)", data)


@pytest.mark.parametrize(
    ("family", "options"),
    [(family, {}) for family in DISCRETE]
    + [(family, {"link": link}) for family in ("binomial", "ordinal") for link in ("probit", "cloglog")]
    + [("binomial", {"n_quad": 7})],
)
def test_quasi_separation_names_its_column(data, family, options):
    """A covariate under which one outcome never fails; with cloglog the gradient vanishes by underflow."""
    end = {"binomial": data["b"] == 1, "poisson": data["c"] == 0, "ordinal": data["o"] == "d"}[family]
    data["z"] = 0
    data.loc[data.index[end][:20], "z"] = 1
    with pytest.raises(EstimationError, match=r"coefficients of z grow.*separation"):
        fit(family, "z + x + (1 | g)", data, **options)


def test_a_level_in_the_middle_separates_nothing(data):
    """All rows of one level in an inner category: a finite estimate exists."""
    data["k"] = np.where(np.random.default_rng(7).random(600) < 0.1, "inner", "other")
    data.loc[data["k"] == "inner", "o"] = "b"
    assert fit("ordinal", "k + x + (1 | g)", data).converged


@pytest.mark.parametrize("family", ["binomial", "ordinal"])
@pytest.mark.parametrize("n_quad", [1, 9])
def test_levels_without_variation_leave_the_variance_unbounded(data, family, n_quad):
    pure = np.random.default_rng(0).integers(0, 2, 30)[data["g"]]
    with pytest.raises(DesignError, match="does not vary within any of the 30 levels of g"):
        fit(family, "x + (1 | g) + (1 | h)", data.assign(b=pure, o=pure), n_quad=n_quad)


@pytest.mark.parametrize("family", DISCRETE)
def test_one_level_without_variation_is_no_obstacle(data, family):
    data.loc[data["g"] == 3, ["b", "c", "o"]] = [1, 0, "d"]
    found = fit(family, "x + (1 | g)", data)
    assert found.converged
    assert 0.5 < sd(found, "g") < 2


def test_a_variance_that_nothing_bounds_but_one_level_is_not_believed(data):
    pure = np.random.default_rng(0).integers(0, 2, 30)[data["g"]]
    pure[3] = 1 - pure[3]
    found = fit("binomial", "x + (1 | g)", data.assign(b=pure))
    assert any("hardly varies" in note for note in found.notes)


# --- outcomes without variation -----------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["gaussian", "binomial", "ordinal"])
def test_constant_outcomes_are_refused(data, family):
    with pytest.raises(DesignError, match=r"one value|same value|1 level"):
        fit(family, "x + (1 | g)", data.assign(y=3.0, b=1, o="a"))


def test_counts_that_are_zero_are_refused_and_constant_ones_are_not(data):
    with pytest.raises(DesignError, match="0 in all rows"):
        fit("poisson", "x + (1 | g)", data.assign(c=0))
    found = fit("poisson", "x + (1 | g)", data.assign(c=2))
    assert found.is_singular
    assert found.params["(Intercept)"] == pytest.approx(np.log(2), abs=1e-6)
    assert found.params["x"] == pytest.approx(0, abs=1e-6)


def test_rounding_is_no_variation(data):
    with pytest.raises(DesignError, match="last digits"):
        fit("gaussian", "x + (1 | g)", data.assign(y=3 + 1e-13 * data["y"]))


def test_an_outcome_that_covariates_determine_has_no_residual(data):
    with pytest.raises(EstimationError, match=r"determine the outcome|explain the outcome exactly"):
        fit("gaussian", "x + z + (1 | g)", data.assign(z=data["y"]))


# --- groupings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["gaussian", "binomial", "ordinal"])
@pytest.mark.parametrize("random", ["(1 | row)", "(1 | g) + (1 | row)", "(1 | half) + (1 | half:side)"])
def test_a_level_in_every_row_is_refused(data, family, random):
    data = data.assign(row=range(600), half=np.arange(600) // 2, side=np.arange(600) % 2)
    with pytest.raises(DesignError, match=r"600 levels of|own level"):
        fit(family, f"x + {random}", data)


def test_a_level_in_every_row_is_overdispersion_of_counts(data, plain):
    found = fit("poisson", "x + (1 | g) + (1 | row)", data.assign(row=range(600)))
    assert found.converged
    assert found.loglik > plain["poisson"].loglik + 50
    assert sd(found, "row") == pytest.approx(0.5, abs=0.15)


def test_a_million_rows_with_a_level_each_are_refused_at_once():
    n = 1_000_000
    data = pd.DataFrame({"k": np.arange(n), "b": np.arange(n) % 2, "y": np.arange(n) % 7})
    for family in ("gaussian", "binomial", "ordinal"):
        with pytest.raises(DesignError, match="k"):
            fit(family, "1 + (1 | k)", data.assign(o=data["b"]))


@pytest.mark.parametrize("family", OUTCOME)
def test_copies_of_a_grouping_are_told(data, family):
    names = np.random.default_rng(3).permutation(30)
    with pytest.raises(DesignError, match="g and twin split the rows in the same way"):
        fit(family, "x + (1 | g) + (1 | twin)", data.assign(twin=names[data["g"]]))


def test_copies_of_a_grouping_with_different_effects_are_one_grouping(data):
    apart = fit("gaussian", "x + (1 | g) + (0 + x | twin)", data.assign(twin=data["g"] + 7))
    assert apart.loglik == pytest.approx(fit("gaussian", "x + (x || g)", data).loglik, abs=1e-8)


@pytest.mark.parametrize("family", OUTCOME)
def test_nested_groups_written_as_crossed_are_the_same_model(data, family):
    data["k"] = data["g"] % 5
    crossed, nested = fit(family, "x + (1 | g) + (1 | k)", data), fit(family, "x + (1 | k/g)", data)
    assert crossed.converged
    assert crossed.loglik == pytest.approx(nested.loglik, abs=1e-8)
    np.testing.assert_allclose(crossed.params, nested.params, atol=1e-6)


def test_group_dummies_leave_reml_nothing_to_say(data):
    with pytest.raises(DesignError, match="REML says nothing"):
        fit("gaussian", "x + C(g) + (1 | g)", data)
    assert fit("gaussian", "x + C(g) + (1 | g)", data, method="ml").is_singular


@pytest.mark.parametrize("family", OUTCOME)
def test_two_levels_are_fitted_with_a_warning(data, family):
    found = fit(family, "x + (1 | k)", data.assign(k=data["g"] % 2))
    assert found.converged
    assert any("2 levels of k" in note for note in found.notes)


@pytest.mark.parametrize(
    "ids",
    [
        lambda g: (g + 98).astype("int8"),
        lambda g: (g + 32738).astype("int16"),
        lambda g: np.uint64(2**64 - 1) - g.to_numpy().astype("uint64"),
        lambda g: -g * 10**15 - 5,
        lambda g: g + 0.25,
        lambda g: g.astype(str),
        lambda g: g.astype("Int64"),
        lambda g: pd.Categorical(g, categories=range(-5, 100)),
        lambda g: pd.Timestamp("2020-01-01") + pd.to_timedelta(g, unit="D"),
    ],
)
def test_ids_of_any_kind_are_the_same_levels(data, plain, ids):
    found = fit("binomial", "x + (1 | k)", data.assign(k=ids(data["g"])))
    assert found.sample.groups == {"k": 30}
    assert found.loglik == pytest.approx(plain["binomial"].loglik, abs=1e-8)


def test_nested_ids_of_eight_bits_do_not_overflow(data):
    small = data.assign(k=(data["g"] + 98).astype("int8"), m=(data["h"] + 116).astype("int8"))
    wide = fit("gaussian", "x + (1 | g/h)", data)
    assert fit("gaussian", "x + (1 | k/m)", small).loglik == pytest.approx(wide.loglik, abs=1e-9)


@pytest.mark.parametrize("ids", [lambda v: v if v % 2 else str(v), lambda v: (v, 1)])
def test_ids_of_mixed_kinds_are_refused(data, ids):
    with pytest.raises(DesignError, match="Column k holds mixed"):
        fit("gaussian", "x + (1 | k)", data.assign(k=[ids(v) for v in data["g"]]))


# --- random slopes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z", "message"),
    [(0.0, "z of g are 0 in all rows"), (2.0, "linearly dependent"), ("copy", "linearly dependent")],
)
@pytest.mark.parametrize("family", OUTCOME)
def test_slopes_that_cannot_be_told_apart_are_named(data, family, z, message):
    with pytest.raises(DesignError, match=message):
        fit(family, "x + (1 + x + z | g)", data.assign(z=3 * data["x"] if z == "copy" else z))


@pytest.mark.parametrize("family", OUTCOME)
def test_fifteen_parameters_on_little_data_end_truthfully(data, family):
    levels = np.array(list("pqrst"))[np.random.default_rng(7).integers(0, 5, 600)]
    found = fit(family, "k + (k | g)", data.assign(k=levels).iloc[:200])
    assert found.converged
    assert found.is_singular
    assert any("Singular" in note for note in found.notes)


@pytest.mark.parametrize("family", OUTCOME)
def test_slopes_of_years_equal_slopes_of_years_since_the_first(data, family):
    """The covariance of intercept and slope moves with the origin; likelihood and slope do not."""
    data["year"] = 2015 + np.random.default_rng(7).integers(0, 11, 600)
    late = fit(family, "year + (1 + year | g)", data)
    early = fit(family, "year + (1 + year | g)", data.assign(year=data["year"] - 2015))
    assert late.loglik == pytest.approx(early.loglik, abs=1e-6)
    assert late.params["year"] == pytest.approx(early.params["year"], abs=1e-6)
    assert late.std_errors["year"] == pytest.approx(early.std_errors["year"], rel=1e-4)


@pytest.mark.parametrize("family", OUTCOME)
def test_slopes_of_a_covariate_constant_within_groups_end(data, family):
    data["z"] = np.random.default_rng(3).normal(size=30)[data["g"]]
    found = fit(family, "x + z + (1 + z | g)", data)
    assert found.converged
    assert found.loglik >= fit(family, "x + z + (1 | g)", data).loglik - 1e-7


# --- scales, weights, offsets -------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("family", OUTCOME)
def test_slopes_of_any_scale_have_the_same_likelihood(data, family, scale):
    near = fit(family, "x + (1 + x | g)", data)
    far = fit(family, "x + (1 + x | g)", data.assign(x=scale * data["x"]))
    change = np.log(scale) if family == "gaussian" else 0.0
    assert far.converged
    assert far.loglik + change == pytest.approx(near.loglik, abs=1e-6)
    assert far.params["x"] * scale == pytest.approx(near.params["x"], abs=1e-6)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_outcomes_of_any_scale_have_the_same_likelihood(data, plain, scale):
    found = fit("gaussian", "x + (1 | g)", data.assign(y=scale * data["y"]))
    assert found.loglik + (600 - 2) * np.log(scale) == pytest.approx(plain["gaussian"].loglik, abs=1e-6)
    assert sd(found, "g") / scale == pytest.approx(sd(plain["gaussian"], "g"), rel=1e-6)


@pytest.mark.parametrize("offset", [30.0, -500.0, 1e5])
@pytest.mark.parametrize("family", OUTCOME)
def test_offsets_of_any_size_move_the_intercept_alone(data, plain, family, offset):
    found = fit(family, "x + (1 | g)", data.assign(shift=offset), offset="shift")
    assert found.converged
    assert found.loglik == pytest.approx(plain[family].loglik, abs=1e-6)
    first = {"ordinal": "a|b"}.get(family, "(Intercept)")
    moved = found.params[first] - plain[family].params[first]
    assert moved == pytest.approx(offset if family == "ordinal" else -offset, rel=1e-9, abs=1e-5)
    np.testing.assert_allclose(found.predict(), plain[family].predict(), rtol=1e-4)


@pytest.mark.parametrize("family", OUTCOME)
def test_offsets_that_a_covariate_carries_move_its_coefficient_alone(data, plain, family):
    found = fit(family, "x + offset(I(300 * x)) + (1 | g)", data)
    assert found.loglik == pytest.approx(plain[family].loglik, abs=1e-6)
    assert found.params["x"] + 300 == pytest.approx(plain[family].params["x"], abs=1e-6)
    np.testing.assert_allclose(found.predict(data), found.predict(), rtol=1e-8)


@pytest.mark.parametrize("family", DISCRETE)
def test_offsets_beyond_all_computing_are_refused(data, family):
    with pytest.raises(DesignError, match="offset spans"):
        fit(family, "x + (1 | g)", data.assign(shift=1e6 * (data.index % 2)), offset="shift")


def test_offsets_against_the_data_do_not_leak_errors_of_other_kinds(data):
    data["shift"] = np.where(data.index % 2, 60.0, -60.0)
    for family in DISCRETE:
        try:
            assert np.isfinite(fit(family, "x + (1 | g)", data, offset="shift").loglik)
        except JobchanceError as error:
            assert "offset" in str(error)  # noqa: PT017


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e12])
@pytest.mark.parametrize("spread", [1.0, 1e6])
def test_weights_of_a_linear_model_have_no_scale(data, scale, spread):
    """Var(e) = sigma^2 / w: twice the weights are twice sigma^2, and the same model."""
    data["w"] = np.where(data.index % 2, spread, 1.0)
    near = fit("gaussian", "x + (1 | g)", data, weights="w")
    far = fit("gaussian", "x + (1 | g)", data.assign(w=scale * data["w"]), weights="w")
    assert far.converged
    assert far.loglik == pytest.approx(near.loglik, abs=1e-6)
    assert sd(far, "g") == pytest.approx(sd(near, "g"), rel=1e-5)
    assert sd(far, "Residual") == pytest.approx(sd(near, "Residual") * np.sqrt(scale), rel=1e-5)
    np.testing.assert_allclose(far.std_errors, near.std_errors, rtol=1e-5)


@pytest.mark.parametrize("family", ["poisson", "ordinal"])
def test_weights_that_make_no_row_are_refused(data, family):
    with pytest.raises(DesignError, match="weights sum to"):
        fit(family, "x + (1 | g)", data.assign(w=1e-12), weights="w")


def test_no_trials_and_shares_that_are_none_are_refused(data):
    data = data.assign(s=data["b"], f=1 - data["b"], w=3, share=0.4)
    data.loc[4, ["s", "f"]] = 0
    with pytest.raises(DesignError, match="No trial in 1 of 600"):
        fit_mixed("cbind(s, f) ~ x + (1 | g)", data, family="binomial")
    with pytest.raises(DesignError, match="not a whole number in 600"):
        fit_mixed("share ~ x + (1 | g)", data, family="binomial", weights="w")


@pytest.mark.parametrize("family", OUTCOME)
def test_infinite_values_are_counted_in_every_role(data, family):
    data.loc[3, "x"] = np.inf
    data["g"] = data["g"].astype(float).where(data.index != 2, -np.inf)
    with pytest.raises(DesignError, match=r"x \(1 row\), g \(1 row\)"):
        fit(family, "x + (x | g)", data)


@pytest.mark.parametrize("family", OUTCOME)
def test_missing_values_are_left_out_in_every_role(data, family):
    rng, full = np.random.default_rng(2), data.copy()
    data["g"] = data["g"].astype(float)
    for column in (OUTCOME[family], "x", "g"):
        data[column] = data[column].where(rng.random(600) > 0.1)
    kept = full.loc[data[[OUTCOME[family], "x", "g"]].notna().all(axis=1)]
    assert fit(family, "x + (1 | g)", data).loglik == pytest.approx(
        fit(family, "x + (1 | g)", kept).loglik, abs=1e-8
    )


@pytest.mark.parametrize("family", OUTCOME)
def test_collinear_covariates_are_left_out_and_said(data, plain, family):
    found = fit(family, "x + x + z + (1 | g)", data.assign(z=1 - data["x"]))
    assert found.loglik == pytest.approx(plain[family].loglik, abs=1e-8)
    assert any("z" in text for text in found.sample.dropped_terms)


# --- ordinal ------------------------------------------------------------------------------------------------


def test_empty_categories_in_the_middle_change_nothing_but_are_noted(data, plain):
    data["o"] = pd.Categorical(data["o"].astype(str), ["a", "unused", "b", "c", "d"], ordered=True)
    found = fit("ordinal", "x + (1 | g)", data)
    assert found.loglik == pytest.approx(plain["ordinal"].loglik, abs=1e-9)
    assert any("1 level of o left out" in note for note in found.notes)


def test_thirty_levels_are_fitted(data):
    noisy = data["eta"] + np.random.default_rng(0).logistic(size=600)
    found = fit("ordinal", "x + (1 | g) + (1 | h)", data.assign(o=pd.qcut(noisy, 30, labels=False)))
    assert found.converged
    assert np.all(np.diff(found.params.to_numpy()[:29]) > 0)


def test_reversed_order_turns_all_signs(data, plain):
    found = fit("ordinal", "x + (1 | g)", data.assign(o=data["o"].cat.reorder_categories(list("dcba"))))
    there, back = plain["ordinal"].params.to_numpy(), found.params.to_numpy()
    assert found.loglik == pytest.approx(plain["ordinal"].loglik, abs=1e-8)
    np.testing.assert_allclose(back, [-there[2], -there[1], -there[0], -there[3]], atol=1e-5)


# --- privacy ------------------------------------------------------------------------------------------------


def test_no_message_holds_an_identifier_or_a_value(data):
    secret = ["2410901234", "1503850987"]
    frame = pd.DataFrame({"id": np.repeat(secret, 4), "b": [0] * 4 + [1] * 4, "y": [977.25] * 8})
    frame["o"] = frame["c"] = frame["b"]
    wrong = [("gaussian", {}), ("binomial", {}), ("ordinal", {}), ("poisson", {"c": -977})]
    for family, change in wrong:
        with pytest.raises(JobchanceError) as raised:
            fit(family, "1 + (1 | id)", frame.assign(**change))
        assert not any(text in str(raised.value) for text in [*secret, "977"])


# --- no false zeros -----------------------------------------------------------------------------------------


def intercepts(data, groups):
    """Factors of random intercepts."""
    one = np.ones((len(data), 1))
    return [Factor(data[g].to_numpy(), int(data[g].max()) + 1, one, (1,)) for g in groups]


def linear_problem(data, groups, *, restricted=True):
    """The criterion of the linear model as a function of theta in the order of `groups`."""
    factors = intercepts(data, groups)
    arrangement = arrange_factors(factors)
    D = np.column_stack([np.ones(len(data)), data["x"], data["y"]])
    w = np.ones(len(data))

    def block(index, z, own):
        return LinearBlock(index, z, arrangement.slots, arrangement.partition, D=D[own], w=w[own])

    problem = LinearProblem(
        LocalPool(build_blocks(factors, arrangement, block)),
        arrangement.partition.layout,
        arrangement.slots,
        arrangement.templates,
        restricted=restricted,
    )
    return lambda theta: problem.evaluate(np.array([theta[i] for i in arrangement.order])).value


def schools(seed, district, *, school=1.5, residual=2.0, n_schools=2300, n_districts=131, rows=9):
    rng = np.random.default_rng(seed)
    of_school, n = rng.integers(0, n_districts, n_schools), n_schools * rows
    s, x = (
        np.concatenate([np.arange(n_schools), rng.integers(0, n_schools, n - n_schools)]),
        rng.normal(size=n),
    )
    y = (
        6
        + 2.5 * x
        + (district * rng.normal(size=n_districts)[of_school] + school * rng.normal(size=n_schools))[s]
    )
    return pd.DataFrame({"s": s, "d": of_school[s], "x": x, "y": y + residual * rng.normal(size=n)})


@pytest.mark.parametrize(("seed", "district"), [(0, 0.06), (1, 0.12), (2, 0.06), (3, 0.06), (4, 0.12)])
def test_small_variances_above_many_groups_are_at_the_optimum(seed, district):
    """2,300 schools in 131 districts: the profile over the sd of districts is nowhere lower."""
    data = schools(seed, district)
    found = fit_mixed("y ~ x + (1 | s) + (1 | d)", data)
    value = linear_problem(data, ["s", "d"])
    theta = [sd(found, g) / sd(found, "Residual") for g in ("s", "d")]
    best = value(theta)
    assert found.converged
    assert found.is_singular == (sd(found, "d") == 0)
    for trial in [0.0, *np.geomspace(0.002, 0.3, 25)]:
        for factor in (0.995, 1.0, 1.005):
            assert value([factor * theta[0], trial]) >= best - 1e-8


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("one", "other"), [(50.0, 0.05), (50.0, 0.3), (1000.0, 0.3), (1000.0, 50.0)])
def test_large_variances_do_not_hide_small_ones(seed, one, other):
    rng = np.random.default_rng(seed)
    a, b, x = rng.integers(0, 100, 3000), rng.integers(0, 20, 3000), rng.normal(size=3000)
    y = 0.5 * x + one * rng.normal(size=100)[a] + other * rng.normal(size=20)[b] + rng.normal(size=3000)
    data = pd.DataFrame({"a": a, "b": b, "x": x, "y": y})
    found = fit_mixed("y ~ x + (1 | a) + (1 | b)", data)
    value = linear_problem(data, ["a", "b"])
    theta = [sd(found, g) / sd(found, "Residual") for g in ("a", "b")]
    best = value(theta)
    assert found.converged or one > 50  # beyond, rounding may stop the search just short of its tolerance
    for trial in [0.0, *(theta[1] * np.geomspace(0.1, 10, 21)), *np.geomspace(0.005, 1, 21)]:
        assert value([theta[0], trial]) >= best - 1e-6


def test_a_hundredth_of_the_variance_is_seen_in_many_rows():
    rng = np.random.default_rng(1)
    g = rng.integers(0, 300, 200_000)
    y = 0.02 * rng.normal(size=300)[g] + rng.normal(size=200_000)
    found = fit_mixed("y ~ 1 + (1 | g)", pd.DataFrame({"g": g, "y": y}))
    between = pd.Series(y).groupby(g).mean()
    moments = between.var() - 1 / (200_000 / 300)
    assert sd(found, "g") == pytest.approx(np.sqrt(moments), rel=0.1)


def test_blocks_of_rows_do_not_change_the_criterion():
    data = schools(5, 0.1, n_schools=200, n_districts=20)
    factors = intercepts(data, "sd")
    arrangement = arrange_factors(factors)
    D, w = np.column_stack([np.ones(len(data)), data["x"], data["y"]]), np.ones(len(data))
    codes = [factors[i].codes for i in arrangement.order]
    values = []
    for parts in (1, 2, 5):
        blocks = []
        for k in range(parts):
            rows = np.flatnonzero(codes[0] % parts == k)
            for index in index_rows([c[rows] for c in codes], arrangement.partition):
                own = rows[index.rows]
                blocks.append(
                    LinearBlock(
                        index, np.ones((1, 2)), arrangement.slots, arrangement.partition, D=D[own], w=w[own]
                    )
                )
        problem = LinearProblem(
            LocalPool(blocks),
            arrangement.partition.layout,
            arrangement.slots,
            arrangement.templates,
            restricted=True,
        )
        state = problem.evaluate(np.array([0.7, 0.2]))
        values.append(np.append(state.gradient, state.value))
    np.testing.assert_allclose(values[1], values[0], rtol=1e-10)
    np.testing.assert_allclose(values[2], values[0], rtol=1e-10)
