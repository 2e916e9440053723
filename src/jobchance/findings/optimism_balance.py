"""F19: citizens' traits against the optimism of their caseworker, within jobcentre and period."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.balance_columns import TRAITS, Trait, traits_of
from jobchance.findings.context import add_context, counts, interval_key
from jobchance.findings.model import Finding
from jobchance.findings.optimism_rows import cell_slope, optimism_needs, optimism_rows
from jobchance.numerics.leave_out_tests import score_test
from jobchance.panel.model import AnalysisPanel
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
    optimism. The joint test asks whether all traits together go with optimism (rows with every trait known),
    by the score test with the null imposed: with `s_g` the sum over caseworker g's rows of traits times
    optimism, both without their cell means, `L = s' (sum_g s_g s_g')^{-1} s` and

    `F = L / (G - L) * (G - q) / q`, held against F(q, G - q) for G caseworkers and q traits.

    Under random traits its size is about right where the clustered Wald test rejects several times too often
    (q = 12, G = 40: 42 per cent at the 5 per cent level). It is NaN with fewer than five caseworkers per
    trait. No sign of imbalance is not a proof of random allocation: only recorded traits can be checked.

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
    slope = cell_slope("trait", data)
    return {
        "mark": "coefficient",
        "level": trait.column,
        "label_da": trait.label_da,
        "label_en": trait.label_en,
        **slope._asdict(),
        "N_rows": len(data),
        **counts(data),
    }


def _joint(rows: pd.DataFrame, traits: list[Trait]) -> dict[str, object]:
    """Score test, clustered by caseworker, that no trait goes together with optimism."""
    table = pd.DataFrame({number: trait.values for number, trait in enumerate(traits)}).dropna()
    known = rows.loc[table.index]
    cell = known["cell"].to_numpy()
    Z = (table - table.groupby(cell).transform("mean")).to_numpy(dtype=float)
    Z = Z[:, _independent(Z)]
    optimism = known["optimism_sd"] - known.groupby("cell")["optimism_sd"].transform("mean")
    codes = pd.factorize(known["caseworker_id"])[0].astype(np.int64)
    F, _, p = score_test(Z * optimism.to_numpy()[:, None], codes)
    G, q = int(codes.max()) + 1, Z.shape[1]
    return {
        "mark": "joint",
        "level": "joint",
        "estimate": F,
        "p_value": p,
        "df_traits": q,
        "df_clusters": G - q,
        "N_rows": len(known),
        **counts(known),
    }


def _independent(Z: NDArray[np.float64]) -> list[int]:
    """Columns that are not determined by the ones before them."""
    kept: list[int] = []
    for column in range(Z.shape[1]):
        chosen = Z[:, [*kept, column]]
        if np.linalg.matrix_rank(chosen / np.maximum(np.linalg.norm(chosen, axis=0), 1e-300)) > len(kept):
            kept.append(column)
    return kept
