import numpy as np
import pandas as pd
import pytest
from scipy import stats

from jobchance import Cluster, Fit, Robust
from jobchance.errors import FormulaError, IdentificationError, SpecError
from jobchance.models.iv import fit_iv
from jobchance.numerics.iv_weak import anderson_rubin, anderson_rubin_set, effective_f


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    n = 400
    firm, office, year = rng.integers(0, 40, n), rng.integers(0, 6, n), rng.integers(0, 25, n)
    u = rng.normal(size=40)[firm] + rng.normal(size=n)
    z = rng.normal(size=(n, 3)) + rng.normal(size=(40, 3))[firm]
    a = 0.4 * z[:, 0] + 0.2 * z[:, 1] + 0.5 * u + rng.normal(size=n) + office
    b = 0.5 * z[:, 2] - 0.3 * u + rng.normal(size=n)
    x = rng.normal(size=n)
    y = 0.5 * a - 0.2 * b + x + u + 2 * office
    frame = pd.DataFrame({"y": y, "a": a, "b": b, "x": x, "z1": z[:, 0], "z2": z[:, 1], "z3": z[:, 2]})
    return frame.assign(firm=firm, office=office, year=year)


def residuals(frame, exogenous, columns):
    """Columns less their projection on an intercept and exogenous columns."""
    W = np.column_stack([np.ones(len(frame)), frame[exogenous]])
    values = np.column_stack([frame[c] for c in columns])
    return values - W @ np.linalg.lstsq(W, values, rcond=None)[0]


def clustered(scores, codes, k):
    """Sum of squared cluster sums with the small-sample factor."""
    sums = np.zeros((codes.max() + 1, scores.shape[1]))
    np.add.at(sums, codes, scores)
    G, n = len(np.unique(codes)), len(codes)
    return G / (G - 1) * (n - 1) / (n - k) * sums.T @ sums


# ---- absorbing and units -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["2sls", "liml", "fuller"])
@pytest.mark.parametrize("vcov", [Cluster("firm"), Robust(), "model"])
def test_absorbed_effects_are_those_of_dummy_variables(data, method, vcov):
    absorbed = fit_iv("y ~ x + [a ~ z1 + z2]", data, method=method, absorb=("office",), vcov=vcov)
    dummies = fit_iv("y ~ x + C(office) + [a ~ z1 + z2]", data, method=method, vcov=vcov)
    assert absorbed.terms == ("x", "a")
    for term in ("a", "x"):
        assert absorbed.params[term] == pytest.approx(dummies.params[term], rel=1e-9)
        # k counts the offices once in either way; only the intercept is not a term of its own.
        assert absorbed.std_errors[term] == pytest.approx(dummies.std_errors[term], rel=1e-9)
    for name in ("kappa", "first_stage_f", "effective_f", "wu_hausman_f", "anderson_rubin_f", "sargan"):
        assert absorbed.statistics[name] == pytest.approx(dummies.statistics[name], rel=1e-8)
    sets = [fit.diagnostics["anderson_rubin_set"].to_numpy() for fit in (absorbed, dummies)]
    assert sets[0] == pytest.approx(sets[1], rel=1e-7)


def test_units_of_measurement_do_not_matter(data):
    moved = data.assign(a=data.a * 1e-6, y=data.y * 1e5, z1=data.z1 * 1e7 + 3, x=data.x * 1e-2 + 100)
    first = fit_iv("y ~ x + [a ~ z1 + z2]", data, method="liml", vcov=Cluster("firm"))
    second = fit_iv("y ~ x + [a ~ z1 + z2]", moved, method="liml", vcov=Cluster("firm"))
    assert second.params["a"] / 1e11 == pytest.approx(first.params["a"], rel=1e-6)
    assert second.std_errors["a"] / 1e11 == pytest.approx(first.std_errors["a"], rel=1e-6)
    for name in ("effective_f", "hansen_j", "anderson_rubin_f"):
        assert second.statistics[name] == pytest.approx(first.statistics[name], rel=1e-6)
    sets = [fit.diagnostics["anderson_rubin_set"][["conf_low", "conf_high"]] for fit in (first, second)]
    assert sets[1].to_numpy() / 1e11 == pytest.approx(sets[0].to_numpy(), rel=1e-6)


def test_row_order_does_not_matter(data):
    first = fit_iv("y ~ x + [a ~ z1 + z2]", data, vcov=Cluster("firm"))
    second = fit_iv("y ~ x + [a ~ z1 + z2]", data.sample(frac=1, random_state=1), vcov=Cluster("firm"))
    assert second.cov.to_numpy() == pytest.approx(first.cov.to_numpy(), rel=1e-9)


def test_prediction_and_storing(data):
    fit = fit_iv("y ~ x + [a ~ z1 + z2]", data, vcov=Cluster("firm"))
    X = np.column_stack([np.ones(len(data)), data.x, data.a])
    names = ["(Intercept)", "x", "a"]
    assert fit.predict(data).to_numpy() == pytest.approx(X @ fit.params[names].to_numpy(), rel=1e-10)
    again = Fit.from_dict(fit.to_dict())
    assert again.predict(data).to_numpy() == pytest.approx(fit.predict(data).to_numpy(), rel=1e-12)
    assert again.summary() == fit.summary()
    assert again.diagnostics["anderson_rubin_set"].equals(fit.diagnostics["anderson_rubin_set"])
    robust = fit.with_vcov(Robust())
    assert robust.std_errors["a"] != fit.std_errors["a"]


# ---- strength ----------------------------------------------------------------------------------------------


def test_effective_f_equals_its_definition_under_clustering(data):
    found = fit_iv("y ~ x + [a ~ z1 + z2 + z3]", data, vcov=Cluster("firm")).statistics
    clean = residuals(data, ["x"], ["a", "z1", "z2", "z3"])
    d, Z = clean[:, 0], clean[:, 1:]
    v = d - Z @ np.linalg.lstsq(Z, d, rcond=None)[0]
    ZZ = Z.T @ Z
    meat = clustered(Z * v[:, None], data.firm.to_numpy(), 5)
    # tr(Q^{-1/2} W Q^{-1/2}) = tr(Q^{-1} W), Montiel Olea and Pflueger (2013), equation for F_eff
    expected = d @ Z @ np.linalg.solve(ZZ, Z.T @ d) / np.trace(np.linalg.solve(ZZ, meat))
    assert found["effective_f"] == pytest.approx(expected, rel=1e-9)


def test_with_one_instrument_all_measures_of_strength_agree(data):
    found = fit_iv("y ~ x + [a ~ z1]", data, vcov=Cluster("firm", "year")).statistics
    assert found["effective_f"] == pytest.approx(found["first_stage_f"], rel=1e-10)
    assert found["kleibergen_paap_f"] == pytest.approx(found["first_stage_f"], rel=1e-10)
    assert found["effective_f_critical"] == pytest.approx(23.1085, abs=1e-4)


@pytest.mark.parametrize(("k", "published"), [(1, 23.11), (2, 19.29), (3, 17.67), (5, 16.09), (10, 14.56)])
def test_critical_values_of_equal_variances_are_near_the_published_ones(k, published):
    # Spherical V has k effective degrees of freedom; quantiles of chi2_k(10 k) / k.
    _, critical = effective_f(np.ones(k), np.eye(k))
    assert critical == pytest.approx(stats.ncx2.ppf(0.95, k, 10 * k) / k, rel=1e-10)


def test_the_rank_test_without_clusters_is_cragg_and_donald(data):
    found = fit_iv("y ~ x + [a + b ~ z1 + z2 + z3]", data, vcov="model").statistics
    clean = residuals(data, ["x"], ["a", "b", "z1", "z2", "z3"])
    D, Z = clean[:, :2], clean[:, 2:]
    explained = Z @ np.linalg.lstsq(Z, D, rcond=None)[0]
    sigma = (D - explained).T @ (D - explained) / (len(data) - 5)
    smallest = np.linalg.eigvals(np.linalg.solve(sigma, explained.T @ explained)).real.min()
    assert found["kleibergen_paap_f"] == pytest.approx(smallest / 3, rel=1e-9)


def test_several_endogenous_variables_have_no_effective_f_and_no_set(data):
    fit = fit_iv("y ~ x + [a + b ~ z1 + z2 + z3]", data, vcov=Cluster("firm"))
    assert {"first_stage_f(a)", "first_stage_f(b)", "anderson_rubin_f"} <= set(fit.statistics)
    assert "effective_f" not in fit.statistics
    assert list(fit.diagnostics) == ["first_stage", "reduced_form"]
    assert set(fit.diagnostics["first_stage"]["endogenous"]) == {"a", "b"}


# ---- Anderson-Rubin ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("instruments", [["z1"], ["z1", "z2"], ["z1", "z2", "z3"]])
@pytest.mark.parametrize("weak", [False, True])
def test_the_set_is_what_a_grid_of_clustered_regressions_finds(data, instruments, weak):
    frame = data.assign(a=data.b if weak else data.a)
    fit = fit_iv(f"y ~ x + [a ~ {' + '.join(instruments)}]", frame, vcov=Cluster("firm"))
    parts = fit.diagnostics["anderson_rubin_set"]
    L = len(instruments)
    clean = residuals(frame, ["x"], ["y", "a", *instruments])
    Z = clean[:, 2:]
    critical = stats.f.ppf(0.95, L, 39)

    def ar(b):
        u = clean[:, 0] - b * clean[:, 1]
        v = u - Z @ np.linalg.lstsq(Z, u, rcond=None)[0]
        g = Z.T @ u
        return g @ np.linalg.solve(clustered(Z * v[:, None], frame.firm.to_numpy(), 2 + L), g) / L

    assert fit.statistics["anderson_rubin_f"] == pytest.approx(ar(0.0), rel=1e-9)
    for b in np.concatenate([np.linspace(-30, 30, 601), [-1e6, 1e6]]):
        inside = bool(((parts["conf_low"] <= b) & (b <= parts["conf_high"])).any())
        assert inside == (ar(b) <= critical), b


@pytest.mark.parametrize(
    ("g_y", "g_d", "kind"),
    [
        ([0.0], [10.0], "interval"),
        ([3.0], [0.5], "rays"),
        ([0.5], [0.5], "line"),
        ([9.0, -9.0], [9.0, 9.0], "empty"),
    ],
)
def test_all_shapes_of_the_set(g_y, g_d, kind):
    g_y, g_d = np.array(g_y), np.array(g_d)
    V = np.eye(2 * len(g_y))
    parts = anderson_rubin_set(g_y, g_d, V, 3.84)
    ends = [end for part in parts for end in part]
    shape = {
        "interval": len(parts) == 1 and np.isfinite(ends).all(),
        "rays": len(parts) == 2 and ends[0] == -np.inf and ends[3] == np.inf and ends[1] < ends[2],
        "line": ends == [-np.inf, np.inf],
        "empty": not parts,
    }
    assert shape[kind]
    for end in ends:
        if np.isfinite(end):
            assert anderson_rubin(end, g_y, g_d, V) == pytest.approx(3.84, rel=1e-9)


def test_an_empty_set_is_told_truthfully():
    rng = np.random.default_rng(1)
    n = 2_000
    z = rng.normal(size=(n, 2))
    a = z.sum(axis=1) + rng.normal(size=n)
    y = z[:, 0] - z[:, 1] + rng.normal(size=n)
    fit = fit_iv("y ~ [a ~ z1 + z2]", pd.DataFrame({"y": y, "a": a, "z1": z[:, 0], "z2": z[:, 1]}))
    assert len(fit.diagnostics["anderson_rubin_set"]) == 0
    assert any("empty. No value agrees" in remark for remark in fit.remarks)
    assert fit.statistics["hansen_j_p"] < 1e-10
    assert Fit.from_dict(fit.to_dict()).summary() == fit.summary()


def test_a_useless_instrument_is_told_truthfully():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=["y", "a", "z"])
    fit = fit_iv("y ~ [a ~ z]", frame)
    table = fit.diagnostics["anderson_rubin_set"]
    assert table["conf_low"].iloc[0] == -np.inf
    assert any(remark.startswith("Weak instruments") for remark in fit.remarks)


# ---- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "options", "missing"),
    [
        ("y ~ [a + b ~ z1]", {}, ("instrument",)),
        ("y ~ [a ~ k]", {"absorb": ("office",)}, ("instrument",)),
        ("y ~ [k ~ z1]", {"absorb": ("office",)}, ("exposure",)),
        ("y ~ x + [x2 ~ z1]", {}, ("exposure",)),
        (
            "y ~ [k ~ k2]",
            {"absorb": ("office",), "vcov": Cluster("one")},
            ("exposure", "instrument", "clusters"),
        ),
        ("y ~ [a ~ C(row)]", {"absorb": ("office",)}, ("rows",)),
    ],
)
def test_what_cannot_be_identified_says_what_is_missing(data, formula, options, missing):
    frame = data.assign(
        k=data.office * 2.0, k2=data.office**2, one=1, x2=3 * data.x + 1, row=np.arange(len(data))
    )
    with pytest.raises(IdentificationError) as caught:
        fit_iv(formula, frame, **options)
    assert caught.value.missing == missing


@pytest.mark.parametrize(
    ("formula", "options", "error", "message"),
    [
        ("y ~ x", {}, FormulaError, "no instruments"),
        ("y ~ [a ~ z1] + (1 | firm)", {}, FormulaError, "no random effects"),
        ("y ~ [a ~ z1]", {"method": "tsls"}, SpecError, "Did you mean '2sls'"),
        ("y ~ [a ~ z1]", {"method": "fuller", "alpha": -1}, SpecError, "above 0"),
        ("y ~ [a ~ z1]", {"absorb": "office"}, SpecError, "several columns"),
        ("y ~ [a ~ z1]", {"leave_out": "firm"}, SpecError, "leave_out goes with a jackknife"),
        ("y ~ [a ~ z1]", {"absorb": ("nowhere",)}, FormulaError, "not in the data"),
        ("y ~ [a + b ~ C(firm)]", {"method": "ujive"}, FormulaError, "takes one endogenous"),
        ("y ~ 0 + [a ~ C(firm)]", {"method": "ujive"}, FormulaError, "needs an intercept"),
        (
            "y ~ [a ~ C(firm)]",
            {"method": "ujive", "absorb": ("office", "year")},
            SpecError,
            "absorbs one column",
        ),
    ],
)
def test_hostile_arguments_are_refused(data, formula, options, error, message):
    with pytest.raises(error, match=message):
        fit_iv(formula, data, **options)


def test_an_instrument_that_adds_nothing_is_named(data):
    fit = fit_iv(
        "y ~ x + [a ~ z1 + z4 + k]", data.assign(z4=data.z1 + data.x, k=data.office), absorb=("office",)
    )
    assert fit.statistics["n_instruments"] == 1
    assert {"z4", "k"} == {term.split(" (")[0] for term in fit.sample.dropped_terms}


def test_more_instruments_than_clusters_leave_joint_tests_out(data):
    fit = fit_iv("y ~ [a ~ C(firm)]", data, vcov=Cluster("office"))
    assert "first_stage_f" not in fit.statistics
    assert "effective_f" in fit.statistics
    assert "anderson_rubin_set" not in fit.diagnostics
    assert any("39 instruments and 6 clusters" in remark for remark in fit.remarks)
    assert not fit.diagnostics["first_stage"]["term"].str.contains("firm[", regex=False).any()
    assert "firm[" not in str(fit.to_dict())


def test_the_default_clusters_by_caseworker(data):
    fit = fit_iv("y ~ [a ~ z1]", data.rename(columns={"firm": "caseworker_id"}))
    assert dict(fit.inference.clusters) == {"caseworker_id": 40}
    assert fit_iv("y ~ [a ~ z1]", data).inference.kind == "HC1"
