"""Tables about weights against attrition: how large, how far from zero, over whom, and do they balance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.numerics.attrition import effective_size, smd
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.attrition import Dropout
from jobchance.sensitivity.attrition_rows import WAVE
from jobchance.sensitivity.attrition_steps import MEASURED

LOW = (0.05, 0.1, 0.2)  # probabilities of being measured again that are called small
_MOST_LEVELS = 12


def diagnose(
    panel: AnalysisPanel, full: Dropout, probability: pd.Series, weights: pd.Series, moved: np.ndarray
) -> dict[str, pd.DataFrame]:
    """The four tables of `AttritionWeights.diagnostics`."""
    return {
        "weights": _by_wave(full.rows[WAVE], weights),
        "positivity": _positivity(full, probability, weights, moved),
        "overlap": _overlap(panel.frame, full, probability),
        "balance": _balance(full, probability),
    }


def _by_wave(wave: pd.Series, weights: pd.Series) -> pd.DataFrame:
    """Mean (1 where the model fits), spread, effective size and the largest share of one row, by wave."""
    records = []
    for label in sorted(wave.unique()):
        own = weights[(wave == label) & weights.notna()].to_numpy(dtype=float)
        if len(own):
            records.append(
                {"wave": label, "n_rows": len(own), "mean": own.mean(), "sd": own.std()}
                | {"effective_rows": effective_size(own), "largest_share": own.max() / own.sum()}
            )
    return pd.DataFrame(records)


def _positivity(full: Dropout, probability: pd.Series, weights: pd.Series, moved: np.ndarray) -> pd.DataFrame:
    """How near to zero predicted probabilities come, and what the weights cost."""
    due = probability[full.usable].to_numpy()
    known = weights.dropna().to_numpy()
    rows = [(f"share of rows with probability below {limit:g}", float((due < limit).mean())) for limit in LOW]
    rows += [
        ("smallest probability", float(due.min())),
        ("rows with a weight", float(len(known))),
        ("effective rows", effective_size(known)),
        ("largest share of one row", float(known.max() / known.sum())),
        ("rows truncated", float(moved.sum())),
    ]
    return pd.DataFrame(rows, columns=["quantity", "value"])


def _overlap(frame: pd.DataFrame, full: Dropout, probability: pd.Series) -> pd.DataFrame:
    """Rows still in the population, and measured again, by level (or third) of every covariate."""
    again = full.steps.status.eq(MEASURED)
    records = []
    for name in _covariates(full):
        groups = _levels(frame[name] if name in frame else full.rows[name])
        for label in sorted(groups[full.usable].unique()):
            here = full.usable & (groups == label)
            records.append(
                {"covariate": name, "level": label, "n_eligible": int(here.sum())}
                | {"n_measured": int((here & again).sum()), "share": float(again[here].mean())}
                | {"predicted": float(probability[here].mean())}
            )
    columns = ["covariate", "level", "n_eligible", "n_measured", "share", "predicted"]
    return pd.DataFrame(records, columns=columns)


def _covariates(full: Dropout) -> list[str]:
    """Columns of the rows that the model reads, indicators of missing values apart."""
    assert full.fit.predictor is not None, "a fit of our own has its coding"
    text = str(full.fit.spec["formula"]).split("~")[1]
    names = [part.strip().strip("`") for part in text.split("+")]
    return [n for n in names if n in full.rows and not (n.endswith("_missing") and n[:-8] in names)]


def _levels(column: pd.Series) -> pd.Series:
    """Levels as text; numbers of many values in thirds; missing is a level."""
    numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if numeric and column.nunique() > _MOST_LEVELS:
        thirds = pd.qcut(
            column.rank(method="first"), 3, labels=["lowest third", "middle third", "highest third"]
        )
        return thirds.astype(object).where(column.notna(), "missing").astype(str)
    texts = column.map(lambda value: f"{value:g}") if numeric else column.astype(object)
    return texts.where(column.notna(), "missing").astype(str)


def _balance(full: Dropout, probability: pd.Series) -> pd.DataFrame:
    """Measured again against all who were due: standardised mean differences of the model's columns."""
    predictor = full.fit.predictor
    assert predictor is not None, "a fit of our own has its coding"
    matrix = predictor.matrix(full.rows)
    again = (full.usable & full.steps.status.eq(MEASURED)).to_numpy()
    before, after = smd(matrix, full.usable.to_numpy(), again, 1 / probability.to_numpy())
    made = pd.DataFrame({"term": list(full.fit.terms), "smd_before": before, "smd_after": after})
    return made[made["term"] != "(Intercept)"].reset_index(drop=True)
