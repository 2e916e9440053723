"""`placebo_outcomes`: what the belief cannot have caused, beside what it might have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.formula import parse_formula
from jobchance.design.nodes import Name, columns_of
from jobchance.errors import DesignError, EstimationError, FormulaError, SpecError
from jobchance.inference.again import known_term
from jobchance.labels.load import label
from jobchance.models.glm import fit_glm
from jobchance.options import check_option
from jobchance.panel.build import COLUMNS as PANEL_COLUMNS
from jobchance.panel.covariates import covariate_columns
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.vcov import Vcov
from jobchance.sensitivity.confounding_past import past_outcome
from jobchance.study.model import Study

HISTORY = ("job_education_share_5y",)
KINDS = ("real", "past", "trait")
FRAME_COLUMNS = (
    "outcome", "kind", "estimate", "std_error", "conf_low", "conf_high", "p_value", "per_sd", "per_sd_low",
    "per_sd_high", "mean", "N_rows", "N_citizens", "N_caseworkers", "reason",
)  # fmt: skip
_FEWEST_EVENTS = 5


@dataclass(frozen=True, eq=False)
class PlaceboOutcomes:
    """The exposure's association with the outcome and with what it cannot have caused.

    Parameters
    ----------
    term : str
        The exposure.
    weeks : int
        Length of the window before the measurement.
    frame : DataFrame
        `FRAME_COLUMNS`, the real outcome first. `kind`: `"real"`, `"past"` (an outcome before the
        measurement), `"trait"` (a column of the citizen table). `per_sd`: standard deviations of the outcome
        per standard deviation of the exposure, so that rows can be held against each other. `reason` says
        why a row has no number.
    """

    term: str
    weeks: int
    frame: pd.DataFrame

    @property
    def associated(self) -> list[str]:
        """Placebo outcomes whose interval holds no zero."""
        rows = self.frame[self.frame["kind"] != "real"].dropna(subset=["estimate"])
        outside = (rows["conf_low"] > 0) | (rows["conf_high"] < 0)
        return rows.loc[outside, "outcome"].tolist()

    def text(self, lang: str = "da") -> str:
        """What the rows say, in words (`lang` is `"da"` or `"en"`)."""
        tried = int(self.frame.loc[self.frame["kind"] != "real", "estimate"].notna().sum())
        if tried == 0:
            return label("confounding.placebo.none", lang)
        found = self.associated
        key = "associated" if found else "clean"
        return label(f"confounding.placebo.{key}", lang, term=self.term, names=", ".join(found), n=str(tried))


def placebo_outcomes(
    panel: AnalysisPanel,
    formula: str,
    *,
    term: str,
    study: Study | None = None,
    outcomes: Sequence[str] | None = None,
    weeks: int = 26,
    rows: str = "first",
    vcov: Vcov | None = None,
    level: float = 0.95,
) -> PlaceboOutcomes:
    """The same regression for outcomes that the exposure cannot have caused.

    A belief cannot change what happened before it was stated, nor what a citizen was when entering. Where it
    goes with such an outcome, given the same covariates, it is because of what caseworkers know or see of
    the citizen, or of who is sent to whom: selection or foresight, which then also stands behind a part of
    the association with the real outcome.

    Parameters
    ----------
    panel : AnalysisPanel
        From `build_panel`.
    formula : str
        `"outcome ~ expectation + covariates"`; the left side is the real outcome.
    term : str
        The exposure's coefficient.
    study : Study or None
        The study of the panel. Without it only covariates of the panel can be placebo outcomes.
    outcomes : sequence of str or None
        Outcomes of the outcome table (then: did it hold in the `weeks` before the measurement), or columns of
        the citizen table that are numbers or yes/no. `None`: every outcome of the outcome table, and
        `job_education_share_5y` if the citizen table has it.
    weeks : int
        Full weeks before the measurement; its own day and all later ones are never read.
    rows : {"first", "all"}
        Each citizen's first measurement at risk with a known real outcome, or all of them.
    vcov : Cluster, Robust, "model" or None
        As in `fit_glm`: `None` clusters by caseworker.
    level : float
        Of the intervals.

    Returns
    -------
    PlaceboOutcomes

    Raises
    ------
    SpecError
        An outcome is neither in the outcome table nor a column known at the measurement (`any_intervention`
        and every column of the panel itself are refused); unknown `rows`; `weeks` below 1.
    FormulaError, DesignError
        The real regression cannot be fitted. A placebo that cannot is a row with its reason.

    Notes
    -----
    Least squares for every row, also for 0/1 outcomes. At risk means not in a job on the day of the
    measurement, so a job before it has ended by then: the past holds fewer jobs than the future will. With
    `rows="all"` the weeks before a later measurement lie after an earlier one, and may hold what the earlier
    answer brought about: the first rows are the cleaner placebo.
    An association with the past is no proof that the whole gradient is selection, nor its absence that there
    is none: the past must be like the future for that. A placebo outcome that is in the formula itself is not
    estimated.

    References
    ----------
    Lipsitch, Tchetgen Tchetgen & Cohen (2010), Epidemiology 21, 383-388 (negative controls); Imbens & Rubin
    (2015), Causal Inference, chapter 21 (pseudo-outcomes).

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.sensitivity.placebo import placebo_outcomes
    >>> study = jc.simulate_study(seed=1, n_citizens=800)
    >>> found = placebo_outcomes(jc.build_panel(study), "outcome ~ belief", term="belief", study=study)
    >>> found.frame["kind"].tolist()
    ['real', 'past', 'past', 'trait']
    """
    panel = require_panel(panel, "placebo_outcomes")
    check_option("rows", rows, ("first", "all"))
    model = parse_formula(formula)
    if not isinstance(model.outcome, Name):
        raise FormulaError("placebo_outcomes needs a column on the left: 'outcome ~ expectation + ...'.")
    chosen = _default(study) if outcomes is None else _listed(outcomes)
    kinds = {name: _kind(name, panel, study) for name in chosen}
    frame = _rows(panel, model.outcome.name, rows)
    adjusted = {name.name for part in model.terms for factor in part for name in columns_of(factor)}
    real = str(panel.meta.get("outcome")) if model.outcome.name == "outcome" else model.outcome.name
    records = [_row(real, "real", frame, formula, term, vcov, level)]
    for name, kind in kinds.items():
        data = frame.assign(placebo_outcome=_values(name, kind, frame, panel, study, weeks))
        try:
            _check_usable(data["placebo_outcome"], in_formula=kind == "trait" and name in adjusted)
            changed = f"placebo_outcome ~ {model.fixed.text.split('~', 1)[-1]}"
            records.append(_row(name, kind, data, changed, term, vcov, level))
        except (DesignError, EstimationError) as error:
            records.append({"outcome": name, "kind": kind, "reason": str(error)})
    return PlaceboOutcomes(term, int(weeks), pd.DataFrame(records, columns=list(FRAME_COLUMNS)))


def _rows(panel: AnalysisPanel, outcome: str, rows: str) -> pd.DataFrame:
    """The rows of every regression: those with a known real outcome, maybe each citizen's first alone."""
    frame = panel.frame
    known = frame[frame[outcome].notna()] if outcome in frame else frame
    if rows == "all":
        return known
    return known.sort_values(["citizen_id", "wave", "date"], kind="stable").drop_duplicates("citizen_id")


def _listed(outcomes: Sequence[str]) -> list[str]:
    if isinstance(outcomes, str):
        raise SpecError(f'outcomes takes several names: outcomes=["{outcomes}"].')
    return list(dict.fromkeys(outcomes))


def _default(study: Study | None) -> list[str]:
    """Outcomes of the outcome table, and the citizen's history."""
    if study is None:
        raise SpecError("placebo_outcomes needs study=, or outcomes=[...] among the panel's covariates.")
    table = study.tables.get("outcome")
    rules = [] if table is None else sorted(table["outcome"].dropna().unique())
    return [*rules, *(name for name in HISTORY if name in study.tables["citizen"])]


def _kind(name: str, panel: AnalysisPanel, study: Study | None) -> str:
    """`"past"` or `"trait"`; refuses names that are neither, and columns that look past the measurement."""
    if study is not None:
        table = study.tables.get("outcome")
        if table is not None and name in set(table["outcome"].dropna()):
            return "past"
        covariate_columns(study.tables["citizen"], [name], taken=PANEL_COLUMNS)
        return "trait"
    covariates = panel.meta.get("covariates", ())
    assert isinstance(covariates, tuple), "build_panel notes its covariates"
    check_option("outcomes", name, covariates)
    return "trait"


def _values(
    name: str, kind: str, frame: pd.DataFrame, panel: AnalysisPanel, study: Study | None, weeks: int
) -> pd.Series:
    """The placebo outcome of every row, as numbers."""
    if kind == "past":
        assert study is not None, "only a study has an outcome table"
        return past_outcome(study, frame, outcome=name, weeks=weeks)
    if study is None:
        column: pd.Series = panel.frame.loc[frame.index, name]
    else:
        own = covariate_columns(study.tables["citizen"], [name], taken=PANEL_COLUMNS)[name]
        column = frame["citizen_id"].map(own)
    if not (pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)):
        raise SpecError(f"placebo outcome {name} must be numbers or yes/no, not {column.dtype}.")
    numbers: pd.Series = column.astype(float)
    return numbers


def _check_usable(values: pd.Series, *, in_formula: bool) -> None:
    """Refuse a placebo that hardly varies or is adjusted for, in words without any person's value."""
    if in_formula:
        raise DesignError("it is in the formula itself")
    known = values.dropna()
    if len(known) == 0:
        raise DesignError("it is known in no row: follow-up begins too late")
    if known.nunique() == 2 and int(known.value_counts().min()) < _FEWEST_EVENTS:
        raise DesignError(f"fewer than {_FEWEST_EVENTS} rows differ from the others")
    if known.nunique() < 2:
        raise DesignError("it does not vary")


def _row(
    name: str, kind: str, data: pd.DataFrame, formula: str, term: str, vcov: Vcov | None, level: float
) -> dict[str, object]:
    """One regression as a row."""
    fit = fit_glm(formula, data, family="gaussian", vcov=vcov)
    known_term(fit, term)
    used = data.iloc[fit.need_rows("placebo_outcomes").used]
    low, high = fit.conf_int(level).loc[term].to_numpy(dtype=float)
    y = fit.need_rows("placebo_outcomes").outcome
    assert fit.predictor is not None, "fit_glm remembers its design"
    x = fit.predictor.matrix(used)[:, list(fit.terms).index(term)]
    scale = float(np.std(x) / np.std(y))
    estimate = float(fit.params[term])
    return {
        "outcome": name,
        "kind": kind,
        "estimate": estimate,
        "std_error": float(fit.std_errors[term]),
        "conf_low": float(low),
        "conf_high": float(high),
        "p_value": float(fit.pvalues[term]),
        "per_sd": estimate * scale,
        "per_sd_low": float(low) * scale,
        "per_sd_high": float(high) * scale,
        "mean": float(np.mean(y)),
        "N_rows": fit.nobs,
        "N_citizens": used["citizen_id"].nunique(),
        "N_caseworkers": used["caseworker_id"].nunique() if "caseworker_id" in used else 0,
        "reason": "",
    }
