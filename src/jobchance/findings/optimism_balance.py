"""F19: citizens' traits against the optimism of their caseworker, within jobcentre and period."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import f as fisher

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.balance_columns import TRAITS, Trait, traits_of
from jobchance.findings.context import add_context, counts, interval_key
from jobchance.findings.model import Finding
from jobchance.findings.optimism_rows import optimism_needs, optimism_rows
from jobchance.models.glm import fit_glm
from jobchance.panel.model import AnalysisPanel
from jobchance.results.vcov import Cluster
from jobchance.study.model import Study

NAME = "optimism_balance"


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """What the figures on optimism need, and at least one trait of the citizens that varies."""
    missing = optimism_needs(panel)
    if missing or panel is None:
        return missing
    citizen = study.tables["citizen"]
    varying = [name for name in _wanted(study, panel) if len(citizen[name].dropna().unique()) > 1]
    return () if varying else ("need.covariates",)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Each trait on optimism, and one joint test of all traits; both with jobcentre x period indicators.

    A trait's coefficient is the difference in standard deviations of the trait per standard deviation of
    optimism. The joint test regresses optimism on all traits together (rows with every trait known):
    `F = b' V^{-1} b / q` with the cluster-robust `V`, held against F(q, G - 1) for G caseworkers; it is NaN
    where there are not more caseworkers than traits. No sign of imbalance is not a proof of random
    allocation: only recorded traits can be checked.

    Parameters
    ----------
    study, panel
        See `needs`.
    policy : DisclosurePolicy
        Categories with too few citizens are left out.

    Returns
    -------
    Finding
        Frame: `mark level label_da label_en estimate conf_low conf_high p_value N_rows N_citizens
        N_caseworkers df_traits df_clusters`; `mark` is `coefficient` or `joint` (`estimate` is F); then
        `cells` and the context.
    """
    if panel is None:
        raise ValueError("optimism_balance needs a panel; ask needs() first")
    rows = optimism_rows(panel)
    traits = traits_of(study.tables["citizen"], rows["citizen_id"], covariates=_chosen(panel), policy=policy)
    records = [_coefficient(rows, trait) for trait in traits]
    frame = pd.DataFrame([*records, _joint(rows, traits)])
    frame = frame.assign(cells=int(rows["cell"].nunique()))
    frame = add_context(
        frame,
        study,
        panel,
        rows=rows,
        estimand="descriptive",
        population="all_at_risk",
        interval=interval_key(rows),
    )
    return Finding("F19", NAME, frame, "CorrelationCoefficients")


def _chosen(panel: AnalysisPanel) -> tuple[str, ...]:
    """The panel's own covariates; `()` if it has none."""
    names = panel.meta.get("covariates", ())
    return tuple(str(name) for name in names) if isinstance(names, tuple) else ()


def _wanted(study: Study, panel: AnalysisPanel) -> list[str]:
    return [name for name in _chosen(panel) or TRAITS if name in study.tables["citizen"]]


def _coefficient(rows: pd.DataFrame, trait: Trait) -> dict[str, object]:
    """One trait, standardised over the rows in which it is known, on optimism."""
    spread = float(trait.values.std())
    data = rows.assign(trait=(trait.values - trait.values.mean()) / spread).dropna(subset=["trait"])
    fit = fit_glm("trait ~ optimism_sd + C(cell)", data, family="gaussian", vcov=Cluster("caseworker_id"))
    terms = fit.tidy()
    found = terms[terms["term"] == "optimism_sd"].iloc[0]
    return {
        "mark": "coefficient",
        "level": trait.column,
        "label_da": trait.label_da,
        "label_en": trait.label_en,
        "estimate": float(found["estimate"]),
        "conf_low": float(found["conf_low"]),
        "conf_high": float(found["conf_high"]),
        "p_value": float(found["p_value"]),
        "N_rows": len(data),
        **counts(data),
    }


def _joint(rows: pd.DataFrame, traits: list[Trait]) -> dict[str, object]:
    """Cluster-robust Wald test that no trait goes together with optimism."""
    names = [f"trait_{number}" for number in range(len(traits))]
    data = rows.assign(
        **{name: trait.values / trait.values.std() for name, trait in zip(names, traits, strict=True)}
    ).dropna(subset=names)
    fit = fit_glm(
        f"optimism_sd ~ {' + '.join(names)} + C(cell)", data, family="gaussian", vcov=Cluster("caseworker_id")
    )
    kept = [name for name in names if name in fit.params.index]
    b = fit.params[kept].to_numpy(dtype=float)
    V = fit.cov.loc[kept, kept].to_numpy(dtype=float)
    clusters = int(data["caseworker_id"].nunique())
    rank = int(np.linalg.matrix_rank(V))
    testable = rank == len(kept) < clusters - 1  # a cluster-robust V has rank G - 1 at most
    F = float(b @ np.linalg.solve(V, b)) / len(kept) if testable else float("nan")
    return {
        "mark": "joint",
        "level": "joint",
        "estimate": F,
        "p_value": float(fisher.sf(F, len(kept), clusters - 1)),
        "df_traits": len(kept),
        "df_clusters": clusters - 1,
        "N_rows": len(data),
        **counts(data),
    }
