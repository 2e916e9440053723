"""`check_hazard`: what a discrete-time hazard model assumes, and what the rows say of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.design.formula import parse_formula
from jobchance.design.nodes import Name, columns_of, render
from jobchance.errors import DesignError, EstimationError, SpecError
from jobchance.identification.cards import NOT_IDENTIFIED, Assumption, judge_p
from jobchance.identification.thresholds import Thresholds
from jobchance.inference.again import vcov_of
from jobchance.models.hazard import fit_hazard
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.vcov import Vcov


def check_hazard(
    fit: Fit,
    rows: pd.DataFrame,
    *,
    variable: str | None = None,
    thresholds: Thresholds | None = None,
) -> tuple[Assumption, ...]:
    """The assumptions of a fit of `fit_hazard`, tested where the rows allow a test.

    - `enough_events`: exits against the least number that can carry a contrast.
    - `baseline_form`: a level per period against the form chosen (Wald); by design with `"steps"`. Where some
      period has no exit, two further powers of the period are tested instead.
    - `proportionality`: the coefficient of `variable` is the same in all periods (Wald test of its product
      with the period).
    - `no_unobserved_heterogeneity`: nobody differs in ways that are not in the model. Not testable without a
      frailty, and doubtful with one too, as its form is assumed.
    - `non_informative_dropout`: those lost would have had the same hazard; the share lost is shown. Holds if
      nobody is lost.
    - `no_foresight`: the covariate does not know of the exit in ways that the model does not. Never testable
      here: a caseworker who sees who gets a job has a belief that predicts it.

    Parameters
    ----------
    fit : Fit
        Of `fit_hazard`.
    rows : DataFrame
        The person-period rows of the fit; `ending`, as `person_periods` gives it, is needed for drop-out.
    variable : str or None
        Covariate whose proportionality is tested; `None` is the first in the formula.
    thresholds : Thresholds or None
        `None`: the defaults.

    Returns
    -------
    tuple of Assumption
        In the order above. Tests use the standard errors of the fit; models with frailty are tested without
        it.

    Raises
    ------
    SpecError
        Not a fit of `fit_hazard`, or a variable that is not in its formula.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=1500))
    >>> from jobchance.identification.person_periods import person_periods
    >>> rows = person_periods(panel)
    >>> fit = fit_hazard("event ~ belief", rows, baseline="linear")
    >>> [a.name for a in check_hazard(fit, rows)][:3]
    ['enough_events', 'baseline_form', 'proportionality']
    """
    if not isinstance(fit, Fit) or "hazard" not in fit.spec:
        raise SpecError("check_hazard needs a fit of fit_hazard.")
    limits = thresholds or Thresholds()
    asked: dict[str, Any] = dict(fit.spec["hazard"])
    fixed = parse_formula(asked["asked"])
    covariates = [name.name for term in fixed.terms for factor in term for name in columns_of(factor)]
    if variable is not None:
        check_option("variable", variable, dict.fromkeys(covariates))
    tested = variable or next(iter(covariates), None)
    found = [_events(fit, limits), _baseline(fit, rows, asked, limits)]
    if tested is not None:
        found.append(_proportional(fit, rows, asked, tested, limits))
    return (*found, _heterogeneity(fit, asked), _dropout(rows, asked), Assumption("no_foresight", "doubtful"))


def _events(fit: Fit, limits: Thresholds) -> Assumption:
    """Exits of the rarest cause."""
    counts = [v for name, v in fit.statistics.items() if name.startswith("events_")]
    value = min(counts, default=fit.statistics["events"])
    status = "holds" if value >= limits.min_events else "fails"
    return Assumption(
        "enough_events", status, "events", value=value, threshold=limits.min_events, breaks=NOT_IDENTIFIED
    )


def _baseline(fit: Fit, rows: pd.DataFrame, asked: dict[str, Any], limits: Thresholds) -> Assumption:
    """A free level per period against the form of the fit."""
    if asked["baseline"] == "steps":
        return Assumption("baseline_form", "by_design", "level_per_period")
    if asked["time"] is None:
        return Assumption("baseline_form", "untested")
    time = render(Name(asked["time"]))
    tests = [("steps_against_form", f" + C({time})")]
    if all(isinstance(value, int | float) for value in asked["periods"]):
        degree = min(_degree(asked["baseline"]) + 2, len(asked["periods"]) - 1)
        tests.append(("powers_against_form", f" + poly({time}, {degree})"))
    for name, more in tests:
        made = _wald(fit, rows, asked, more)
        if made is not None:
            return Assumption("baseline_form", judge_p(made[2], limits), name, *made)
    return Assumption("baseline_form", "untested", tests[0][0])


def _degree(baseline: str) -> int:
    """Powers of the period that the form has already."""
    kind, _, size = baseline.partition(":")
    return {"none": 0, "linear": 1}.get(kind, int(size or 0))


def _proportional(
    fit: Fit, rows: pd.DataFrame, asked: dict[str, Any], variable: str, limits: Thresholds
) -> Assumption:
    """Product of the covariate with the period."""
    numeric = all(isinstance(value, int | float) for value in asked["periods"])
    if asked["time"] is None or not numeric or len(asked["periods"]) < 2:
        return Assumption("proportionality", "untested", "covariate_by_period")
    made = _wald(fit, rows, asked, f" + {render(Name(variable))}:{render(Name(asked['time']))}")
    if made is None:
        return Assumption("proportionality", "untested", "covariate_by_period")
    return Assumption("proportionality", judge_p(made[2], limits), "covariate_by_period", *made)


def _heterogeneity(fit: Fit, asked: dict[str, Any]) -> Assumption:
    """Doubtful whatever the data; with a frailty its size and likelihood ratio are shown."""
    if not asked["frailty"] or fit.variance_components is None:
        return Assumption("no_unobserved_heterogeneity", "doubtful")
    return Assumption(
        "no_unobserved_heterogeneity",
        "doubtful",
        "frailty_variance",
        statistic=fit.statistics["likelihood_ratio_frailty"],
        df=float(len(asked["frailty"])),
        value=float(np.sqrt(fit.variance_components["variance"].sum())),
    )


def _dropout(rows: pd.DataFrame, asked: dict[str, Any]) -> Assumption:
    """Share of persons who are lost before event, horizon or the end of the data."""
    if "ending" not in rows.columns or asked["entity"] is None:
        return Assumption("non_informative_dropout", "untested", "share_lost")
    share = float((rows["ending"] == "lost").sum() / rows[asked["entity"]].nunique())
    status = "doubtful" if share > 0 else "holds"
    return Assumption("non_informative_dropout", status, "share_lost", value=share)


def _wald(
    fit: Fit, rows: pd.DataFrame, asked: dict[str, Any], more: str
) -> tuple[float, float, float] | None:
    """Statistic, degrees of freedom and p-value of further terms; `None` where they cannot be estimated."""
    several = len(asked["causes"]) > 1
    try:
        with np.errstate(invalid="ignore"):
            wider = fit_hazard(
                asked["asked"] + more,
                rows,
                link=str(fit.spec["link"]),
                entity=asked["entity"],
                time=asked["time"],
                baseline=asked["baseline"],
                cause=asked["causes"][0] if asked["one_of_several"] else None,
                no_event=asked["no_event"],
                competing=asked["competing"] if several else None,
                vcov=_vcov(fit, rows, asked),
            )
    except (DesignError, EstimationError):
        return None
    added = [i for i, name in enumerate(wider.terms) if name not in fit.terms]
    if not added:
        return None
    estimate, cov = wider.estimates[added], wider.covariance[np.ix_(added, added)]
    if np.linalg.matrix_rank(cov) < len(added):
        return None
    statistic = float(estimate @ np.linalg.solve(cov, estimate))
    return statistic, float(len(added)), float(stats.chi2.sf(statistic, len(added)))


def _vcov(fit: Fit, rows: pd.DataFrame, asked: dict[str, Any]) -> Vcov | None:
    """The standard errors of the fit; those of a frailty model are its own, so the default stands in."""
    made = fit.inference
    if asked["frailty"]:
        return None
    return vcov_of(fit) if set(made.clusters) <= set(rows.columns) else "model"
