"""`fit_leniency`: the effect of being given a more optimistic caseworker, from who was assigned to whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jobchance.identification.leniency_disposition import (
    Disposition,
    need_disposition,
    predict_disposition,
    with_scale_uncertainty,
)
from jobchance.identification.leniency_iv import iv_checks, iv_fit
from jobchance.identification.leniency_regression import default_vcov, regress_within
from jobchance.identification.leniency_report import (
    ReducedForm,
    reduced_form_fit,
    shared_checks,
)
from jobchance.identification.leniency_rows import CELLS, LeniencyRows, leniency_rows
from jobchance.identification.leniency_tables import covariate_names
from jobchance.identification.thresholds import Thresholds
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Vcov, check_vcov

METHODS = ("reduced_form", "2sls", "liml", "ujive")
SCALES = ("disposition", "measured")


def fit_leniency(
    panel: AnalysisPanel,
    *,
    outcome: str,
    exposure: str = "belief",
    cells: Sequence[str] = CELLS,
    method: str = "reduced_form",
    covariates: Iterable[str] | None = None,
    rows: str = "relationships",
    scale: str = "disposition",
    vcov: Vcov | None = None,
    thresholds: Thresholds | None = None,
) -> Fit:
    r"""Compare citizens of one cell whose caseworkers are more and less optimistic about *other* citizens.

    The reduced form, the headline, is the linear regression

    .. math:: Y_{ij} = \mu_{c(ij)} + \beta \, x_{ij} + e_{ij}, \qquad
              x_{ij} = \frac{E[a_j \mid o_{ij}]}{s_a} = \frac{1}{s_a}\,\frac{s_a^2}{s_a^2 + q_{ij}}\, o_{ij}

    with cell effects `mu`, measured leave-out optimism `o` (`leave_one_out_optimism`), the disposition `a` it
    measures with noise of variance `q`, and the standard deviation `s_a` of dispositions within cells. `beta`
    is the change in the share (or mean) of the outcome per standard deviation of disposition; where the
    effect is not linear, the average slope over caseworkers as they are. Variance components come from
    products of ratings of *different* citizens of one caseworker within a cell (`rating_parts`).

    It is the effect of the caseworker, with all that optimistic caseworkers do, not of a belief.
    `method="2sls"`, `"liml"` and `"ujive"` divide it by the effect on the exposure, and are an effect of the
    exposure about this citizen only where optimists differ in nothing else (exclusion).

    Parameters
    ----------
    panel : AnalysisPanel
        From `build_panel`.
    outcome : str
        The panel's outcome by its name, or any numeric column of its frame.
    exposure : str
        Numeric column rated by the caseworker. For `"belief"` and the standard cells the panel's optimism is
        used, which counts ratings of citizens not at risk too; else it is computed from the panel's rows.
    cells : sequence of str
        Columns within whose combinations caseworkers are compared.
    method : {"reduced_form", "2sls", "liml", "ujive"}
        `"2sls"`, `"liml"`: exposure instrumented by measured optimism. `"ujive"`: by dummy variables of
        caseworkers, leaving out all rows of the citizen.
    covariates : iterable of str or None
        Columns for balance and monotonicity; None is the panel's covariates and `citizen_belief`. They are
        not in the regression: `statistics["estimate_adjusted"]` is the estimate with them.
    rows : {"relationships", "first", "all"}
        Each citizen's first measurement at risk with each caseworker; each citizen's first; every one.
    scale : {"disposition", "measured"}
        Unit of the reduced form: a standard deviation of the disposition, or of the measured leave-out mean
        (a smaller effect, since part of the measure is noise).
    vcov : Cluster, Robust, "model" or None
        None is clustered by caseworker, and by citizen too where citizens have several rows. Checks always
        use that.
    thresholds : Thresholds or None
        What counts as enough and as out of balance.

    Returns
    -------
    Fit
        One term: `optimism` (reduced form) or the exposure. `statistics`: `base_rate`, `relative`,
        `estimate_pp` (outcomes of 0 and 1), `thirds_low`, `thirds_middle`, `thirds_high` (shares by third of
        measured optimism, adjusted for cells), `n_caseworkers`, `n_citizens`, `n_cells`, `reliability`,
        `disposition_sd` (in standard deviations of the exposure), `calibration` (slope of the exposure on the
        predicted disposition; 1 where the prediction is right), `first_stage`, `effective_f`.
        `diagnostics`: `checks`, `balance`, `first_stage`, `thirds`; for IV `monotonicity`, `exclusion`,
        `judge`.

    Raises
    ------
    SpecError
        Unknown option or column.
    IdentificationError
        With `missing` holding `"caseworkers"` (nobody is named), `"rows"` (none is complete),
        `"assignment_within_cells"` (one caseworker in every cell), `"clusters"`, `"citizens"`, `"events"`
        (too few), `"optimism_variation"`, `"outcome_variation"` (none within cells),
        `"disposition_variance"` (`scale="disposition"` and nothing but noise).
    DesignError
        The panel's optimism takes several values for one citizen and caseworker, so it is something else.

    Notes
    -----
    Standard errors on the disposition scale include that of the variance components (delta method with the
    infinitesimal jackknife over caseworkers). Citizens in cells with one caseworker are dropped and counted.
    Not done: other than linear outcome models, weights, ratings dated before the row only.

    References
    ----------
    Dahl, Kostøl & Mogstad (2014), QJE 129; Carroll et al. (2006), Measurement Error in Nonlinear Models,
    ch. 4 (regression calibration); Kolesár (2013); Frandsen, Lefgren & Leslie (2023), AER 113.

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.identification.leniency import fit_leniency
    >>> fit = fit_leniency(jc.build_panel(jc.simulate_study(seed=1, n_citizens=600)), outcome="job")
    >>> fit.terms
    ('optimism',)
    """
    check_option("method", method, METHODS)
    check_option("scale", scale, SCALES)
    limits = thresholds or Thresholds()
    names = covariate_names(require_panel(panel, "fit_leniency"), covariates)
    sample = leniency_rows(
        panel,
        outcome=outcome,
        exposure=exposure,
        cells=cells,
        rows=rows,
        need_exposure=method != "reduced_form",
        thresholds=limits,
    )
    kind = default_vcov(sample.frame) if vcov is None else check_vcov(vcov)
    disposition = predict_disposition(sample)
    asked = {
        "method": method,
        "exposure": exposure,
        "cells": [cells] if isinstance(cells, str) else list(cells),
        "rows": rows,
        "scale": scale if method == "reduced_form" else "exposure",
        "covariates": list(names),
    }
    checks, tables = shared_checks(sample, names, disposition, rows_kind=rows, thresholds=limits)
    if method == "reduced_form":
        form = _reduced_form(sample, disposition, scale=scale, vcov=kind)
        return reduced_form_fit(sample, form, names, checks=checks, tables=tables, spec=asked)
    more, iv_tables = iv_checks(sample, names, disposition, thresholds=limits)
    return iv_fit(
        sample,
        disposition,
        method=method,
        vcov=kind,
        checks=[*checks, *more],
        tables=tables | iv_tables,
        spec=asked,
    )


def _reduced_form(
    sample: LeniencyRows, disposition: Disposition | None, *, scale: str, vcov: Vcov
) -> ReducedForm:
    """The regression on optimism in the unit asked for."""
    if scale == "measured":
        x = sample.optimism / sample.optimism.std(ddof=1)
    else:
        found = need_disposition(disposition)
        x = found.predicted / found.sd
    made = regress_within(sample.y, x[:, None], cell=sample.cell, frame=sample.frame, vcov=vcov)
    assert made is not None, "rows without variation were refused"
    if scale == "disposition":
        made = with_scale_uncertainty(made, need_disposition(disposition), cell=sample.cell, vcov=vcov)
    return ReducedForm(x, made, disposition, scale)
