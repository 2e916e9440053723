"""Odd data and arguments: rows with labels twice, few clusters, groups without variation, unknown columns."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.errors import DesignError, SpecError


@pytest.fixture(scope="module")
def panel():
    return jc.build_panel(jc.simulate_study(seed=1, n_citizens=900), covariates=["sex"])


@pytest.fixture(scope="module")
def weights(panel):
    return jc.attrition_weights(panel)


@pytest.fixture(scope="module")
def blank(panel):
    frame = panel.frame[["outcome", "expectation", "relation_weeks", "sex", "jobcentre_id"]].copy()
    known = np.random.default_rng(1).random(len(frame)) > 0.15
    return frame.assign(weeks=frame["relation_weeks"].astype(float).where(known))


def test_weighted_fit_by_few_clusters_counts_every_row(weights):
    """Rows of the drop-out models without a known outcome are in the scores, not in the regression."""
    vcov = jc.Cluster("jobcentre_id")
    fit = jc.weighted_fit("outcome ~ expectation", weights, vcov=vcov)
    again = jc.weighted_fit("outcome ~ expectation", weights).with_vcov(vcov)
    assert fit.inference.clusters == {"jobcentre_id": 10}
    np.testing.assert_allclose(fit.covariance, again.covariance)
    known = jc.weighted_fit("outcome ~ expectation", weights, vcov=vcov, estimated=False)
    np.testing.assert_allclose(fit.std_errors, known.std_errors, rtol=0.2)


def test_weighted_fit_by_few_clusters_is_the_stacked_sandwich(weights):
    """By hand: sums of the stacked scores by jobcentre, G/(G-1) (n-1)/(n-k)."""
    fit = jc.weighted_fit("outcome ~ expectation", weights, vcov=jc.Cluster("jobcentre_id"))
    rows = fit.need_rows("test")
    sums = pd.DataFrame(rows.row_scores).groupby(rows.column("jobcentre_id").to_numpy()).sum().to_numpy()
    n, k, G = len(rows.used), 2, 10
    made = G / (G - 1) * (n - 1) / (n - k) * rows.bread @ sums.T @ sums @ rows.bread
    np.testing.assert_allclose(fit.covariance, made, rtol=1e-10)


@pytest.mark.parametrize("kind", ["CR2", "CR3", "jackknife"])
def test_weighted_fit_refuses_kinds_that_its_stacked_equations_do_not_have(weights, kind):
    with pytest.raises(DesignError, match="kind="):
        jc.weighted_fit("outcome ~ expectation", weights, vcov=jc.Cluster("jobcentre_id", kind=kind))


def test_one_column_may_be_named_alone(panel):
    one, two = (jc.attrition_weights(panel, stabilise_by=given) for given in ("sex", ["sex"]))
    pd.testing.assert_series_equal(one.weights, two.weights)
    one, two = (jc.pattern_comparison(panel, landmark_wave=2, covariates=given) for given in ("sex", ["sex"]))
    assert one.params.equals(two.params)


def test_covariates_of_patterns_may_come_one_by_one(panel):
    one = jc.pattern_comparison(panel, landmark_wave=2, covariates=(name for name in ["sex", "wave"]))
    two = jc.pattern_comparison(panel, landmark_wave=2, covariates=["sex", "wave"])
    assert one.params.equals(two.params)


def test_patterns_take_the_degrees_of_freedom_of_their_own_slopes(panel):
    vcov = jc.Cluster("jobcentre_id", kind="CR2")
    fit = jc.pattern_comparison(panel, landmark_wave=2, vcov=vcov)
    assert fit.df.max() > fit.df.min()
    assert fit.df.iloc[-1] == fit.df.min()
    assert fit.diagnostics["test"]["df_resid"].iloc[0] == fit.df.min()


def test_fewer_clusters_than_patterns_have_no_test(panel):
    halves = panel.frame["citizen_id"].astype("category").cat.codes % 2
    split = replace(panel, frame=panel.frame.assign(half=halves))
    fit = jc.pattern_comparison(split, vcov=jc.Cluster("half"), min_citizens=20, min_events=2)
    assert fit.statistics["n_patterns"] == 3
    assert fit.diagnostics["test"]["p_value"].isna().all()
    assert any("fewer than patterns" in text for text in fit.remarks)


def test_an_exposure_that_does_not_vary_is_refused_in_words(panel):
    flat = replace(panel, frame=panel.frame.assign(expectation=1.0))
    with pytest.raises(DesignError, match="no association of its own in 2 of 2 patterns"):
        jc.pattern_comparison(flat, landmark_wave=2)


def test_rows_with_one_label_twice_are_filled_in_like_others(blank):
    halves = blank.reset_index(drop=True)
    middle = len(halves) // 2
    twice = halves.set_axis([*range(middle), *range(len(halves) - middle)])
    asked = {"seed": 1, "imputations": 2, "iterations": 2}
    one, two = (jc.multiple_imputation(d, "outcome ~ weeks", **asked) for d in (halves, twice))
    assert one.params.equals(two.params)
    only = halves["sex"] == halves["sex"].mode()[0]
    asked = {"term": "expectation", "seed": 1, "imputations": 2, "deltas": [10]}
    one = jc.delta_adjustment(halves, "outcome ~ expectation", only=only, **asked)
    two = jc.delta_adjustment(twice, "outcome ~ expectation", only=only.set_axis(twice.index), **asked)
    assert one.frame.equals(two.frame)


@pytest.mark.parametrize("known", [0, 2])
def test_columns_that_nothing_can_be_learnt_of_are_named(blank, known):
    column = pd.Series(np.nan, index=blank.index)
    column.iloc[:known] = range(known)
    with pytest.raises(DesignError, match=f"empty is known in {known} rows"):
        jc.multiple_imputation(blank.assign(empty=column), "outcome ~ empty + weeks", seed=1, imputations=2)


def test_predictors_that_determine_each_other_are_taken_once(blank):
    """A constant of each jobcentre beside effects of jobcentres, and a column twice."""
    level = blank.groupby("jobcentre_id")["relation_weeks"].transform("mean").astype(float)
    asked = {"seed": 1, "imputations": 2, "iterations": 2, "cluster_effects": ["jobcentre_id"]}
    fit = jc.multiple_imputation(
        blank.assign(level=level, twice=2 * level), "outcome ~ weeks", using=["level", "twice"], **asked
    )
    assert np.isfinite(fit.std_errors).all()
    assert fit.diagnostics["imputed"]["mean_imputed"].between(0, 2 * blank["weeks"].mean()).all()


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None])
def test_seeds_that_are_none_are_refused_alike(blank, seed):
    group = blank["sex"] == blank["sex"].mode()[0]
    with pytest.raises(SpecError, match="whole number of 0 or more"):
        jc.delta_adjustment(blank, "outcome ~ expectation", term="expectation", seed=seed, imputations=2)
    with pytest.raises(SpecError, match="whole number of 0 or more"):
        jc.multiple_imputation(blank, "outcome ~ weeks", seed=seed, imputations=2)
    with pytest.raises(SpecError, match="whole number of 0 or more"):
        jc.manski_bounds(blank["outcome"], group, bootstrap=20, seed=seed)
