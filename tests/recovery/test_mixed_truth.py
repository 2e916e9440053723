"""Mixed models of all families get the parameters back that data were made with."""

import numpy as np
import pandas as pd
import pytest

from jobchance import fit_mixed

DRAWS = 12
SLOPE, SD_G, SD_H = 0.5, 0.8, 0.5
CUTS = [-1.0, 0.5, 2.0]


def draw(seed, family, *, link="logit", groups=60, others=40, n=3000):
    """Crossed groups of two kinds; thresholds and intercept are those of eta = slope x."""
    rng = np.random.default_rng(seed)
    g, h, x = rng.integers(0, groups, n), rng.integers(0, others, n), rng.normal(size=n)
    eta = SLOPE * x + SD_G * rng.normal(size=groups)[g] + SD_H * rng.normal(size=others)[h]
    noise = {"logit": rng.logistic(size=n), "probit": rng.normal(size=n)}
    noise["cloglog"] = np.log(rng.exponential(size=n))
    outcome = {
        "gaussian": lambda: eta + rng.normal(size=n),
        "binomial": lambda: (eta + (-noise[link] if link == "cloglog" else noise[link]) > 0).astype(int),
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "ordinal": lambda: np.digitize(eta + noise[link], CUTS),
    }[family]()
    return pd.DataFrame({"g": g, "h": h, "x": x, "y": outcome})


def truth(family):
    first = (
        dict(zip(["0|1", "1|2", "2|3"], CUTS, strict=True)) if family == "ordinal" else {"(Intercept)": 0.0}
    )
    return first | {"x": SLOPE}


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("gaussian", {}),
        ("gaussian", {"method": "ml"}),
        ("binomial", {}),
        ("binomial", {"link": "probit"}),
        ("binomial", {"link": "cloglog"}),
        ("poisson", {}),
        ("ordinal", {}),
        ("ordinal", {"link": "probit"}),
        ("ordinal", {"link": "cloglog"}),
    ],
)
def test_crossed_models_recover_what_made_the_data(family, options):
    """Every estimate within 4 standard errors, mean z-scores and their spread as of the standard normal."""
    scores, sds = [], []
    for seed in range(DRAWS):
        data = draw(seed, family, link=options.get("link", "logit"))
        fit = fit_mixed("y ~ x + (1 | g) + (1 | h)", data, family=family, **options)
        assert fit.converged
        expected = truth(family)
        scores.append([(fit.params[t] - v) / fit.std_errors[t] for t, v in expected.items()])
        table = fit.tidy().query("effect == 'variance' and group in ('g', 'h')")
        sds.append(((table["estimate"] - [SD_G, SD_H]) / table["std_error"]).tolist())
    z = np.hstack([scores, sds])
    assert np.abs(z).max() < 4
    # The thresholds and the intercept of one draw move together: DRAWS independent rows.
    assert np.abs(z.mean(axis=0)).max() < 4 / np.sqrt(DRAWS)
    assert 0.4 < z[:, len(scores[0]) - 1].std(ddof=1) < 1.8


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "ordinal"])
def test_correlated_slopes_are_recovered(family):
    """Intercepts with sd 0.8, slopes with sd 0.5, correlation 0.5, over 150 groups of 25 rows."""
    found = []
    for seed in range(8):
        rng = np.random.default_rng(100 + seed)
        g, x = np.repeat(np.arange(150), 25), rng.normal(size=3750)
        b = rng.multivariate_normal([0, 0], [[0.64, 0.2], [0.2, 0.25]], size=150)
        eta = b[g, 0] + (0.5 + b[g, 1]) * x
        y = {
            "gaussian": lambda eta, rng: eta + rng.normal(size=3750),
            "binomial": lambda eta, rng: (eta + rng.logistic(size=3750) > 0).astype(int),
            "poisson": lambda eta, rng: rng.poisson(np.exp(eta)),
            "ordinal": lambda eta, rng: np.digitize(eta + rng.logistic(size=3750), CUTS),
        }[family](eta, rng)
        fit = fit_mixed("y ~ x + (1 + x | g)", pd.DataFrame({"g": g, "x": x, "y": y}), family=family)
        assert fit.converged
        parts = fit.variance_components.query("group == 'g'")
        found.append([fit.params["x"], *parts["sd"], parts["correlation"].iloc[1]])
    error = np.array(found) - [0.5, 0.8, 0.5, 0.5]
    # Laplace loses a few percent of the variances of binary outcomes with 25 rows per group.
    limit = 4 * error.std(axis=0, ddof=1) / np.sqrt(8) + (0.03 if family == "binomial" else 0.005)
    np.testing.assert_array_less(np.abs(error.mean(axis=0)), limit)


def test_quadrature_takes_the_bias_of_laplace_from_pairs():
    """Binary outcomes, three rows per group, sd 1.5: 11 points recover it, Laplace falls short."""
    sds = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        g = np.repeat(np.arange(1500), 3)
        y = (1.5 * rng.normal(size=1500)[g] + rng.logistic(size=4500) > 0).astype(int)
        data = pd.DataFrame({"g": g, "y": y})
        fits = [fit_mixed("y ~ 1 + (1 | g)", data, family="binomial", n_quad=k) for k in (1, 11)]
        sds.append([fit.variance_components["sd"].iloc[0] for fit in fits])
    laplace, quadrature = np.mean(sds, axis=0)
    assert quadrature == pytest.approx(1.5, abs=4 * np.std(sds, axis=0, ddof=1)[1] / np.sqrt(6))
    assert laplace < quadrature - 0.05
