"""F19: coefficients and joint test against independent arithmetic; imbalance is told from balance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from analytic_studies import POLICY, build_citizen_panel
from scipy.stats import kstest

from jobchance.findings import optimism_balance
from jobchance.findings.balance_columns import traits_of
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


def test_joint_test_is_the_wald_test_of_all_traits(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    joint = frame[frame["mark"] == "joint"].iloc[0]
    rows = optimism_rows(bip_panel)
    traits = traits_of(bip_study.tables["citizen"], rows["citizen_id"], covariates=(), policy=POLICY)
    table = pd.DataFrame({str(i): trait.values for i, trait in enumerate(traits)}).dropna()
    kept = rows.loc[table.index]
    cells = (kept["cell"].to_numpy()[:, None] == np.unique(kept["cell"])).astype(float)
    X = np.column_stack([table / table.std(), cells])
    reference = sm.OLS(kept["optimism_sd"].to_numpy(), X).fit(
        cov_type="cluster", cov_kwds={"groups": kept["caseworker_id"].astype("category").cat.codes}
    )
    q = len(traits)
    wald = reference.wald_test(np.eye(X.shape[1])[:q], use_f=True, scalar=True)
    assert (joint["df_traits"], joint["df_clusters"]) == (q, kept["caseworker_id"].nunique() - 1)
    assert joint["estimate"] == pytest.approx(float(wald.statistic), rel=1e-6)


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
