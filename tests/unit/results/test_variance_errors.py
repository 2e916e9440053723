import numpy as np
import pandas as pd
import pytest
from scipy import stats

from jobchance import Fit, fit_mixed
from jobchance.results.variance import components

N_GROUPS = 40


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(N_GROUPS), 9)
    frame = pd.DataFrame({"g": g, "h": rng.integers(0, 30, len(g)), "x": rng.normal(1, 1, len(g))})
    frame["z"] = rng.normal(size=len(g))
    level, slope = rng.normal(0, 1.2, N_GROUPS), rng.normal(0, 0.8, N_GROUPS)
    frame["y"] = 2 + level[g] + (0.5 + slope[g] + 0.5 * level[g]) * frame["x"] + rng.normal(0, 1.5, len(g))
    frame["job"] = (frame["y"] + rng.logistic(size=len(g)) > 2.5).astype(int)
    return frame


def _deviance(data, log_sds, z, restricted):
    """-2 log-likelihood of y ~ x + (x | g) by dense matrices, at log sds and Fisher's z."""
    sds, r, sigma2 = np.exp(log_sds[:2]), np.tanh(z), np.exp(2 * log_sds[2])
    S = np.diag(sds) @ np.array([[1, r], [r, 1]]) @ np.diag(sds)
    X = np.column_stack([np.ones(len(data)), data["x"]])
    total, A, b = 0.0, np.zeros((2, 2)), np.zeros(2)
    blocks = []
    for _, rows in data.groupby("g"):
        Z = X[rows.index]
        V = Z @ S @ Z.T + sigma2 * np.eye(len(rows))
        W = np.linalg.inv(V)
        y = rows["y"].to_numpy()
        total += np.linalg.slogdet(V)[1]
        A, b = A + Z.T @ W @ Z, b + Z.T @ W @ y
        blocks.append((Z, W, y))
    beta = np.linalg.solve(A, b)
    total += sum((y - Z @ beta) @ W @ (y - Z @ beta) for Z, W, y in blocks)
    return total + (np.linalg.slogdet(A)[1] if restricted else 0.0)


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_errors_equal_those_of_a_dense_likelihood_on_another_scale(data, method):
    """The Hessian by (log sd, log sd, Fisher z, log sigma), differenced from dense matrices, inverted."""
    fit = fit_mixed("y ~ x + (x | g)", data, method=method)
    made = {(c.group, c.kind, c.term): c for c in components(fit)}
    a, b = made["g", "sd", "(Intercept)"], made["g", "sd", "x"]
    r, sigma = made["g", "cor", "(Intercept).x"], made["Residual", "sd", "residual"]
    at = np.array([np.log(a.estimate), np.log(b.estimate), np.arctanh(r.estimate), np.log(sigma.estimate)])

    def value(p):
        return _deviance(data, p[[0, 1, 3]], p[2], method == "reml")

    step, H = 2e-3, np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            e, f = step * np.eye(4)[i], step * np.eye(4)[j]
            corners = value(at + e + f) - value(at + e - f) - value(at - e + f) + value(at - e - f)
            H[i, j] = corners / (4 * step**2)
    errors = np.sqrt(np.diag(2 * np.linalg.inv(H)))
    assert a.std_error / a.estimate == pytest.approx(errors[0], rel=2e-4)
    assert b.std_error / b.estimate == pytest.approx(errors[1], rel=2e-4)
    assert r.std_error / (1 - r.estimate**2) == pytest.approx(errors[2], rel=2e-4)
    assert sigma.std_error / sigma.estimate == pytest.approx(errors[3], rel=2e-4)


def test_tidy_has_errors_and_intervals_of_possible_values(data):
    fit = fit_mixed("y ~ x + (x | g) + (1 | h)", data)
    tidy = fit.tidy().query("effect == 'variance'").set_index(["group", "term"])
    assert list(tidy.index) == [
        ("g", "sd__(Intercept)"),
        ("g", "sd__x"),
        ("g", "cor__(Intercept).x"),
        ("h", "sd__(Intercept)"),
        ("Residual", "sd__residual"),
    ]
    row = tidy.loc[("g", "sd__x")]
    assert np.log(row["conf_high"] / row["estimate"]) == pytest.approx(
        stats.norm.ppf(0.975) * row["std_error"] / row["estimate"]
    )
    assert row["conf_low"] * row["conf_high"] == pytest.approx(row["estimate"] ** 2)
    row = tidy.loc[("g", "cor__(Intercept).x")]
    assert row["estimate"] == pytest.approx(fit.variance_components["correlation"].iloc[1])
    assert -1 < row["conf_low"] < row["estimate"] < row["conf_high"] < 1
    narrow = fit.tidy(level=0.5).query("term == 'sd__x'").iloc[0]
    assert (
        narrow["conf_high"] - narrow["conf_low"]
        < tidy.loc[("g", "sd__x"), "conf_high"] - tidy.loc[("g", "sd__x"), "conf_low"]
    )
    pd.testing.assert_frame_equal(Fit.from_dict(fit.to_dict()).tidy(), fit.tidy())


def test_estimates_are_those_of_the_variance_components(data):
    fit = fit_mixed("job ~ x + (x + z | g) + (0 + z | h)", data, family="binomial")
    frame = fit.variance_components
    sds = [c.estimate for c in components(fit) if c.kind == "sd"]
    np.testing.assert_allclose(sds, frame["sd"].dropna(), rtol=1e-12)
    found = {c.term: c.estimate for c in components(fit) if c.kind == "cor"}
    assert found["(Intercept).x"] == pytest.approx(frame["correlation"].iloc[1], rel=1e-12)
    assert found["(Intercept).z"] == pytest.approx(frame["correlation"].iloc[2], rel=1e-12)
    assert found["x.z"] == pytest.approx(frame.loc[frame["term"] == "x.z", "correlation"].iloc[0], rel=1e-12)


def test_rescaled_slopes_rescale_their_errors(data):
    near = {(c.kind, c.term): c for c in components(fit_mixed("y ~ x + (x | g)", data))}
    far = {
        (c.kind, c.term): c for c in components(fit_mixed("y ~ x + (x | g)", data.assign(x=data["x"] * 1000)))
    }
    assert far["sd", "x"].std_error * 1000 == pytest.approx(near["sd", "x"].std_error, rel=1e-4)
    assert far["cor", "(Intercept).x"].std_error == pytest.approx(
        near["cor", "(Intercept).x"].std_error, rel=1e-4
    )


def test_on_the_boundary_there_is_no_error():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"g": np.repeat(np.arange(30), 4), "y": rng.normal(size=120)})
    frame["y"] -= frame.groupby("g")["y"].transform("mean") * 0.9
    fit = fit_mixed("y ~ 1 + (1 | g)", frame)
    assert fit.is_singular
    level, residual = components(fit)
    assert (level.estimate, np.isnan(level.std_error)) == (0.0, True)
    assert residual.std_error == pytest.approx(residual.estimate / np.sqrt(2 * 119), rel=1e-6)
    assert fit.tidy().loc[1, ["std_error", "conf_low", "conf_high"]].isna().all()
    assert "Singular" in fit.summary()


def test_information_criteria_count_correlations(data):
    """AIC and BIC of lme4 count theta, sigma and beta: 2 + 3 + 1."""
    fit = fit_mixed("y ~ x + (x | g)", data, method="ml")
    row = fit.glance().iloc[0]
    assert row["aic"] == pytest.approx(-2 * fit.loglik + 2 * 6)
    assert row["bic"] == pytest.approx(-2 * fit.loglik + np.log(len(data)) * 6)
    separate = fit_mixed("y ~ x + (x || g)", data, method="ml")
    assert separate.glance().iloc[0]["aic"] == pytest.approx(-2 * separate.loglik + 2 * 5)


@pytest.mark.parametrize(("kind", "free"), [("free", 4), ("symmetric", 3), ("equidistant", 2)])
def test_structured_thresholds_count_as_their_free_parameters(data, kind, free):
    answers = data.assign(answer=np.digitize(data["y"], [0, 2, 3, 5]))
    fit = fit_mixed("answer ~ x + (1 | g)", answers, family="ordinal", thresholds=kind)
    assert fit.glance().iloc[0]["aic"] == pytest.approx(-2 * fit.loglik + 2 * (free + 1 + 1))


def test_several_terms_of_one_group_are_read_together(data):
    fit = fit_mixed("y ~ x + (1 | g) + (0 + x | g) + (1 | h)", data)
    frame = fit.random_effects("g")
    assert frame.groupby("term").size().to_dict() == {"(Intercept)": N_GROUPS, "x": N_GROUPS}
    together = fit_mixed("y ~ x + (x || g) + (1 | h)", data)
    for term in ("(Intercept)", "x"):
        np.testing.assert_allclose(
            frame.loc[frame["term"] == term, "estimate"],
            together.random_effects("g").loc[lambda f, t=term: f["term"] == t, "estimate"],
            rtol=1e-5,
            atol=1e-7,
        )
    assert [c.std_error for c in components(fit)] == pytest.approx(
        [c.std_error for c in components(together)], rel=1e-4
    )


def test_summary_stands_in_the_usual_order(data):
    text = fit_mixed("y ~ x + (x + z | g) + (1 | h)", data).summary()
    parts = [
        "Formula",
        "AIC",
        "Random effects",
        "Rows used",
        "Fixed effects",
        "Standard errors",
        "Convergence",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "REML criterion" in text
    block = text[text.index("Random effects") : text.index("Rows used")].splitlines()
    correlations = [line.split()[-2:] for line in block if line.split()[:1] == ["z"]]
    fit = fit_mixed("y ~ x + (x + z | g) + (1 | h)", data)
    found = {c.term: c.estimate for c in components(fit) if c.kind == "cor"}
    shown = [float(text.replace("−", "-")) for text in correlations[0]]
    np.testing.assert_allclose(shown, [found["(Intercept).z"], found["x.z"]], atol=6e-4)
    assert max(map(len, text.splitlines())) <= 100


def test_summary_of_an_ordinal_model_sets_thresholds_apart(data):
    answers = data.assign(answer=np.digitize(data["y"], [0, 3]))
    text = fit_mixed("answer ~ x + (1 | g)", answers, family="ordinal").summary()
    assert text.index("Thresholds") < text.index("0|1") < text.index("Coefficients") < text.index("\nx ")
    assert "deviance" in text
