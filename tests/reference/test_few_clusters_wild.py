"""The wild cluster bootstrap against wildboottest, and against refitting on the army platoons."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import REFERENCE

from jobchance import Cluster, fit_glm, fit_panel
from jobchance.inference.wild_bootstrap import wild_bootstrap

FOLDER = Path(__file__).parent / "clusters"
CASES = json.loads((FOLDER / "wildboottest_numbers.json").read_text(encoding="utf-8"))["cases"]


@pytest.fixture(scope="module")
def data():
    return pd.read_csv(FOLDER / "clusters_data.csv")


@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: f"{c['model']}-{c['term']}-{c['weights']}-{c['restricted']}"
)
def test_wildboottest(data, case):
    """All 512 sign vectors give the same t*; random Webb draws agree to four simulation errors."""
    fit = fit_glm(case["formula"], data, family="gaussian", vcov=Cluster("g"))
    made = wild_bootstrap(
        fit, case["term"], draws=99_999, weights=case["weights"], restricted=case["restricted"], seed=1
    )
    assert made.t == pytest.approx(case["t"], rel=1e-9)
    if case["weights"] == "rademacher":
        assert made.enumerated
        assert made.draws == case["draws"] == 512
        assert made.p_value == case["at_least"] / 512
        # Theirs counts draws above t only, and rounding decides about ties.
        assert made.p_value - made.ties / 512 <= case["p"] <= made.p_value
    else:
        p = case["at_least"] / case["draws"]
        error = np.sqrt(p * (1 - p) * 2 / case["draws"])
        assert made.p_value == pytest.approx(p, abs=4 * error + 1e-5)


@pytest.fixture(scope="module")
def platoons():
    path = REFERENCE / "data" / "pygmalion_army_case1302.csv"
    if not path.exists():
        pytest.skip(f"reference data are not available ({path})")
    frame = pd.read_csv(path)
    return frame.assign(told=(frame["Treat"] == "Pygmalion").astype(float))


def refitted(platoons, null):
    """t of the data and of all 2^10 sign vectors, one regression each."""
    y, x = platoons["Score"].to_numpy(), platoons["told"].to_numpy()
    company = pd.factorize(platoons["Company"])[0]
    D = np.eye(10)[company]
    X = np.column_stack([D, x])
    B = np.linalg.inv(X.T @ X)
    left = y - null * x
    mean = D @ np.linalg.lstsq(D, left, rcond=None)[0]

    def t(values):
        beta = B @ X.T @ values
        scores = X * (values - X @ beta)[:, None]
        sums = np.array([scores[company == g].sum(axis=0) for g in range(10)])
        n, k = 29, 2  # the slope, and the company effects as one since they are the clusters
        factor = 10 / 9 * (n - 1) / (n - k)
        return (beta[-1] - null) / np.sqrt(factor * (B @ sums.T @ sums @ B)[-1, -1])

    stars = [t(mean + null * x + (left - mean) * np.array(v)[company]) for v in product((1, -1), repeat=10)]
    return t(y), np.array(stars)


@pytest.mark.parametrize("null", [0.0, 3.0])
def test_army_platoons_by_full_enumeration(platoons, null):
    fit = fit_panel("Score ~ told", platoons, entity="Company", time=None, vcov=Cluster("Company"))
    assert fit.params["told"] == pytest.approx(7.220512821, abs=8e-8)
    made = wild_bootstrap(fit, "told", draws=1_024, seed=1, null=null)
    t, stars = refitted(platoons, null)
    assert made.enumerated
    assert made.t == pytest.approx(t, rel=1e-9)
    assert made.p_value == np.mean(np.abs(stars) >= abs(t) - 1e-9)
    assert made.p_upper == np.mean(stars >= t - 1e-9)
    assert made.ties == np.sum(np.abs(np.abs(stars) - abs(t)) < 1e-9)


def test_army_platoons_dummy_variables_give_the_same_p(platoons):
    """The factor of the variance differs, and with it t; the p-value does not."""
    absorbed = fit_panel("Score ~ told", platoons, entity="Company", time=None, vcov=Cluster("Company"))
    dummies = fit_glm("Score ~ told + C(Company)", platoons, family="gaussian", vcov=Cluster("Company"))
    one, two = (wild_bootstrap(fit, "told", draws=1_024, seed=1) for fit in (absorbed, dummies))
    assert one.p_value == two.p_value == 16 / 1_024
    assert (one.conf_low, one.conf_high) == pytest.approx((two.conf_low, two.conf_high), rel=1e-5)
    assert one.t != pytest.approx(two.t, rel=0.1)
