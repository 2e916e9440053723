"""`fit_iv`: instrumental variables by two-stage least squares, LIML, Fuller or a jackknife."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from jobchance.design.formula import INTERCEPT
from jobchance.errors import DesignError, FormulaError, SpecError
from jobchance.models.glm import choose_vcov
from jobchance.models.iv_jackknife import ERRORS, JACKKNIFES, Question, jackknife_fit
from jobchance.models.iv_rows import IvDesign, IvRows, prepare, read_iv
from jobchance.models.iv_tests import run_tests
from jobchance.numerics.iv import KClass, k_class, liml_kappa
from jobchance.options import check_option
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Regressors, Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.vcov import Vcov, vcov_columns

METHODS = ("2sls", "liml", "fuller", *JACKKNIFES)
_NAMES = {
    "2sls": "two-stage least squares",
    "liml": "limited-information maximum likelihood",
    "fuller": "Fuller's modified LIML",
}


def fit_iv(
    formula: str,
    data: pd.DataFrame,
    *,
    method: str = "2sls",
    absorb: Sequence[str] = (),
    vcov: Vcov | None = None,
    alpha: float = 1.0,
    errors: str = "hte",
    leave_out: str | None = None,
) -> Fit:
    r"""Linear model with endogenous variables, estimated with instruments.

    With X the exogenous and endogenous columns and M the residual maker of exogenous columns and instruments,
    the k-class solves

    .. math:: X'(I - \kappa M)(y - X\beta) = 0,

    with kappa = 1 for `"2sls"`, the smallest root of the variance ratio for `"liml"`, and that root less
    `alpha / (n - number of instruments, exogenous columns and absorbed effects)` for `"fuller"`.

    Parameters
    ----------
    formula : str
        `y ~ x + [belief ~ optimism]`: exogenous terms, and in the bracket endogenous terms and their
        instruments, one or several each; `C(group)` is one instrument per level.
    data : DataFrame
        One row per observation; rows with a missing value in a used column are left out and counted.
    method : str
        `"2sls"`, `"liml"`, `"fuller"`, or a jackknife for many instruments: `"ujive"`, `"ujive_2013"`,
        `"ijive"`, `"jive1"`, `"jive2"`; see `ujive`, which needs no dummy variables for groups.
    absorb : sequence of str
        Columns whose level effects are removed from everything (cells within which instruments are as good
        as random); rows alone in a level are dropped and counted. A jackknife absorbs one column at most.
    vcov : Cluster, Robust, "model" or None
        Kind of standard error, of the tests too. `None`: clustered by `caseworker_id` where the data have
        that column, else `Robust()`; the notes say which.
    alpha : float
        Fuller's constant, above 0: 1 is unbiased to second order, 4 has least mean squared error.
    errors : {"hte", "robust"}
        Jackknife only; see `ujive`.
    leave_out : str or None
        Jackknife only: column of the unit (the citizen) all whose rows are left out of a prediction.

    Returns
    -------
    Fit
        Exogenous and endogenous terms (a jackknife: the endogenous term alone). `statistics`: `kappa`,
        `n_instruments`, `first_stage_f`, `effective_f` with `effective_f_critical` (Montiel Olea-Pflueger),
        `kleibergen_paap_f`, `sargan`, `hansen_j`, `wu_hausman_f`, `anderson_rubin_f` (coefficients of all
        endogenous variables zero), each test with its `_p`. `diagnostics`: `first_stage`, `reduced_form` and,
        for one endogenous variable, `anderson_rubin_set` with columns `part conf_low conf_high`: no row is
        the empty set, two rows may be two rays, -inf to inf is the whole line.

    Raises
    ------
    FormulaError
        The formula cannot be read, has no bracket, names absent columns or has random effects.
    SpecError
        An option is not known, or does not go with the method.
    DesignError
        The data cannot carry a regression: no complete rows, an outcome that does not vary.
    IdentificationError
        `missing` holds `"instrument"` (fewer instruments that vary than endogenous variables), `"exposure"`
        (an endogenous variable does not vary), `"clusters"` (fewer than two), `"rows"`; for a jackknife also
        `"relevance"`.

    Notes
    -----
    The number is an effect only where the instruments act on the outcome through the endogenous variables
    alone and are as good as random given the exogenous terms; nothing here can test the first.

    The tests use the covariance of `vcov` with its small-sample factor (CR1 where `vcov` is another kind of
    clusters); joint tests are left out where there
    are fewer clusters than instruments. Joint tests with clustered errors reject somewhat too often while
    clusters are few for the number of instruments: with three instruments and 60 clusters the
    Anderson-Rubin set covered in 89 of 100 simulated samples, with 300 clusters at its level.

    Not done here: weights, GMM, sets for several endogenous variables.

    References
    ----------
    Anderson & Rubin (1949), Ann. Math. Statist. 20, 46-63; Fuller (1977), Econometrica 45, 939-953;
    Montiel Olea & Pflueger (2013), J. Bus. Econ. Statist. 31, 358-369; Kleibergen & Paap (2006), J.
    Econometrics 133, 97-126; Andrews, Stock & Sun (2019), Annu. Rev. Econ. 11, 727-753.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=500))
    >>> fit = fit_iv("outcome ~ [belief ~ optimism]", panel.frame, absorb=("jobcentre_id",))
    >>> fit.terms, list(fit.diagnostics)
    (('belief',), ['first_stage', 'reduced_form', 'anderson_rubin_set'])
    """
    check_option("method", method, METHODS)
    check_option("errors", errors, ERRORS)
    if not (isinstance(alpha, int | float) and 0 < alpha < np.inf):
        raise SpecError(
            f"alpha={alpha!r} must be a number above 0: 1 for the least bias, 4 for the least error."
        )
    if leave_out is not None and method not in JACKKNIFES:
        raise SpecError(f"leave_out goes with a jackknife ({', '.join(JACKKNIFES)}), not with {method!r}.")
    kind, remarks = choose_vcov(vcov, data)
    further = [*vcov_columns(kind), *([leave_out] if leave_out else [])]
    source = read_iv(formula, data, absorb=absorb, further=further)
    if method in JACKKNIFES:
        return _jackknife(source, formula, method, kind, errors, leave_out)
    rows = prepare(source, kind)
    return _k_class(rows, formula, method, alpha, remarks)


def _k_class(rows: IvRows, formula: str, method: str, alpha: float, remarks: tuple[str, ...]) -> Fit:
    """Two-stage least squares, LIML and Fuller."""
    solution = _solve(rows, method, alpha)
    tests = run_tests(rows, solution)
    behind = replace(_behind(rows, solution), regressors=_regressors(rows, solution))
    cov, inference = covariance(behind, rows.vcov)
    source, e = rows.source, solution.residual
    spec = {"formula": formula, "method": method, "absorbed": list(source.factors), "link": "identity"}
    return Fit(
        model=_NAMES[method],
        outcome=source.design.outcome_name,
        terms=rows.names,
        estimates=solution.beta,
        covariance=cov,
        inference=inference,
        sample=Sample(
            nobs=len(rows.y),
            groups={name: int(codes.max()) + 1 for name, codes in source.factors.items()},
            dropped=source.dropped,
            n_singletons=source.n_singletons,
            dropped_terms=rows.dropped_terms,
        ),
        spec=spec | ({"alpha": float(alpha)} if method == "fuller" else {}),
        criterion=float(e @ e),
        statistics={
            "kappa": solution.kappa,
            "n_endogenous": float(len(rows.endogenous)),
            "n_instruments": float(len(rows.instruments)),
            "sigma": float(np.sqrt(_sigma2(rows, solution))),
            "df_resid": float(len(e) - rows.X.shape[1] - rows.extra_k),
        }
        | tests.statistics,
        conventions=_conventions(method, bool(source.factors)),
        remarks=(*remarks, *tests.remarks),
        diagnostics=tests.tables,
        provenance=provenance(formula),
        predictor=rows.layout,
        rows=behind,
    )


def _solve(rows: IvRows, method: str, alpha: float) -> KClass:
    """The k-class estimator of a method."""
    kappa = 1.0
    if method != "2sls" and len(rows.instruments) > len(rows.endogenous):
        kappa = liml_kappa(rows.space, rows.y, rows.D)
        if not np.isfinite(kappa):
            raise DesignError(
                "The instruments and exogenous terms fit the outcome or an endogenous variable without "
                "error, so LIML is not defined; use method='2sls'."
            )
    if method == "fuller":
        n_all = rows.W.shape[1] + rows.Z.shape[1] + rows.extra_k
        kappa -= alpha / (len(rows.y) - n_all)
    return k_class(rows.space, rows.X, rows.y, kappa)


def _behind(rows: IvRows, solution: KClass) -> Rows:
    """The rows behind the estimates; fitted values use the endogenous variables themselves."""
    source = rows.source
    k = rows.X.shape[1]
    outcome = source.design.outcome[source.keep]
    position = {name: j for j, name in enumerate(source.design.columns)}
    raw = source.design.matrix[source.keep][:, [position[name] for name in rows.names]]
    fixed = raw @ solution.beta
    if source.factors:
        fixed = fixed + float(np.mean(outcome - fixed))
    return rows.rows(
        solution.scores,
        solution.bread,
        k,
        _sigma2(rows, solution) * solution.bread,
        fitted=outcome - solution.residual,
        fixed=fixed,
    )


def _regressors(rows: IvRows, solution: KClass) -> Regressors | None:
    """Columns projected on exogenous columns and instruments; only two-stage least squares is one."""
    if solution.kappa != 1:
        return None
    return Regressors(rows.X - rows.space.without_all(rows.X), solution.residual, "two-stage least squares")


def _sigma2(rows: IvRows, solution: KClass) -> float:
    """Residual variance."""
    e = solution.residual
    df = max(len(e) - len(rows.names) - rows.extra_k, 1)
    return float(e @ e) / df


def _conventions(method: str, absorbed: bool) -> dict[str, str]:
    """Choices that other software makes differently."""
    out = {
        "small-sample factor": "clustered G/(G-1) * (n-1)/(n-k), robust HC1 n/(n-k), with k coefficients; in "
        "the tests too",
        "reference distribution": "t with n - k degrees of freedom, clustered G - 1 (Stata's ivregress and "
        "linearmodels: normal)",
        "sargan": "n e'Pe / e'e with the residuals e of this estimator",
    }
    if method != "2sls":
        out["kappa"] = (
            "taken as known in the standard errors; scores are those of the equations solved (linearmodels "
            "takes those of two-stage least squares)"
        )
    if absorbed:
        out["absorbed"] = "effects count in k unless nested in a cluster, as reghdfe and fixest"
    return out


def _jackknife(
    source: IvDesign, formula: str, method: str, vcov: Vcov, errors: str, leave_out: str | None
) -> Fit:
    """A jackknife with the columns of the design; one endogenous variable."""
    design = source.design
    endogenous = [j for j, mine in enumerate(source.endogenous) if mine]
    if len(endogenous) != 1:
        raise FormulaError(f"method={method!r} takes one endogenous variable, not {len(endogenous)}.")
    if len(source.factors) > 1:
        raise SpecError(
            f"method={method!r} absorbs one column; make one column of the combinations of "
            f"{' and '.join(source.factors)}."
        )
    if INTERCEPT not in design.columns:
        raise FormulaError(f"method={method!r} needs an intercept: leave out the 0 in the formula.")
    exogenous = [j for j, n in enumerate(design.columns) if j not in endogenous and n != INTERCEPT]
    name = next(iter(source.factors), None)
    n = len(source.keep)
    levels = dict(source.factors)
    if leave_out is not None:
        levels[leave_out] = pd.factorize(source.frame[leave_out].iloc[source.used])[0].astype(np.int64)
    return jackknife_fit(
        Question(
            y=design.outcome[source.keep],
            d=design.matrix[source.keep, endogenous[0]],
            cells=source.factors[name] if name else np.zeros(n, dtype=np.int64),
            groups=None,
            controls=design.matrix[source.keep][:, exogenous],
            instruments=source.instruments.matrix[source.keep],
            units=levels.get(leave_out) if leave_out else None,
            frame=source.frame,
            positions=source.used,
            outcome=design.outcome_name,
            exposure=design.columns[endogenous[0]],
            method=method,
            errors=errors,
            vcov=vcov,
            dropped=source.dropped,
            spec={"formula": formula, "absorbed": list(source.factors)},
            absorbed=name,
            unit_name=leave_out or "left-out unit",
            levels=levels,
        )
    )
