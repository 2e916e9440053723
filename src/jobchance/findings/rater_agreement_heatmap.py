"""F5: whether citizen and caseworker answer the same question alike in the same wave."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.protect import protect
from jobchance.findings.context import add_context, cluster_labels, counts, interval_key
from jobchance.findings.model import Finding
from jobchance.numerics.agreement import icc_agreement, weighted_kappa
from jobchance.numerics.proportions import share
from jobchance.panel.answers import (
    construct_answers,
    construct_columns,
    constructs_of,
    items_of,
    step_label,
    steps,
)
from jobchance.panel.model import AnalysisPanel
from jobchance.study.instrument import Construct
from jobchance.study.model import Study

NAME = "rater_agreement_heatmap"
PREFERRED = "self_efficacy"


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """`need.same_question` unless both answered one question with the same steps in the same wave."""
    return ("need.same_question",) if _chosen(study) is None else ()


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Cross table of the two answers in per cent of all pairs, and how far they agree beyond chance.

    One construct is shown: `self_efficacy` (the citizen's belief in managing a job), or else the first one
    that both answer on the same steps. A pair is one citizen's two answers of the same wave, neither of them
    "don't know". Agreement by chance is `Σ_k p_k q_k` with the two margins p and q.

    Parameters
    ----------
    study : Study
        See `needs`.
    panel : AnalysisPanel or None
        Only names outcome and horizon in the context.
    policy : DisclosurePolicy
        Small cells are hidden, with a second one of the same distance from the diagonal.

    Returns
    -------
    Finding
        Frame: `quantity level_caseworker level_citizen estimate conf_low conf_high N_pairs N_citizens
        N_caseworkers suppressed`, the construct's columns, the steps' wordings and the context. `quantity` is
        `cell`, `agreement`, `chance`, `within_one` (all shares), `kappa` (quadratic weights) or `icc` (A,1).
    """
    construct = _chosen(study)
    if construct is None:
        raise ValueError("rater_agreement_heatmap needs a question that both answer; ask needs() first")
    pairs = _pairs(construct_answers(study), construct.construct_id)
    cells = protect(_cells(study, construct, pairs), policy, output=NAME, totals=["distance"])
    described = construct_columns(study, construct, "citizen")
    described.pop("respondent")
    frame = pd.concat([cells.drop(columns="distance"), _summary(pairs)], ignore_index=True)
    for column, value in described.items():
        frame[column] = value
    frame["suppressed"] = frame["suppressed"].eq(True)
    frame = add_context(
        frame,
        study,
        panel,
        rows=pairs,
        estimand="descriptive",
        population="paired_measurements",
        interval=interval_key(pairs),
        respondent="caseworker",
    )
    return Finding("F5", NAME, frame, "Frequencies")


def _chosen(study: Study) -> Construct | None:
    """The construct to show: the preferred one first, then by number; None if there is no pair at all."""
    answers = construct_answers(study)
    ordered = sorted(constructs_of(study), key=lambda construct: construct.construct_id != PREFERRED)
    for construct in ordered:
        sides = [items_of(study, construct.construct_id, side) for side in ("caseworker", "citizen")]
        same = all(sides) and steps(sides[0][0]) == steps(sides[1][0])
        if same and len(_pairs(answers, construct.construct_id)):
            return construct
    return None


def _pairs(answers: pd.DataFrame, construct: str) -> pd.DataFrame:
    """One row per citizen and wave with both answers on a step: `value_caseworker`, `value_citizen`."""
    own = answers[(answers["construct"] == construct) & ~answers["dont_know"]]
    keys = ["citizen_id", "wave"]
    rater = own.loc[own["respondent"] == "caseworker", [*keys, "caseworker_id", "jobcentre_id", "level"]]
    citizen = own.loc[own["respondent"] == "citizen", [*keys, "level"]]
    pairs = rater.merge(citizen, on=keys, suffixes=("_caseworker", "_citizen"))
    for side in ("caseworker", "citizen"):
        pairs[f"value_{side}"] = pairs[f"level_{side}"].astype(float)
    return pairs


def _cells(study: Study, construct: Construct, pairs: pd.DataFrame) -> pd.DataFrame:
    """Every combination of two steps, also those that nobody chose."""
    rater, citizen = (items_of(study, construct.construct_id, side)[0] for side in ("caseworker", "citizen"))
    records = []
    for own in steps(rater):
        for other in steps(citizen):
            part = pairs[(pairs["level_caseworker"] == own) & (pairs["level_citizen"] == other)]
            records.append(
                {"quantity": "cell", "level_caseworker": own, "level_citizen": other}
                | {f"label_caseworker_{lang}": step_label(rater, own, lang) for lang in ("da", "en")}
                | {f"label_citizen_{lang}": step_label(citizen, other, lang) for lang in ("da", "en")}
                | {"estimate": len(part) / len(pairs), "conf_low": np.nan, "conf_high": np.nan}
                | {"N_pairs": len(part)}
                | counts(part)
                | {"distance": ("same", "near", "far")[min(abs(int(own) - int(other)), 2)]}
            )
    return pd.DataFrame(records)


def _summary(pairs: pd.DataFrame) -> pd.DataFrame:
    """Agreement as shares and as chance-corrected coefficients, each over all pairs."""
    rater, citizen = pairs["value_caseworker"].to_numpy(), pairs["value_citizen"].to_numpy()
    clusters = cluster_labels(pairs)
    same = share(rater == citizen, cluster=clusters)
    near = share(np.abs(rater - citizen) <= 1, cluster=clusters)
    kappa = weighted_kappa(rater, citizen, cluster=clusters)
    icc = icc_agreement(np.column_stack([rater, citizen]), cluster=clusters)
    estimates: list[tuple[str, float, float, float]] = [
        ("agreement", same.estimate, same.conf_low, same.conf_high),
        ("within_one", near.estimate, near.conf_low, near.conf_high),
        ("chance", _chance(rater, citizen), np.nan, np.nan),
        ("kappa", kappa.estimate, kappa.conf_low, kappa.conf_high),
        ("icc", icc.estimate, icc.conf_low, icc.conf_high),
    ]
    whole = {"N_pairs": len(pairs)} | counts(pairs)
    return pd.DataFrame(
        [
            {"quantity": quantity, "estimate": value, "conf_low": low, "conf_high": high} | whole
            for quantity, value, low, high in estimates
        ]
    )


def _chance(rater: NDArray[np.float64], citizen: NDArray[np.float64]) -> float:
    """Share of pairs that would agree if the two answers were independent, with these two margins."""
    steps_used = np.union1d(rater, citizen)
    return float(sum(np.mean(rater == step) * np.mean(citizen == step) for step in steps_used))
