"""F19: coefficients and joint test against independent arithmetic; imbalance is told from balance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from analytic_studies import POLICY, build_citizen_panel
from scipy.stats import f, kstest

from jobchance.findings import optimism_balance
from jobchance.findings.balance_columns import Trait, traits_of
from jobchance.findings.optimism_rows import optimism_rows
from jobchance.panel.model import AnalysisPanel


def _built(study, panel):
    assert optimism_balance.needs(study, panel) == ()
    return optimism_balance.build(study, panel, policy=POLICY).frame


def _with_trait(study, panel, values, name="own_trait"):
    """The study and panel with one trait of citizens, as the panel's only covariate."""
    citizen = study.tables["citizen"].assign(**{name: values})
    meta = dict(panel.meta) | {"covariates": (name,)}
    return replace(study, tables={**study.tables, "citizen": citizen}), AnalysisPanel(
        panel.frame, panel.flow, meta
    )


def test_coefficient_is_the_standardised_regression_within_cells(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    found = frame[frame["level"] == "job_education_share_5y"].iloc[0]
    rows = optimism_rows(bip_panel)
    trait = rows["citizen_id"].map(
        bip_study.tables["citizen"].set_index("citizen_id")["job_education_share_5y"]
    )
    z = (trait - trait.mean()) / trait.std()
    dummies = (rows["cell"].to_numpy()[:, None] == np.unique(rows["cell"])).astype(float)
    reference = sm.OLS(z.to_numpy(), np.column_stack([rows["optimism_sd"], dummies])).fit(
        cov_type="cluster", cov_kwds={"groups": rows["caseworker_id"].astype("category").cat.codes}
    )
    assert found["estimate"] == pytest.approx(reference.params[0], rel=1e-7)
    assert (found["conf_high"] - found["conf_low"]) / 2 == pytest.approx(1.97 * reference.bse[0], rel=0.01)


def test_joint_test_is_the_clustered_score_test(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    joint = frame[frame["mark"] == "joint"].iloc[0]
    rows = optimism_rows(bip_panel)
    traits = traits_of(bip_study.tables["citizen"], rows["citizen_id"], covariates=(), policy=POLICY)
    table = pd.DataFrame({str(i): trait.values for i, trait in enumerate(traits)}).dropna()
    kept = rows.loc[table.index]
    cells = (kept["cell"].to_numpy()[:, None] == np.unique(kept["cell"])).astype(float)
    residual = sm.OLS(kept["optimism_sd"].to_numpy(), cells).fit().resid
    clean = np.column_stack([sm.OLS(table[c].to_numpy(), cells).fit().resid for c in table])
    scores = np.array(
        [
            (clean * residual[:, None])[(kept["caseworker_id"] == worker).to_numpy()].sum(axis=0)
            for worker in kept["caseworker_id"].unique()
        ]
    )
    G, q = scores.shape
    # the score statistic is G times the uncentred R-squared of a regression of ones on the scores
    L = G * sm.OLS(np.ones(G), scores).fit().rsquared
    assert (joint["df_traits"], joint["df_clusters"]) == (q, G - q)
    assert joint["estimate"] == pytest.approx(L / (G - L) * (G - q) / q, rel=1e-6)
    assert joint["p_value"] == pytest.approx(f.sf(joint["estimate"], q, G - q), rel=1e-6)


def test_a_trait_that_follows_optimism_is_found(bip_study, bip_panel):
    rows = bip_panel.frame.dropna(subset=["optimism"])
    outlook = rows.groupby("citizen_id")["optimism"].mean()
    noise = np.random.default_rng(1).normal(size=len(bip_study.tables["citizen"]))
    values = (
        bip_study.tables["citizen"]["citizen_id"].map(outlook).fillna(0) + noise * float(outlook.std()) * 2
    )
    frame = _built(*_with_trait(bip_study, bip_panel, values))
    joint = frame[frame["mark"] == "joint"].iloc[0]
    assert joint["p_value"] < 1e-6
    assert frame.loc[frame["mark"] == "coefficient", "conf_low"].iloc[0] > 0.2


def test_joint_test_keeps_its_size_under_random_traits(bip_study, bip_panel):
    p_values = []
    for seed in range(25):
        values = np.random.default_rng(seed).normal(size=len(bip_study.tables["citizen"]))
        frame = _built(*_with_trait(bip_study, bip_panel, values))
        p_values.append(float(frame.loc[frame["mark"] == "joint", "p_value"].iloc[0]))
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_many_traits_do_not_raise_false_alarms(bip_study, bip_panel):
    # The plain clustered Wald test rejects far too often with so many traits beside the clusters.
    some = sorted(bip_panel.frame["caseworker_id"].dropna().unique())[:100]
    rows = optimism_rows(
        AnalysisPanel(bip_panel.frame[bip_panel.frame["caseworker_id"].isin(some)], bip_panel.flow, {})
    )
    citizen = pd.factorize(rows["citizen_id"])[0]
    alarms = []
    for seed in range(60):
        noise = np.random.default_rng(seed).normal(size=(citizen.max() + 1, 20))[citizen]
        traits = [Trait(str(i), "", "", pd.Series(noise[:, i], index=rows.index)) for i in range(20)]
        alarms.append(optimism_balance._joint(rows, traits)["p_value"] < 0.05)
    assert sum(alarms) <= 9  # at a true size of 5 per cent, more than 9 of 60 has a chance of 0.1 per cent


def test_a_trait_said_twice_counts_once(bip_study, bip_panel):
    rows = optimism_rows(bip_panel)
    noise = np.random.default_rng(3).normal(size=len(rows))
    one = Trait("a", "", "", pd.Series(noise, index=rows.index))
    twice = Trait("b", "", "", pd.Series(2 * noise + 1, index=rows.index))
    assert optimism_balance._joint(rows, [one, twice]) == optimism_balance._joint(rows, [one])


def test_traits_are_words_and_categories_with_labels(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    rows = frame[frame["mark"] == "coefficient"].set_index("level")
    assert rows.loc["sex=2", "label_da"] == "kvinde"
    assert rows.loc["sex=2", "label_en"] == "woman"
    assert "any_intervention" not in set(rows.index)
    education = [level for level in rows.index if str(level).startswith("education=")]
    assert len(education) == bip_study.tables["citizen"]["education"].nunique() - 1


def test_constant_and_rare_categories_are_left_out(bip_study, bip_panel):
    constant = np.where(np.arange(len(bip_study.tables["citizen"])) == 0, "rare", "common")
    study, panel = _with_trait(bip_study, bip_panel, constant)
    rows = optimism_rows(panel)
    assert (
        traits_of(study.tables["citizen"], rows["citizen_id"], covariates=("own_trait",), policy=POLICY) == []
    )


def test_too_few_caseworkers_for_the_joint_test_give_no_number(bip_study, bip_panel):
    some = sorted(bip_panel.frame["caseworker_id"].dropna().unique())[:12]
    few = AnalysisPanel(
        bip_panel.frame[bip_panel.frame["caseworker_id"].isin(some)], bip_panel.flow, bip_panel.meta
    )
    joint = _built(bip_study, few)
    joint = joint[joint["mark"] == "joint"].iloc[0]
    assert np.isnan(joint["p_value"])
    assert np.isnan(joint["estimate"])


def test_needs_caseworkers_and_traits(bip_study, bip_panel):
    assert optimism_balance.needs(*build_citizen_panel(bip_study)) == ("need.optimism",)
    bare = replace(
        bip_study, tables={**bip_study.tables, "citizen": bip_study.tables["citizen"][["citizen_id"]]}
    )
    assert optimism_balance.needs(bare, bip_panel) == ("need.covariates",)
