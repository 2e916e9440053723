"""Two raters of one trait: moments against known truth, other software's factor model, and bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.two_rater import fit_two_rater
from jobchance.numerics.two_rater import two_raters
from jobchance.panel.build import build_panel
from jobchance.simulate.bip import simulate_study

GAMMA = np.array([0.1, 0.3])


def draw(n, rng, *, shared=0.0, phi=0.8, with_covariate=False, gamma=GAMMA):
    """Two ratings with errors correlated `shared`, a proxy and an outcome with known effects."""
    trait = rng.normal(size=n)
    sex = rng.integers(0, 2, n).astype(float)
    common = rng.normal(size=n)
    errors = [np.sqrt(1 - shared) * rng.normal(size=n) + np.sqrt(shared) * common for _ in range(2)]
    first, second = trait + errors[0], phi * trait + 0.7 * errors[1]
    if with_covariate:
        trait = trait + sex
        first, second = first + sex, second + 2 * sex
    job = 0.5 * trait + gamma[0] * first + gamma[1] * second + rng.normal(size=n)
    frame = {"first": first, "second": second, "history": 0.6 * trait + rng.normal(size=n), "job": job}
    return pd.DataFrame(frame | {"sex": sex, "caseworker_id": rng.integers(0, 200, n).astype(str)})


def fitted(data, **options):
    defaults = {"outcome": "job", "raters": ("first", "second"), "proxy": "history"}
    return fit_two_rater(data, **(defaults | options))


def test_exact_moments_give_the_parameters_back():
    """Population moments, no sampling: an orthonormal sample with the covariance of the model."""
    phi, zeta, kappa = 0.8, 0.6, 0.5
    loadings = np.array(
        [
            [kappa + GAMMA[0] + GAMMA[1] * phi, GAMMA[0], GAMMA[1], 0, 1],
            [1, 1, 0, 0, 0],
            [phi, 0, 1, 0, 0],
            [zeta, 0, 0, 1, 0],
        ]
    )
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 5)))[0] * np.sqrt(40)
    Y, T1, T2, Z = (basis @ loadings.T).T
    found = dict(zip((s := two_raters(Y, T1, T2, Z)).names, s.estimates, strict=True))
    expected = {"gamma1": GAMMA[0], "gamma2": GAMMA[1], "kappa": kappa, "phi": phi, "zeta": zeta}
    assert {k: pytest.approx(v) for k, v in expected.items()} == {k: found[k] for k in expected}
    assert found["variance_trait"] == pytest.approx(1)


def test_the_influence_is_the_derivative_of_the_estimate_in_a_rows_weight():
    rng = np.random.default_rng(3)
    data = draw(60, rng)[["job", "first", "second", "history"]].to_numpy()
    data = data - data.mean(axis=0)
    solved = two_raters(*data.T)
    step = 1e-6
    for row in (0, 17, 42):
        weights = np.ones(60)
        weights[row] += step * 60
        heavier = data * np.sqrt(weights[:, None] / weights.mean())
        moved = two_raters(*heavier.T).estimates
        np.testing.assert_allclose(
            (moved - solved.estimates) / step, solved.influence[row], rtol=2e-3, atol=2e-3
        )


@pytest.mark.parametrize("with_covariate", [False, True])
def test_intervals_cover_the_true_effects(with_covariate):
    rng = np.random.default_rng(5)
    covered = np.zeros(2)
    for _ in range(200):
        fit = fitted(draw(1500, rng, with_covariate=with_covariate), covariates=["sex"] * with_covariate)
        ends = fit.conf_int()
        covered += ((ends["conf_low"] <= GAMMA) & (ends["conf_high"] >= GAMMA)).to_numpy()
    assert (np.abs(covered / 200 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 200)).all()


def test_raters_who_share_their_errors_mislead_and_the_card_says_that_nothing_shows_it():
    fit = fitted(draw(20_000, np.random.default_rng(6), shared=0.5))
    assert abs(fit.params["second"] - GAMMA[1]) > 4 * fit.std_errors["second"]
    checks = fit.diagnostics["checks"].set_index("assumption")
    assert checks.loc["independent_errors", "status"] == "doubtful"


def test_without_a_proxy_disagreement_alone_identifies_the_second_rater_on_one_scale():
    data = draw(40_000, np.random.default_rng(7), phi=1.0, gamma=(0.0, 0.3))
    fit = fitted(data, proxy=None)
    assert list(fit.params.index) == ["second"]
    assert abs(fit.params["second"] - 0.3) < 4 * fit.std_errors["second"]


def test_refusals_name_everything_that_is_missing():
    data = draw(50, np.random.default_rng(1)).assign(second=1.0)
    with pytest.raises(IdentificationError, match=r"50 citizens.*no variation in second") as caught:
        fitted(data)
    assert caught.value.missing == ("two_ratings", "ratings_vary")
    same = draw(500, np.random.default_rng(1))
    with pytest.raises(IdentificationError, match="no disagreement"):
        fitted(same.assign(second=same["first"]))
    with pytest.raises(SpecError, match="history, x"):
        fitted(data.drop(columns="history"), covariates=["x"])


def test_a_panel_gives_the_first_answers_of_two_caseworkers():
    panel = build_panel(simulate_study(seed=2, n_citizens=1500, optimism_effect=0.0))
    fit = fit_two_rater(panel)
    assert fit.nobs > 300
    assert fit.sample.groups["citizen_id"] == fit.nobs
    with pytest.raises(SpecError, match="work history"):
        fit_two_rater(panel, pair="citizen")
