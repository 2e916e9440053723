"""`indicator_tests`: every indicator x respondent x outcome tested as one family."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from jobchance.design.nodes import quoted
from jobchance.errors import DesignError, EstimationError, SpecError
from jobchance.inference.multiplicity import Family, romano_wolf
from jobchance.models.glm import fit_glm
from jobchance.options import check_option
from jobchance.panel.answers import construct_answers, constructs_of
from jobchance.panel.build import build_panel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster
from jobchance.study.model import Study

RESPONDENTS = ("caseworker", "citizen")
_FIXED = ("jobcentre_id", "period")


def indicator_tests(
    study: Study,
    *,
    outcomes: Iterable[str] | None = None,
    respondents: Iterable[str] = RESPONDENTS,
    covariates: Iterable[str] = (),
    horizon_weeks: int | None = None,
    cluster: str = "caseworker_id",
    draws: int = 9999,
    seed: int,
) -> Family:
    r"""Association of every indicator with every outcome, with p-values that know how many were tested.

    For each indicator (as the caseworker and as the citizen answers it) and outcome one linear probability
    model over all at-risk measurements with a known outcome:

    .. math:: y_{it} = \beta\, answer_{it} + jobcentre + period + x_{it}'\gamma + e_{it}

    with the answer in steps of its scale, given before the outcome's window starts; "don't know" has no step.
    Standard errors are clustered. The family is adjusted by Holm, Benjamini-Hochberg and Romano-Wolf. These
    are associations: a small p-value says that an indicator predicts the outcome, not that it acts on it.

    Parameters
    ----------
    study : Study
        With answers and outcomes.
    outcomes : iterable of str or None
        Outcome rules; `None`: the study's own.
    respondents : iterable of str
        `"caseworker"`, `"citizen"` or both.
    covariates : iterable of str
        Columns of the citizen table to adjust for.
    horizon_weeks : int or None
        Length of the window; `None`: the study's own.
    cluster : str
        Column of the clusters, of standard errors and of the draws.
    draws, seed : int
        As in `romano_wolf`.

    Returns
    -------
    Family
        `frame` with `construct respondent outcome_rule n_rows n_citizens` first, then the columns of
        `romano_wolf`; estimates are shares per step of the answer.

    Raises
    ------
    SpecError
        Unknown respondents or outcomes, no draws or seed; everything that `build_panel` refuses.
    DesignError
        Not one model can be fitted.

    Notes
    -----
    Models that the data do not carry (answers all the same, too few clusters) are left out and counted in the
    notes. Rows without a cluster, jobcentre or covariate are left out of their model.

    Examples
    --------
    >>> import jobchance as jc
    >>> family = jc.indicator_tests(jc.simulate_study(seed=1), seed=1)  # doctest: +SKIP
    >>> family.frame[["construct", "respondent", "estimate", "p_romano_wolf"]]  # doctest: +SKIP
    """
    asked = [check_option("respondents", name, RESPONDENTS) for name in _texts("respondents", respondents)]
    extra = _texts("covariates", covariates)
    rules = [study.analysis.outcome] if outcomes is None else _texts("outcomes", outcomes)
    fits: dict[str, Fit] = {}
    labels: list[tuple[str, str, str]] = []
    refused = 0
    for rule in rules:
        rows = _rows(study, rule, covariates=extra, horizon_weeks=horizon_weeks)
        for construct in constructs_of(study):
            for respondent in asked:
                own = rows[(rows["construct"] == construct.construct_id) & (rows["respondent"] == respondent)]
                if own.empty:
                    continue
                try:
                    fit = fit_glm(_formula(own, extra), own, family="gaussian", vcov=Cluster(cluster))
                except (DesignError, EstimationError):
                    refused += 1
                    continue
                if "answer" not in fit.terms:
                    refused += 1
                    continue
                fits[f"{rule} | {respondent} | {construct.construct_id}"] = fit
                labels.append((construct.construct_id, respondent, rule))
    if not fits:
        raise DesignError(
            f"indicator_tests found no indicator that can be tested ({refused} could not be fitted): answers "
            "and a known outcome must stand in the same row and vary."
        )
    family = romano_wolf(fits, "answer", cluster=cluster, draws=draws, seed=seed)
    return Family(_with_labels(family.frame, labels, fits), family.conventions, _notes(family, refused))


def _texts(name: str, values: Iterable[str]) -> list[str]:
    """Several names; a single text would be read letter by letter."""
    if isinstance(values, str):
        raise SpecError(f"{name} takes several names: {name}=[{values!r}].")
    return list(dict.fromkeys(str(value) for value in values))


def _rows(study: Study, rule: str, *, covariates: list[str], horizon_weeks: int | None) -> pd.DataFrame:
    """One row per answer before the window of a known outcome."""
    panel = build_panel(study, outcome=rule, horizon_weeks=horizon_weeks, covariates=covariates or None)
    columns = ["citizen_id", "wave", "caseworker_id", "jobcentre_id", "period", "window_start", "outcome"]
    known = panel.frame.loc[panel.frame["outcome"].notna(), [*columns, *covariates]]
    answers = construct_answers(study).drop(columns=["caseworker_id", "jobcentre_id"])
    rows = answers[~answers["dont_know"]].merge(known, on=["citizen_id", "wave"])
    return rows[rows["date"] < rows["window_start"]].rename(columns={"value": "answer"})


def _formula(rows: pd.DataFrame, covariates: list[str]) -> str:
    """Jobcentre and period where they vary, and the covariates."""
    fixed = [f"C({name})" for name in _FIXED if len(rows[name].dropna().unique()) > 1]
    return " + ".join(["outcome ~ answer", *fixed, *map(quoted, covariates)])


def _with_labels(
    frame: pd.DataFrame, labels: list[tuple[str, str, str]], fits: dict[str, Fit]
) -> pd.DataFrame:
    """What each hypothesis is about, in front."""
    front = pd.DataFrame(labels, columns=["construct", "respondent", "outcome_rule"])
    front["n_rows"] = [fit.nobs for fit in fits.values()]
    front["n_citizens"] = [
        int(fit.need_rows("indicator_tests").column("citizen_id").nunique()) for fit in fits.values()
    ]
    return pd.concat([front, frame.drop(columns=["outcome"])], axis=1)


def _notes(family: Family, refused: int) -> tuple[str, ...]:
    """Those of the family, and how many models are not in it."""
    left_out = (f"{refused} combinations could not be fitted and are not among the tests.",)
    return (*family.notes, *(left_out if refused else ()))
