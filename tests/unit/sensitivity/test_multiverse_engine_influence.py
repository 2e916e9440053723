"""What clusters add to an estimate: sums, variances and scores under no difference."""

import numpy as np
import pandas as pd
import pytest
from multiverse_engine_cases import WHOLE, gappy_panel, random_specifications, workbench

from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.sensitivity.multiverse.workbench import Workbench


@pytest.fixture(scope="module")
def panel():
    return gappy_panel(n_citizens=400)


def factor(G, n, k):
    return G / (G - 1) * (n - 1) / (n - k)


def test_squares_of_influences_are_the_clustered_variance(panel):
    cluster = "jobcentre_id"
    covariates = ("birth_year", "score")
    base = {"covariates": covariates, "vcov": f"cluster:{cluster}"}
    specs = [
        Specification(**WHOLE, **base),
        Specification(**WHOLE, **base, estimator="logit"),
        Specification(**WHOLE, **base, estimator="mixed", random=("(1 | jobcentre_id)",)),
    ]
    bench = workbench(panel, specs, scale="sd")
    for spec, row, found in zip(specs, bench.evaluate(specs), bench.influence(specs, cluster), strict=True):
        inside = found.psi[found.psi != 0]
        assert len(inside) == row["n_clusters"]
        variance = factor(len(inside), row["n_rows"], 4) * np.sum(inside**2)
        assert np.sqrt(variance) == pytest.approx(row["std_error"], rel=1e-7), spec.estimator
        assert found.estimate == row["estimate"]
        assert found.psi.sum() == pytest.approx(0, abs=1e-5 * np.abs(inside).max())


def test_shared_and_fitted_influences_are_the_same(panel):
    specs = random_specifications(36, seed=5)
    shared = workbench(panel, specs)
    (key,) = shared.panels
    terms = sorted({term for spec in specs for term in spec.covariates})
    alone = Workbench(shared.panels, scale="unit", level=0.95, common_covariates=terms)
    assert key[0] == "job"
    compared = 0
    for spec, one, other in zip(
        specs, shared.influence(specs, "citizen_id"), alone.influence(specs, "citizen_id"), strict=True
    ):
        assert (one is None) == (other is None)
        if one is not None:
            compared += 1
            scale = np.abs(other.psi).max()
            assert one.psi == pytest.approx(other.psi, abs=1e-8 * scale), spec
            assert one.share == pytest.approx(other.share, abs=1e-8)
            assert one.share.sum() == pytest.approx(1)
            assert one.estimate == pytest.approx(other.estimate, rel=1e-9)
    assert compared > 30


def test_scores_under_no_difference_are_those_of_the_restricted_regression(panel):
    specs = [Specification(**WHOLE, covariates=("birth_year", "sex"), vcov=v) for v in ("model", "robust")]
    specs += [Specification(**WHOLE, covariates=("sex",), vcov=v) for v in ("model", "robust")]
    bench = workbench(panel, specs)
    found, *_ = bench.influence(specs, "citizen_id")
    rows = panel.frame.iloc[bench.sample(specs[0]).positions]
    Z = np.column_stack([np.ones(len(rows)), rows["birth_year"], rows["sex"]]).astype(float)
    x, y = rows["belief"].to_numpy(float), rows["outcome"].to_numpy(float)
    rest = x - Z @ np.linalg.lstsq(Z, x, rcond=None)[0]
    residual = y - Z @ np.linalg.lstsq(Z, y, rcond=None)[0]  # without the exposure
    scores = pd.Series(100 * rest * residual / (rest @ rest)).groupby(rows["citizen_id"].to_numpy()).sum()
    mine = found.psi + found.estimate * found.share
    assert np.sort(mine[found.share > 0]) == pytest.approx(np.sort(scores.to_numpy()), abs=1e-9)
    assert mine.sum() == pytest.approx(found.estimate)


def test_places_are_common_to_all_specifications_and_lost_clusters_stand_last(panel):
    specs = [Specification(**WHOLE, vcov="model", waves=waves) for waves in ((1, 1), (None, None))]
    specs.append(Specification(**WHOLE, estimator="rung:raw_gradient", vcov="own"))
    specs.append(Specification(**WHOLE, covariates=("nothing",)))
    bench = Workbench(
        {("job", 52, "not_in_job"): panel}, scale="unit", level=0.95, common_covariates=("birth_year",)
    )
    first, whole, rung, failed = bench.influence(specs, "caseworker_id")
    assert rung is None
    assert failed is None
    levels = pd.factorize(panel.frame["caseworker_id"])[0]
    assert bench.n_clusters("caseworker_id") == levels.max() + 2
    positions = bench.sample(specs[0]).positions
    seen = {int(code) if code >= 0 else levels.max() + 1 for code in levels[positions]}
    assert set(np.flatnonzero(first.share).tolist()) == seen
    assert whole.share[-1] > 0
