import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, Robust, fit_glm, fit_iv, fit_panel
from jobchance.errors import SpecError
from jobchance.inference.cluster_diagnostics import cluster_diagnostics
from jobchance.inference.cluster_jackknife import cluster_jackknife


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    sizes = [6, 8, 10, 12, 24]
    g = np.repeat(np.arange(5), sizes)
    n = len(g)
    frame = pd.DataFrame(
        {"g": [f"office-{i}" for i in g], "code": g, "x": rng.normal(size=n), "w": rng.normal(size=n)}
    )
    frame["t"] = (g == 3).astype(float)
    frame["u"] = np.isin(g, [1, 4]).astype(float)
    frame["person"] = np.arange(n) // 2
    frame["wave"] = np.arange(n) % 2
    frame["b"] = (rng.normal(size=n) + frame["x"] > 0).astype(int)
    frame["y"] = 0.4 * frame["x"] + rng.normal(size=5)[g] + rng.normal(size=n)
    return frame


def by_hand(data, column, others):
    """Covariate less what the others explain."""
    W = np.column_stack([np.ones(len(data)), *(data[name] for name in others)])
    return data[column] - W @ np.linalg.lstsq(W, data[column], rcond=None)[0]


def test_effective_numbers_by_their_definition(data):
    fit = fit_glm("y ~ x + u", data, family="gaussian", vcov=Cluster("g"))
    made = cluster_diagnostics(fit, "u").terms.iloc[0]
    z = by_hand(data, "u", ["x"])
    for rho, name in ((0, "effective_rho0"), (1, "effective_rho1")):
        gamma = z.groupby(data["g"]).apply(lambda v, r=rho: r * v.sum() ** 2 + (1 - r) * (v**2).sum())
        expected = 5 / (1 + np.mean((gamma / gamma.mean() - 1) ** 2))
        assert made[name] == pytest.approx(expected, rel=1e-10)


def test_equal_clusters_count_in_full():
    frame = pd.DataFrame({"g": np.repeat(range(6), 4), "x": np.tile([0.0, 1, 2, 3], 6)})
    frame["y"] = np.random.default_rng(1).normal(size=24)
    fit = fit_glm("y ~ x", frame, family="gaussian", vcov=Cluster("g"))
    made = cluster_diagnostics(fit, "x")
    assert made.terms["effective_rho0"].item() == pytest.approx(6)
    assert made.frame["partial_leverage"].to_numpy() == pytest.approx(np.full(6, 1 / 6))


def test_leverage_and_leave_one_out_by_refitting(data):
    fit = fit_glm("y ~ x + u", data, family="gaussian", vcov=Cluster("g"))
    frame = cluster_diagnostics(fit).frame
    assert frame.groupby("term")["leverage"].sum().to_numpy() == pytest.approx(np.full(3, 3))
    assert frame.groupby("term")["partial_leverage"].sum().to_numpy() == pytest.approx(np.ones(3))
    X = np.column_stack([np.ones(len(data)), data["x"], data["u"]])
    H = X @ np.linalg.inv(X.T @ X) @ X.T
    ordered = data["code"].value_counts().index  # by size, no ties here
    x_rows = frame[frame["term"] == "x"]
    for row, code in zip(x_rows.to_dict("records"), ordered, strict=True):
        rows = data["code"] == code
        refit = fit_glm("y ~ x + u", data[~rows], family="gaussian", vcov="model")
        assert row["estimate_without"] == pytest.approx(refit.params["x"], rel=1e-10)
        assert row["leverage"] == pytest.approx(np.diag(H)[rows].sum())
        assert row["rows"] == rows.sum()


def test_no_cluster_is_named(data):
    made = cluster_diagnostics(fit_glm("y ~ x", data, family="gaussian", vcov=Cluster("g")))
    assert "office-" not in made.summary() + repr(made) + made.frame.to_string() + made.terms.to_string()
    assert made.frame["cluster"].tolist() == [1, 2, 3, 4, 5] * 2


def test_one_exposed_cluster_is_said(data):
    fit = fit_glm("y ~ x + t", data, family="gaussian", vcov=Cluster("g"))
    made = cluster_diagnostics(fit, "t")
    assert made.terms["lost"].item() == 1
    assert any("would not be identified" in note for note in made.notes)
    assert np.isnan(fit.with_vcov(Cluster("g", kind="jackknife")).std_errors["t"])
    assert fit.with_vcov(Cluster("g", kind="jackknife")).std_errors["x"] > 0
    adjusted = fit.with_vcov(Cluster("g", kind="CR2"))
    assert adjusted.std_errors["t"] > 0
    assert any("1 term is not identified without one of the clusters of g" in note for note in adjusted.notes)


def test_absorbed_cluster_effects_leave_one_choice_of_rho(data):
    fit = fit_panel("y ~ x + w", data, entity="g", time=None, vcov=Cluster("g"))
    terms = cluster_diagnostics(fit).terms
    assert terms["effective_rho1"].isna().all()
    assert (terms["effective_rho0"] > 1).all()


def test_other_regressions(data):
    logit = fit_glm("b ~ x", data, family="binomial", vcov=Cluster("g"))
    assert cluster_diagnostics(logit).frame["estimate_without"].isna().all()
    iv = fit_iv("y ~ [x ~ w]", data, vcov=Cluster("g"))
    assert any("least squares only" in note for note in cluster_diagnostics(iv, "x").notes)
    probit = fit_glm("b ~ x", data, family="binomial", link="probit", vcov=Cluster("g"))
    with pytest.raises(SpecError, match="not for binomial probit"):
        cluster_diagnostics(probit)
    with pytest.raises(SpecError, match="needs clusters"):
        cluster_diagnostics(logit.with_vcov(Robust()))


def test_few_clusters_speak_in_every_fit(data):
    fit = fit_glm("y ~ x + u", data, family="gaussian", vcov=Cluster("g"))
    (note,) = [text for text in fit.notes if "Only 5 clusters of g" in text]
    assert "wild_bootstrap" in note
    assert "CR2" in note
    terms = cluster_diagnostics(fit).terms.set_index("term")
    smaller = terms[["effective_rho0", "effective_rho1"]].min(axis=1)
    smaller["x"] = terms.loc["x", "effective_rho0"]  # varies by row, u by cluster
    effective = dict(zip(fit.terms, fit.inference.effective_clusters, strict=True))
    assert np.isnan(effective["(Intercept)"])
    for name in ("x", "u"):
        assert effective[name] == pytest.approx(smaller[name])
    assert f"effectively {min(effective['x'], effective['u']):.1f}" in note
    assert "effectively" in fit.summary()
    assert type(fit).from_dict(fit.to_dict()).inference.effective_clusters[1] == effective["x"]


def test_many_clusters_are_not_warned_of(data):
    fit = fit_glm("y ~ x", data, family="gaussian", vcov=Cluster("person"))
    assert fit.inference.effective_clusters == ()
    assert not any("clusters" in note for note in fit.notes)


@pytest.mark.parametrize("absorbed", [False, True])
def test_jackknife_equals_refitting(data, absorbed):
    def fitted(rows):
        if absorbed:
            return fit_panel("y ~ x + w", rows, entity="wave", time=None, vcov=Cluster("g"))
        return fit_glm("y ~ x + w", rows, family="gaussian", vcov=Cluster("g"))

    fit = fitted(data)
    made = cluster_jackknife(fit)
    refits = np.array(
        [fitted(data[data["code"] != code]).params.to_numpy() for code in data["code"].value_counts().index]
    )
    np.testing.assert_allclose(made.estimates.to_numpy(), refits, rtol=1e-9)
    table = made.table.set_index("term").loc["x"]
    place = list(fit.terms).index("x")
    change = refits[:, place] - fit.params["x"]
    assert table["std_error"] == pytest.approx(np.sqrt(4 / 5 * np.sum(change**2)))
    assert table["std_error"] == pytest.approx(fit.with_vcov(Cluster("g", kind="jackknife")).std_errors["x"])
    assert table["bias"] == pytest.approx(4 * change.mean())
    assert table["std_error_centred"] <= table["std_error"]
    kept = fit.with_vcov(Cluster("g", kind="jackknife")).conf_int().loc["x"]
    assert table["conf_low"] == pytest.approx(kept["conf_low"])


def test_jackknife_refusals(data):
    iv = fit_iv("y ~ [x ~ w]", data, vcov=Cluster("g"))
    with pytest.raises(SpecError, match="exact for least squares"):
        cluster_jackknife(iv)
    two = fit_glm("y ~ x", data, family="gaussian", vcov=Cluster("g", "wave"))
    with pytest.raises(SpecError, match="one column"):
        cluster_jackknife(two)
